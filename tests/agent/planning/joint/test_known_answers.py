"""Houses so small that their best plan is known: the joint engine finds it and proves it."""

from dataclasses import replace
from decimal import Decimal

import pytest

from agent.energy.plan import Engine, Plan, Status
from agent.energy.situation import (
    Availability,
    CapacityCharge,
    ComfortSpan,
    Hygiene,
    Planner,
    PreviousPlan,
    StorageTarget,
    TemperatureSpan,
)
from tests.agent.planning.joint.homes import (
    HOUR,
    NOW,
    battery,
    car,
    demand,
    home,
    joint_plan,
    site,
    spans,
    tank,
    washer,
)
from tests.agent.planning.tale import hours_on


def proved(plan: Plan, objective: float) -> None:
    assert float(plan.objective) == pytest.approx(objective, abs=2e-5)
    assert plan.bound <= plan.objective
    assert float(plan.bound) == pytest.approx(objective, abs=2e-5)
    assert plan.engine is Engine.JOINT


def power_w(plan: Plan, hour: float, index: int = 0) -> float:
    """What a device does at an instant, in W."""
    at = plan.made_at + round(hour * HOUR)
    return sum(float(s.power_w) for s in plan.devices[index].slots if s.start <= at < s.end)


def test_a_battery_buys_cheap_and_gives_dear() -> None:
    plan = joint_plan(home([0.10, 0.40], battery(), site=site(base_load=spans(1, 1))))
    proved(plan, -0.30)
    assert plan.status is Status.OPTIMAL
    assert power_w(plan, 0.5) == pytest.approx(1000, abs=1)
    assert power_w(plan, 1.5) == pytest.approx(-1000, abs=1)


def test_losses_and_wear_are_paid() -> None:
    """1 kWh in, 0.8 stored, 0.64 out: worth 0.256, costs 0.10 and 0.0064 of wear."""
    worn = battery(charge_efficiency=0.8, discharge_efficiency=0.8, wear_per_kwh=0.01)
    plan = joint_plan(home([0.10, 0.40], worn, site=site(base_load=spans(1, 1))))
    proved(plan, 0.10 - 0.256 + 0.0064)
    lossy = battery(charge_efficiency=0.5, discharge_efficiency=0.5)
    proved(joint_plan(home([0.11, 0.40], lossy, site=site(base_load=spans(1, 1)))), 0)


def test_a_battery_that_may_not_sell_gives_what_is_drawn() -> None:
    prices, sells = [0.10, 0.30], [0.05, 0.90]
    half = site(base_load=spans(0.5, 0.5))
    plan = joint_plan(home(prices, battery(2), sells=sells, site=half))
    proved(plan, -0.5 * 0.3 - 0.5 * 0.1)
    sold = joint_plan(home(prices, battery(2, kw=2, export=True), sells=sells, site=half))
    proved(sold, -0.5 * 0.3 - 1.5 * 0.9)


def test_a_battery_that_charges_from_the_roof_only() -> None:
    roof = site(base_load=spans(0.5, 1), pv=spans(1, 0))
    fed = joint_plan(home([0.01, 0.40], battery(grid_charge=False), site=roof))
    proved(fed, -0.2)


def test_what_is_dearer_to_sell_than_to_buy_is_not_sold_and_bought_at_once() -> None:
    plan = joint_plan(home([0.10, 0.10], battery(1), sells=[0.5, 0.5], site=site(pv=spans(1, 1))))
    assert all(min(s.import_w, s.export_w) == 0 for s in plan.site)
    # The roof sells anyway, and what may not be sold stays.
    proved(plan, 0)


def test_a_roof_that_costs_to_feed_in_fills_the_battery() -> None:
    """Selling costs 0.2, the export limit is no reason to curtail what pays nothing."""
    plan = joint_plan(home([0.3], battery(), sells=[-0.2], site=site(pv=spans(1))))
    proved(plan, -0.2)


def test_curtailing_beats_paying_to_feed_in() -> None:
    free = site(pv=spans(3), pv_curtailable=True)
    plan = joint_plan(home([0.3], battery(), sells=[-0.2], site=free))
    # The idle house pays for 3 kWh.
    proved(plan, -0.6)
    assert float(plan.site[0].export_w) == 0


