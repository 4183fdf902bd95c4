"""A tank that has to be hot once: at a set time it is comfort like any other."""

from dataclasses import replace
from decimal import Decimal
from itertools import islice

import pytest

from agent.energy.plan import Status
from agent.energy.situation import Hygiene, PowerSpan, Situation
from agent.planning.engine import Deadline
from agent.planning.joint.engine import JointEngine
from agent.planning.joint.hygiene import with_holds
from agent.planning.judge import Judged, judge
from agent.planning.problem import problem_of
from agent.planning.segments import Segment
from tests.agent.planning.joint.homes import home, joint_plan, tank
from tests.agent.planning.tale import HOUR, NOW

# From 52 to 60 degrees it takes two hours of 2 kW; people draw a kW for the last three.
PRICES = (0.4, 0.3, 0.1, 0.1, 0.3, 0.2, 0.2, 0.4)


def house(by_h: int = 7) -> Situation:
    draw = (PowerSpan(NOW + 5 * HOUR, NOW + 8 * HOUR, Decimal(1000)),)
    hot = Hygiene(NOW + by_h * HOUR, Decimal(60), HOUR)
    return home(PRICES, tank(52, min_power_w=Decimal(2000), hygiene=hot, draw=draw))


def planned_at_set_times(situation: Situation, before: Judged | None = None) -> list[Judged]:
    """The plan for each time that is looked at, judged by the whole problem."""
    problem = problem_of(situation)
    found = []
    for held in islice(with_holds(problem, before), 3):
        proposal = JointEngine().plan(held, Deadline.never(), None)
        assert proposal is not None
        found.append(judge(problem, proposal.schedule))
    return found


def test_it_is_hot_where_heating_up_is_cheapest() -> None:
    situation = house()
    best, *others = planned_at_set_times(situation)
    assert not best.faults
    assert best.devices["tank"].hygiene_c == best.devices["tank"].comfort_c_h == 0
    assert best.devices["tank"].levels[16] == pytest.approx(60, abs=0.01)
    assert all(one.objective >= best.objective for one in others)
    plan = joint_plan(situation)
    assert plan.status is Status.OPTIMAL
    assert float(best.problem.units.currency(best.cost)) == pytest.approx(
        float(plan.cost), abs=1e-4
    )


def test_where_the_plan_in_force_makes_it_hot_is_looked_at_first() -> None:
    situation = house()
    early = judge(problem_of(situation), {"tank": (Segment(0, 2 * HOUR, 2_000_000),)})
    assert early.devices["tank"].hygiene_c == 0
    first, *_ = planned_at_set_times(situation, early)
    assert first.schedule["tank"][0].start == 0
    assert first.devices["tank"].hygiene_c == 0


def test_what_cannot_be_hot_in_time_has_no_set_time() -> None:
    assert not planned_at_set_times(house(by_h=2))
    cold = replace(house(), devices=(replace(tank(52)),))
    assert not planned_at_set_times(cold)
