"""The door: one Situation in, one plan out."""

from collections.abc import Callable, Sequence

from agent.energy.plan import Plan
from agent.energy.situation import Situation
from agent.planning.engine import Deadline
from agent.planning.portfolio import ENGINES, Entry, plan_parts, whole
from agent.planning.presentation import plan_of
from agent.planning.problem import problem_of

# The rest is for putting the plan in words and numbers.
SEARCH_SHARE = 0.85
WORDS_SHARE = 0.95


def make_plan(
    situation: Situation,
    clock: Callable[[], float] | None = None,
    time_limit_s: float = 2.0,
    engines: Sequence[Entry] = ENGINES,
) -> Plan:
    """The best plan that is found in time. Raises nothing; `took_ms` is 0, the caller knows it.

    `clock` gives monotonic seconds; without one searches end by their size alone. `engines` are
    asked in their order, the rule first.
    """
    deadline = words = Deadline.never()
    if clock is not None:
        deadline = Deadline.after(clock, time_limit_s * SEARCH_SHARE)
        words = Deadline.after(clock, time_limit_s * WORDS_SHARE)
    problem = problem_of(situation)
    verdicts = plan_parts(problem, deadline, engines)
    return plan_of(whole(problem, verdicts), verdicts, words)


def make_rule_plan(
    situation: Situation, clock: Callable[[], float] | None = None, time_limit_s: float = 2.0
) -> Plan:
    """The rule's plan: kept for when nothing better was there in time. Raises nothing."""
    return make_plan(situation, clock, time_limit_s, ENGINES[:1])
