"""The rule: what must run, then demands and programs, then heat, then storage.

Demands and programs are tried in a few orders: by priority, by deadline, by what little time is
left; where something is missed, in haste too. Every plan is made of the model's own cells and put
to the judge; a device whose part of it breaks a rule is left idle, so that there is always a plan.
Where time runs short, what is left is put into the first place that there is. After that, in what
is larger than a home, nowhere; but a house is kept warm for the next days.
"""

from collections.abc import Callable

from agent.planning.devices.flexible import ScaledDevice
from agent.planning.devices.program import ScaledProgram
from agent.planning.devices.storage import ScaledStorage
from agent.planning.devices.thermal import ScaledThermal
from agent.planning.engine import Deadline, Proposal
from agent.planning.idle import idle_segments
from agent.planning.judge import Judged, judge
from agent.planning.problem import Model, Problem
from agent.planning.rule.allocation import Allocation, Pace
from agent.planning.rule.bound import lowest_objective
from agent.planning.rule.demands import place_demands
from agent.planning.rule.heat import place_heat
from agent.planning.rule.programs import place_program
from agent.planning.rule.store import place_storage
from agent.planning.segments import Schedule, Segment

# Of the time that is left: the other engines and the judge have the rest.
RULE_SHARE = 0.5
# Of that, what demands and programs may take: heat and storage come after them.
SERVED_SHARE = 0.75
# What a house is heated for when there is no time left: longer than until the next plan.
SOON_CELLS = 1000

Rank = Callable[[Model], tuple[float, ...]]


class RuleEngine:
    name = "rule"

    def plan(
        self, problem: Problem, deadline: Deadline, incumbent: Schedule | None
    ) -> Proposal | None:
        bound = lowest_objective(problem)
        if not problem.coupled:
            # Alone the plain candidates are the rule.
            return Proposal({model.id: _at_once(problem, model) for model in problem.models}, bound)
        best: Judged | None = None
        own = deadline.share(RULE_SHARE)
        for rank, pace in TRIES:
            if pace == Pace.hasty and best is not None and not any(best.aims):
                break
            schedule = _in_order(problem, rank, pace, own)
            if best is not None and own.over():
                # It was cut short, and judging takes time too.
                break
            judged = judge(problem, schedule)
            if judged.faults:
                judged = _without_faults(problem, judged)
            if best is None or judged.order < best.order:
                best = judged
            if own.over():
                break
        assert best is not None
        return Proposal(best.schedule, bound)


def _at_once(problem: Problem, model: Model) -> tuple[Segment, ...]:
    if isinstance(model, ScaledProgram):
        return model.segments_from(model.earliest if model.started is None else model.started)
    return idle_segments(problem, model)


def _priority(model: Model) -> int:
    return 0 if isinstance(model, ScaledStorage) else model.priority


def _deadline(model: Model) -> int:
    if isinstance(model, ScaledProgram):
        return model.deadline
    if isinstance(model, ScaledDevice):
        return min((one.deadline for one in model.demands if one.needed_s), default=1 << 40)
    return 1 << 40


def _latest_start(model: Model) -> int:
    if isinstance(model, ScaledProgram):
        return model.deadline - model.length
    if isinstance(model, ScaledDevice):
        starts = (one.deadline - one.needed_s for one in model.demands if one.needed_s)
        return min(starts, default=1 << 40)
    return 1 << 40


TRIES: tuple[tuple[Rank, Callable[[Deadline], Pace]], ...] = (
    (lambda model: (-_priority(model), _deadline(model)), Pace.within),
    (lambda model: (_deadline(model), -_priority(model)), Pace.within),
    (lambda model: (_latest_start(model), -_priority(model)), Pace.within),
    # Who takes the first place leaves room behind it; the cheapest may be in the way of others.
    (lambda model: (-_priority(model), _deadline(model)), Pace.hasty),
)


def _in_order(
    problem: Problem, rank: Rank, pace: Callable[[Deadline], Pace], deadline: Deadline
) -> Schedule:
    """What there is no time for is idle, heat later than soon too; in a home there is time."""
    house = Allocation(problem, pace(deadline.share(SERVED_SHARE)))
    schedule: dict[str, tuple[Segment, ...]] = {}
    reserved = {model.id: idle_segments(problem, model) for model in problem.models}
    for own in reserved.values():
        house.take(own)

    def place(model: Model) -> None:
        late = house.pace.over() and deadline.over()
        if late and not isinstance(model, ScaledThermal):
            schedule[model.id] = reserved[model.id]
            return
        house.give_back(reserved[model.id])
        before = list(house.drawn), list(house.peak)
        segments = _placed(house, model, SOON_CELLS if late else None)
        house.drawn, house.peak = before
        house.take(segments)
        schedule[model.id] = segments

    served = [m for m in problem.models if isinstance(m, (ScaledDevice, ScaledProgram))]
    heat = [m for m in problem.models if isinstance(m, ScaledThermal)]
    stores = [m for m in problem.models if isinstance(m, ScaledStorage)]
    for model in (
        *sorted(served, key=rank),
        *sorted(heat, key=lambda one: -one.priority),
        *sorted(stores, key=lambda one: not one.targets),
    ):
        place(model)
    return schedule


def _placed(house: Allocation, model: Model, most_cells: int | None) -> tuple[Segment, ...]:
    if isinstance(model, ScaledDevice):
        return place_demands(house, model)
    if isinstance(model, ScaledProgram):
        return place_program(house, model)
    if isinstance(model, ScaledThermal):
        return place_heat(house, model, most_cells=most_cells)
    return place_storage(house, model)


def _without_faults(problem: Problem, judged: Judged) -> Judged:
    """Devices whose part breaks a rule stay idle; if that is not enough, all do."""
    at_fault = {id for id, one in judged.devices.items() if one.faults}
    schedule = {
        model.id: idle_segments(problem, model)
        if model.id in at_fault
        else judged.schedule.get(model.id, ())
        for model in problem.models
    }
    again = judge(problem, schedule)
    if not again.faults:
        return again
    storage = {m.id for m in problem.models if isinstance(m, ScaledStorage)}
    kept = {id: own for id, own in schedule.items() if id not in storage}
    again = judge(problem, kept)
    if not again.faults:
        return again
    return judge(problem, {m.id: idle_segments(problem, m) for m in problem.models})
