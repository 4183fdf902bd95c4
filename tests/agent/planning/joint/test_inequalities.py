"""What a programme knows before it looks at whole numbers: nothing is on for a part of the time, so
that what it leaves could be had by others."""

from dataclasses import replace
from decimal import Decimal

import pytest

from agent.energy.situation import Device, Site
from agent.planning.joint.highs import Highs
from agent.planning.joint.programme import Programme
from agent.planning.problem import problem_of
from tests.agent.planning.joint.homes import (
    battery,
    car,
    demand,
    home,
    joint_plan,
    site,
    spans,
    tank,
)

# The first hour is cheap; in the second 1 kWh of hot water is taken, so it is heated in the first.
PRICES = [0.1, 0.5]
HEATED = replace(tank(50, draw=spans(0, 1)), min_power_w=Decimal(2000))


def relaxed_and_true(house: Site, *devices: Device) -> tuple[float, float]:
    """What the programme without whole numbers costs, and the best plan."""
    situation = home(PRICES, *devices, site=house)
    programme = Programme(problem_of(situation), strict=True)
    solution = Highs(programme.house.milp).solve(programme.house.money, 60, relaxed=True)
    plan = joint_plan(situation)
    assert plan.bound <= plan.objective
    return solution.bound + programme.house.constant, float(plan.objective)


def test_what_a_car_cannot_take_is_no_room_for_half_a_tank() -> None:
    """4 kW: the car takes 3, or 2 while the tank is on, which is half of the hour."""
    one = car(demand(3, 2), kw=3)
    relaxed, true = relaxed_and_true(site(import_limit_w=Decimal(4000)), one, HEATED)
    assert true == pytest.approx(3.5 * 0.1 + 0.5 * 0.5, abs=1e-5)
    assert relaxed == pytest.approx(true, abs=1e-4)


def test_what_a_battery_gives_is_room_too() -> None:
    """It holds what the tank takes from the car."""
    one, full = car(demand(3, 2), kw=3), battery(0.5, kw=1)
    relaxed, true = relaxed_and_true(site(import_limit_w=Decimal(4000)), one, HEATED, full)
    assert true == pytest.approx(3.5 * 0.1, abs=1e-5)
    assert relaxed <= true + 1e-6


def test_a_roof_that_gives_a_part_of_a_power_is_no_reason_to_be_on_for_a_part_of_the_time() -> None:
    """1 kW of the sun is half of what the tank takes while it is on."""
    sunny = site(pv=spans(1, 0))
    relaxed, true = relaxed_and_true(sunny, HEATED)
    assert true == pytest.approx(0.5 * 0.1, abs=1e-5)
    assert relaxed == pytest.approx(true, abs=1e-4)
