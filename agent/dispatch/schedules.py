"""From a device's plan to the schedule its firmware follows. Pure.

The rules are those of the wire contract's section 2 ("what we owe it").
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from agent.dispatch.blocks import BlockHistory, limited_blocks
from agent.energy.instants import from_unix, to_unix_floor
from agent.energy.plan import DevicePlan
from agent.energy.profile import DeviceProfile
from agent.energy.schedule import (
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


def describe_schedule(schedule: Schedule, zone: ZoneInfo, now: int) -> str:
    """The schedule in a sentence, in local time."""
    if not schedule.slots:
        return sentence("nothing to do, {mode}", mode=sentence(schedule.default.mode))
    first, parts = schedule.slots[0], len(schedule.slots)
    modes = dict.fromkeys(spoken_mode(schedule.device_type, slot.mode) for slot in schedule.slots)
    values: dict[str, Any] = {
        "mode": _listed([sentence(mode) for mode in modes]),
        # The mode says which way it flows.
        "power": abs(first.power_w),
        "start": from_unix(first.start).astimezone(zone),
        "end": from_unix(schedule.slots[-1].end).astimezone(zone),
        "parts": parts,
    }
    if len(modes) > 1:
        # Each has a power of its own.
        if first.start <= now:
            return sentence("{mode} now in {parts} parts until {end:%a %H:%M}", **values)
        return sentence(
            "{mode} from {start:%a %H:%M} in {parts} parts until {end:%a %H:%M}", **values
        )
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


def _listed(words: Sequence[str]) -> str:
    some, *others = words
    for more in others[:-1]:
        some = sentence("{some}, {more}", some=some, more=more)
    return sentence("{some} and {more}", some=some, more=others[-1]) if others else some


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
