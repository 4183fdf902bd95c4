"""From a device's plan to the schedule its firmware follows. Pure.

The rules are those of the wire contract's section 2 ("what we owe it").
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from zoneinfo import ZoneInfo

from agent.config.devices import DeviceSection, EvCharger, HeatPump, ProgramAppliance, WaterHeater
from agent.energy.instants import from_unix, to_unix_floor
from agent.energy.plan import DevicePlan
from agent.energy.schedule import (
    HEAT,
    DefaultCommand,
    DeviceType,
    OfflineRule,
    Schedule,
    ScheduleSlot,
    Setpoint,
)
from agent.energy.situation import ZERO
from agent.home.planning_input import Override, PlanningInput

# Device clocks are slow: what holds now must have begun, by their clock too.
CLOCK_SLACK_S = 300
SHORTEST_VALIDITY_S = 24 * 3600
RENEW_BELOW_S = 12 * 3600
# Edges that move less than this are not worth a new revision: metering is not that exact.
SAME_EDGE_S = 60
# Far ahead an edge may drift more before it is told: a tenth of the way there, at most this.
FAR_EDGE_S = 900
LONGEST_BLOCK_S = 7200


@dataclass(frozen=True, slots=True)
class DeviceProfile:
    """What a schedule has to know of a device: its words, its least, its rules without us."""

    id: str
    type: DeviceType
    on_mode: str
    pause_mode: str
    max_power_w: int
    min_power_w: int
    default: DefaultCommand
    offline: OfflineRule
    phases: int | None = None
    voltage_v: int | None = None


def device_profile(section: DeviceSection) -> DeviceProfile:
    """The device's side of the contract, from its configuration."""
    if isinstance(section, EvCharger):
        offline = section.offline_power_w
        if offline is None:
            offline = min(section.max_power_w, max(section.min_power_w, 3700))
        return DeviceProfile(
            id=section.id,
            type=DeviceType.EVSE,
            on_mode="charge",
            pause_mode="idle",
            max_power_w=section.max_power_w,
            min_power_w=section.min_power_w,
            default=DefaultCommand("idle", 0),
            offline=OfflineRule(section.offline_after_s, "charge" if offline else "idle", offline),
            phases=section.phases,
            voltage_v=section.voltage_v,
        )
    if isinstance(section, ProgramAppliance):
        return DeviceProfile(
            id=section.id,
            type=DeviceType.PROGRAM,
            on_mode="run",
            pause_mode="idle",
            max_power_w=max(part.power_w for part in section.profile),
            min_power_w=0,
            default=DefaultCommand("idle", 0),
            offline=OfflineRule(section.offline_after_s, "idle", 0),
        )
    if isinstance(section, HeatPump | WaterHeater):
        heats_rooms = isinstance(section, HeatPump)
        return DeviceProfile(
            id=section.id,
            type=DeviceType.SPACE_HEATING if heats_rooms else DeviceType.WATER_HEATING,
            on_mode="boost",
            pause_mode="block",
            max_power_w=section.power_w,
            min_power_w=section.power_w,
            default=DefaultCommand("normal", 0),
            offline=OfflineRule(section.offline_after_s, "normal", 0),
        )
    return DeviceProfile(
        id=section.id,
        type=DeviceType.FLEXIBLE,
        on_mode="charge",
        pause_mode="idle",
        max_power_w=section.power_w,
        min_power_w=section.power_w,
        default=DefaultCommand("idle", 0),
        offline=OfflineRule(section.offline_after_s, "release", 0),
    )


def schedule_for(
    profile: DeviceProfile,
    asked: PlanningInput,
    plan: DevicePlan | None,
    *,
    now: int,
    horizon: int,
    currency: str,
    baseline_cost: Decimal,
) -> Schedule:
    """The device's schedule, revision 0: the dispatcher numbers what is really published."""
    slots = [] if asked.running else _slots(profile, plan)
    if asked.override is not None:
        until = to_unix_floor(asked.override.until)
        slots = _apply_override(profile, asked.override, now, until, slots)
    slots = [_backdate_start(slot, now) for slot in slots if slot.end > now]
    ends = [slot.end for slot in slots] + [asked.goal.ready_by or 0]
    return Schedule(
        device=profile.id,
        device_type=profile.type,
        revision=0,
        issued_at=now,
        valid_from=now - CLOCK_SLACK_S,
        valid_until=max(horizon, now + SHORTEST_VALIDITY_S, *ends),
        currency=currency,
        slots=tuple(slots),
        default=profile.default,
        offline=profile.offline,
        goal=asked.goal,
        cost=plan.cost if plan else ZERO,
        baseline_cost=baseline_cost,
        status=plan.status if plan else "optimal",
        estimated=any(slot.estimated for slot in plan.slots) if plan else False,
    )


def _slots(profile: DeviceProfile, plan: DevicePlan | None) -> list[ScheduleSlot]:
    if plan is None:
        return []
    if profile.type is DeviceType.PROGRAM:
        return _program_slot(profile, plan)
    out = []
    for slot in plan.slots:
        power = int(slot.power_w)
        if power <= 0 or power < profile.min_power_w:
            continue
        energy = slot.power_w * (slot.end - slot.start) / 3_600_000
        out.append(
            ScheduleSlot(
                slot.start,
                slot.end,
                profile.on_mode,
                power,
                energy.quantize(Decimal("1e-6")),
                slot.price,
                slot.reason,
                profile.phases,
            )
        )
    return out


