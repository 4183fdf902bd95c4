"""What counts before money: the aims of a plan in their order."""

from agent.planning.devices.flexible import ScaledDevice
from agent.planning.devices.flexible_rules import full_powers
from agent.planning.devices.measured import Measured, Pieces
from agent.planning.devices.program import ScaledProgram
from agent.planning.problem import Problem
from agent.planning.site import SiteMoney

# What physics gives is compared in steps of this: smaller differences are rounding.
PHYSICS_STEP = 1e-6

# (limits, shortfall by priority, never, excess, late, targets, outside, hygiene, comfort, unknown)
Aims = tuple[int | float, ...]


def aims_of(problem: Problem, devices: dict[str, Measured], above: int) -> Aims:
    shortfall: dict[int, int] = {}
    for model in problem.models:
        if isinstance(model, (ScaledDevice, ScaledProgram)):
            missed = devices[model.id].shortfall
            shortfall[model.priority] = shortfall.get(model.priority, 0) + missed
    every = list(devices.values())
    return (
        above,
        *(shortfall[priority] for priority in sorted(shortfall, reverse=True)),
        sum(one.never for one in every),
        sum(one.excess for one in every),
        sum(one.late for one in every),
        _physics(sum(one.target_kwh for one in every)),
        _physics(sum(one.outside_kwh_h for one in every)),
        _physics(sum(one.hygiene_c for one in every)),
        _physics(sum(one.comfort_c_h for one in every)),
        sum(one.unknown for one in every),
    )


def _physics(value: float) -> float:
    return round(value / PHYSICS_STEP) * PHYSICS_STEP


def above_limits(
    problem: Problem, pieces: Pieces, devices: dict[str, Measured], money: SiteMoney
) -> int:
    """Energy above the import limit; it sees the full power of what is on for a part of a cell."""
    if not problem.grid.limited:
        return 0
    extra = beyond_means(problem, pieces, devices)
    total = 0
    for k, (cell, net) in enumerate(zip(pieces.cells, money.flows.net, strict=True)):
        drawn = net + extra.get(k, 0)
        if drawn > 0 and cell.import_limit is not None:
            total += max(0, drawn - cell.import_limit * cell.length)
    return total


def beyond_means(problem: Problem, pieces: Pieces, devices: dict[str, Measured]) -> dict[int, int]:
    """By piece, how much more energy it would be if all were on at their full power throughout."""
    extra: dict[int, int] = {}
    for model in problem.models:
        if isinstance(model, (ScaledDevice, ScaledProgram)):
            one = devices[model.id]
            if isinstance(model, ScaledProgram) and model.running:
                continue
            for k, above in full_powers(one.segments, pieces).items():
                extra[k] = extra.get(k, 0) + above
    return extra