def test_two_cars_share_a_limit_and_the_cheap_hour() -> None:
    cars = [car(demand(2, 3), name=name) for name in ("one", "two")]
    limited = site(import_limit_w=Decimal(2000), base_load=spans(0, 0, 0))
    plan = joint_plan(home([0.10, 0.20, 0.30], *cars, site=limited))
    proved(plan, 2 * 0.10 + 2 * 0.20)
    assert max(span.import_w for span in plan.site) <= 2000
    assert all(device.deadline_met for device in plan.devices)


def test_the_weightier_car_gets_what_there_is() -> None:
    first = car(demand(2, 1), name="one")
    urgent = replace(car(demand(2, 1), name="urgent"), priority=3)
    limited = site(import_limit_w=Decimal(2000))
    plan = joint_plan(home([0.1], first, urgent, site=limited))
    assert [device.deadline_met for device in plan.devices] == [False, True]


def test_a_car_fits_its_least_power_to_the_roof() -> None:
    """2 kWh from 1.5 kW of roof in each of two hours, with a car that takes 1.4 kW at least: an
    hour from the roof and the rest in a part of the next."""
    roof = site(pv=spans(1.5, 1.5))
    plan = joint_plan(home([0.3, 0.3], car(demand(2, 2), least_kw=1.4), site=roof))
    # The part of a cell ends on a whole second.
    assert float(plan.objective) == pytest.approx(0, abs=2e-4)
    assert float(plan.devices[0].energy_kwh) == pytest.approx(2, abs=1e-9)


def test_a_capacity_charge_spreads_the_load() -> None:
    charge = CapacityCharge(per_kw=Decimal(5), window_s=3600, window_energy_kwh=Decimal(0))
    even = site(capacity_charge=charge)
    plan = joint_plan(home([0.10, 0.20], car(demand(2, 2)), site=even))
    proved(plan, 5 * 1 + 0.10 + 0.20)


def test_a_peak_that_is_paid_already_is_used() -> None:
    charge = CapacityCharge(
        per_kw=Decimal(5), window_s=3600, peak_so_far_w=Decimal(2000), window_energy_kwh=Decimal(0)
    )
    plan = joint_plan(home([0.10, 0.20], car(demand(2, 2)), site=site(capacity_charge=charge)))
    proved(plan, 0.20)


def test_heat_is_made_when_it_is_cheap() -> None:
    """1 kWh is drawn in the second hour; it is stored as two degrees in the first."""
    plan = joint_plan(home([0.10, 0.40], tank(draw=spans(0, 1))))
    proved(plan, 0.10)
    assert hours_on(plan)[0][0] < 1


def test_a_pump_on_or_off_runs_its_least_time() -> None:
    """Half an hour at 2 kW is what the draw needs, an hour is the least run."""
    pump = tank(draw=spans(0, 1), min_power_w=Decimal(2000), min_on_s=3600)
    plan = joint_plan(home([0.40, 0.10, 0.05], pump, site=site()))
    # Off-limits is only the time before the draw: half of it is needed at 50 degrees.
    [run] = hours_on(plan)
    assert run[1] - run[0] == 1
    assert float(plan.cost) == pytest.approx(2 * 0.10, abs=1e-6)


def test_cold_rooms_are_heated_at_once() -> None:
    plan = joint_plan(home([0.9, 0.1], tank(46), site=site()))
    assert power_w(plan, 0.1) == pytest.approx(2000, abs=1)


def test_hygiene_in_the_cheapest_hours() -> None:
    """From 50 to 60 degrees take 5 kWh; then an hour at 60."""
    rule = Hygiene(NOW + 8 * HOUR, Decimal(60), HOUR)
    comfort = (ComfortSpan(NOW, NOW + 8 * HOUR, Decimal(50), Decimal(54)),)
    tall = tank(hygiene=rule, comfort=comfort)
    plan = joint_plan(home([0.5, 0.1, 0.1, 0.1, 0.5, 0.5, 0.5, 0.5], tall))
    proved(plan, 5 * 0.1)


def test_hygiene_out_of_reach_is_reached_but_for_a_degree() -> None:
    """Two hours at 2 kW lift it by eight degrees, one less is enough."""
    rule = Hygiene(NOW + 2 * HOUR, Decimal(60), HOUR)
    comfort = (ComfortSpan(NOW, NOW + 2 * HOUR, Decimal(50), Decimal(70)),)
    plan = joint_plan(home([0.1, 0.1], tank(hygiene=rule, comfort=comfort)))
    assert float(plan.cost) == pytest.approx(3.5 * 0.1, abs=1e-4)