def _program_slot(profile: DeviceProfile, plan: DevicePlan) -> list[ScheduleSlot]:
    """A program is one slot from its first to its last second, pauses of its profile included."""
    if not plan.slots:
        return []
    first, last = plan.slots[0], plan.slots[-1]
    energy = sum((slot.power_w * (slot.end - slot.start) / 3_600_000 for slot in plan.slots), ZERO)
    priced = [slot for slot in plan.slots if slot.price is not None and slot.power_w > 0]
    cost = sum((slot.cost for slot in priced), ZERO)
    return [
        ScheduleSlot(
            first.start,
            last.end,
            profile.on_mode,
            profile.max_power_w,
            energy.quantize(Decimal("1e-6")),
            (cost / energy).quantize(Decimal("1e-7")) if priced and energy else None,
            first.reason,
        )
    ]


def _apply_override(
    profile: DeviceProfile,
    override: Override,
    now: int,
    until: int,
    planned: Iterable[ScheduleSlot],
) -> list[ScheduleSlot]:
    """The plan after a boost or pause. A blocked heat pump is let go after two hours."""
    out = []
    if override.mode == "boost":
        energy = Decimal(profile.max_power_w * (until - now)) / 3_600_000
        out.append(
            ScheduleSlot(
                now,
                until,
                profile.on_mode,
                profile.max_power_w,
                energy.quantize(Decimal("1e-6")),
                None,
                override.reason,
                profile.phases,
            )
        )
    elif profile.pause_mode != profile.default.mode:
        end = min(until, now + LONGEST_BLOCK_S) if profile.type in HEAT else until
        out.append(ScheduleSlot(now, end, profile.pause_mode, 0, ZERO, None, override.reason))
    out += [replace(slot, start=max(slot.start, until)) for slot in planned if slot.end > until]
    return out


def _backdate_start(slot: ScheduleSlot, now: int) -> ScheduleSlot:
    return replace(slot, start=min(slot.start, now - CLOCK_SLACK_S)) if slot.start <= now else slot


def needs_publishing(
    held: Schedule | None, wanted: Schedule, now: int, *, exact: bool = True
) -> bool:
    """Is a new revision due: would the device do something else, or does its schedule run out?

    Not `exact`: nothing was asked or plugged, so what moved is only what metering made of it.
    """
    if held is None:
        return True
    if (held.default, held.offline, held.device_type) != (
        wanted.default,
        wanted.offline,
        wanted.device_type,
    ):
        return True
    if held.valid_until - now < RENEW_BELOW_S < wanted.valid_until - now:
        return True
    old, new = _remaining_slots(held, now), _remaining_slots(wanted, now)
    if len(old) != len(new):
        return True
    return any(
        (a.mode, a.power_w) != (b.mode, b.power_w)
        or _moved(max(a.start, now), max(b.start, now), now, exact)
        or _moved(a.end, b.end, now, exact)
        for a, b in zip(old, new, strict=True)
    )


def _moved(old: int, new: int, now: int, exact: bool) -> bool:
    drift = SAME_EDGE_S
    if not exact:
        drift = max(drift, min(FAR_EDGE_S, (min(old, new) - now) // 10))
    return abs(old - new) > drift


def _remaining_slots(schedule: Schedule, now: int) -> list[ScheduleSlot]:
    """Slots that are not over, touching ones of equal mode and power as one."""
    out: list[ScheduleSlot] = []
    for slot in schedule.slots:
        if slot.end <= now:
            continue
        last = out[-1] if out else None
        if (
            last is not None
            and last.end == slot.start
            and (last.mode, last.power_w) == (slot.mode, slot.power_w)
        ):
            out[-1] = replace(last, end=slot.end)
        else:
            out.append(slot)
    return out


def describe_schedule(schedule: Schedule, zone: ZoneInfo, now: int) -> str:
    """The schedule in a sentence, in local time."""
    if not schedule.slots:
        return f"nothing to do, {schedule.default.mode}"
    first = schedule.slots[0]
    begins = from_unix(first.start).astimezone(zone)
    starts = "now" if first.start <= now else f"from {begins:%a %H:%M}"
    ends = from_unix(schedule.slots[-1].end).astimezone(zone)
    count = len(schedule.slots)
    parts = f" in {count} parts" if count > 1 else ""
    return f"{first.mode} at {first.power_w} W {starts}{parts} until {ends:%a %H:%M}"


def next_revision(now: int, *seen: int) -> int:
    """Unsigned 32 bit: Unix time, or one more than the highest ever stored, retained or acked."""
    return min(max(now, *(number + 1 for number in seen)), 2**32 - 1)


def setpoint_at(schedule: Schedule, profile: DeviceProfile, now: int) -> Setpoint:
    """The line to obey from `now` to the schedule's next change."""
    slot = schedule.slot_at(now)
    mode, power = (slot.mode, slot.power_w) if slot else (profile.default.mode, 0)
    current = None
    if profile.voltage_v and profile.phases:
        current = power // (profile.voltage_v * profile.phases)
    return Setpoint(
        revision=schedule.revision,
        at=now,
        mode=mode,
        power_w=power if slot else profile.default.power_w,
        until=schedule.next_change(now),
        default=schedule.default,
        offline=schedule.offline,
        reason=slot.reason if slot else "default",
        current_a=current,
        phases=profile.phases,
    )
