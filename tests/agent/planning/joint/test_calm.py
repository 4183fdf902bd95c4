"""What a new plan leaves as it was, though another one were a little better."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from agent.energy.plan import Plan
from agent.energy.situation import Planner, PowerSpan, PreviousPlan
from agent.planning import make_plan
from agent.planning.calm import OF_EACH_DEVICE, OF_ONE_RUN, Savings
from tests.agent.planning.joint.homes import ALL_ENGINES, battery, car, home
from tests.agent.planning.tale import HOUR, NOW, demand

# A kWh may be bought in the third hour for a tenth of a cent less than in the second.
PRICES = (0.5, 0.101, 0.1, 0.3, 0.5, 0.5)


def planned(
    *,
    car_h: int,
    battery_h: int,
    prices: Sequence[float] = PRICES,
    savings: Savings = OF_ONE_RUN,
) -> Plan:
    """Where both were to take what they need in the hours that are given."""
    situation = home(
        prices,
        car(demand(2, 6), least_kw=2),
        battery(size=1, final_value_per_kwh=0.2),
    )
    old = (
        PreviousPlan("car", (_hours(car_h, car_h + 1, 2000),)),
        # Then it holds what it has.
        PreviousPlan(
            "battery", (_hours(battery_h, battery_h + 1, 1000), _hours(battery_h + 1, 6, 0))
        ),
    )
    planner = Planner(change_cost=Decimal("0.01"), previous=old)
    return make_plan(replace(situation, planner=planner), engines=ALL_ENGINES, savings=savings)


def _hours(start: int, end: int, watts: int) -> PowerSpan:
    return PowerSpan(NOW + start * HOUR, NOW + end * HOUR, Decimal(watts))


def hours(plan: Plan, id: str) -> list[float]:
    [device] = [one for one in plan.devices if one.id == id]
    return [(slot.start - NOW) / HOUR for slot in device.slots if slot.power_w > 0]


def test_a_car_that_moves_leaves_the_battery_where_it_was() -> None:
    plan = planned(car_h=0, battery_h=1)
    assert hours(plan, "car") == [2]
    assert hours(plan, "battery") == [1]


def test_a_battery_that_moves_leaves_the_car_where_it_was() -> None:
    plan = planned(car_h=1, battery_h=0)
    assert hours(plan, "car") == [1]
    assert hours(plan, "battery") == [2]


def test_what_is_worth_moving_moves() -> None:
    plan = planned(car_h=0, battery_h=3)
    assert hours(plan, "car") == [2]
    assert hours(plan, "battery") == [2]


def test_nothing_moves_for_less_than_a_run_that_moves_costs() -> None:
    plan = planned(car_h=1, battery_h=1)
    assert hours(plan, "car") == [1]
    assert hours(plan, "battery") == [1]


@pytest.mark.parametrize(
    ("saves", "savings", "hour"),
    [(0.03, OF_ONE_RUN, 2), (0.03, OF_EACH_DEVICE, 1), (0.05, OF_EACH_DEVICE, 2)],
)
def test_a_battery_that_is_told_something_else_saves_what_its_edges_would_cost(
    saves: float, savings: Savings, hour: int
) -> None:
    prices = (0.5, 0.1 + saves, 0.1, 0.3, 0.5, 0.5)
    plan = planned(car_h=2, battery_h=1, prices=prices, savings=savings)
    assert hours(plan, "car") == [2]
    assert hours(plan, "battery") == [hour]
