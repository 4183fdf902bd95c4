"""When a new revision is due: the device would do something else, or its schedule runs out. Pure.

A plan is made anew every few minutes, from readings that are a little off. What that moves is told
only where it is more than readings are off by, and only when it is about to matter.
"""

from dataclasses import dataclass, replace

from agent.dispatch.stretches import BY_ENERGY, BY_POWER, Stretch, pieces, stretches
from agent.energy.schedule import HEAT, DeviceType, Schedule, ScheduleSlot

RENEW_BELOW_S = 12 * 3600
# What was cut follows while at least so much of the schedule is left.
FOLLOWS_BEFORE_S = 2 * 3600 + 900
WORTH_RENEWING_S = 3600
# Edges that move less than this are not worth a new revision: metering is not that exact.
SAME_EDGE_S = 60
# A run that moves no further as a whole is the same to the planner, to which it costs nothing; told
# each time, it would creep on from there. So much of its full power is what a gauge is off by, too.
SAME_RUN_S = 120
# A store that takes or gives so much longer than it need makes up for it later.
SAME_STORED_S = 300
# Far ahead an edge may drift more before it is told: a tenth of the way there, at most this.
FAR_EDGE_S = 900
# Seconds before an edge nothing is moved for their sake: what comes after it counts.
AT_HAND_S = 30
LIMIT_DRIFT_W = 300
# A run that ends so shortly before its energy is needed has no time to make up for what it lacks.
LAST_RUN_S = 900
LACKING_WS = 180_000
# What comes sooner than this is told when it changes, however new the schedule is.
SOON_S = 600
# How much further that reaches as a schedule gets older: a device that follows it by itself for
# hours, since nobody is there to tell it, does nearly what is best.
AGES_BY = 8
# What a retained schedule may lack of what is needed in time, whenever that would be told.
MAY_LACK_WS = 3_600_000
# Where one takes less and less, how its slot goes on is told when its end is so near.
TAPERS_TOLD_S = 600


@dataclass(frozen=True, slots=True)
class Leeway:
    """What may stand although the plan is another.

    `ignore_drift`: nothing was asked or plugged, so what moved is only what metering made of it.
    `settles`: of many plans that are nearly as good as each other, and of which the next reading
    makes another one the best, only what comes soon counts: further ahead the longer it stands.
    `tapers`: it takes less and less; the slot under way stands until it is about to end.
    `by_energy`: no limit is shared out by the watt, so a power counts with what it amounts to.
    """

    ignore_drift: bool = False
    settles: bool = False
    tapers: bool = False
    by_energy: bool = False


EXACTLY = Leeway()
# What moves there and back is seen as one.
LOOKS_BEYOND_S = 3600


