"""A battery, or a car that can give back."""

from agent.planning.devices.storage import ScaledStorage
from agent.planning.joint.house import House
from agent.planning.joint.milp import Term


class StorageDevice:
    """`charge`, `give`, `level`: columns by cell, level at its end; `charges`: its direction."""

    def __init__(self, house: House, device: ScaledStorage) -> None:
        self.house, self.device = house, device
        self.charge: dict[int, int] = {}
        self.give: dict[int, int] = {}
        self.level: dict[int, int] = {}
        self.charges: dict[int, int] = {}
        others = sum(
            one.discharge
            for one in house.problem.models
            if isinstance(one, ScaledStorage) and one is not device
        )
        fixed, before = device.energy_kwh, None
        below, above = self._outside(fixed)
        for k in range(house.known):
            came = device.arrives.get(k)
            if came is not None:
                fixed, before = came, None
                below, above = self._outside(came)
            top = house.kw(device.charge) if device.available[k] else 0.0
            bottom = house.kw(device.discharge) if device.available[k] else 0.0
            if not device.grid_charge:
                # Nothing is imported while it charges: only the roof and other stores feed it.
                top = min(top, max(0.0, house.surplus(k) + house.kw(others)))
            self._flows(k, top, bottom)
            below, above = self._limits(k, below, above)
            self._step(k, fixed, before)
            self._targets(k)
            before = self.level[k]
        self._value(fixed, before)

    def _outside(self, energy: float) -> tuple[float | int, float | int]:
        """How far it lies outside its limits: numbers now, columns (ints) later."""
        return (
            float(max(0.0, self.device.min_kwh - energy)),
            float(max(0.0, energy - self.device.max_kwh)),
        )

    def _flows(self, k: int, top: float, bottom: float) -> None:
        house, device = self.house, self.device
        cell = house.cells[k]
        charge = self.charge[k] = house.milp.column(0.0, top)
        give = self.give[k] = house.milp.column(0.0, bottom)
        self.level[k] = house.milp.column(-1e30, 1e30)
        house.balance[k] += [(charge, 1.0), (give, -1.0)]
        house.most[k] += top
        house.pay(give, device.wear_per_kwh * house.hours[k])
        if top > 0 and bottom > 0:
            # Where energy costs less than nothing, burning it in losses would pay.
            urgent = min(cell.choice, cell.export_price) < 0
            way = self.charges[k] = house.direction(urgent=urgent)
            house.milp.at_most([(charge, 1.0), (way, -top)], 0.0)
            house.milp.at_most([(give, 1.0), (way, bottom)], bottom)

    def _limits(
        self, k: int, below: float | int, above: float | int
    ) -> tuple[float | int, float | int]:
        """Within its limits; outside of them it may only move inward."""
        house, device, level = self.house, self.device, self.level[k]
        if below == 0.0 and isinstance(below, float):
            house.milp.lower[level] = device.min_kwh
        else:
            beyond = house.milp.column(0.0)
            house.milp.at_least(device.min_kwh, [(level, 1.0), (beyond, 1.0)])
            self._not_more(beyond, below)
            house.aim("outside", beyond, house.hours[k])
            below = beyond
        if above == 0.0 and isinstance(above, float):
            house.milp.upper[level] = device.max_kwh
        else:
            beyond = house.milp.column(0.0)
            house.milp.at_most([(level, 1.0), (beyond, -1.0)], device.max_kwh)
            self._not_more(beyond, above)
            house.aim("outside", beyond, house.hours[k])
            above = beyond
        return below, above

    def _not_more(self, beyond: int, before: float | int) -> None:
        if isinstance(before, float):
            self.house.milp.upper[beyond] = before
        else:
            self.house.milp.at_most([(beyond, 1.0), (before, -1.0)], 0.0)

    def _step(self, k: int, fixed: float, before: int | None) -> None:
        device, hours = self.device, self.house.hours[k]
        terms: list[Term] = [
            (self.level[k], 1.0),
            (self.charge[k], -hours * device.charge_efficiency),
            (self.give[k], hours / device.discharge_efficiency),
        ]
        if before is None:
            self.house.milp.equal(terms, fixed)
        else:
            self.house.milp.equal([*terms, (before, -1.0)], 0.0)

    def _targets(self, k: int) -> None:
        house, device = self.house, self.device
        for at, wanted in device.targets:
            if at == house.ends[k]:
                missed = house.milp.column(0.0)
                house.milp.at_least(wanted, [(self.level[k], 1.0), (missed, 1.0)])
                house.aim("targets", missed, 1.0)
        back = device.departs.get(k)
        if back is not None:
            house.pay(self.level[k], -device.final_value_per_kwh)
            house.constant += device.final_value_per_kwh * back

    def _value(self, fixed: float, last: int | None) -> None:
        if last is None:
            self.house.constant -= self.device.final_value_per_kwh * fixed
        else:
            self.house.pay(last, -self.device.final_value_per_kwh)
