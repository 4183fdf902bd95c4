"""Devices too intricate to prove the cheapest plan of: nothing is lost in the aims before money."""

from dataclasses import replace
from decimal import Decimal

from agent.energy.plan import Plan
from agent.energy.situation import Planner, PowerSpan, PreviousPlan, RateSpan
from agent.planning import make_plan
from tests.agent.planning.tale import HOUR, NOW, demand, hours_on, house, load

UNEVEN = [0.01 + 0.001 * (7 * hour % 11) for hour in range(15)]


def unknown_hours(plan: Plan) -> float:
    return sum(slot.end - slot.start for slot in plan.devices[0].slots if slot.unknown) / HOUR


def test_a_block_and_a_split_demand_that_do_not_fit_are_both_served_in_the_end() -> None:
    block, split = demand(7, 8, contiguous=True), demand(6, 5)
    plan = make_plan(house(UNEVEN, load(block, split, min_on_s=300)))
    assert hours_on(plan) == [(0, 13)]
    # Eight hours until the later deadline, for thirteen.
    assert plan.devices[0].shortfall_kwh == 5


def test_what_is_late_yields_to_what_can_still_come_in_time() -> None:
    block, split = demand(19 / 3, 8, contiguous=True), demand(5.75, 16 / 3)
    plan = make_plan(house(UNEVEN, load(block, split, min_on_s=300)))
    served = [slot.demand for slot in plan.devices[0].slots]
    turns = [one for k, one in enumerate(served) if k == 0 or served[k - 1] != one]
    assert turns == [1, 0, 1]
    assert len(hours_on(plan)) == 1
    assert plan.devices[0].energy_kwh == Decimal("12.083333333")


def test_dear_starts_and_flat_prices_are_no_reason_to_use_unknown_time() -> None:
    device = load(demand(13 / 12, 56), demand(65 / 12, 55), start_cost=3)
    plan = make_plan(house([0.2] * 14 + [None] + [0.2] * 3 + [None] + [0.2] * 30, device))
    assert unknown_hours(plan) == 0


def test_a_grid_with_holes_in_the_rates_keeps_out_of_unknown_time() -> None:
    prices = [0.1 + 0.01 * (7 * quarter % 17) for quarter in range(97)]
    rates = tuple(
        RateSpan(NOW + quarter * 900, NOW + (quarter + 1) * 900, Decimal(str(price)))
        for quarter, price in enumerate(prices)
        if quarter not in (40, 59, 78)
    )
    old = PreviousPlan("load", (PowerSpan(NOW + 3 * HOUR, NOW + 8 * HOUR, Decimal(1000)),))
    planner = Planner(change_cost=Decimal("0.01"), previous=(old,))
    device = load(demand(97 / 15, 39, earliest_h=241 / 60), grid_s=600)
    plan = make_plan(replace(house([], device, planner=planner), import_rates=rates))
    assert plan.devices[0].energy_kwh == Decimal("6.5")
    assert unknown_hours(plan) == 0
