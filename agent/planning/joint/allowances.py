"""What a capped hard demand of a coupled house would miss without caps, so may get late.

Found between two bounds that need no search: what it would miss if all other devices were idle,
and if they drew all that they can. What may get late is the first of them, which never is too much;
where they differ it may be too little, and then no plan that leaves energy unserved is proved best.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from agent.planning.devices.flexible import ScaledDemand, ScaledDevice
from agent.planning.devices.program import ScaledProgram
from agent.planning.devices.storage import ScaledStorage
from agent.planning.engine import Deadline
from agent.planning.grid import SiteCell
from agent.planning.problem import Problem

# What may be missing by rounding, in kWh.
NOTHING_KWH = 1e-6


def with_allowances(problem: Problem, deadline: Deadline) -> Problem:
    """What there is no time for may not get late at all, and no plan is proved best."""
    for model in problem.models:
        if isinstance(model, ScaledDevice) and any(
            d.allowance_s is not None for d in model.demands
        ):
            demands = tuple(
                one if one.allowance_s is None else _allowed(problem, model, one, deadline)
                for one in model.demands
            )
            problem = problem.with_model(replace(model, demands=demands))
    return problem


def _allowed(
    problem: Problem, device: ScaledDevice, demand: ScaledDemand, deadline: Deadline
) -> ScaledDemand:
    if deadline.over():
        return replace(demand, allowance_known=False)
    stores = [model for model in problem.models if isinstance(model, ScaledStorage)]
    if demand.contiguous:
        # A block has the power that the limit leaves it, whatever a store gives.
        stores = []
    others = sum(
        model.power if isinstance(model, ScaledDevice) else max(p.power for p in model.phases)
        for model in problem.models
        if model is not device
        and (
            isinstance(model, ScaledDevice)
            or (isinstance(model, ScaledProgram) and not model.running)
        )
    )
    least = _missing(problem, device, demand, _Stores(problem, stores), 0)
    most = least
    if others or len(stores) > 1 or device.min_power:
        sure = _Stores(problem, stores if len(stores) == 1 else [])
        most = _missing(problem, device, demand, sure, others, whole=True)
    simple = len(device.demands) == 1 and not device.mandatory_s and not device.grid_s
    known = simple and most - least <= NOTHING_KWH * problem.units.energy_scale
    return replace(demand, allowance_s=-(-least // device.power), allowance_known=known)


def _missing(
    problem: Problem,
    device: ScaledDevice,
    demand: ScaledDemand,
    stores: "_Stores",
    others: int,
    *,
    whole: bool = False,
) -> int:
    """Energy that is missing at the deadline if it takes all that it can beside `others`.

    `whole`: its least power is kept; else a store may be thought to help it there."""
    got = 0.0
    for k, cell in enumerate(problem.grid.cells):
        if cell.start >= demand.deadline:
            break
        stores.arrive(k)
        open_ = cell.start >= max(demand.earliest, device.blocked_s)
        top = device.power if open_ else 0
        free = top + stores.charge_power(k, cell)
        if cell.headroom is not None:
            free = max(0, cell.headroom - others)
        if top and whole and free + stores.ready(k, cell) < device.min_power:
            top = 0
        if top and free + stores.discharge_power(k) < device.min_power:
            top = 0
        direct = min(top, free)
        given = stores.give(k, cell, top - direct)
        if not given:
            stores.fill(k, cell, free - direct)
        got += (direct + given) * cell.length
    return max(0, int(demand.energy - got))


@dataclass
class _Stores:
    """All stores as one with the best efficiencies among them: it gives at least what they can.

    `level`: energy above the least that they may hold, in units of energy."""

    problem: Problem
    stores: Sequence[ScaledStorage]
    level: float = 0.0

    def __post_init__(self) -> None:
        scale = self.problem.units.energy_scale
        above = [one.energy_kwh - one.min_kwh for one in self.stores]
        # What one lacks another may not have to make up for.
        alone = len(above) == 1
        self.level = scale * (above[0] if alone else sum(max(0.0, kwh) for kwh in above))
        self.full = scale * sum(
            max(one.max_kwh, one.energy_kwh) - one.min_kwh for one in self.stores
        )
        self.into = max((one.charge_efficiency for one in self.stores), default=1.0)
        self.out = max((one.discharge_efficiency for one in self.stores), default=1.0)

    def _there(self, k: int) -> list[ScaledStorage]:
        return [one for one in self.stores if k < len(one.available) and one.available[k]]

    def arrive(self, k: int) -> None:
        for one in self.stores:
            came = one.arrives.get(k)
            if came is not None:
                brought = (came - one.min_kwh) * self.problem.units.energy_scale
                alone = len(self.stores) == 1
                self.level = brought if alone else self.level + max(0.0, brought)
                self.full = max(self.full, self.level)

    def charge_power(self, k: int, cell: SiteCell) -> int:
        there = self._there(k)
        power = sum(one.charge for one in there)
        if any(one.grid_charge for one in there):
            return power
        return min(power, max(0, cell.pv - cell.base))

    def discharge_power(self, k: int) -> int:
        return sum(one.discharge for one in self._there(k))

    def ready(self, k: int, cell: SiteCell) -> float:
        """Power that they can give all through the cell."""
        return max(0.0, min(self.discharge_power(k), self.level * self.out / cell.length))

    def give(self, k: int, cell: SiteCell, power: float) -> float:
        given = min(power, self.ready(k, cell))
        self.level -= given * cell.length / self.out
        return given

    def fill(self, k: int, cell: SiteCell, power: float) -> None:
        taken = min(power, self.charge_power(k, cell)) * cell.length * self.into
        self.level += max(0.0, min(taken, self.full - self.level))
