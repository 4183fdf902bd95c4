"""No revision ends a run or a rest before the device's least time, whoever asked for it. Pure.

The rule is that of the wire contract's section 2. What a device does by itself is not commanded on;
it is only not blocked. One that is told to run already is not held off: it rests by itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from agent.dispatch.finish import SHORTEST_S
from agent.dispatch.limit import piece
from agent.energy.instants import from_unix, to_unix_ceil, to_unix_floor
from agent.energy.profile import DeviceProfile
from agent.energy.schedule import Schedule, ScheduleSlot
from agent.energy.sentences import sentence
from agent.home.model.device_model import DeviceModel
from agent.home.planning_input import PlanningInput


def with_least_times(
    schedule: Schedule, profile: DeviceProfile, model: DeviceModel, item: PlanningInput, now: int
) -> Schedule:
    """The schedule, in which the run or the rest under way lasts as long as it has to."""
    until = least_run_ends(profile, model, item, now)
    if until is not None:
        until = max(until, now + SHORTEST_S)
        slots = _carried_on(schedule.slots, _told_on(model, now), now, until)
        return replace(schedule, slots=tuple(slots))
    until = least_rest_ends(profile, model, now)
    if until is not None:
        slots = _put_off(schedule.slots, max(until, now + SHORTEST_S))
        return replace(schedule, slots=tuple(slots))
    return schedule


def least_run_ends(
    profile: DeviceProfile, model: DeviceModel, item: PlanningInput, now: int
) -> int | None:
    """Until when the run under way has to last; None where it may end now."""
    on_since = model.switching.on_since
    if on_since is None or (model.traits.has_stays and _has_ended(model, item, now)):
        return None
    return _ends_at(on_since, profile.min_on_s, now)


def least_rest_ends(profile: DeviceProfile, model: DeviceModel, now: int) -> int | None:
    """Until when the rest under way has to last; None where a run may begin now."""
    off = model.switching.off_since
    if off is None or not model.switching.was_seen_to_end or _told_on(model, now) is not None:
        return None
    return _ends_at(off, profile.min_off_s, now)


def _ends_at(since: datetime, least_s: int, now: int) -> int | None:
    """None where it is over, or began later than now: by a clock that was wrong then or is now."""
    begun = to_unix_ceil(since)
    return begun + least_s if begun <= now < begun + least_s else None


def waiting(
    inputs: Mapping[str, PlanningInput],
    profiles: Mapping[str, DeviceProfile],
    models: Mapping[str, DeviceModel],
    zone: ZoneInfo,
    now: datetime,
) -> dict[str, str]:
    """Why what a person asked for waits, by device; "" where it does not."""
    second = to_unix_floor(now)
    out = dict.fromkeys(inputs, "")
    for name, item in inputs.items():
        if item.override is None:
            continue
        if item.override.mode == "boost":
            until = least_rest_ends(profiles[name], models[name], second)
            if until is not None:
                at = from_unix(until).astimezone(zone)
                out[name] = sentence("it rests until {at:%H:%M}: its least time off", at=at)
            continue
        until = least_run_ends(profiles[name], models[name], item, second)
        if until is not None:
            at = from_unix(until).astimezone(zone)
            out[name] = sentence("it runs until {at:%H:%M}: its least time on", at=at)
    return out


def _has_ended(model: DeviceModel, item: PlanningInput, now: int) -> bool:
    """A car that has left, or is full, has nothing to go on with."""
    return item.full or not model.plugged(from_unix(now))


def _told_on(model: DeviceModel, now: int) -> ScheduleSlot | None:
    held = model.schedules.held
    slot = held.slot_at(now) if held is not None else None
    return slot if slot is not None and slot.power_w > 0 else None


def _carried_on(
    slots: Sequence[ScheduleSlot], told: ScheduleSlot | None, now: int, until: int
) -> list[ScheduleSlot]:
    """What was told goes on where nothing is to run; nothing else stands before `until`."""
    out = []
    at = now
    for slot in slots:
        if slot.power_w <= 0:
            if slot.end >= until + SHORTEST_S:
                out.append(piece(slot, max(slot.start, until), slot.end))
            continue
        if told is not None and at < min(slot.start, until):
            out.append(piece(told, at, min(slot.start, until)))
        at = max(at, slot.end)
        out.append(slot)
    if told is not None and at < until:
        out.append(piece(told, at, until))
    return sorted(out, key=lambda slot: slot.start)


def _put_off(slots: Sequence[ScheduleSlot], until: int) -> list[ScheduleSlot]:
    out = []
    for slot in slots:
        if slot.power_w <= 0 or slot.start >= until:
            out.append(slot)
        elif slot.end >= until + SHORTEST_S:
            out.append(piece(slot, until, slot.end))
    return out
