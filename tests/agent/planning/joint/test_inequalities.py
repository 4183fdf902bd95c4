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


def relaxed_and_true(house: Site, *devices: Device, **more: object) -> tuple[float, float]:
    """What the programme without whole numbers costs, and the best plan."""
    situation = home(PRICES, *devices, site=house, **more)
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


def test_where_selling_is_dearer_than_buying_nobody_buys_what_the_roof_sells_meanwhile() -> None:
    """While the tank is on it draws the kW of the roof, which is not sold, and another one."""
    sunny = site(pv=spans(1, 1))
    relaxed, true = relaxed_and_true(sunny, HEATED, sells=[0.3, 0.3])
    assert true == pytest.approx(0.5 * 0.1 + 0.5 * 0.3, abs=1e-5)
    assert relaxed == pytest.approx(true, abs=1e-4)


def test_a_device_beside_the_roof_takes_at_least_its_least_power_whatever_the_grid_does() -> None:
    """2 kW for half of the hour: half a kW is bought then, and else all of the roof is sold. To be
    on and sell all of the roof meanwhile is nobody's choice."""
    modulated = replace(HEATED, min_power_w=Decimal(1000), min_on_s=900)
    relaxed, true = relaxed_and_true(site(pv=spans(1.5, 0)), modulated, sells=[0.3, 0.3])
    assert true == pytest.approx(0.5 * (0.25 * 0.1 + 0.75 * 0.3) * 2, abs=1e-5)
    assert relaxed == pytest.approx(true, abs=1e-4)


def test_a_battery_that_sells_takes_part_in_both_directions() -> None:
    """Bought at 0.1 and sold at 0.3, a kW an hour, whatever the roof does."""
    selling = battery(0, size=1, kw=1, export=True)
    relaxed, true = relaxed_and_true(site(pv=spans(1, 1)), selling, sells=[0.3, 0.3])
    assert true <= 1e-6
    assert relaxed <= true + 1e-6


def test_a_part_of_a_cell_is_drawn_in_either_direction() -> None:
    """0.7 kWh at 4 kW are less than a quarter hour; 1.8 kW of their mean are bought."""
    one = car(demand(0.7, 1), kw=4, least_kw=4)
    relaxed, true = relaxed_and_true(site(pv=spans(1, 1)), one, sells=[0.3, 0.3])
    assert true == pytest.approx(0.25 * (1.8 * 0.1 + 1 * 0.3), abs=1e-5)
    assert relaxed <= true + 1e-6


def test_a_part_that_is_opened_later_may_be_bought_too() -> None:
    """The programme gives the car on and off where a solution runs it too low too often."""
    one = car(demand(0.7, 1), kw=4, least_kw=4)
    situation = home(PRICES, one, site=site(pv=spans(1, 1)), sells=[0.3, 0.3])
    programme = Programme(problem_of(situation), strict=True)
    device = programme.flexible["car"]
    for k in list(device.on):
        device.open(k)
    programme.house.make_whole(set(programme.house.directions))
    solution = Highs(programme.house.milp).solve(programme.house.money, 60)
    true = float(joint_plan(situation).objective)
    assert solution.objective + programme.house.constant == pytest.approx(true, abs=1e-5)
