"""Storage by rule: targets in time and cheaply, else it takes in surplus and covers the house.

Outside its limits it moves inward at once. Where a plan is to be kept, its powers are cut to these
limits, and what its targets lack then is charged as well.
"""

from collections.abc import Mapping, Sequence
from math import ceil

from agent.planning.devices.storage import ScaledStorage
from agent.planning.rule.allocation import Allocation
from agent.planning.segments import Segment, energies, joined

HOUR_S = 3600
# A part of a unit of power that is rounding.
LEAST_UNIT = 1e-3


def place_storage(
    house: Allocation, device: ScaledStorage, kept: Mapping[int, int] | None = None
) -> tuple[Segment, ...]:
    """`kept`: power by cell of a plan that is to be kept; in cells left out it is left to its own
    logic."""
    if kept is None:
        last_target = max((at for at, _ in device.targets), default=0)
        return _followed(house, device, _charging(house, device), {}, last_target)[0]
    more: dict[int, int] = {}
    own, levels = _followed(house, device, more, kept, 0)
    for at, wanted in sorted(device.targets):
        due = house.problem.grid.boundary(at)
        if due < len(levels) and levels[due] < wanted:
            more |= _filled_up(house, device, own, due, wanted - levels[due])
            own, levels = _followed(house, device, more, kept, 0)
    return own


def _followed(
    house: Allocation,
    device: ScaledStorage,
    planned: Mapping[int, int],
    kept: Mapping[int, int],
    covers_from: int,
) -> tuple[tuple[Segment, ...], list[float]]:
    """Its segments, and what it stores at now and at cell ends. It charges with `planned` at least;
    from `covers_from` on it covers the house where no plan is `kept`."""
    own: list[Segment] = []

    def step(k: int, energy: float) -> float:
        if not device.available[k]:
            return energy
        cell = house.cells[k]
        net = cell.base - cell.pv + house.drawn[k]
        inside = device.min_kwh <= energy <= device.max_kwh
        if not net and inside and k not in kept and k not in planned:
            return energy
        hours = cell.length / HOUR_S
        fill = _into(house, device, device.max_kwh - energy, hours)
        spare = _out_of(house, device, energy - device.min_kwh, hours)
        if k in kept:
            give = min(-kept[k], device.discharge, spare)
            power = -max(0, give if device.export else min(give, net))
            if kept[k] > 0:
                power = min(kept[k], fill, device.charge, _chargeable(house, device, k))
        elif net <= 0 or cell.start < covers_from:
            # The limit sees the highest power of a program where a cell sees its mean.
            power = house.most(k, min(device.charge, fill, max(0, -net)))
        else:
            power = -min(net, device.discharge, spare)
        missing = _into(house, device, device.min_kwh - energy, hours, rounded_up=True)
        asked = min(max(missing, planned.get(k, 0)), fill, device.charge)
        if asked:
            power = max(power, min(asked, _chargeable(house, device, k)))
        beyond = min(device.discharge, _out_of(house, device, energy - device.max_kwh, hours))
        if beyond:
            power = min(power, -beyond if device.export else -max(0, min(beyond, net)))
        if power:
            own.append(Segment(cell.start, cell.end, power))
        return device.after(energy, units.watts(power) / 1000, hours)

    units = house.problem.units
    levels = device.stored(step)[1]
    return joined(own), levels


def _into(
    house: Allocation, device: ScaledStorage, kwh: float, hours: float, *, rounded_up: bool = False
) -> int:
    """The power that stores so much in that time."""
    power = max(0.0, kwh) / hours / device.charge_efficiency
    return _power(house, power) + (rounded_up and kwh > 0)


def _out_of(house: Allocation, device: ScaledStorage, kwh: float, hours: float) -> int:
    """The power that takes so much out in that time."""
    return _power(house, max(0.0, kwh) / hours * device.discharge_efficiency)


def _filled_up(
    house: Allocation, device: ScaledStorage, own: Sequence[Segment], due: int, missing: float
) -> dict[int, int]:
    """Power by cell before `due` that stores what is missing as well: first where it charges."""
    units = house.problem.units
    now = energies(own, house.problem.grid.starts, house.problem.grid.ends)
    ranked = []
    for k in range(due):
        cell, power = house.cells[k], _chargeable(house, device, k) if device.available[k] else 0
        moved = now.get(k, 0)
        rank = (moved <= 0, cell.unknown, house.price(k, power), -cell.start)
        ranked.append((rank, k, power, moved // cell.length))
    out: dict[int, int] = {}
    for _, k, most, power in sorted(ranked):
        if missing <= 0 or most <= power:
            continue
        hours = house.cells[k].length / HOUR_S
        before = device.after(0.0, units.watts(power) / 1000, hours)
        out[k] = min(most, _into(house, device, missing + before, hours, rounded_up=True))
        missing -= device.after(0.0, units.watts(out[k]) / 1000, hours) - before
    return out


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
            came = device.arrives.get(k)
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
