"""A bound that every plan keeps: in each cell the house does what would pay it most.

Energy that devices must have is counted as free, so the bound is weak; it needs no search.
"""

from agent.planning.devices.flexible import ScaledDevice
from agent.planning.devices.program import ScaledProgram
from agent.planning.devices.storage import ScaledStorage, idle_value
from agent.planning.grid import SiteCell
from agent.planning.idle import idle_segments
from agent.planning.problem import Problem
from agent.planning.segments import energies
from agent.planning.site import settled


def lowest_objective(problem: Problem) -> int:
    draw = give = 0
    total = 0
    for model in problem.models:
        if isinstance(model, ScaledStorage):
            draw += model.charge
            give += model.discharge
            highest = max(model.max_kwh, model.energy_kwh, model.capacity_kwh)
            trips = sum(1 for back in model.departs if back is not None)
            most = model.final_value_per_kwh * highest * (1 + trips)
            least = -sum(back for back in model.departs if back is not None)
            worth = max(most, 0.0) - min(0.0, model.final_value_per_kwh) * least
            total -= problem.units.money_of(worth) - idle_value(model, problem.units)
        elif isinstance(model, ScaledProgram):
            draw += 0 if model.running else max((one.power for one in model.phases), default=0)
        else:
            draw += model.power
        if isinstance(model, ScaledDevice):
            total -= sum(max(0, demand.value) * demand.energy for demand in model.demands)
    grid = problem.grid
    idle = [0] * len(grid.cells)
    for model in problem.models:
        found = energies(idle_segments(problem, model), grid.starts, grid.ends)
        idle = [a + b for a, b in zip(idle, found, strict=True)]
    for cell, forced in zip(grid.cells, idle, strict=True):
        net = (cell.base - cell.pv) * cell.length
        flow = settled(problem, cell, net + forced)
        at_rest = flow.imported * cell.choice - flow.exported * cell.export_price
        total += min(at_rest, _least(cell, net - give * cell.length, net + draw * cell.length))
        total -= at_rest
    return total - _idle_capacity(problem, idle)


def _least(cell: SiteCell, low: int, high: int) -> int:
    """The least cost of a net energy between two, with the roof curtailed at will."""
    high += cell.pv * cell.length

    def cost(net: int) -> int:
        return net * (cell.choice if net > 0 else cell.export_price)

    ends = [low, high]
    if low < 0 < high:
        ends.append(0)
    return min(cost(net) for net in ends)


def _idle_capacity(problem: Problem, idle: list[int]) -> int:
    """What the idle house pays for its own peaks, which a plan may avoid."""
    charge = problem.situation.site.capacity_charge
    if charge is None:
        return 0
    from agent.planning.devices.measured import Pieces
    from agent.planning.site import site_money

    grid = problem.grid
    pieces = Pieces(grid.cells, grid.starts, grid.ends)
    whole = site_money(problem, pieces, idle, idle=True)
    energy = sum(
        flow.imported * cell.price - flow.exported * cell.export_price
        for cell, flow in zip(grid.cells, whole.flows, strict=True)
    )
    return whole.cost - energy
