"""What a process remembers makes the next plan quicker, never another or a worse one."""

import time
from dataclasses import replace
from decimal import Decimal

import pytest

from agent.energy.plan import Engine, Plan, Status
from agent.energy.situation import Situation
from agent.planning import make_plan
from agent.planning.joint.engine import JointEngine
from agent.planning.joint.memory import Memory
from agent.planning.joint.paths import HeatPaths
from agent.planning.joint.programme import Programme
from agent.planning.joint.recursion import ArrayKernel, Prices
from agent.planning.portfolio import ENGINES, Entry
from agent.planning.problem import problem_of
from tests.agent.planning.joint.homes import battery, home, site, spans, tank

PRICES = [0.3, 0.1, 0.4, 0.2, 0.5, 0.1, 0.3, 0.2]


def house(celsius: float = 50.5) -> Situation:
    heated = replace(
        tank(celsius),
        min_power_w=Decimal(1000),
        min_on_s=1800,
        min_off_s=900,
        draw=spans(0.5, 1, 0, 1, 0.5, 1, 0, 0.5),
    )
    return home(PRICES, heated, battery(1), site=site(import_limit_w=Decimal(2500)))


def planned(situation: Situation, memory: Memory) -> Plan:
    engines = (*ENGINES, Entry(Engine.JOINT, JointEngine(memory=memory)))
    return make_plan(situation, time.process_time, 30, engines)


def test_the_same_situation_has_the_same_plan() -> None:
    memory = Memory()
    assert planned(house(), memory) == planned(house(), memory)


def test_a_little_later_the_plan_is_as_good_as_without_a_memory() -> None:
    memory = Memory()
    planned(house(), memory)
    then = replace(house(50.52), now=house().now + 300)
    warm, cold = planned(then, memory), planned(then, Memory())
    assert warm.status is cold.status is Status.OPTIMAL
    assert abs(warm.objective - cold.objective) < Decimal("0.00002")


def test_what_another_home_asked_changes_nothing() -> None:
    memory = Memory()
    other = replace(house(), devices=(replace(tank(51), min_power_w=Decimal(2000)),))
    planned(other, memory)
    assert planned(house(), memory) == planned(house(), Memory())


def test_patterns_are_for_the_same_home_a_little_later() -> None:
    """So a Situation that is asked again, with others in between, has the plan that it had."""
    memory = Memory()
    planned(house(), memory)

    def recalled(seconds: int, min_power_w: int = 1000) -> bool:
        then = replace(house(), now=house().now + seconds)
        heated = replace(tank(50.5), min_power_w=Decimal(min_power_w))
        problem = problem_of(replace(then, devices=(heated, *then.devices[1:])))
        return bool(memory.recall(problem, "tank", 8))

    assert recalled(300)
    assert not recalled(0)
    assert not recalled(-300)
    assert not recalled(7200)
    assert not recalled(300, min_power_w=2000)


def test_prices_are_kept_for_a_kwh_and_a_degree_whatever_cells_become() -> None:
    """Five minutes later the first quarter hour is ten minutes long; no other cell has changed."""
    memory = Memory()
    planned(house(), memory)

    def recalled(seconds: int) -> Prices:
        programme = Programme(problem_of(replace(house(), now=house().now + seconds)), strict=True)
        one = HeatPaths(programme.house, programme.thermal["tank"], ArrayKernel())
        rates = memory.recall_prices(programme.problem, "tank", one.count)
        assert rates is not None
        return one.at_rates(rates)

    before, after = recalled(1), recalled(300)
    assert len(before.power) == len(after.power)
    assert float(abs(before.power).max()) > 0
    assert after.power[0] == pytest.approx(before.power[0] * 600 / 899)
    assert after.power[1:] == pytest.approx(before.power[1:])
    # No losses: a degree is worth as much whenever it is there.
    assert after.heat == pytest.approx(before.heat)
