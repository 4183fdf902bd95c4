"""The rule: what must run, then demands and programs by priority, then heat, then storage."""

from agent.planning.engine import Deadline, Proposal
from agent.planning.idle import idle_segments
from agent.planning.problem import Problem
from agent.planning.segments import Schedule


class RuleEngine:
    name = "rule"

    def plan(
        self, problem: Problem, deadline: Deadline, incumbent: Schedule | None
    ) -> Proposal | None:
        return Proposal({model.id: idle_segments(problem, model) for model in problem.models})
