"""The lattice of one thermal device against every pattern of on and off."""

import random
from dataclasses import replace
from decimal import Decimal
from itertools import product

import numpy as np
import pytest

from agent.planning.devices.measured import Pieces
from agent.planning.devices.thermal import ScaledThermal, measure_thermal
from agent.planning.joint.lattice import STAGES, HeatLattice
from agent.planning.problem import Problem, problem_of
from agent.planning.segments import Segment, joined
from tests.agent.planning.joint.homes import home, site, spans, tank

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


@pytest.mark.parametrize("seed", range(30))
def test_a_bound_that_is_near_and_never_above(seed: int) -> None:
    rng = random.Random(seed)
    problem = drawn(rng)
    [model] = problem.models
    assert isinstance(model, ScaledThermal)
    price = [rng.uniform(-0.05, 0.4) for _ in range(CELLS)]
    start = problem.units.currency(model.start_cost)
    cells = problem.grid.cells
    lattice = HeatLattice(
        model,
        [cell.start for cell in cells],
        [cell.end for cell in cells],
        problem.units.power_scale,
    )
    truth = least_cost(problem, model, price, float(start))
    for stage in range(len(STAGES)):
        lattice.at_stage(stage)
        # Any heat price gives a bound; a fair one gives a good one.
        for worth in (0.0, sum(price) / len(price) / float(lattice.gain[0])):
            heat = np.full(CELLS, max(0.0, worth))
            walk = lattice.solve(np.array(price), heat, float(start))
            if walk is None:
                assert truth == float("inf")
            else:
                assert walk.bound <= truth + 1e-9
                assert stage or walk.on is not None
    if walk is not None and truth < float("inf"):
        assert walk.bound >= truth - 0.02
