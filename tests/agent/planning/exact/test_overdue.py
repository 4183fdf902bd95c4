"""Energy that cannot be had in time comes in one go, at once."""

from decimal import Decimal

from agent.energy.plan import Status
from agent.planning import make_plan
from tests.agent.planning.tale import HOUR, NOW, hours_on, house, load
from tests.agent.planning.tale import demand as wanted


def test_minimum_times_do_not_tear_a_late_run_apart() -> None:
    device = load(wanted(8, 5), min_on_s=600, min_off_s=300)
    plan = make_plan(house([0.5, 0.1] * 12, device))
    assert hours_on(plan) == [(0, 8)]
    assert plan.status is Status.OPTIMAL
    assert plan.devices[0].shortfall_kwh == 3


def test_it_waits_for_its_window_and_its_minimum_off_time() -> None:
    device = load(wanted(3, 3, earliest_h=1), min_off_s=2 * HOUR, off_since=NOW - HOUR // 2)
    plan = make_plan(house([0.2] * 6, device))
    assert hours_on(plan) == [(1.5, 4.5)]


def test_a_run_under_way_goes_on() -> None:
    device = load(wanted(4, 2), min_on_s=HOUR, min_off_s=HOUR, on_since=NOW - 600)
    plan = make_plan(house([0.2, 0.9, 0.1, 0.1, 0.1], device))
    assert hours_on(plan) == [(0, 4)]
    assert plan.devices[0].starts == 0
    assert plan.status is Status.OPTIMAL


def test_on_a_grid_it_begins_and_ends_on_it() -> None:
    device = load(wanted(2.1, 2, earliest_h=0.1), grid_s=HOUR // 2, min_on_s=HOUR)
    plan = make_plan(house([0.2] * 6, device))
    assert hours_on(plan) == [(0.1, 2.6)]


def test_what_is_late_hands_over_within_its_run() -> None:
    """Between two demands nothing is switched, so the steps of the grid round up once."""
    block = wanted(61.416666, 5.5, contiguous=True)
    device = load(block, wanted(7.333333, 4.5), power_w=11_000, grid_s=HOUR // 4, start_cost=0.2)
    plan = make_plan(house([0.2] * 6, device))
    assert hours_on(plan) == [(0, 6.25)]
    assert plan.devices[0].energy_kwh == Decimal("68.75")
