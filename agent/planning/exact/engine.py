"""The exact engine: one device of an alone problem."""

from agent.planning.devices.flexible import ScaledDevice
from agent.planning.devices.program import ScaledProgram
from agent.planning.engine import Deadline, Proposal
from agent.planning.exact.objectives import Task, segments_of
from agent.planning.exact.one_device import plan_device
from agent.planning.exact.program_start import best_start
from agent.planning.judge import judge
from agent.planning.problem import Problem
from agent.planning.segments import Schedule


class ExactEngine:
    """Plans problems of one device; others are split into such parts first."""

    name = "exact"

    def plan(
        self, problem: Problem, deadline: Deadline, incumbent: Schedule | None
    ) -> Proposal | None:
        if problem.coupled or len(problem.models) != 1:
            return None
        model = problem.models[0]
        if isinstance(model, ScaledProgram):
            schedule = {model.id: model.segments_from(best_start(problem, model))}
            return Proposal(schedule, judge(problem, schedule).objective, aims_proved=True)
        if not isinstance(model, ScaledDevice):
            return None
        known = () if incumbent is None else incumbent.get(model.id, ())
        task = Task(
            problem, model, deadline, tuple((one.start, one.end, one.demand) for one in known)
        )
        outcome = plan_device(task)
        schedule = {model.id: segments_of(model, outcome.spans)}
        if outcome.proved:
            return Proposal(schedule, judge(problem, schedule).objective, aims_proved=True)
        return Proposal(schedule, outcome.bound, outcome.aims_proved)
