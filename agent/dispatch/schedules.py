"""From a device's plan to the schedule its firmware follows. Pure.

The rules are those of the wire contract's section 2 ("what we owe it").
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

from agent.dispatch.blocks import BlockHistory, limited_blocks
from agent.energy.instants import from_unix, to_unix_floor
from agent.energy.plan import DevicePlan
from agent.energy.profile import DeviceProfile
from agent.energy.schedule import (
    HEAT,
    DeviceType,
    Schedule,
    ScheduleSlot,
    Setpoint,
    spoken_mode,
)
from agent.energy.sentences import sentence
from agent.energy.situation import ZERO
from agent.home.planning_input import Override, PlanningInput

# Device clocks are slow: what holds now must have begun, by their clock too.
CLOCK_SLACK_S = 300
SHORTEST_VALIDITY_S = 24 * 3600
RENEW_BELOW_S = 12 * 3600
# What was cut follows while at least so much of the schedule is left.
FOLLOWS_BEFORE_S = 2 * 3600 + 900
WORTH_RENEWING_S = 3600
# Edges that move less than this are not worth a new revision: metering is not that exact.
SAME_EDGE_S = 60
# A run that has all it needs seconds before its end is not ended anew.
ENDS_ANYWAY_S = 30
# A run that moves no further as a whole is the same to the planner, to which it costs nothing; told
# each time, it would creep on from there.
SAME_RUN_S = 120
# Far ahead an edge may drift more before it is told: a tenth of the way there, at most this.
FAR_EDGE_S = 900
STORAGE_DRIFT_W = LIMIT_DRIFT_W = 300
# What a load is told by the watt so that it has its energy to the second.
LOAD_DRIFT_W = 100
# What comes sooner than this is told when it changes, however new the schedule is.
SOON_S = 1800
# Where one takes less and less, how its slot goes on is told when its end is so near.
TAPERS_TOLD_S = 600
SIX_DIGITS = Decimal("1e-6")
NEVER_BLOCKED = BlockHistory()


@dataclass(frozen=True, slots=True)
class ScheduleContext:
    """What a schedule is made in: instants in Unix seconds, cost of starting at once."""

    now: int
    horizon: int
    currency: str
    baseline_cost: Decimal = ZERO
    blocks: BlockHistory = NEVER_BLOCKED


def schedule_for(
    profile: DeviceProfile,
    wanted: PlanningInput,
    plan: DevicePlan | None,
    planned: Sequence[ScheduleSlot],
    context: ScheduleContext,
) -> Schedule:
    """The device's schedule, revision 0: the dispatcher numbers what is really published.

    `planned` are the slots of the plan in the device's words.
    """
    now = context.now
    slots = [] if wanted.running else list(planned)
    if wanted.override is not None:
        slots = _apply_override(profile, wanted.override, context, slots)
    slots = [slot for slot in slots if slot.end > now]
    if profile.is_heat:
        # However long a pause is wanted: a blocked heat pump is let go after two hours.
        slots = limited_blocks(slots, now, context.blocks, profile)
    ends = [slot.end for slot in slots] + [wanted.goal.ready_by or 0]
    return Schedule(
        device=profile.id,
        device_type=profile.type,
        revision=0,
        issued_at=now,
        valid_from=now - CLOCK_SLACK_S,
        valid_until=max(context.horizon, now + SHORTEST_VALIDITY_S, *ends),
        currency=context.currency,
        slots=tuple(slots),
        default=profile.default,
        offline=profile.offline,
        goal=wanted.goal,
        cost=plan.cost if plan else ZERO,
        baseline_cost=context.baseline_cost if plan else ZERO,
        status=plan.status if plan else "optimal",
        estimated=any(slot.estimated for slot in plan.slots) if plan else False,
    )


def _apply_override(
    profile: DeviceProfile,
    override: Override,
    context: ScheduleContext,
    planned: Sequence[ScheduleSlot],
) -> list[ScheduleSlot]:
    """The plan after a boost or pause."""
    now, until = context.now, to_unix_floor(override.until)
    out: list[ScheduleSlot] = []
    if override.mode == "boost":
        if override.power_w >= max(1, profile.min_power_w):
            energy = Decimal(override.power_w * (until - now)) / 3_600_000
            out.append(
                ScheduleSlot(
                    now,
                    until,
                    profile.on_mode,
                    override.power_w,
                    energy.quantize(SIX_DIGITS),
                    None,
                    override.reason,
                )
            )
    elif profile.pause_mode != profile.default.mode:
        out.append(ScheduleSlot(now, until, profile.pause_mode, 0, ZERO, None, override.reason))
    out += [replace(slot, start=max(slot.start, until)) for slot in planned if slot.end > until]
    return out


def needs_publishing(
    held: Schedule | None,
    wanted: Schedule,
    now: int,
    *,
    ignore_drift: bool = False,
    settles: bool = False,
    tapers: bool = False,
) -> bool:
    """Is a new revision due: would the device do something else, or does its schedule run out?

    `ignore_drift`: nothing was asked or plugged, so what moved is only what metering made of it.
    `settles`: of many plans that are nearly as good as each other, and of which the next reading
    makes another one the best, only what comes soon counts: half as far ahead as it stands already.
    `tapers`: it takes less and less; the slot under way stands until it is about to end.
    """
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
    # The power of a store is cut to fit what is left to fill: readings move it a little each time.
    stores = wanted.device_type in (DeviceType.BATTERY, *HEAT)
    power_drift_w = (STORAGE_DRIFT_W if stores else LOAD_DRIFT_W) if ignore_drift else 0
    until = min(held.valid_until, wanted.valid_until)
    if ignore_drift and settles:
        until = min(until, now + max(SOON_S, (now - held.issued_at) // 2))
    if tapers:
        under_way = held.slot_at(now)
        if under_way is not None and under_way.power_w > 0 and under_way.end > now + TAPERS_TOLD_S:
            return False
        until = min(until, now + TAPERS_TOLD_S)
    if ignore_drift and wanted.device_type is DeviceType.PV_INVERTER:
        return _limits_differ(held, wanted, now, until)
    old = _remaining_slots(held, now, until, power_drift_w)
    new = _remaining_slots(wanted, now, until, power_drift_w)
    if ignore_drift and old and old[0].end <= now + ENDS_ANYWAY_S:
        ends_sooner = not new or new[0].start >= old[0].end
        old = old[1:] if ends_sooner else old
    if len(old) != len(new):
        return True
    return any(
        (a.mode, a.phases) != (b.mode, b.phases)
        or abs(a.power_w - b.power_w) > power_drift_w
        or _differs(
            (max(a.start, now), a.end), (max(b.start, now), b.end), now, ignore_drift=ignore_drift
        )
        for a, b in zip(old, new, strict=True)
    )


def _limits_differ(held: Schedule, wanted: Schedule, now: int, until: int) -> bool:
    """An inverter's limits follow what the house is expected to draw, by the hour and a little."""
    slots = (*held.slots, *wanted.slots)
    inside = {edge for slot in slots for edge in (slot.start, slot.end) if now < edge < until}
    for start, end in pairwise(sorted({now, until, *inside})):
        old, new = held.slot_at(start) or held.default, wanted.slot_at(start) or wanted.default
        far = abs(old.power_w - new.power_w) > LIMIT_DRIFT_W or old.mode != new.mode
        if far and end - start > SAME_EDGE_S:
            return True
    return False


