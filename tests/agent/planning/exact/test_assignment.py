"""Several interruptible demands against every way of giving seconds to them."""

from dataclasses import replace
from decimal import Decimal
from itertools import product

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.energy.plan import Status
from agent.energy.situation import Demand, Flexible, RateSpan, Situation
from agent.planning import make_plan
from agent.planning.judge import judge
from agent.planning.problem import problem_of
from agent.planning.segments import Segment
from tests.agent.planning.tale import HOUR, NOW, demand, hours_on, house, load

SECONDS = 7
# One second at this power is 0.001 kWh.
POWER_W = 3600


@st.composite
def tiny_houses(draw: st.DrawFn) -> Situation:
    prices = draw(st.lists(st.sampled_from([0, 1, 2, 3, None]), min_size=5, max_size=5))
    demands = []
    for _ in range(2):
        hard = draw(st.integers(0, 3)) > 0
        earliest = draw(st.integers(0, 2))
        demands.append(
            Demand(
                energy_kwh=Decimal(draw(st.integers(1, 3))) / 1000,
                earliest=NOW + earliest if earliest else None,
                deadline=NOW + draw(st.integers(earliest + 1, 5)),
                hard=hard,
                value_per_kwh=None if hard else Decimal(draw(st.sampled_from([15, 25]))) / 100,
            )
        )
    device = Flexible("load", Decimal(POWER_W), Decimal(POWER_W), tuple(demands))
    rates = tuple(
        RateSpan(NOW + k, NOW + k + 1, Decimal(price) / 10)
        for k, price in enumerate(prices)
        if price is not None
    )
    return Situation(NOW, "Europe/Berlin", "EUR", rates, devices=(device,))


@settings(
    max_examples=70, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(tiny_houses())
def test_no_other_way_is_better(situation: Situation) -> None:
    problem = problem_of(situation)
    best = None
    for pattern in product((None, 0, 1), repeat=SECONDS):
        segments = tuple(
            Segment(second, second + 1, POWER_W * 1000, who)
            for second, who in enumerate(pattern)
            if who is not None
        )
        found = judge(problem, {"load": segments})
        if not found.faults and (best is None or found.order[:11] < best):
            best = found.order[:11]
    plan = make_plan(situation)
    own = tuple(
        Segment(slot.start - NOW, slot.end - NOW, POWER_W * 1000, slot.demand)
        for slot in plan.devices[0].slots
    )
    mine = judge(problem, {"load": own})
    assert not mine.faults
    assert mine.order[:11] == best
    assert plan.status is Status.OPTIMAL


def test_windows_that_touch_are_each_at_its_best() -> None:
    prices = [0.3, 0.1, 0.2, 0.4, 0.2, 0.05]
    device = load(demand(1, 3), demand(2, 6, earliest_h=3))
    plan = make_plan(house(prices, device))
    assert hours_on(plan) == [(1, 2), (4, 6)]
    assert plan.status is Status.OPTIMAL


def test_a_demand_makes_room_for_one_that_has_no_other_time() -> None:
    # The cheap hour suits both; the second has nothing but that hour.
    device = load(demand(1, 3), demand(1, 2, earliest_h=1))
    plan = make_plan(house([0.3, 0.1, 0.2], device))
    assert [(s.demand, (s.start - NOW) // HOUR) for s in plan.devices[0].slots] == [(1, 1), (0, 2)]
    assert plan.cost == Decimal("0.3")


def test_fourteen_demands_in_a_week_of_quarter_hours_are_quick_and_proved() -> None:
    prices = [0.1 + 0.001 * (37 * k % 101) for k in range(7 * 24)]
    demands = [demand(1.5, 12 * (k + 1), earliest_h=max(0, 12 * k - 3)) for k in range(14)]
    plan = make_plan(replace(house(prices, load(*demands)), now=NOW + 23))
    assert plan.status is Status.OPTIMAL
    assert all(device.deadline_met for device in plan.devices)
