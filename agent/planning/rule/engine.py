"""The rule: what must run, then demands and programs, then heat, then storage.

Demands and programs are tried in a few orders, one by one, whichever device they are of: by
priority, by deadline, by what little time is left; where something is missed, in haste too. Every
plan is made of the model's own cells and put to the judge; a device whose part of it breaks a rule
is left idle, so that there is always a plan. Where a higher peak costs something the best plan is
made again below it. Where time runs short, what is left is put into the first place that there is.
After that, in what is larger than a home, nowhere; but a house is kept warm for the next days.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

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
from agent.planning.rule.demands import CellPlacer, placer_of
from agent.planning.rule.heat import place_heat
from agent.planning.rule.peak import Levels, with_lower_peak
from agent.planning.rule.programs import place_program
from agent.planning.rule.runs import RunPlacer
from agent.planning.rule.store import place_storage
from agent.planning.segments import Schedule, Segment

# Of the time that is left: the other engines and the judge have the rest.
RULE_SHARE = 0.5
# Of that, what demands and programs may take: heat and storage come after them.
SERVED_SHARE = 0.75
# Of what is then left, what plans below a lower peak may take.
PEAK_SHARE = 0.5
# What a house is heated for when there is no time left: longer than until the next plan.
SOON_CELLS = 1000

Rank = Callable[["_Task"], tuple[float, ...]]


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
        tried: list[tuple[Callable[[Deadline], Pace], list[_Task]]] = []
        for rank, pace in TRIES:
            if pace == Pace.hasty and best is not None and not any(best.aims):
                break
            tasks = sorted(_tasks(problem), key=lambda one: (one.first, rank(one)))
            if (pace, tasks) in tried or (tried and not tasks):
                continue
            tried.append((pace, tasks))
            schedule = _in_order(problem, tasks, pace, own)
            if best is not None and own.over():
                # It was cut short, and judging takes time too.
                break
            judged = _judged(problem, schedule)
            if best is None or judged.order < best.order:
                best, chosen = judged, (tasks, pace)
            if own.over():
                break
        assert best is not None

        def at(levels: Levels) -> Judged | None:
            schedule = _in_order(problem, *chosen, own, levels)
            return None if own.over() else _judged(problem, schedule)

        return Proposal(with_lower_peak(problem, best, at, own.share(PEAK_SHARE)).schedule, bound)


def _judged(problem: Problem, schedule: Schedule) -> Judged:
    judged = judge(problem, schedule)
    return _without_faults(problem, judged) if judged.faults else judged


def _at_once(problem: Problem, model: Model) -> tuple[Segment, ...]:
    if isinstance(model, ScaledProgram):
        return model.segments_from(model.earliest if model.started is None else model.started)
    return idle_segments(problem, model)


@dataclass(frozen=True, slots=True)
class _Task:
    """One demand of a device, or a program."""

    model: ScaledDevice | ScaledProgram
    index: int = 0

    @property
    def first(self) -> tuple[bool, bool]:
        """What goes on comes before what begins, what must be before what is worth something."""
        if isinstance(self.model, ScaledProgram):
            return True, False
        demand = self.model.demands[self.index]
        return not demand.under_way, not demand.hard

    @property
    def deadline(self) -> int:
        if isinstance(self.model, ScaledProgram):
            return self.model.deadline
        return self.model.demands[self.index].deadline

    @property
    def latest_start(self) -> int:
        if isinstance(self.model, ScaledProgram):
            return self.model.deadline - self.model.length
        return self.deadline - self.model.demands[self.index].needed_s


def _tasks(problem: Problem) -> Iterator[_Task]:
    for model in problem.models:
        if isinstance(model, ScaledProgram):
            yield _Task(model)
        elif isinstance(model, ScaledDevice):
            for index, demand in enumerate(model.demands):
                if demand.needed_s:
                    yield _Task(model, index)


TRIES: tuple[tuple[Rank, Callable[[Deadline], Pace]], ...] = (
    (lambda task: (-task.model.priority, task.deadline), Pace.within),
    (lambda task: (task.deadline, -task.model.priority), Pace.within),
    (lambda task: (task.latest_start, -task.model.priority), Pace.within),
    # Who takes the first place leaves room behind it; the cheapest may be in the way of others.
    (lambda task: (-task.model.priority, task.deadline), Pace.hasty),
)


def _in_order(
    problem: Problem,
    tasks: Sequence[_Task],
    pace: Callable[[Deadline], Pace],
    deadline: Deadline,
    levels: Levels = (),
) -> Schedule:
    """What there is no time for is idle, heat later than soon too; in a home there is time."""
    house = Allocation(problem, pace(deadline.share(SERVED_SHARE)), levels)
    schedule: dict[str, tuple[Segment, ...]] = {}
    reserved = {model.id: idle_segments(problem, model) for model in problem.models}
    for own in reserved.values():
        house.take(own)

    placers: dict[str, CellPlacer | RunPlacer] = {}
    for task in tasks:
        model = task.model
        if house.pace.over() and deadline.over():
            break
        if isinstance(model, ScaledProgram):
            house.give_back(reserved[model.id])
            schedule[model.id] = place_program(house, model)
            house.take(schedule[model.id])
            continue
        if model.id not in placers:
            house.give_back(reserved[model.id])
            placers[model.id] = placer_of(house, model)
        placers[model.id].place(task.index)
        schedule[model.id] = placers[model.id].segments
    for heater in _heat(problem):
        late = house.pace.over() and deadline.over()
        house.give_back(reserved[heater.id])
        schedule[heater.id] = place_heat(house, heater, most_cells=SOON_CELLS if late else None)
        house.take(schedule[heater.id])
    for store in _stores(problem):
        if house.pace.over() and deadline.over():
            break
        house.give_back(reserved[store.id])
        schedule[store.id] = place_storage(house, store)
        house.take(schedule[store.id])
    return reserved | schedule


def _heat(problem: Problem) -> list[ScaledThermal]:
    heat = [model for model in problem.models if isinstance(model, ScaledThermal)]
    return sorted(heat, key=lambda one: -one.priority)


def _stores(problem: Problem) -> list[ScaledStorage]:
    stores = [model for model in problem.models if isinstance(model, ScaledStorage)]
    return sorted(stores, key=lambda one: not one.targets)


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
