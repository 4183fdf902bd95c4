"""The idle house: nothing but a run that must go on, at the least power that it may."""

from agent.planning.devices.flexible import ScaledDevice
from agent.planning.devices.measured import Pieces
from agent.planning.devices.thermal import ScaledThermal
from agent.planning.problem import Model, Problem
from agent.planning.segments import Segment, add_to, energies
from agent.planning.site import site_money


def idle_segments(problem: Problem, model: Model) -> tuple[Segment, ...]:
    """What an idle device draws; programs under way are base load, storage does nothing."""
    if isinstance(model, ScaledDevice) and model.mandatory_s:
        power = model.min_power if problem.coupled else model.power
        return (Segment(0, model.mandatory_s, power),)
    if isinstance(model, ScaledThermal) and model.mandatory_s:
        until = min(model.mandatory_s, problem.timeline.horizon)
        return (Segment(0, until, model.min_power),)
    return ()


def idle_energy(problem: Problem, pieces: Pieces) -> list[int]:
    """What all idle devices draw, by piece."""
    drawn = [0] * len(pieces.cells)
    for model in problem.models:
        add_to(drawn, energies(idle_segments(problem, model), pieces.starts, pieces.ends))
    return drawn


def idle_costs(problem: Problem, pieces: Pieces) -> tuple[int, int]:
    """Cost and margin of the idle house over the first cells of a coupled problem."""
    count = len(pieces.cells)
    known = problem.idle_costs.get(count)
    if known is None:
        money = site_money(problem, pieces, idle_energy(problem, pieces), idle=True)
        known = problem.idle_costs[count] = money.cost, money.margin
    return known
