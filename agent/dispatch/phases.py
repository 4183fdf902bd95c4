"""The phases in a charger's schedule: each slot says on how many, and switches keep apart. Pure.

A switch never comes sooner than the least time after the one before, over every revision and
restart. Until then a slot gives what the phases it is on allow, and never more than was planned:
what a falling limit takes away is taken away at once.
"""

from dataclasses import dataclass, replace
from decimal import Decimal

from agent.dispatch.finish import SHORTEST_S
from agent.dispatch.limit import piece
from agent.energy.phases import Phases
from agent.energy.schedule import Schedule, ScheduleSlot

SIX_DIGITS = Decimal("1e-6")


@dataclass(frozen=True, slots=True)
class PhaseHistory:
    """On how many phases it charged last (None: never), and since when, Unix seconds."""

    count: int | None = None
    since: int = 0

    def charging(self, count: int | None, at: int) -> "PhaseHistory":
        return self if count in (None, self.count) else PhaseHistory(count, at)


def carried_on(history: PhaseHistory, held: Schedule | None, since: int, now: int) -> PhaseHistory:
    """The history at `now` of a charger that has followed `held` since then."""
    for slot in held.slots if held else ():
        begin = max(slot.start, since)
        if slot.power_w > 0 and begin < slot.end and begin <= now:
            history = history.charging(slot.phases, begin)
    return history


def with_phases(schedule: Schedule, phases: Phases, history: PhaseHistory, now: int) -> Schedule:
    """The schedule with phases in its slots, powers that these allow, and its switches apart."""
    out: list[ScheduleSlot] = []
    for slot in schedule.slots:
        power_w = phases.allowed_w(slot.power_w)
        if slot.power_w <= 0:
            out.append(slot)
            continue
        if not power_w:
            continue
        count, begin = phases.count_for(power_w), max(slot.start, now)
        at = _switches_at(slot, count, begin, phases, history)
        if at > begin and history.count is not None:
            on_old = phases.allowed_w(slot.power_w, history.count)
            if on_old:
                out.append(_given(piece(slot, slot.start, at), on_old, history.count))
        if at < slot.end:
            rest = slot if at == begin else piece(slot, at, slot.end)
            out.append(_given(rest, power_w, count))
            history = history.charging(count, at)
    return replace(schedule, slots=tuple(out))


def _switches_at(
    slot: ScheduleSlot, count: int, begin: int, phases: Phases, history: PhaseHistory
) -> int:
    """When it is on that many phases: from `begin`, or as soon as it may be; the slot's end: never.

    Neither what comes before the switch nor what comes after is shorter than a minute.
    """
    if history.count in (None, count):
        return begin
    free_at = history.since + phases.switch_min_s
    if free_at <= begin:
        return begin
    at = max(free_at, begin + SHORTEST_S)
    return at if at + SHORTEST_S <= slot.end else slot.end


def _given(slot: ScheduleSlot, power_w: int, count: int) -> ScheduleSlot:
    most = Decimal(power_w * (slot.end - slot.start)) / 3_600_000
    energy = min(slot.energy_kwh, most.quantize(SIX_DIGITS))
    return replace(slot, power_w=power_w, phases=count, energy_kwh=energy)