def _differs(old: tuple[int, int], new: tuple[int, int], now: int, *, ignore_drift: bool) -> bool:
    """Whether a run begins or ends elsewhere, and not only a little earlier or later as a whole."""
    first, last = new[0] - old[0], new[1] - old[1]
    as_a_whole = abs(first - last) <= SAME_EDGE_S and max(abs(first), abs(last)) <= SAME_RUN_S
    if ignore_drift and as_a_whole:
        return False
    return any(_moved(a, b, now, ignore_drift=ignore_drift) for a, b in zip(old, new, strict=True))


def _moved(old: int, new: int, now: int, *, ignore_drift: bool) -> bool:
    drift = SAME_EDGE_S
    if ignore_drift:
        drift = max(drift, min(FAR_EDGE_S, (min(old, new) - now) // 10))
    return abs(old - new) > drift


def _remaining_slots(
    schedule: Schedule, now: int, until: int, power_drift_w: int
) -> list[ScheduleSlot]:
    """Slots between now and `until`, touching ones of equal mode and nearly equal power as one."""
    out: list[ScheduleSlot] = []
    for slot in schedule.slots:
        if slot.end <= now or slot.start >= until:
            continue
        last = out[-1] if out else None
        if (
            last is not None
            and last.end == slot.start
            and (last.mode, last.phases) == (slot.mode, slot.phases)
            and abs(last.power_w - slot.power_w) <= power_drift_w
        ):
            out[-1] = replace(last, end=min(slot.end, until))
        else:
            out.append(replace(slot, end=min(slot.end, until)))
    return out


def describe_schedule(schedule: Schedule, zone: ZoneInfo, now: int) -> str:
    """The schedule in a sentence, in local time."""
    if not schedule.slots:
        return sentence("nothing to do, {mode}", mode=sentence(schedule.default.mode))
    first, parts = schedule.slots[0], len(schedule.slots)
    values = {
        "mode": sentence(spoken_mode(schedule.device_type, first.mode)),
        "power": first.power_w,
        "start": from_unix(first.start).astimezone(zone),
        "end": from_unix(schedule.slots[-1].end).astimezone(zone),
        "parts": parts,
    }
    if first.start <= now:
        if parts > 1:
            return sentence(
                "{mode} at {power} W now in {parts} parts until {end:%a %H:%M}", **values
            )
        return sentence("{mode} at {power} W now until {end:%a %H:%M}", **values)
    if parts > 1:
        return sentence(
            "{mode} at {power} W from {start:%a %H:%M} in {parts} parts until {end:%a %H:%M}",
            **values,
        )
    return sentence("{mode} at {power} W from {start:%a %H:%M} until {end:%a %H:%M}", **values)


def next_revision(now: int, *seen: int) -> int:
    """Unsigned 32 bit: Unix time, or one more than the highest ever stored, retained or acked."""
    return min(max(now, *(number + 1 for number in seen)), 2**32 - 1)


def setpoint_at(schedule: Schedule, profile: DeviceProfile, now: int) -> Setpoint:
    """The line to obey from `now` to the schedule's next change."""
    slot = schedule.slot_at(now)
    mode, power = (slot.mode, slot.power_w) if slot else (schedule.default.mode, 0)
    wiring = profile.phases
    phases = slot.phases if slot else None
    if phases is None and wiring is not None and not wiring.switches:
        phases = wiring.counts[0]
    return Setpoint(
        revision=schedule.revision,
        at=now,
        mode=mode,
        power_w=power if slot else schedule.default.power_w,
        until=schedule.next_change(now),
        default=schedule.default,
        offline=schedule.offline,
        reason=slot.reason if slot else "default",
        current_a=wiring.current_a(power, phases) if wiring and phases else None,
        phases=phases,
    )
