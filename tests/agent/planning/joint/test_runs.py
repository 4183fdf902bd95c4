"""Runs of cars with minimum times, found at the prices of a programme that knows none."""

import random
from dataclasses import replace
from decimal import Decimal

import pytest

from agent.energy.plan import Status
from agent.energy.situation import Flexible
from agent.planning.joint.highs import Highs
from agent.planning.joint.programme import Programme
from agent.planning.joint.recursion import ArrayKernel
from agent.planning.problem import Problem, problem_of
from tests.agent.planning.joint.homes import NOW, car, demand, home, joint_plan, site, spans

# What steps of the lattice may cost more, as a share.
STEPS = 0.01


def restless(chance: random.Random, *, fixed: bool) -> Problem:
    """A car that may go on and off at certain times only, under a limit that is none to it."""
    needs = [demand(chance.randrange(30, 120) / 10, 9)]
    if not fixed and chance.random() < 0.4:
        needs.append(demand(chance.randrange(12, 30) / 10, 12, earliest_h=9))
    one = replace(
        car(*needs, kw=3.7, least_kw=3.7 if fixed else 1.4),
        min_on_s=chance.choice([900, 1800, 2700]),
        min_off_s=chance.choice([0, 900, 2700]),
        start_cost=Decimal(chance.choice(["0", "0.03", "0.2"])),
    )
    prices = [chance.randrange(5, 40) / 100 for _ in range(12)]
    return problem_of(
        home(prices, one, site=site(import_limit_w=Decimal(9000), base_load=spans(*12 * [0.3])))
    )


@pytest.mark.parametrize("fixed", [True, False], ids=["one power", "between two"])
@pytest.mark.parametrize("seed", range(12))
def test_where_prices_say_all_the_runs_are_the_best(seed: int, *, fixed: bool) -> None:
    programme = Programme(restless(random.Random(seed), fixed=fixed), strict=True)
    highs = Highs(programme.house.milp)
    [lattice] = programme.run_lattices(ArrayKernel())
    relaxed = highs.solve(programme.house.money, 60, relaxed=True)
    best = highs.solve(programme.house.money, 60)

    runs = lattice.pattern(relaxed, 0.0)

    assert runs is not None
    for column, value in runs.items():
        programme.house.milp.fix(column, value)
    with_runs = highs.solve(programme.house.money, 60)
    assert with_runs.values is not None
    assert with_runs.objective <= best.objective * (1 + STEPS) + 1e-6


def test_a_device_that_may_miss_something_has_no_runs_of_its_own() -> None:
    soft = demand(2, 4, hard=False, value_per_kwh=0.3)
    for one in (car(soft, least_kw=1), car(demand(2, 4, contiguous=True), least_kw=1)):
        timed = replace(one, min_on_s=1800)
        problem = problem_of(home([0.1, 0.3, 0.2, 0.1], timed, site=site(pv_curtailable=True)))
        assert not Programme(problem, strict=True).run_lattices(ArrayKernel())


def test_whole_steps_of_a_grid_are_no_excess_to_be_searched_for() -> None:
    """3.7 kW in quarter hours: 2.5 kWh are three of them, and the rest of the third is given."""
    one = replace(car(demand(2.5, 4), kw=3.7, least_kw=3.7), grid_s=900, min_on_s=900)
    assert isinstance(one, Flexible)
    plan = joint_plan(home([0.3, 0.1, 0.2, 0.3], one, site=site(import_limit_w=Decimal(5000))))
    assert plan.status is Status.OPTIMAL
    assert plan.devices[0].energy_kwh == Decimal("2.775")
    assert plan.cost == Decimal("0.2775")


def test_two_cars_share_a_roof_in_runs() -> None:
    """Without minimum times both take a little of the sun all day long, which neither may."""
    cars = [
        replace(car(demand(kwh, 8), name=name, kw=7.4, least_kw=1.4), min_on_s=1800, min_off_s=900)
        for name, kwh in (("one", 6), ("two", 5))
    ]
    sun = spans(0.5, *5 * [3.2], 0.5, 0)
    situation = home(
        [0.3] * 8, *cars, sells=[0.05] * 8, site=site(pv=sun, import_limit_w=Decimal(8000))
    )
    problem = problem_of(situation)
    programme = Programme(problem, strict=True)
    best = Highs(programme.house.milp).solve(programme.house.money, 60, gap=1e-3)
    found = min(in_nearest_runs(problem, lost) for lost in (0.5, 1))
    all_kwh = sum(float(need.energy_kwh) for one in cars for need in one.demands)
    assert found <= best.objective + STEPS * all_kwh * 0.3


def in_nearest_runs(problem: Problem, lost: float) -> float:
    programme = Programme(problem, strict=True)
    highs = Highs(programme.house.milp)
    at = highs.solve(programme.house.money, 60, relaxed=True)
    for lattice in programme.run_lattices(ArrayKernel()):
        runs = lattice.nearest(at, lost)
        assert runs is not None
        for column, value in runs.items():
            programme.house.milp.fix(column, value)
        at = highs.solve(programme.house.money, 60, relaxed=True)
        assert at.values is not None
    return at.objective


@pytest.mark.parametrize("starts_at_h", [0, 3])
def test_a_start_that_must_come_is_in_the_bound(starts_at_h: float) -> None:
    need = demand(3, 8, earliest_h=starts_at_h)
    one = replace(car(need, kw=3.7, least_kw=1.4), min_on_s=900, start_cost=Decimal("0.2"))
    situation = home([0.3] * 8, one, site=site(import_limit_w=Decimal(9000)))
    programme = Programme(problem_of(situation), strict=True)
    highs = Highs(programme.house.milp)
    relaxed = highs.solve(programme.house.money, 60, relaxed=True)
    assert relaxed.objective == pytest.approx(3 * 0.3 + 0.2)


def test_a_run_under_way_needs_no_start() -> None:
    one = replace(
        car(demand(3, 8), kw=3.7, least_kw=1.4),
        min_on_s=900,
        start_cost=Decimal("0.2"),
        on_since=NOW - 600,
    )
    plan = joint_plan(home([0.3] * 8, one, site=site(import_limit_w=Decimal(9000))))
    assert plan.status is Status.OPTIMAL
    # All but the minutes that it goes on for anyway, at its least.
    assert float(plan.objective) == pytest.approx(0.3 * (3 - 1.4 * 300 / 3600), abs=1e-6)
