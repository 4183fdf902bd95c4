"""A bound that every plan keeps: in each cell the house does what would pay it most.

Energy that devices must have is counted as free, so the bound is weak; it needs no search.
"""

from agent.planning.devices.flexible import ScaledDevice
from agent.planning.devices.measured import Pieces
from agent.planning.devices.program import ScaledProgram
from agent.planning.devices.storage import ScaledStorage, idle_value
from agent.planning.idle import idle_energy
from agent.planning.problem import Problem
from agent.planning.site import capacity_cost, settled, site_money


def lowest_objective(problem: Problem) -> int:
    draw = give = 0
    total = 0
    for model in problem.models:
        if isinstance(model, ScaledStorage):
            draw += model.charge
            give += model.discharge
            highest = max(model.max_kwh, model.energy_kwh, model.capacity_kwh)
            trips = len(model.departs)
            most = model.final_value_per_kwh * highest * (1 + trips)
            back = sum(model.departs.values())
            worth = max(most, 0.0) + min(0.0, model.final_value_per_kwh) * back
            total -= problem.units.money_of(worth) - idle_value(model, problem.units)
        elif isinstance(model, ScaledProgram):
            draw += 0 if model.running else max((one.power for one in model.phases), default=0)
        else:
            draw += model.power
        if isinstance(model, ScaledDevice):
            total -= sum(max(0, demand.value) * demand.energy for demand in model.demands)
    grid = problem.grid
    pieces = Pieces(grid.cells, grid.starts, grid.ends)
    idle = idle_energy(problem, pieces)
    limited = grid.export_limit is not None
    for cell, forced in zip(grid.cells, idle, strict=True):
        length, roof = cell.length, cell.pv * cell.length
        net = cell.base * length - roof
        at_rest = net + forced
        if at_rest < 0 and limited:
            flow = settled(problem, cell, at_rest)
            at_rest = flow.imported - flow.exported
        resting = at_rest * (cell.choice if at_rest > 0 else cell.export_price)
        # The least cost of a net energy between two, with the roof curtailed at will.
        low, high = net - give * length, net + draw * length + roof
        least = min(
            low * (cell.choice if low > 0 else cell.export_price),
            high * (cell.choice if high > 0 else cell.export_price),
        )
        if low < 0 < high:
            least = min(least, 0)
        total += min(0, least - resting)
    return total - _idle_capacity(problem, pieces, idle)


def _idle_capacity(problem: Problem, pieces: Pieces, idle: list[int]) -> int:
    """What the idle house pays for its own peaks, which a plan may avoid."""
    if problem.situation.site.capacity_charge is None:
        return 0
    return capacity_cost(problem, pieces, site_money(problem, pieces, idle, idle=True).flows)
