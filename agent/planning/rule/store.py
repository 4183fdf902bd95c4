"""Storage by rule: targets in time and cheaply, else it takes in surplus and covers the house."""

from math import ceil

from agent.planning.devices.storage import ScaledStorage
from agent.planning.rule.allocation import Allocation
from agent.planning.segments import Segment, joined

HOUR_S = 3600
# A part of a unit of power that is rounding.
LEAST_UNIT = 1e-3


def place_storage(house: Allocation, device: ScaledStorage) -> tuple[Segment, ...]:
    units = house.problem.units
    planned = _charging(house, device)
    last_target = max((at for at, _ in device.targets), default=0)
    own: list[Segment] = []

    def step(k: int, energy: float) -> float:
        if not device.available[k]:
            return energy
        cell = house.cells[k]
        hours = cell.length / HOUR_S
        fill = _power(house, max(0.0, device.max_kwh - energy) / hours / device.charge_efficiency)
        spare = max(0.0, energy - device.min_kwh) / hours * device.discharge_efficiency
        net = cell.base - cell.pv + house.drawn[k]
        # The limit sees the highest power of a program where a cell sees its mean.
        power = house.most(k, min(device.charge, fill, max(0, -net)))
        asked = min(planned.get(k, 0), fill, device.charge, _chargeable(house, device, k))
        if asked > power:
            power = asked
        elif not power and cell.start >= last_target and net > 0:
            power = -min(net, device.discharge, _power(house, spare))
        if power:
            own.append(Segment(cell.start, cell.end, power))
        return device.after(energy, units.watts(power) / 1000, hours)

    device.stored(step)
    return joined(own)


def _power(house: Allocation, kilowatts: float) -> int:
    """Rounded down, so that no energy limit is passed."""
    return int(kilowatts * 1000 * house.problem.units.power_scale)


def _chargeable(house: Allocation, device: ScaledStorage, k: int) -> int:
    """What it may charge with in cell k, from the grid where that is allowed."""
    wanted = device.charge if device.grid_charge else min(device.charge, house.surplus(k))
    return house.most(k, wanted)


def _charging(house: Allocation, device: ScaledStorage) -> dict[int, int]:
    """Power by cell that brings each target about, in the cheapest cells before it."""
    units = house.problem.units
    out: dict[int, int] = {}
    energy, begin = device.energy_kwh, 0
    for due, wanted in sorted(device.targets):
        usable: list[tuple[tuple[bool, float, int], int, int]] = []
        for k, there in enumerate(device.available):
            cell = house.cells[k]
            if cell.end > due or cell.start < begin:
                continue
            came = device.arrives[k]
            if came is not None:
                energy, usable = came, []
            power = _chargeable(house, device, k) if there else 0
            if power:
                usable.append(((cell.unknown, house.price(k, power), -cell.start), k, power))
        missing = wanted - energy
        for _, k, power in sorted(usable):
            if missing <= 1e-9:
                break
            hours = house.cells[k].length / HOUR_S
            needed = missing / hours / device.charge_efficiency
            take = min(power, ceil(needed * 1000 * units.power_scale - LEAST_UNIT))
            out[k] = max(out.get(k, 0), take)
            missing -= units.watts(take) / 1000 * hours * device.charge_efficiency
        energy = max(energy, wanted - max(0.0, missing))
        begin = max(begin, due)
    return out
