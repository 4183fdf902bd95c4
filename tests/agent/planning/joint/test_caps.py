"""Late, a capped demand gets what it would miss without its cap, and no more is claimed."""

from decimal import Decimal

import pytest

from agent.energy.plan import Status
from tests.agent.planning.joint.homes import battery, car, demand, home, joint_plan, site

DEAR_FIRST = [0.5, 0.1, 0.1, 0.1, 0.1]


def test_a_battery_that_is_soon_empty_leaves_more_for_later() -> None:
    """1 kW from the grid and 0.5 kWh stored give 2.5 of 3 kWh in two hours: the rest may be late.

    Under the cap there are 1.5 kWh in time.
    """
    capped = car(demand(3, 2, price_cap=0.2))
    limited = site(import_limit_w=Decimal(1000))
    plan = joint_plan(home(DEAR_FIRST, capped, battery(0.5, size=0.5), site=limited))
    assert float(plan.devices[0].energy_kwh) == pytest.approx(2, abs=0.001)
    assert float(plan.devices[0].shortfall_kwh) == pytest.approx(1.5, abs=0.001)
    assert plan.status is Status.OPTIMAL


def test_a_battery_that_can_be_filled_before_leaves_nothing() -> None:
    """With an hour to fill it in, 3 kWh could be had in time without the cap."""
    capped = car(demand(3, 3, earliest_h=1, price_cap=0.2))
    limited = site(import_limit_w=Decimal(1000))
    prices = [0.1, 0.5, 0.1, 0.1, 0.1]
    plan = joint_plan(home(prices, capped, battery(0, size=1), site=limited))
    assert float(plan.devices[0].energy_kwh) == pytest.approx(2, abs=0.001)
    assert plan.status is Status.OPTIMAL


def test_best_is_not_claimed_where_others_may_take_what_it_would_have_had() -> None:
    """The other car needs the first hour, so more of the capped demand might be right late."""
    capped = car(demand(2, 2, price_cap=0.2))
    other = car(demand(1, 2), name="other")
    limited = site(import_limit_w=Decimal(1000))
    plan = joint_plan(home(DEAR_FIRST, capped, other, site=limited))
    assert plan.devices[1].shortfall_kwh == 0
    assert plan.status is Status.BEST_FOUND
    assert plan.bound <= plan.objective
