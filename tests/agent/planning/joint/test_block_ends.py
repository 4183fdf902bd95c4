"""Where a block ends: at full power, in the second in which its demand is full."""

from dataclasses import replace
from decimal import Decimal

import pytest

from agent.energy.plan import Plan, Status
from agent.planning.engine import Deadline
from agent.planning.joint.engine import JointEngine
from agent.planning.problem import problem_of
from agent.planning.segments import Segment
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
)


def block_powers(plan: Plan) -> set[float]:
    return {float(slot.power_w) for slot in plan.devices[0].slots}


@pytest.mark.parametrize("kwh", [2, 3.92, 4.0005])
def test_the_tail_keeps_the_power_that_the_limit_leaves(kwh: float) -> None:
    """A car of 11 kW where the house leaves 7772 W: its last second is not spread over others."""
    one = car(demand(kwh, 3, contiguous=True), kw=11)
    limited = site(import_limit_w=Decimal(8000), base_load=spans(*3 * [0.228]))
    plan = joint_plan(home([0.3, 0.1, 0.2], one, site=limited))
    assert block_powers(plan) == {7772}
    assert plan.status is Status.OPTIMAL
    assert plan.devices[0].deadline_met
    surplus = float(plan.devices[0].energy_kwh) - kwh
    assert 0 <= surplus < 7.772 / 3600


@pytest.mark.parametrize("kwh", ["6.9", "7.0003"])
def test_a_block_that_may_be_shorter_is_full_at_its_last_second_too(kwh: str) -> None:
    """Nothing is missing by less than a second, so a battery below its least may be filled."""
    one = car(demand(float(kwh), 4, contiguous=True, price_cap=0.5), kw=7.4, least_kw=1.4)
    low = battery(0.4, 10, 5, min_kwh=1)
    limited = site(import_limit_w=Decimal(4800), base_load=spans(0.3, 0.7, 0.5, 0.9))
    plan = joint_plan(home([0.3, 0.1, 0.2, 0.1], one, low, site=limited))
    assert plan.devices[0].shortfall_kwh == 0
    assert plan.devices[0].energy_kwh >= Decimal(kwh)
    first = plan.devices[1].slots[0]
    assert first.start == plan.made_at
    assert float(first.power_w) >= 2400


def test_a_run_that_must_go_on_goes_on_as_a_block() -> None:
    """On for 10 minutes of at least 30: the rest is the block's, and nobody else's beside it."""
    late = demand(2, 0.75, contiguous=True)
    running = replace(car(late, least_kw=2), on_since=NOW - 600, min_on_s=1800)
    problem = problem_of(home([0.3, 0.1], running, site=site(import_limit_w=Decimal(3000))))
    found = JointEngine().plan(problem, Deadline.never(), None)
    assert found is not None
    power = problem.units.power(Decimal(2000))
    assert found.schedule["car"] == (Segment(0, HOUR, power, 0),)
