"""Devices that are on or off, every pattern of them put to the judge: none is better."""

import random
from dataclasses import replace
from decimal import Decimal
from itertools import product

import pytest

from agent.energy.situation import Flexible, RateSpan, Situation, Thermal
from agent.planning.engine import Deadline
from agent.planning.joint.engine import JointEngine
from agent.planning.judge import Judged, judge
from agent.planning.problem import Problem, problem_of
from agent.planning.rule import RuleEngine
from agent.planning.segments import Schedule, Segment, joined
from tests.agent.planning.joint.homes import NOW, battery, demand, home, site, spans, tank

QUARTER = 900
CELLS = 8


def rates(rng: random.Random) -> tuple[RateSpan, ...]:
    return tuple(
        RateSpan(NOW + k * QUARTER, NOW + (k + 1) * QUARTER, Decimal(rng.randrange(-10, 50)) / 100)
        for k in range(CELLS)
    )


def drawn(rng: random.Random) -> Situation:
    on_off: Flexible | Thermal
    if rng.random() < 0.5:
        on_off = replace(
            tank(rng.choice([49.5, 50, 51])),
            min_power_w=Decimal(2000),
            min_on_s=rng.choice([0, 900, 1800]),
            min_off_s=rng.choice([0, 900]),
            start_cost=Decimal(rng.choice([0, 3])) / 100,
            draw=spans(*(rng.choice([0, 0, 1, 2]) for _ in range(CELLS)), hours=0.25),
        )
    else:
        on_off = Flexible(
            "load",
            Decimal(2000),
            Decimal(2000),
            (demand(rng.choice([0.5, 1, 1.5, 2]), rng.choice([1, 1.5, 2])),),
            min_on_s=rng.choice([0, 900, 1800]),
            min_off_s=rng.choice([0, 900]),
            start_cost=Decimal(rng.choice([0, 3])) / 100,
        )
    roof = spans(*(rng.choice([0, 1, 3]) for _ in range(CELLS)), hours=0.25)
    situation = home(
        [0.1],
        on_off,
        site=site(
            pv=roof,
            base_load=spans(*(rng.choice([0, 0.5, 1]) for _ in range(CELLS)), hours=0.25),
            import_limit_w=rng.choice([None, Decimal(2500), Decimal(4000)]),
            export_limit_w=rng.choice([None, None, Decimal(500)]),
        ),
    )
    return replace(situation, import_rates=rates(rng), export_rates=rates(rng))


def patterns(problem: Problem) -> list[Schedule]:
    model = problem.models[0]
    index = None if model.id == "tank" else 0
    cells = problem.grid.cells[:CELLS]
    power = problem.units.power(Decimal(2000))
    return [
        {
            model.id: joined(
                Segment(cell.start, cell.end, power, index)
                for cell, on in zip(cells, pattern, strict=True)
                if on
            )
        }
        for pattern in product((False, True), repeat=CELLS)
    ]


def planned(problem: Problem) -> tuple[Judged, float]:
    """What the engine finds, and its bound in the currency."""
    rule = RuleEngine().plan(problem, Deadline.never(), None)
    assert rule is not None
    found = JointEngine().plan(problem, Deadline.never(), rule.schedule)
    assert found is not None
    assert found.bound is not None
    assert found.aims_proved
    return judge(problem, found.schedule), found.bound / problem.units.money_scale


@pytest.mark.parametrize("seed", range(40))
def test_no_pattern_is_better(seed: int) -> None:
    problem = problem_of(drawn(random.Random(seed)))
    best, bound = planned(problem)
    assert not best.faults
    for schedule in patterns(problem):
        other = judge(problem, schedule)
        if not other.faults and not any(other.aims):
            assert not other.beats(best) or other.objective >= best.objective - 1e3
            if best.misses_more(other.aims) == 0:
                assert bound <= other.objective / problem.units.money_scale + 1e-9


@pytest.mark.parametrize("seed", range(40, 60))
def test_never_worse_than_the_rule_and_never_above_its_own_bound(seed: int) -> None:
    rng = random.Random(seed)
    situation = drawn(rng)
    store = battery(rng.choice([0.0, 1.0]), export=rng.random() < 0.5)
    problem = problem_of(replace(situation, devices=(*situation.devices, store)))
    rule = RuleEngine().plan(problem, Deadline.never(), None)
    assert rule is not None
    best, bound = planned(problem)
    assert not best.faults
    assert not judge(problem, rule.schedule).beats(best)
    assert bound <= best.objective / problem.units.money_scale + 1e-9
