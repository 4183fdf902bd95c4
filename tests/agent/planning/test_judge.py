"""Plans counted by hand: aims, money, and the rules that they break."""

from dataclasses import replace
from decimal import Decimal

import pytest

from agent.energy.situation import (
    CapacityCharge,
    Flexible,
    PowerSpan,
    ProfileSegment,
    Program,
    RateSpan,
    Site,
    Situation,
    Storage,
)
from agent.planning.judge import Judged, judge
from agent.planning.problem import problem_of
from agent.planning.segments import Segment
from tests.agent.planning.joint.homes import tank
from tests.agent.planning.tale import HOUR, NOW, demand, house, load

KW = 1_000_000


def judged(situation: Situation, **schedule: list[tuple[int, int, int, int | None]]) -> Judged:
    """Powers in W; the demand of a segment is its last number."""
    segments = {
        id: tuple(Segment(a, b, power * 1000, who) for a, b, power, who in own)
        for id, own in schedule.items()
    }
    return judge(problem_of(situation), segments)


def money(found: Judged, amount: int) -> Decimal:
    exact = found.problem.units.currency(amount)
    return Decimal(exact.numerator) / Decimal(exact.denominator)


def all_day(power: int) -> tuple[PowerSpan, ...]:
    return (PowerSpan(NOW, NOW + 24 * HOUR, Decimal(power)),)


def test_energy_at_its_price_and_each_start() -> None:
    situation = house([0.3, 0.1, 0.2], load(demand(2, 3), start_cost=0.05))
    found = judged(situation, load=[(0, HOUR, 1000, 0), (2 * HOUR, 3 * HOUR, 1000, 0)])
    assert not found.faults
    assert money(found, found.cost) == Decimal("0.6")
    assert found.devices["load"].starts == 2
    # At full power from now: 0.3 and 0.1, one start.
    assert money(found, found.baseline_cost) == Decimal("0.45")


def test_shortfall_comes_before_money() -> None:
    situation = house([0.3, 0.1], load(demand(1, 1)))
    in_time = judged(situation, load=[(0, HOUR, 1000, 0)])
    late = judged(situation, load=[(HOUR, 2 * HOUR, 1000, 0)])
    assert late.objective < in_time.objective
    assert in_time.order < late.order
    assert late.devices["load"].missing == (KW * HOUR,)


def test_margins_count_for_choosing_only() -> None:
    rates = (RateSpan(NOW, NOW + HOUR, Decimal("0.2"), Decimal("0.5")),)
    situation = replace(house([], load(demand(1, 1))), import_rates=rates)
    planner = replace(situation.planner, estimate_margin_per_kwh=Decimal("0.1"))
    found = judged(replace(situation, planner=planner), load=[(0, HOUR, 1000, 0)])
    assert money(found, found.cost) == Decimal("0.2")
    assert money(found, found.objective) == Decimal("0.25")


