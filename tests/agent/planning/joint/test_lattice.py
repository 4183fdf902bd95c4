"""The lattice of one thermal device against every pattern of on and off, and its two kernels."""

import random
import shutil
import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import product

import numpy as np
import pytest

from agent.energy.situation import ComfortSpan
from agent.planning.devices.measured import Pieces
from agent.planning.devices.thermal import ScaledThermal, measure_thermal
from agent.planning.joint.lattice import STAGES, HeatLattice
from agent.planning.joint.recursion import ArrayKernel, Kernel, Prices
from agent.planning.problem import Problem, problem_of
from agent.planning.segments import Segment, joined
from agent.solver.compiled import COMPILERS, Builder, CompiledKernel
from tests.agent.planning.joint.homes import HOUR, NOW, home, site, spans, tank
from tests.fakes.parts import lacking

CELLS = 8


def drawn(rng: random.Random) -> Problem:
    """A tank on or off for two hours, lossy or not."""
    device = replace(
        tank(rng.choice([50, 50.5, 51])),
        min_power_w=Decimal(2000),
        min_on_s=rng.choice([0, 900, 1800]),
        min_off_s=rng.choice([0, 900, 1800]),
        start_cost=Decimal(rng.choice([0, 5])) / 100,
        loss_w_per_c=Decimal(rng.choice([0, 20])),
        draw=spans(*(rng.choice([0, 1, 2]) for _ in range(CELLS)), hours=0.25),
    )
    return problem_of(home([0.1, 0.2], device, site=site()))


def least_cost(problem: Problem, model: ScaledThermal, price: list[float], start: float) -> float:
    """Of all patterns that keep the rules and the comfort; infinite where there is none."""
    cells = problem.grid.cells[:CELLS]
    pieces = Pieces(cells, [cell.start for cell in cells], [cell.end for cell in cells])
    best = float("inf")
    for pattern in product((False, True), repeat=CELLS):
        own = joined(
            Segment(cell.start, cell.end, model.power)
            for cell, on in zip(cells, pattern, strict=True)
            if on
        )
        measured = measure_thermal(model, own, pieces, problem.units)
        if not measured.faults and measured.comfort_c_h < 1e-9:
            cost = 2 * sum(p for p, on in zip(price, pattern, strict=True) if on)
            best = min(best, cost + start * measured.starts)
    return best


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> CompiledKernel:
    if not any(shutil.which(name) for name in COMPILERS):
        lacking("a C compiler")
    kernel = Builder(tmp_path_factory.mktemp("cache")).kernel(wait_s=60)
    assert isinstance(kernel, CompiledKernel)
    return kernel


def lattice_of(problem: Problem, kernel: Kernel) -> HeatLattice:
    [model] = problem.models
    assert isinstance(model, ScaledThermal)
    cells = problem.grid.cells
    starts, ends = [cell.start for cell in cells], [cell.end for cell in cells]
    return HeatLattice(model, starts, ends, problem.units.power_scale, kernel)


def prices_of(price: Sequence[float], worth: float, start: float) -> Prices:
    zero = np.zeros(len(price))
    return Prices(np.array(price), zero, zero + worth, zero + start, zero)


@pytest.mark.parametrize("seed", range(30))
def test_a_bound_that_is_near_and_never_above(seed: int) -> None:
    rng = random.Random(seed)
    problem = drawn(rng)
    [model] = problem.models
    assert isinstance(model, ScaledThermal)
    price = [rng.uniform(-0.05, 0.4) for _ in range(CELLS)]
    start = float(problem.units.currency(model.start_cost))
    lattice = lattice_of(problem, ArrayKernel())
    truth = least_cost(problem, model, price, start)
    for stage in range(len(STAGES)):
        # Any heat price gives a bound; a fair one gives a good one.
        for worth in (0.0, sum(price) / len(price) / float(lattice.gain[0])):
            bound = lattice.bound(prices_of(price, max(0.0, worth), start), stage)
            if bound is None:
                assert truth == float("inf")
            else:
                assert bound <= truth + 1e-9
    if bound is not None and truth < float("inf"):
        assert bound >= truth - 0.02


