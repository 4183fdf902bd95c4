"""Runs in their own windows: the search ends with the time, in the middle of a demand too."""

from itertools import count

from agent.planning.devices.flexible import ScaledDevice
from agent.planning.engine import Deadline
from agent.planning.exact.objectives import Task
from agent.planning.exact.own_windows import own_window_plans
from agent.planning.problem import problem_of
from tests.agent.planning.tale import demand, house, load


def served(seconds: int) -> int:
    """How many of ten demands the first plan serves, if a look at the clock takes a second."""
    ticks = count()
    prices = [0.1 + 0.01 * (k % 7) for k in range(40)]
    device = load(*(demand(1, 40 - k) for k in range(10)), min_on_s=600)
    problem = problem_of(house(prices, device))
    model = problem.models[0]
    assert isinstance(model, ScaledDevice)
    task = Task(problem, model, Deadline.after(lambda: float(next(ticks)), seconds))
    plans = list(own_window_plans(task))
    return len({who for _, _, who in plans[0]})


def test_demands_whose_turn_comes_too_late_are_left() -> None:
    assert served(1) == 0
    assert 0 < served(300) < 10
    assert served(1_000_000) == 10