def needs_publishing(
    held: Schedule | None, wanted: Schedule, now: int, leeway: Leeway = EXACTLY
) -> bool:
    """Is a new revision due?"""
    if held is None:
        return True
    if (held.default, held.offline, held.device_type) != (
        wanted.default,
        wanted.offline,
        wanted.device_type,
    ):
        return True
    left, longer = held.valid_until - now, wanted.valid_until - held.valid_until
    if left < RENEW_BELOW_S and longer >= WORTH_RENEWING_S:
        return True
    if left < FOLLOWS_BEFORE_S and longer >= SAME_EDGE_S:
        return True
    until = min(held.valid_until, wanted.valid_until)
    if leeway.ignore_drift and leeway.settles:
        if _lacks(held, wanted, now):
            return True
        until = min(until, now + max(SOON_S, (now - held.issued_at) // AGES_BY))
    if leeway.tapers:
        under_way = held.slot_at(now)
        if under_way is not None and under_way.power_w > 0 and under_way.end > now + TAPERS_TOLD_S:
            return False
        until = min(until, now + TAPERS_TOLD_S)
    if not leeway.ignore_drift:
        return _is_another(held, wanted, now, until)
    if wanted.device_type is DeviceType.PV_INVERTER:
        return _limits_differ(held, wanted, now, until)
    return _does_something_else(held, wanted, now, until, by_energy=leeway.by_energy)


def _is_another(held: Schedule, wanted: Schedule, now: int, until: int) -> bool:
    """By its slots, to the minute and the watt."""
    old, new = _remaining_slots(held, now, until), _remaining_slots(wanted, now, until)
    return len(old) != len(new) or any(
        (a.mode, a.phases, a.power_w) != (b.mode, b.phases, b.power_w)
        or abs(max(a.start, now) - max(b.start, now)) > SAME_EDGE_S
        or abs(a.end - b.end) > SAME_EDGE_S
        for a, b in zip(old, new, strict=True)
    )


def _remaining_slots(schedule: Schedule, now: int, until: int) -> list[ScheduleSlot]:
    """Slots between now and `until`, touching ones of equal mode and power as one."""
    out: list[ScheduleSlot] = []
    for slot in schedule.slots:
        if slot.end <= now or slot.start >= until:
            continue
        last = out[-1] if out else None
        if (
            last is not None
            and last.end == slot.start
            and (last.mode, last.phases, last.power_w) == (slot.mode, slot.phases, slot.power_w)
        ):
            out[-1] = replace(last, end=min(slot.end, until))
        else:
            out.append(replace(slot, end=min(slot.end, until)))
    return out


def _limits_differ(held: Schedule, wanted: Schedule, now: int, until: int) -> bool:
    """An inverter's limits follow what the house is expected to draw, by the hour and a little."""
    for start, end in pieces(held, wanted, now, until):
        old, new = held.slot_at(start) or held.default, wanted.slot_at(start) or wanted.default
        far = abs(old.power_w - new.power_w) > LIMIT_DRIFT_W or old.mode != new.mode
        if far and end - start > SAME_EDGE_S:
            return True
    return False


def _does_something_else(
    held: Schedule, wanted: Schedule, now: int, until: int, *, by_energy: bool
) -> bool:
    """By what it takes and when, as far as that is more than readings are off by."""
    at_hand = held.next_change(now)
    since = at_hand if at_hand <= now + AT_HAND_S else now
    if since >= until:
        return False
    counts = BY_POWER if not by_energy else BY_ENERGY
    found = list(stretches(held, wanted, since, until + LOOKS_BEYOND_S, counts))
    for k, one in enumerate(found):
        if one.start >= until:
            break
        beside = (*found[max(0, k - 1) : k], *found[k + 1 : k + 2])
        if any(_moves_as_a_whole(one, other) for other in beside):
            continue
        if by_energy and any(_at_one_price(one, other, wanted) for other in beside):
            continue
        goes_on = one.more and one.start == since == at_hand and held.slot_at(since) is None
        drift_s = _drift_s(one, wanted, now, by_energy=by_energy and not goes_on)
        if one.worth_s > drift_s:
            return True
    return False


def _lacks(held: Schedule, wanted: Schedule, now: int) -> bool:
    """Would a device that is told nothing more have too little when it is to be ready?"""
    ready_by = wanted.goal.ready_by
    if ready_by is None or held.device_type in (DeviceType.BATTERY, *HEAT):
        return False
    lacking = sum(
        sign * slot.power_w * max(0, min(slot.end, ready_by) - max(slot.start, now))
        for sign, schedule in ((1, wanted), (-1, held))
        for slot in schedule.slots
    )
    return lacking > MAY_LACK_WS


def _moves_as_a_whole(one: Stretch, other: Stretch) -> bool:
    lengths = one.end - one.start, other.end - other.start
    opposite = one.more != other.more
    return opposite and max(lengths) <= SAME_RUN_S and abs(lengths[0] - lengths[1]) <= SAME_EDGE_S


def _at_one_price(one: Stretch, other: Stretch, wanted: Schedule) -> bool:
    """Does it take a little sooner or later, at the same price, what it takes?

    Of the cells of an hour each is as good for the one with less than full power.
    """
    if wanted.device_type in HEAT or one.price is None or one.price != other.price:
        return False
    return one.more != other.more and abs(one.worth_s - other.worth_s) <= SAME_RUN_S


def _drift_s(one: Stretch, wanted: Schedule, now: int, *, by_energy: bool) -> float:
    """How much of a change is none yet."""
    drift_s: float = SAME_RUN_S if by_energy else SAME_EDGE_S
    ready_by = wanted.goal.ready_by
    stores = wanted.device_type in (DeviceType.BATTERY, *HEAT)
    if by_energy and stores and not (one.more and wanted.device_type in HEAT):
        drift_s = SAME_STORED_S
    elif by_energy and one.more and ready_by is not None and ready_by - one.end < LAST_RUN_S:
        full_w = max((slot.power_w for slot in wanted.slots), default=0)
        drift_s = min(drift_s, LACKING_WS / max(1, full_w))
    return max(drift_s, min(FAR_EDGE_S, (one.start - now) // 10))
