"""A program: starts once, runs through, is always hard. With a start it is load, not a choice."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from agent.energy.situation import Program, Situation
from agent.planning.devices.measured import Measured, Pieces
from agent.planning.incumbent import OFF, ON, IncumbentEdges, edges_of, incumbent_edges
from agent.planning.segments import Run, Segment, joined, runs_of
from agent.planning.timeline import Timeline
from agent.planning.units import Units

# What a program that ends after its deadline misses at least, in kWh.
LEAST_MISSED_KWH = Decimal("0.002")


@dataclass(frozen=True, slots=True)
class Phase:
    """One power over `[start, end)`, in seconds from the start of the program."""

    start: int
    end: int
    power: int


@dataclass(frozen=True, slots=True)
class ScaledProgram:
    """In whole seconds from now; `started` is below 0 or 0 where it is under way."""

    id: str
    priority: int
    phases: tuple[Phase, ...]
    length: int
    earliest: int
    deadline: int
    started: int | None
    incumbent: IncumbentEdges
    least_missed: int

    @property
    def running(self) -> bool:
        return self.started is not None

    @property
    def energy(self) -> int:
        return sum(one.power * (one.end - one.start) for one in self.phases)

    def segments_from(self, start: int) -> tuple[Segment, ...]:
        """What it draws from now on when it starts at `start`."""
        return joined(
            Segment(max(0, start + one.start), start + one.end, one.power)
            for one in self.phases
            if one.power and start + one.end > 0
        )

    def start_of(self, segments: Sequence[Segment]) -> int | None:
        """The start that these segments come from; None where they are not the program."""
        if not segments:
            return None
        first = next((one.start for one in self.phases if one.power), 0)
        start = segments[0].start - first
        return start if self.segments_from(start) == joined(segments) else None


def scaled_program(
    situation: Situation, program: Program, timeline: Timeline, units: Units
) -> ScaledProgram:
    now = situation.now
    at, phases = 0, []
    for part in program.profile:
        phases.append(Phase(at, at + part.duration_s, units.power(part.power_w)))
        at += part.duration_s
    return ScaledProgram(
        id=program.id,
        priority=program.priority,
        phases=tuple(phases),
        length=at,
        earliest=max(0, program.earliest - now) if program.earliest is not None else 0,
        deadline=program.deadline - now,
        started=None if program.started_at is None else program.started_at - now,
        incumbent=incumbent_edges(
            situation, program.id, 0.0, units.money(situation.planner.change_cost), timeline.horizon
        ),
        least_missed=units.energy(LEAST_MISSED_KWH),
    )


def measure_program(
    timeline: Timeline,
    program: ScaledProgram,
    segments: Sequence[Segment],
    pieces: Pieces | None,
) -> Measured:
    """`pieces`: the cells of the coupled model, None alone."""
    if program.started is not None:
        segments = program.segments_from(program.started)
    own = joined(segments)
    start = program.started if program.running else program.start_of(own)
    out = Measured(segments=own)
    if not own and not (program.energy == 0 or program.running):
        if pieces is None:
            out.faults.append("does not run")
        out.never = program.energy
        out.shortfall = max(program.energy, program.least_missed)
        out.met, out.missing = False, (out.shortfall,)
        out.changes = program.incumbent.changes(()) * program.incumbent.cost
        return out
    if start is None:
        start = own[0].start if own else 0
        if own:
            out.faults.append("is not its profile from one start")
    if not program.running:
        out.starts, out.start_sum = 1, start
        if start < program.earliest:
            out.faults.append(f"starts at {start}, before it may")
        if pieces is not None and own and start not in pieces.starts:
            out.faults.append(f"starts at {start}, within a cell")
    _lateness(program, own, start, out)
    for one in own:
        if program.running:
            break
        for a, b, span in timeline.between(one.start, one.end):
            if span.unknown:
                out.unknown += one.power * (b - a)
                out.unknown_instants += (a + b - 1) * (b - a) // 2
    if program.incumbent.cost:
        out.changes = program.incumbent.cost * changes_of(program, start)
    return out


def changes_of(program: ScaledProgram, start: int) -> int:
    """Edges of its power that the plan in force lacks, and those of that plan which it lacks."""
    found = edges_of(powered_runs(program, start))
    # What lies before now, and where a program under way began, is no edge of a plan from now on.
    begun = start if program.running else None
    ons = [edge for edge in found[ON] if edge[0] >= 0 and edge[0] != begun]
    offs = [edge for edge in found[OFF] if edge[0] >= 0]
    return program.incumbent.compared({ON: ons, OFF: offs})


def powered_runs(program: ScaledProgram, start: int) -> list[Run]:
    """When it draws power, also before now."""
    return runs_of(
        [Segment(start + one.start, start + one.end, one.power) for one in program.phases]
    )


def _lateness(
    program: ScaledProgram, segments: Sequence[Segment], start: int, out: Measured
) -> None:
    end = start + program.length
    since = max(program.deadline, 0)
    missed = 0
    for one in segments:
        if one.end > since:
            begun = max(one.start, since) - since
            missed += one.power * (one.end - max(one.start, since))
            out.late += one.power * ((one.end - since) ** 2 - begun**2)
    out.met = end <= program.deadline
    if not out.met:
        missed = max(missed, program.least_missed)
    out.shortfall = missed
    out.missing = (missed,)
