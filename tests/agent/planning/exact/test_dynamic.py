"""The dynamic programme on steps against every pattern of them."""

from fractions import Fraction

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.planning.engine import Deadline
from agent.planning.exact.dynamic import plan_on_steps, steps_of
from agent.planning.exact.objectives import Task
from agent.planning.problem import problem_of
from tests.agent.planning.oracle import Tiny, best, levels, runs_of
from tests.agent.planning.test_engine import TickingClock
from tests.agent.planning.test_oracle import situation_of

SECONDS = 9


@st.composite
def plain_tinies(draw: st.DrawFn) -> Tiny:
    """All prices known, nothing that must go on: what the programme is for."""
    prices = [Fraction(p, 10) for p in draw(st.lists(st.integers(-1, 4), min_size=9, max_size=9))]
    hard = draw(st.booleans())
    return Tiny(
        prices=tuple(prices),
        mean=sum(prices, Fraction(0)) / len(prices),
        need=draw(st.integers(1, 4)),
        earliest=draw(st.integers(0, 2)),
        deadline=draw(st.integers(7, 9)),
        hard=hard,
        value=Fraction(0) if hard else Fraction(draw(st.sampled_from([5, 15, 25])), 100),
        min_on=draw(st.sampled_from([0, 1, 2])),
        min_off=draw(st.sampled_from([0, 1, 2, 3])),
        start_cost=Fraction(draw(st.sampled_from([0, 1, 5])), 100),
        off_for=draw(st.sampled_from([None, 0, 1])),
    )


@settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(plain_tinies())
def test_no_pattern_of_steps_is_better(tiny: Tiny) -> None:
    problem = problem_of(situation_of(tiny, 60))
    device = problem.models[0]
    task = Task(problem, device, Deadline.never())  # type: ignore[arg-type]
    spans = plan_on_steps(task, steps_of(task, 60, 0))
    reached = best(tiny, SECONDS)
    if spans is None:
        assert any(reached[:5]) or tiny.need < tiny.min_on
        return
    pattern = [False] * SECONDS
    for start, end, _ in spans:
        for step in range(start // 60, end // 60):
            pattern[step] = True
    mine = levels(tiny, runs_of(tuple(pattern)))
    assert mine is not None, "a rule is broken"
    assert mine[:6] == reached[:6]


def test_it_gives_up_when_time_is_over() -> None:
    tiny = Tiny((Fraction(1, 10),) * 9, Fraction(1, 10), 3, 0, 9)
    problem = problem_of(situation_of(tiny, 60))
    clock = TickingClock(1)
    task = Task(problem, problem.models[0], Deadline.after(clock, 0.5))  # type: ignore[arg-type]
    assert plan_on_steps(task, steps_of(task, 60, 0)) is None
