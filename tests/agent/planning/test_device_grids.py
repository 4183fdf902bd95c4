"""Grids of devices that begin at seconds of their own: how finely time is cut for them."""

import random
from dataclasses import replace
from decimal import Decimal

import pytest

from agent.energy.plan import Engine, Plan, Status
from agent.energy.situation import Demand, Flexible, Situation
from agent.planning import device_grids, make_plan
from agent.planning.engine import Deadline
from agent.planning.judge import judge
from agent.planning.portfolio import ENGINES, Entry
from agent.planning.problem import problem_of
from agent.planning.rule import RuleEngine
from agent.solver.client import installed
from tests.agent.planning.tale import HOUR, NOW, demand, house, load
from tests.agent.planning.test_grid import limited

STEP_S = 300
DAYS = 8


def at_odd_seconds(cars: int, demands: int) -> Situation:
    """Cars with a demand every few hours for some days, each from a second of its own."""
    chance = random.Random(7)

    def wanted(k: int) -> Demand:
        begin = NOW + k * DAYS * 24 * HOUR // demands + chance.randrange(1, 3000)
        end = begin + 5 * HOUR + chance.randrange(1, 3000)
        return Demand(Decimal("2.5"), deadline=end, earliest=begin)

    devices = tuple(
        Flexible(
            *(f"car{n}", Decimal(7400), Decimal(1400)),
            demands=tuple(wanted(k) for k in range(demands)),
            grid_s=STEP_S,
        )
        for n in range(cars)
    )
    return replace(house([0.3, 0.1, 0.2] * 8 * DAYS, load(), site=limited()), devices=devices)


def test_of_more_multiples_than_there_is_time_for_each_demand_has_some(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(device_grids, "MOST_SIZE", 4000)
    situation = at_odd_seconds(2, 30)
    problem = problem_of(situation)
    assert problem.grid.merged
    # Instants, quarter hours until a week after the rates, and a few hundred of 250,000 multiples.
    assert len(problem.grid.cells) < 3000
    proposal = RuleEngine().plan(problem, Deadline.never(), None)
    assert proposal is not None
    judged = judge(problem, proposal.schedule)
    assert not judged.faults
    assert all(device.met and device.starts for device in judged.devices.values())


def test_of_a_home_every_multiple_cuts_time() -> None:
    two = load(demand(5, 1, earliest_h=0.1), demand(9, 1, earliest_h=0.27), grid_s=600)
    grid = problem_of(house([0.3] * 12, two, site=limited())).grid
    assert not grid.merged
    assert {360 + 600 * k for k in range(30)} <= set(grid.starts)
    assert {972 + 600 * k for k in range(30)} <= set(grid.starts)


@pytest.mark.skipif(not installed(), reason="no solver on this machine")
def test_of_merged_cells_nothing_is_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    from agent.planning.joint.engine import JointEngine

    car = load(demand(2, 8, earliest_h=0.1), grid_s=600)
    situation = house([0.3, 0.1, 0.2, 0.3, 0.15, 0.3, 0.3, 0.3, 0.3], car, site=limited())

    def planned() -> Plan:
        return make_plan(situation, engines=(*ENGINES, Entry(Engine.JOINT, JointEngine())))

    fine = planned()
    assert fine.status is Status.OPTIMAL
    monkeypatch.setattr(device_grids, "MOST_SIZE", 0)
    monkeypatch.setattr(device_grids, "LEAST_CELLS", 0)
    merged = planned()
    assert merged.status is not Status.OPTIMAL
    assert merged.devices[0].deadline_met
    assert merged.bound <= fine.objective <= merged.objective
