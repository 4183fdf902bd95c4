"""Timelines of one flexible device: when it runs, what that costs, and why."""

from dataclasses import replace
from decimal import Decimal

from agent.energy.plan import Status
from agent.energy.situation import Planner, PowerSpan, PreviousPlan
from agent.planning import make_plan
from tests.agent.planning.tale import HOUR, NOW, codes, demand, hours_on, house, load


def test_two_cheap_hours_are_taken_and_the_dear_one_between_is_left_out() -> None:
    plan = make_plan(house([0.3, 0.1, 0.3, 0.1], load(demand(2, 4))))
    assert hours_on(plan) == [(1, 2), (3, 4)]
    assert (plan.cost, plan.baseline_cost) == (Decimal("0.2"), Decimal("0.4"))
    assert plan.status is Status.OPTIMAL
    assert plan.gap == 0
    assert codes(plan.devices[0]) == {"cheapest"}


def test_a_block_stays_in_one_piece() -> None:
    plan = make_plan(house([0.3, 0.1, 0.2, 0.3, 0.1], load(demand(2, 5, contiguous=True))))
    assert hours_on(plan) == [(1, 3)]


def test_a_block_may_begin_between_two_prices() -> None:
    plan = make_plan(house([0.3, 0.1, 0.2], load(demand(1.5, 3, contiguous=True))))
    assert hours_on(plan) == [(1, 2.5)]


def test_of_equal_prices_the_earliest() -> None:
    plan = make_plan(house([0.2] * 6, load(demand(1.5, 6))))
    assert hours_on(plan) == [(0, 1.5)]


def test_what_is_left_over_joins_the_run_that_follows() -> None:
    plan = make_plan(house([0.2, 0.1, 0.3], load(demand(1.5, 3))))
    assert hours_on(plan) == [(0.5, 2)]


def test_too_little_time_takes_all_of_it_and_the_rest_at_once() -> None:
    plan = make_plan(house([0.1, 0.3, 0.1, 0.1], load(demand(3, 2))))
    assert hours_on(plan) == [(0, 3)]
    device = plan.devices[0]
    assert not device.deadline_met
    assert device.shortfall_kwh == 1
    assert {"shortfall", "late"} <= codes(device)


def test_unknown_time_is_used_last_and_as_late_as_possible() -> None:
    plan = make_plan(house([0.5, None, None, 0.9], load(demand(3, 4))))
    assert hours_on(plan) == [(0, 1), (2, 4)]
    assert [slot.unknown for slot in plan.devices[0].slots] == [False, True, False]
    assert plan.devices[0].slots[1].price is None


def test_without_any_rate_there_is_still_a_plan() -> None:
    plan = make_plan(house([], load(demand(1, 4))))
    assert hours_on(plan) == [(3, 4)]
    assert plan.horizon == NOW
    assert "waits_for_prices" in codes(plan.devices[0])


def test_estimates_count_with_their_margin() -> None:
    rates = house([0.2, 0.19]).import_rates
    rates = (rates[0], replace(rates[1], confidence=Decimal("0.5")))
    calm = replace(house([], load(demand(1, 2))), import_rates=rates)
    assert hours_on(make_plan(calm)) == [(1, 2)]
    wary = replace(calm, planner=Planner(estimate_margin_per_kwh=Decimal("0.1")))
    assert hours_on(make_plan(wary)) == [(0, 1)]


def test_negative_prices_do_not_sell_more_than_is_wanted() -> None:
    plan = make_plan(house([-0.1, -0.2, -0.1], load(demand(1, 3))))
    assert hours_on(plan) == [(1, 2)]
    assert plan.cost == Decimal("-0.2")


def test_a_cap_leaves_dear_time_alone() -> None:
    plan = make_plan(house([0.3, 0.1, 0.3], load(demand(2, 3, price_cap=0.2))))
    assert hours_on(plan) == [(1, 2)]
    assert "above_cap" in codes(plan.devices[0])
    assert plan.devices[0].shortfall_kwh == 1


def test_a_soft_demand_takes_what_is_worth_it() -> None:
    wish = demand(3, None, hard=False, value_per_kwh=0.15)
    plan = make_plan(house([0.3, 0.1, 0.2, 0.05], load(wish)))
    assert hours_on(plan) == [(1, 2), (3, 4)]
    assert "not_worth" in codes(plan.devices[0])
    assert plan.objective == Decimal("-0.15")


