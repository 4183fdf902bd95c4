"""What a capped hard demand of a coupled house would miss without caps, so may get late.

Counted from its window alone: what even full power under the limit leaves missing. That is never
more than it would miss beside the other devices.
"""

from dataclasses import replace

from agent.planning.devices.flexible import ScaledDemand, ScaledDevice
from agent.planning.devices.storage import ScaledStorage
from agent.planning.problem import Problem


def with_allowances(problem: Problem) -> Problem:
    for model in problem.models:
        if isinstance(model, ScaledDevice) and any(
            d.allowance_s is not None for d in model.demands
        ):
            demands = tuple(
                one
                if one.allowance_s is None
                else replace(one, allowance_s=_missing(problem, model, one) // model.power)
                for one in model.demands
            )
            problem = problem.with_model(replace(model, demands=demands))
    return problem


def _missing(problem: Problem, device: ScaledDevice, demand: ScaledDemand) -> int:
    """Energy, rounded up to whole seconds at full power."""
    got = 0
    for cell in problem.grid.cells:
        if cell.start >= demand.deadline:
            break
        power = device.power
        if cell.headroom is not None:
            # A storage may make room for all of its power.
            power = min(power, cell.headroom + _given(problem))
            power = power if power >= device.min_power else 0
        if cell.start >= max(demand.earliest, device.blocked_s):
            got += max(0, power) * cell.length
    missing = max(0, demand.energy - got)
    return -(-missing // device.power) * device.power


def _given(problem: Problem) -> int:
    return sum(model.discharge for model in problem.models if isinstance(model, ScaledStorage))
