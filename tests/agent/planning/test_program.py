"""Programs: start once, run through."""

from decimal import Decimal

from agent.energy.situation import ProfileSegment, Program
from agent.planning import make_plan, make_rule_plan
from tests.agent.planning.tale import HOUR, NOW, hours_on, house


def dishwasher(deadline_h: float, **more: int) -> Program:
    profile = (
        ProfileSegment(HOUR // 2, Decimal(2000)),
        ProfileSegment(HOUR, Decimal(100)),
        ProfileSegment(HOUR // 2, Decimal(2000)),
    )
    return Program("dishwasher", profile, NOW + round(deadline_h * HOUR), **more)


def test_the_heating_meets_the_cheap_hours() -> None:
    plan = make_plan(house([0.3, 0.3, 0.1, 0.4, 0.2, 0.4], dishwasher(6)))
    assert hours_on(plan) == [(2.5, 4.5)]
    assert plan.devices[0].deadline_met


def test_what_cannot_be_in_time_starts_at_once() -> None:
    plan = make_plan(house([0.3, 0.1, 0.1], dishwasher(1)))
    assert hours_on(plan)[0][0] == 0
    assert not plan.devices[0].deadline_met


def test_what_runs_is_load_and_costs_the_plan_nothing() -> None:
    plan = make_plan(house([0.3, 0.1, 0.1], dishwasher(3, started_at=NOW - HOUR)))
    assert hours_on(plan) == [(0, 1)]
    assert plan.cost == plan.baseline_cost == 0
    assert plan.devices[0].starts == 0
    assert plan.devices[0].cost == Decimal("0.315")


def test_the_rule_alone_knows_the_cheapest_start_too() -> None:
    """Once it has started no better plan can take it back."""
    plan = make_rule_plan(house([0.3, 0.3, 0.1, 0.4, 0.2, 0.4], dishwasher(6)))
    assert hours_on(plan) == [(2.5, 4.5)]
