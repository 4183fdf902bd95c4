"""The rule in houses that pay for their highest peak: it looks for a plan below it."""

from dataclasses import replace
from decimal import Decimal

import pytest

from agent.energy.plan import Plan, Status
from agent.energy.situation import CapacityCharge, Device, Situation
from agent.planning import make_plan
from tests.agent.planning.joint.homes import car, home, joint_plan, site, spans, tank, washer
from tests.agent.planning.tale import HOUR, NOW, demand

PRICES = [0.4, 0.3, 0.1, 0.1, 0.2, 0.3, 0.4, 0.4, 0.2, 0.3]


def charged(*devices: Device, per_kw: str = "4.2", peak_w: int = 3100, **more: object) -> Situation:
    charge = CapacityCharge(Decimal(per_kw), peak_so_far_w=Decimal(peak_w), **more)  # type: ignore[arg-type]
    load = spans(*[0.6] * len(PRICES))
    return home(PRICES, *devices, site=site(base_load=load, capacity_charge=charge))


def highest_w(plan: Plan) -> Decimal:
    return max(span.import_w for span in plan.site)


def without_charge(situation: Situation) -> Plan:
    return make_plan(replace(situation, site=replace(situation.site, capacity_charge=None)))


@pytest.mark.parametrize(
    "devices",
    [
        (car(demand(15, 10), kw=7.4),),
        (car(demand(15, 10), kw=7.4, least_kw=1.4),),
        (replace(car(demand(15, 10), kw=7.4, least_kw=1.4), min_on_s=1800),),
        (car(demand(9, 10), kw=7.4), car(demand(6, 5), name="two", kw=3), washer(9, kw=2)),
        (car(demand(30, 10), kw=7.4, least_kw=1.4),),
        (car(demand(10, 10), kw=7.4), tank(50.2)),
    ],
)
def test_it_costs_little_more_than_the_best_plan(devices: tuple[Device, ...]) -> None:
    situation = charged(*devices)
    plan, best = make_plan(situation), joint_plan(situation)
    assert plan.status is Status.RULE
    assert all(one.deadline_met for one in plan.devices)
    assert float(plan.cost) <= float(best.cost) * 1.2
    assert highest_w(plan) < highest_w(without_charge(situation))


def test_a_peak_that_is_paid_already_is_kept_to_the_watt() -> None:
    plan = make_plan(charged(car(demand(15, 10), kw=7.4)))
    assert highest_w(plan) == 3100


def test_a_peak_that_costs_next_to_nothing_is_no_reason_to_wait() -> None:
    cheap = make_plan(charged(car(demand(15, 10), kw=7.4), per_kw="0.001"))
    free = make_plan(charged(car(demand(15, 10), kw=7.4), peak_w=20_000))
    assert cheap.devices[0].slots == free.devices[0].slots


def test_what_must_run_at_full_power_runs_below_no_peak() -> None:
    block = demand(7.4, 10, contiguous=True)
    plan = make_plan(charged(car(block, kw=7.4)))
    assert plan.devices[0].deadline_met
    assert {slot.power_w for slot in plan.devices[0].slots} == {Decimal(7400)}


def test_what_was_imported_since_the_window_began_counts() -> None:
    whole = demand(1, 1)
    most = Decimal("0.775")
    situation = charged(car(whole, kw=7.4), window_energy_kwh=most)
    later = replace(situation, now=NOW + 450)
    plan = make_plan(later)
    first = [slot for slot in plan.devices[0].slots if slot.start < NOW + 900]
    assert first == []
    assert plan.devices[0].deadline_met


def test_the_next_period_has_a_peak_of_its_own() -> None:
    end = NOW + 5 * HOUR
    low = demand(3, 10, earliest_h=5)
    situation = charged(car(low, kw=7.4), period_end=end, next_floor_w=Decimal(1600))
    plan = make_plan(situation)
    assert highest_w(plan) == 1600