def test_a_start_that_costs_keeps_runs_together() -> None:
    prices = [0.10, 0.12, 0.10, 0.3]
    split = make_plan(house(prices, load(demand(2, 4))))
    assert split.devices[0].starts == 2
    joined = make_plan(house(prices, load(demand(2, 4), start_cost=0.05)))
    assert hours_on(joined) == [(0, 2)]
    assert joined.status is Status.OPTIMAL


def test_minimum_times_between_prices() -> None:
    device = load(demand(1.5, 5), min_on_s=HOUR, min_off_s=HOUR)
    plan = make_plan(house([0.2, 0.3, 0.25, 0.1, 0.3], device))
    assert hours_on(plan) == [(2.5, 4)]


def test_a_run_under_way_goes_on_to_its_minimum() -> None:
    device = load(min_on_s=HOUR, on_since=NOW - HOUR // 2)
    plan = make_plan(house([0.9, 0.1], device))
    assert hours_on(plan) == [(0, 0.5)]
    assert plan.cost == 0
    assert plan.devices[0].starts == 0
    assert plan.devices[0].slots[0].reason == "min_on"


def test_a_device_that_has_just_stopped_waits() -> None:
    device = load(demand(1, 4), min_off_s=2 * HOUR, off_since=NOW)
    plan = make_plan(house([0.1, 0.1, 0.3, 0.4], device))
    assert hours_on(plan) == [(2, 3)]


def test_a_grid_switches_on_its_steps_only() -> None:
    device = load(demand(0.6, 4, earliest_h=0.25), grid_s=HOUR // 2)
    plan = make_plan(house([0.3, 0.1, 0.3, 0.3], device))
    assert hours_on(plan) == [(0.75, 1.75)]
    assert "rounded_up" in codes(plan.devices[0])


def test_a_calm_plan_keeps_its_edges_where_changing_gains_little() -> None:
    old = PreviousPlan("load", (PowerSpan(NOW + 2 * HOUR, NOW + 3 * HOUR, Decimal(1000)),))
    planner = Planner(change_cost=Decimal("0.05"), previous=(old,))
    little = house([0.3, 0.19, 0.2], load(demand(1, 3)), planner=planner)
    calm = make_plan(little)
    # Up to 120 s away an edge is the same edge.
    assert abs(calm.devices[0].slots[0].start - (NOW + 2 * HOUR)) <= 120
    assert "change_kept" in codes(calm.devices[0])
    much = house([0.3, 0.05, 0.4], load(demand(1, 3)), planner=planner)
    assert hours_on(make_plan(much)) == [(1, 2)]


def test_two_demands_share_the_cheap_hour_by_deadline() -> None:
    device = load(demand(1, 2), demand(1, 4))
    plan = make_plan(house([0.3, 0.1, 0.2, 0.4], device))
    assert hours_on(plan) == [(1, 3)]
    assert [slot.demand for slot in plan.devices[0].slots] == [0, 1]


def test_a_demand_that_is_past_is_served_at_once() -> None:
    plan = make_plan(house([0.9, 0.1], load(demand(1, -1))))
    assert hours_on(plan) == [(0, 1)]
    assert plan.devices[0].slots[0].reason == "late"


def test_nothing_to_do_is_optimal() -> None:
    plan = make_plan(house([0.1], load()))
    assert (plan.status, plan.devices[0].slots) == (Status.OPTIMAL, ())


def test_the_first_slot_may_be_a_part() -> None:
    late = replace(house([0.1, 0.3], load(demand(0.5, 2))), now=NOW + 1234)
    plan = make_plan(late)
    assert plan.devices[0].slots[0].start == NOW + 1234
    assert plan.devices[0].slots[-1].end == NOW + 1234 + 1800


def test_odd_seconds_with_minimum_times_are_proved() -> None:
    device = load(demand(2.345, 20), min_on_s=1800, min_off_s=900, start_cost=0.03)
    prices = [0.2 + 0.01 * ((7 * hour) % 11) for hour in range(24)]
    plan = make_plan(replace(house(prices, device), now=NOW + 37))
    assert plan.status is Status.OPTIMAL
    assert plan.devices[0].energy_kwh >= Decimal("2.345")