@pytest.mark.parametrize("seed", range(30))
def test_a_plan_keeps_times_and_limits(seed: int) -> None:
    rng = random.Random(seed)
    problem = drawn(rng)
    [model] = problem.models
    assert isinstance(model, ScaledThermal)
    price = [rng.uniform(-0.05, 0.4) for _ in range(CELLS)]
    start = float(problem.units.currency(model.start_cost))
    power = lattice_of(problem, ArrayKernel()).plan(prices_of(price, 0.0, start))
    truth = least_cost(problem, model, price, start)
    if power is None or truth == float("inf"):
        return
    cells = problem.grid.cells[:CELLS]
    pieces = Pieces(cells, [cell.start for cell in cells], [cell.end for cell in cells])
    pairs = zip(cells, power, strict=True)
    own = joined(Segment(cell.start, cell.end, model.power) for cell, kw in pairs if kw)
    measured = measure_thermal(model, own, pieces, problem.units)
    assert not measured.faults
    assert measured.comfort_c_h < 1e-6
    cost = float(np.array(price) @ power) + start * measured.starts
    assert truth - 1e-9 <= cost <= truth + 0.05


@pytest.mark.parametrize("seed", range(40))
def test_the_compiled_kernel_gives_the_same(seed: int, compiled: CompiledKernel) -> None:
    """Pumps that modulate and tanks that do not, minimum times, owed cells, costs of every kind."""
    rng = random.Random(seed)
    least = rng.choice([500, 1200, 2000])
    device = replace(
        tank(rng.choice([50, 51, 52])),
        min_power_w=Decimal(least),
        min_on_s=rng.choice([0, 900, 2700]),
        min_off_s=rng.choice([0, 900, 2700]),
        loss_w_per_c=Decimal(rng.choice([0, 20, 200])),
        on_since=NOW - 300 if seed % 3 == 1 else None,
        off_since=NOW - 300 if seed % 3 == 2 else None,
        draw=spans(*(rng.choice([0, 0, 1, 2]) for _ in range(40)), hours=0.25),
    )
    problem = problem_of(home([0.1 + k / 100 for k in range(10)], device, site=site()))
    arrays, machine = lattice_of(problem, ArrayKernel()), lattice_of(problem, compiled)
    costs = np.random.default_rng(seed)
    count = arrays.count
    prices = Prices(
        costs.uniform(-0.05, 0.3, count),
        costs.uniform(-0.01, 0.05, count),
        costs.uniform(0.0, 0.2, count) if seed % 2 else np.full(count, 0.1),
        costs.uniform(0.0, 0.1, count),
        costs.uniform(0.0, 0.1, count),
    )
    for stage in range(len(STAGES)):
        one, other = arrays.bound(prices, stage), machine.bound(prices, stage)
        assert (one is None) == (other is None)
        if one is not None:
            assert other == pytest.approx(one, abs=1e-12)
    plan, same = arrays.plan(prices), machine.plan(prices)
    assert (plan is None) == (same is None)
    if plan is not None and same is not None:
        assert plan.tolist() == pytest.approx(same.tolist(), abs=1e-12)


def test_a_plan_of_many_days_takes_no_more_memory_than_one_of_two() -> None:
    hours = 24 * 14
    device = replace(
        tank(50, comfort=(ComfortSpan(NOW, NOW + hours * HOUR, Decimal(50), Decimal(62)),)),
        min_power_w=Decimal(2000),
        draw=spans(*([0, 0, 1] * (hours // 3)), hours=1),
    )
    problem = problem_of(home([0.1, 0.2] * (hours // 2), device, site=site()))
    count = problem.grid.horizon_cells
    price = np.linspace(0.1, 0.3, count)
    tracemalloc.start()
    power = lattice_of(problem, ArrayKernel()).plan(prices_of(price.tolist(), 0.0, 0.0))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 20 << 20
    assert power is not None
    assert problem.grid.horizon_cells == hours * 4
    assert float(power.sum()) * 0.25 == pytest.approx(hours / 3, abs=6)
