"""The door: one Situation in, one plan out."""

from collections.abc import Callable, Sequence

from agent.energy.plan import Plan
from agent.energy.situation import Situation
from agent.planning.calm import OF_ONE_RUN, Savings
from agent.planning.devices.flexible import ScaledDevice
from agent.planning.engine import Deadline
from agent.planning.joint_size import is_too_large
from agent.planning.portfolio import ENGINES, Entry, plan_parts, whole
from agent.planning.presentation import plan_of
from agent.planning.problem import Problem, problem_of

# The rest is for putting the plan in words and numbers, which takes more where there is more to
# tell: of so many cells, or so many demands; and in what is larger than a home so many times what
# reading the sizes took, which is a look or two at each cell of each device.
SEARCH_SHARE, LESS_SHARE = 0.85, 0.25
MANY_CELLS, MANY_DEMANDS = 100_000, 4096
READINGS, LEAST_SEARCH_SHARE = 7.0, 0.4
WORDS_SHARE = 0.95


def make_plan(
    situation: Situation,
    clock: Callable[[], float] | None = None,
    time_limit_s: float = 2.0,
    engines: Sequence[Entry] = ENGINES,
    savings: Savings = OF_ONE_RUN,
) -> Plan:
    """The best plan that is found in time. Raises nothing; `took_ms` is 0, the caller knows it.

    `clock` gives monotonic seconds; without one searches end by their size alone. `engines` are
    asked in their order, the rule first. `savings`: what a plan saves that is not the one in force.
    """
    whole_time = Deadline.never() if clock is None else Deadline.after(clock, time_limit_s)
    words = whole_time.share(WORDS_SHARE)
    problem = problem_of(situation)
    read_s = 0.0 if clock is None else time_limit_s - whole_time.left()
    deadline = whole_time.until(_words_s(problem, time_limit_s, read_s))
    verdicts = plan_parts(problem, deadline, engines, savings)
    return plan_of(whole(problem, verdicts), verdicts, words)


def _words_s(problem: Problem, time_limit_s: float, read_s: float) -> float:
    """What to leave of the time for words; reading the sizes took `read_s`."""
    demands = sum(len(one.demands) for one in problem.models if isinstance(one, ScaledDevice))
    much = len(problem.grid.cells) / MANY_CELLS + demands / MANY_DEMANDS
    share = SEARCH_SHARE - LESS_SHARE * min(1.0, much)
    words_s = (1 - share) * time_limit_s
    if is_too_large(problem):
        words_s = max(words_s, READINGS * read_s)
    return min((1 - LEAST_SEARCH_SHARE) * time_limit_s, words_s)


def make_rule_plan(
    situation: Situation, clock: Callable[[], float] | None = None, time_limit_s: float = 2.0
) -> Plan:
    """The rule's plan: kept for when nothing better was there in time. Raises nothing."""
    return make_plan(situation, clock, time_limit_s, ENGINES[:1])
