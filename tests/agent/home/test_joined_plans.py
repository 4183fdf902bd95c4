"""Two plans in turn add up to what one of both costs."""

from dataclasses import replace
from decimal import Decimal

import pytest

from agent.energy.plan import Plan
from agent.energy.situation import Demand, Device, Flexible, PowerSpan, RateSpan, Site, Situation
from agent.home.joined_plans import drawn_w, joined_plan
from agent.planning import make_rule_plan

NOW = 1_768_521_600
HOUR = 3600
PRICES = ("0.30", "0.10", "0.40", "0.20")
RATES = tuple(
    RateSpan(NOW + i * HOUR, NOW + (i + 1) * HOUR, Decimal(price)) for i, price in enumerate(PRICES)
)


def load(name: str, kwh: int) -> Flexible:
    demand = Demand(Decimal(kwh), deadline=NOW + 4 * HOUR)
    return Flexible(name, Decimal(2000), demands=(demand,))


def planned(*devices: Device, base_load: tuple[PowerSpan, ...] = ()) -> Plan:
    site = Site(Decimal(10_000), base_load=base_load)
    return make_rule_plan(Situation(NOW, "UTC", "EUR", RATES, site=site, devices=devices))


def test_costs_devices_and_draws_of_two_plans_are_those_of_one() -> None:
    both = planned(load("hp", 2), load("ev", 4))
    first = planned(load("hp", 2))
    draw = drawn_w(first)
    assert [draw.value(NOW + i * HOUR) for i in range(4)] == [0, 2000, 0, 0]
    second = planned(
        load("ev", 4), base_load=(PowerSpan(NOW + HOUR, NOW + 2 * HOUR, Decimal(2000)),)
    )
    joined = joined_plan(first, second)
    assert float(joined.cost) == pytest.approx(float(both.cost)) == 0.8
    assert float(joined.baseline_cost) == pytest.approx(float(both.baseline_cost))
    assert [part.id for part in joined.devices] == ["hp", "ev"]
    assert joined.site == second.site


def test_the_weaker_proof_counts_and_the_gap_is_of_both() -> None:
    first, second = planned(load("hp", 2)), planned(load("ev", 4))
    proven = replace(first, objective=Decimal("0.3"), bound=Decimal("0.2"))
    joined = joined_plan(proven, replace(second, bound=second.objective))
    assert joined.status is second.status
    assert float(joined.gap) == pytest.approx(0.1 / float(joined.baseline_cost))