def test_a_target_is_reached_where_it_can_be() -> None:
    target = (StorageTarget(NOW + 2 * HOUR, Decimal("1.5")),)
    plan = joint_plan(home([0.3, 0.2, 0.1], battery(targets=target)))
    proved(plan, 1 * 0.2 + 0.5 * 0.3)
    high = (StorageTarget(NOW + HOUR, Decimal(2)),)
    near = joint_plan(home([0.3, 0.2], battery(targets=high)))
    assert power_w(near, 0.5) == pytest.approx(1000, abs=1)


def test_a_battery_below_its_least_goes_inward_only() -> None:
    low = battery(0.5, min_kwh=1)
    plan = joint_plan(home([0.1, 0.9], low, site=site(base_load=spans(1, 1))))
    assert power_w(plan, 0.1) == pytest.approx(1000, abs=1)
    assert all(float(slot.energy_kwh or 1) >= 0.5 - 1e-6 for slot in plan.devices[0].slots)


def test_a_car_that_gives_back_is_away_for_an_hour() -> None:
    here = (
        Availability(NOW, NOW + HOUR),
        Availability(NOW + 2 * HOUR, NOW + 3 * HOUR, Decimal(1)),
    )
    plan = joint_plan(
        home([0.1, 0.9, 0.5], battery(1, available=here), site=site(base_load=spans(1, 1, 1)))
    )
    assert power_w(plan, 1.5) == 0
    assert power_w(plan, 2.5) == pytest.approx(-1000, abs=1)


def test_a_program_waits_for_the_roof() -> None:
    plan = joint_plan(home([0.3, 0.3, 0.3], washer(3), site=site(pv=spans(0, 1, 0))))
    proved(plan, 0)
    assert hours_on(plan) == [(1, 2)]


def test_a_block_under_a_limit_takes_what_is_left() -> None:
    """3 kWh as one block at 2 kW, of which the base load leaves 1 kW in the second hour."""
    block = car(demand(3, 3, contiguous=True))
    limited = site(import_limit_w=Decimal(2000), base_load=spans(0, 1, 0))
    plan = joint_plan(home([0.1, 0.2, 0.3], block, site=limited))
    proved(plan, 2 * 0.1 + 1 * 0.2)


def test_the_old_plan_is_kept_where_changing_costs_more_than_it_saves() -> None:
    old = PreviousPlan("car", spans(0, 1)[1:])
    keep = Planner(change_cost=Decimal("0.05"), previous=(old,))
    one = car(demand(1, 2), kw=1, least_kw=1)
    near = site(import_limit_w=Decimal(5000))
    kept = joint_plan(home([0.12, 0.20], one, planner=keep, site=near))
    assert hours_on(kept) == [(1, 2)]
    moved = joint_plan(home([0.02, 0.30], one, planner=keep, site=near))
    assert hours_on(moved) == [(0, 1)]


def test_what_is_soft_is_served_while_it_is_worth_it() -> None:
    soft = car(demand(4, 3, hard=False, value_per_kwh=0.25))
    plan = joint_plan(home([0.1, 0.2, 0.3], soft, site=site(import_limit_w=Decimal(9000))))
    proved(plan, 2 * (0.1 - 0.25) + 2 * (0.2 - 0.25))


def test_a_cap_is_lifted_where_the_roof_gives_the_power() -> None:
    capped = car(demand(2, 2, price_cap=0.15))
    roofed = site(pv=spans(0, 1))
    plan = joint_plan(home([0.2, 0.2], capped, site=roofed))
    assert float(plan.devices[0].energy_kwh) == pytest.approx(1, abs=1e-6)
    assert not plan.devices[0].deadline_met


def test_what_a_cap_is_not_to_blame_for_is_served_late() -> None:
    """3 kWh at 2 kW do not fit into an hour at any price: the third comes late, under the cap."""
    short = car(demand(3, 1, price_cap=0.15))
    plan = joint_plan(home([0.1, 0.2, 0.1], short, site=site(import_limit_w=Decimal(9000))))
    assert float(plan.devices[0].energy_kwh) == pytest.approx(3, abs=1e-6)
    assert hours_on(plan) == [(0, 1), (2, 2.5)]


def test_a_warm_house_needs_no_heat() -> None:
    mild = (TemperatureSpan(NOW, NOW + 2 * HOUR, Decimal(50)),)
    plan = joint_plan(home([0.1, 0.2], tank(52, outdoor=mild)))
    proved(plan, 0)
    assert plan.devices[0].slots == ()
