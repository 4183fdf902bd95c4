"""Time that is left: asked of the clock that the caller gave, never above what was allowed."""

from dataclasses import replace
from decimal import Decimal

import pytest

from agent.energy.situation import Planner, PowerSpan, PreviousPlan, Situation
from agent.planning import make_plan
from agent.planning.engine import Deadline
from tests.agent.planning.tale import HOUR, NOW, demand, house, load


class TickingClock:
    """Each look at it takes a moment, so that what asks often sees time pass."""

    def __init__(self, tick_s: float) -> None:
        self.tick_s, self.time, self.looks = tick_s, 0.0, 0

    def __call__(self) -> float:
        self.time += self.tick_s
        self.looks += 1
        return self.time


def hard_house() -> Situation:
    """Overlapping windows, odd minimum times, an odd second, edges to keep: nothing closes."""
    prices = [0.1 + 0.01 * (7 * hour % 13) for hour in range(48)]
    demands = [demand(2.345 + 0.1 * k, 8 + 5 * k, earliest_h=max(0, 5 * k - 4)) for k in range(8)]
    device = load(*demands, min_on_s=777, min_off_s=333, start_cost=0.013)
    old = PreviousPlan("load", (PowerSpan(NOW + 5 * HOUR, NOW + 7 * HOUR, Decimal(1000)),))
    planner = Planner(change_cost=Decimal("0.03"), previous=(old,))
    return replace(house(prices, device, planner=planner), now=NOW + 37)


def test_a_deadline_counts_on_the_given_clock() -> None:
    times = iter([10.0, 11.0, 12.5, 13.0])
    deadline = Deadline.after(lambda: next(times), 2)
    assert deadline.left() == 1
    assert deadline.over()
    assert deadline.left() == -1


def test_a_share_is_a_part_of_what_is_left() -> None:
    clock = TickingClock(0)
    half = Deadline.after(clock, 4).share(0.5)
    clock.time = 1.9
    assert not half.over()
    clock.time = 2.0
    assert half.over()


def test_without_a_clock_there_is_no_end() -> None:
    assert Deadline.never().left() == float("inf")
    assert not Deadline.never().share(0.1).over()


@pytest.mark.parametrize("tick_s", [0.01, 0.2])
def test_a_search_asks_the_clock_and_ends(tick_s: float) -> None:
    clock = TickingClock(tick_s)
    plan = make_plan(hard_house(), clock, 1.0)
    # Beyond its end each loop looks once more to see that it is over, and there are few loops.
    assert clock.time < 1.0 + 120 * tick_s
    device = plan.devices[0]
    assert device.slots
    assert plan.bound <= plan.objective


def test_no_time_at_all_is_still_a_plan() -> None:
    plan = make_plan(hard_house(), TickingClock(1), 0.001)
    assert plan.devices[0].energy_kwh > 0
