"""What is left of the plan in force keeps comfort, whatever readings say of what was thought."""

from dataclasses import replace
from decimal import Decimal

import pytest

from agent.energy.situation import ComfortSpan, Hygiene, Planner, PreviousPlan, Thermal
from agent.planning.engine import Deadline
from agent.planning.judge import Judged, judge
from agent.planning.problem import problem_of
from agent.planning.rule.keeping import kept_plan
from tests.agent.planning.joint.homes import HOUR, NOW, home, spans, tank

HOURS = 8


def kept(device: Thermal, *kw: float, hours: float = 1) -> Judged:
    """`kw`: the plan in force, each for so many hours."""
    old = PreviousPlan(device.id, spans(*kw, hours=hours))
    planner = Planner(change_cost=Decimal("0.01"), previous=(old,))
    problem = problem_of(replace(home([0.3] * HOURS, device), planner=planner))
    return judge(problem, kept_plan(problem, Deadline.never()))


def band(*most: float) -> tuple[ComfortSpan, ...]:
    """At least 50 degrees, and at most so many, an hour each."""
    return tuple(
        ComfortSpan(NOW + k * HOUR, NOW + (k + 1) * HOUR, Decimal(50), Decimal(str(one)))
        for k, one in enumerate(most)
    )


@pytest.mark.parametrize("celsius", [54, 54.1, 55])
def test_it_is_not_heated_to_what_is_too_hot_when_the_maximum_falls(celsius: float) -> None:
    """A tank may have 58 degrees for two hours, then 56; half a degree is lost an hour."""
    store = tank(celsius, comfort=band(58, 58, *[56] * 6), draw=spans(*[0.25] * HOURS))
    plan = kept(store, 0, 1.5)
    assert plan.devices["tank"].comfort_c_h == 0
    assert not plan.faults


@pytest.mark.parametrize("celsius", [53, 53.3, 53.8])
def test_a_run_that_would_be_too_long_for_what_is_left_is_not_begun(celsius: float) -> None:
    """Half an hour brings a degree, and the compressor may not stop before."""
    pump = replace(
        tank(celsius, comfort=band(*[54] * HOURS)),
        max_power_w=Decimal(1000),
        min_power_w=Decimal(1000),
        min_on_s=1800,
        min_off_s=1800,
    )
    plan = kept(pump, 0, 0, 1, 0, hours=0.5)
    assert plan.devices["tank"].comfort_c_h == 0
    assert not plan.faults
    assert bool(plan.devices["tank"].energy) is (celsius == 53)


@pytest.mark.parametrize("celsius", [51.8, 52])
def test_hygiene_waives_the_maximum_where_it_is_held_and_nowhere_else(celsius: float) -> None:
    """Hot once after three hours, soon used; later it would be heated to two degrees too much."""
    store = tank(
        celsius,
        comfort=band(*[54] * 6, 52, 52),
        hygiene=Hygiene(NOW + 3 * HOUR, Decimal(60), 0),
        draw=spans(0, 0, 0, 3.5, 0.6, 0, 0, 0),
    )
    plan = kept(store, 0, 2, 2, 0, 0, 1)
    assert plan.devices["tank"].hygiene_c == 0
    assert plan.devices["tank"].comfort_c_h == 0
    assert not plan.faults