def test_a_run_that_must_go_on_is_in_the_idle_house_too() -> None:
    device = load(demand(1, 3), min_on_s=HOUR, on_since=NOW - HOUR // 2)
    found = judged(house([0.4, 0.1], device), load=[(0, HOUR, 1000, 0)])
    assert money(found, found.cost) == Decimal("0.2")
    assert found.devices["load"].starts == 0


def test_seconds_that_a_split_demand_could_have_had_are_excess() -> None:
    device = load(demand(0.25, 3), min_on_s=HOUR, on_since=NOW - HOUR // 2)
    wasted = [(0, HOUR // 2, 1000, None), (2 * HOUR, 2 * HOUR + HOUR // 4, 1000, 0)]
    used = [(0, HOUR // 4, 1000, 0), (HOUR // 4, HOUR // 2, 1000, None)]
    situation = house([0.4, 0.1, 0.1], device)
    assert judged(situation, load=used).order < judged(situation, load=wasted).order


def test_broken_rules_are_named() -> None:
    def faults(device: Flexible, *own: tuple[int, int, int, int | None]) -> str:
        return " ".join(judged(house([0.3] * 4, device), load=list(own)).faults)

    long_runs = load(demand(1, 4), min_on_s=HOUR, min_off_s=HOUR)
    assert "a run of 1800 s" in faults(long_runs, (0, 1800, 1000, 0))
    assert "off for 60 s" in faults(
        long_runs, (0, HOUR, 1000, 0), (HOUR + 60, 2 * HOUR + 60, 1000, 0)
    )
    assert "outside its window" in faults(load(demand(1, 4, earliest_h=1)), (0, HOUR, 1000, 0))
    assert "above its cap" in faults(load(demand(1, 4, price_cap=0.2)), (0, HOUR, 1000, 0))
    assert "unknown time" in faults(
        load(demand(1, 9, price_cap=0.5)), (5 * HOUR, 6 * HOUR, 1000, 0)
    )
    assert "not one block" in faults(
        load(demand(1, 4, contiguous=True)), (0, 1800, 1000, 0), (HOUR, HOUR + 1800, 1000, 0)
    )
    assert "for no demand" in faults(load(demand(1, 4)), (0, HOUR, 1000, None))
    assert "off its grid" in faults(
        load(demand(1, 4, earliest_h=0), grid_s=1800), (60, HOUR + 60, 1000, 0)
    )
    assert "must go on" in faults(load(min_on_s=HOUR, on_since=NOW - 60))
    running = demand(1, 4, contiguous=True, under_way=True)
    assert "does not go on" in faults(load(running, on_since=NOW), (60, HOUR + 60, 1000, 0))


def test_a_program_that_ends_late_misses_a_little_at_least() -> None:
    profile = (ProfileSegment(HOUR, Decimal(2000)), ProfileSegment(600, Decimal(0)))
    washer = Program("washer", profile, NOW + HOUR + 300)
    found = judged(house([0.3, 0.3], washer), washer=[(0, HOUR, 2000, None)])
    assert not found.devices["washer"].met
    assert found.devices["washer"].shortfall == found.problem.units.energy(Decimal("0.002"))


def coupled(**more: object) -> Situation:
    site = Site(import_limit_w=Decimal(5000), **more)  # type: ignore[arg-type]
    return replace(house([0.3] * 4, load(demand(1, 4), min_power_w=Decimal(0))), site=site)


def test_surplus_costs_what_it_would_have_sold_for() -> None:
    situation = coupled(pv=all_day(1500), base_load=all_day(500))
    exports = (RateSpan(NOW, NOW + 4 * HOUR, Decimal("0.08")),)
    found = judged(replace(situation, export_rates=exports), load=[(0, HOUR, 1000, 0)])
    assert money(found, found.cost) == Decimal("0.08")
    assert money(found, found.device_cost("load")) == Decimal("0.08")
    assert not found.imports(0)


def test_what_is_above_the_limit_is_the_first_aim() -> None:
    situation = coupled(base_load=all_day(4500))
    above = judged(situation, load=[(0, HOUR, 1000, 0)])
    within = judged(situation, load=[(0, 2 * HOUR, 500, 0)])
    assert above.aims[0] == 500_000 * HOUR
    assert within.order < above.order
    assert within.aims[0] == 0


def test_a_limit_sees_the_full_power_of_a_part_of_a_cell() -> None:
    device = load(demand(0.1, 4), power_w=3000, min_power_w=Decimal(1000))
    site = Site(import_limit_w=Decimal(800))
    found = judged(replace(house([0.3] * 4, device), site=site), load=[(0, 360, 1000, 0)])
    assert not found.faults
    assert found.aims[0] == 200_000 * 900


def test_the_rise_of_the_highest_window_is_paid() -> None:
    charge = CapacityCharge(Decimal(4), 900, Decimal(1000))
    situation = coupled(capacity_charge=charge, base_load=all_day(500))
    found = judged(situation, load=[(0, HOUR, 1000, 0)])
    assert money(found, found.cost) == Decimal("0.3") + Decimal("4") * Decimal("0.5")


def battery(**more: object) -> Storage:
    ten = Decimal(10)
    return Storage("battery", ten, Decimal(5), Decimal(3000), Decimal(3000), **more)  # type: ignore[arg-type]


def test_what_solvers_round_in_every_cell_is_no_discomfort() -> None:
    def uncomfortable(celsius: float) -> float:
        """Kept between 50 and 54, it stays as it is."""
        found = judged(house([0.3] * 24, tank(celsius)))
        return found.devices["tank"].comfort_c_h

    assert uncomfortable(49.999_995) == uncomfortable(54.000_005) == 0
    assert uncomfortable(49.999) == pytest.approx(0.024)
    assert uncomfortable(54.001) == pytest.approx(0.024)


def test_a_battery_pays_wear_and_is_worth_what_it_holds() -> None:
    store = battery(wear_per_kwh=Decimal("0.02"), final_value_per_kwh=Decimal("0.1"))
    site = Site(import_limit_w=Decimal(5000), base_load=all_day(2000))
    found = judged(house([0.3] * 4, store, site=site), battery=[(0, HOUR, -1000, None)])
    assert not found.faults
    assert money(found, found.cost) == Decimal("-0.3") + Decimal("0.02") + Decimal("0.1")
    assert found.devices["battery"].levels[-1] == 4


def test_a_battery_that_may_not_sell_breaks_a_rule_when_it_does() -> None:
    site = Site(import_limit_w=Decimal(5000), base_load=all_day(500))
    found = judged(house([0.3] * 4, battery(), site=site), battery=[(0, HOUR, -1000, None)])
    assert "may not sell" in found.faults[0]
