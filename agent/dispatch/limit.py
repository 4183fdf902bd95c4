"""Schedules under a limit: what is published never adds up to more than the house may draw. Pure.

The rules are those of the wire contract's sections 2 ("under a site limit") and 2a. A device may
follow anything that was published since what it acknowledged last; it counts with the most of it.
The limit binds what is planned; a device on its own logic does not know it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from agent.dispatch.published import NOTHING, Published, power_of
from agent.energy.profile import DeviceProfile
from agent.energy.schedule import DeviceType, OfflineRule, Schedule, ScheduleSlot
from agent.energy.steps import Steps, combined
from agent.home.planning_input import OVERRIDE_REASONS

NO_LOADS: Mapping[str, Steps] = {}
SIX_DIGITS = Decimal("1e-6")


def granted(
    profiles: Mapping[str, DeviceProfile],
    published: Mapping[str, Published],
    wanted: Mapping[str, Schedule],
    headroom: Steps,
    now: int,
    beside: Mapping[str, Steps] = NO_LOADS,
) -> tuple[dict[str, Schedule], frozenset[str]]:
    """What may be published now of what is wanted, and who does not get all of it yet.

    Where more would not fit beside what the others may still be taking, a device gets the lower of
    what it holds and what is wanted, until they have acknowledged to take less. `beside` is what
    devices draw whatever they are told.
    """
    most = {name: published[name].most(profiles[name]) for name in published}
    for name, steps in beside.items():
        most[name] = combined([most[name], steps], max) if name in most else steps
    order = sorted(wanted, key=lambda name: -profiles[name].priority)
    out: dict[str, Schedule] = {}
    waiting = set()
    # First whoever is told to take nowhere more than before: nobody waits to take less.
    told = {
        name: power_of(profiles[name], published[name].latest if name in published else None)
        for name in order
    }
    risers = {
        name: rises(power_of(profiles[name], wanted[name]), told[name], now) for name in order
    }
    for name in sorted(order, key=lambda name: risers[name]):
        schedule = wanted[name]
        if risers[name]:
            others = [steps for other, steps in most.items() if other != name]
            taken = combined(others, sum) if others else NOTHING
            held = published[name].latest if name in published else None
            schedule, whole = _fitted(profiles[name], schedule, held, headroom, taken, now)
            if not whole:
                waiting.add(name)
        out[name] = schedule
        power = power_of(profiles[name], schedule)
        most[name] = combined([most[name], power], max) if name in most else power
    return out, frozenset(waiting)


def takes_less(profile: DeviceProfile, new: Schedule, old: Schedule, now: int) -> bool:
    """Does the device take less at any instant from now on than by the old one?"""
    return rises(power_of(profile, old), power_of(profile, new), now)


def rises(new: Steps, old: Steps, now: int) -> bool:
    """Is it more than before at any instant from now on?"""
    edges = {now, *(at for at in (*new.at, *old.at) if at > now)}
    return any(new.value(at) > old.value(at) for at in edges)


def _fitted(
    profile: DeviceProfile,
    wanted: Schedule,
    held: Schedule | None,
    headroom: Steps,
    taken: Steps,
    now: int,
) -> tuple[Schedule, bool]:
    """`wanted`, but the lower of it and `held` where it does not fit; whether all of it fits.

    What it may still be taking of an older schedule is no room for more than it was told last: a
    limit that became stricter was obeyed without waiting for anybody.
    """
    power, old = power_of(profile, wanted), power_of(profile, held)

    def fits(at: int) -> bool:
        new = power.value(at)
        return new <= old.value(at) or new <= headroom.value(at) - taken.value(at)

    edges = sorted({now, *(at for s in (power, old, headroom, taken) for at in s.at)})
    edges = [at for at in edges if at >= now]
    end = max(wanted.valid_until, edges[-1] + 1)
    pieces: list[ScheduleSlot] = []
    whole = True
    for at, until in zip(edges, [*edges[1:], end], strict=True):
        slot = wanted.slot_at(at)
        if not fits(at):
            whole = False
            room = int(max(old.value(at), headroom.value(at) - taken.value(at)))
            left = _left_of(profile, slot, room)
            lower = held is not None and old.value(at) < power.value(at)
            slot = held.slot_at(at) if held is not None and lower else None
            if left is not None and left.power_w > old.value(at):
                slot = left
        if slot is not None and until > at:
            pieces.append(piece(slot, at, min(until, slot.end)))
    if whole:
        return wanted, True
    if profile.run_parts:
        # A run cannot be cut: all of it or, till there is room, none; one under way goes on.
        under_way = held is not None and held.slot_at(now) is not None
        return replace(wanted, slots=held.slots if held and under_way else ()), False
    return replace(wanted, slots=tuple(pieces)), False


def _left_of(profile: DeviceProfile, slot: ScheduleSlot | None, room_w: int) -> ScheduleSlot | None:
    """What a person asked for at once gets what is left; a plan comes whole, in a moment."""
    if slot is None or slot.reason not in OVERRIDE_REASONS:
        return None
    power_w = profile.allowed_w(min(slot.power_w, room_w))
    return replace(slot, power_w=power_w) if power_w else None


def curtailed(
    profiles: Mapping[str, DeviceProfile],
    published: Mapping[str, Published],
    headroom: Steps,
    unswitchable: Iterable[str],
    now: int,
    beside: Mapping[str, Steps] = NO_LOADS,
) -> dict[str, Schedule]:
    """Of what devices hold, the schedules that have to be lower for a limit; no others.

    What cannot be switched, and what does not take what it is told, keeps its power before all
    others. Then every car keeps its 6 A as far as they fit, and what is left goes to the higher
    priority.
    """
    fixed = set(unswitchable)
    names = [name for name, item in published.items() if item.latest is not None]
    names.sort(key=lambda name: (name not in fixed, -profiles[name].priority))
    draws = {name: power_of(profiles[name], published[name].latest) for name in names}
    cars = [name for name in names if profiles[name].type is DeviceType.EVSE and name not in fixed]
    stuck = {name: item.whatever_is_told(profiles[name]) for name, item in published.items()}
    for name, steps in beside.items():
        stuck[name] = combined([stuck.get(name, NOTHING), steps], max)
    taken = combined([draws[name] for name in fixed if name in draws] or [NOTHING], sum)
    taken = combined([taken, *(stuck[name] for name in stuck if name not in fixed)], sum)
    kept: dict[str, Steps] = {}
    for name in cars:
        kept[name] = _least(profiles[name], draws[name], headroom, taken)
        taken = combined([taken, kept[name]], sum)
    out = {}
    for name in names:
        if name in fixed:
            continue
        profile, held = profiles[name], published[name].latest
        assert held is not None
        mine = combined([kept.get(name, NOTHING), stuck[name]], sum)
        taken = combined([taken, mine], lambda pair: pair[0] - pair[1])
        schedule = _lowered(profile, held, headroom, taken, now)
        if schedule is not held:
            out[name] = schedule
        power = combined([power_of(profile, schedule), stuck[name]], max)
        taken = combined([taken, power], sum)
    return out


def _least(profile: DeviceProfile, draw: Steps, headroom: Steps, taken: Steps) -> Steps:
    """What a car that charges keeps at each instant: its least where that fits, else nothing."""

    def least(at: Sequence[float]) -> float:
        watts, room = min(at[0], profile.min_power_w), at[1] - at[2]
        return watts if watts <= room else 0.0

    return combined([draw, headroom, taken], least)


def _lowered(
    profile: DeviceProfile, held: Schedule, headroom: Steps, taken: Steps, now: int
) -> Schedule:
    slots: list[ScheduleSlot] = []
    changed = False
    for slot in held.slots:
        if slot.end <= now or profile.max_draw_w(slot.mode, slot.power_w) <= 0:
            slots.append(slot)
            continue
        begin = max(slot.start, now)
        if profile.run_parts:
            run = power_of(profile, replace(held, slots=(slot,)))
            over = combined([run, headroom, taken], lambda at: at[0] - (at[1] - at[2]))
            whole = all(over.value(at) <= 0 for at in (begin, *over.between(begin, slot.end)))
            slots += [slot] if whole else []
            changed = changed or not whole
            continue
        edges = sorted({begin, *headroom.between(begin, slot.end), *taken.between(begin, slot.end)})
        for at, until in zip(edges, [*edges[1:], slot.end], strict=True):
            room = int(headroom.value(at) - taken.value(at))
            draw = profile.max_draw_w(slot.mode, slot.power_w)
            if draw <= room:
                slots.append(piece(slot, at, until))
                continue
            changed = True
            if (power_w := profile.allowed_w(room)) and slot.mode != "release":
                slots.append(piece(replace(slot, power_w=power_w), at, until))
    return replace(held, slots=tuple(slots)) if changed else held


def piece(slot: ScheduleSlot, start: int, end: int) -> ScheduleSlot:
    """A part of a slot, with its share of the energy."""
    share = slot.energy_kwh * (end - start) / (slot.end - slot.start)
    return replace(slot, start=start, end=end, energy_kwh=share.quantize(SIX_DIGITS))


def fit_offline_rules(
    profiles: Sequence[DeviceProfile], limit_w: float, base_load_w: float
) -> tuple[dict[str, DeviceProfile], list[str]]:
    """Profiles whose offline rules fit below the limit together, and whose rule became 0 W.

    The lowest priority gives way first. Heat cannot: its normal is its own.
    """
    out = {profile.id: profile for profile in profiles}
    reduced: list[str] = []
    for profile in sorted(profiles, key=lambda item: item.priority):
        if base_load_w + sum(item.offline_draw_w for item in out.values()) < limit_w:
            break
        if not profile.is_heat and profile.offline_draw_w > 0:
            idle = OfflineRule(profile.offline.after_s, "idle", 0)
            out[profile.id] = replace(profile, offline=idle)
            reduced.append(profile.id)
    return out, reduced
