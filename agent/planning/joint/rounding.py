"""From a solution to what each device does: powers in whole units, energies exact.

A programme knows powers to a millionth of a kW only, while aims are counted exactly. So stores are
rounded towards giving more, temperatures are tracked cell by cell, and each demand is given its
energy to the unit.
"""

from collections.abc import Sequence

from agent.planning.joint.flexible import DUST_KW
from agent.planning.joint.heat import ThermalDevice
from agent.planning.joint.house import House
from agent.planning.joint.programme import Programme
from agent.planning.joint.serving import ROUNDING_W, served, units
from agent.planning.joint.store import StorageDevice
from agent.planning.segments import Segment, add_to, energies, joined

# A store that moves less than this does nothing, in W.
STILL_W = 0.05
# More than temperatures of a solution are wrong by, and worth nothing.
LIFT_C = 5e-7


def schedule_of(programme: Programme, values: Sequence[float]) -> dict[str, tuple[Segment, ...]]:
    house = programme.house
    out: dict[str, tuple[Segment, ...]] = {}
    for id, program in programme.programs.items():
        out[id] = program.segments(values)
    for id, store in programme.storage.items():
        out[id] = _stored(house, store, values)
    for id, heat in programme.thermal.items():
        out[id] = _heated(house, heat, values)
    for id, device in programme.flexible.items():
        out[id] = served(house, device, values)
    _under_the_limit(programme, out)
    return {id: joined(own) for id, own in out.items()}


def _stored(house: House, store: StorageDevice, values: Sequence[float]) -> tuple[Segment, ...]:
    device = store.device
    still = STILL_W * house.problem.units.power_scale
    out = []
    for k in store.level:
        into = values[store.charge[k]] * device.charge_efficiency
        change = into - values[store.give[k]] / device.discharge_efficiency
        # At once in and out is only losses: the same change in one direction.
        kw = (
            change / device.charge_efficiency
            if change > 0
            else change * device.discharge_efficiency
        )
        power = int(units(house, kw) // 1)
        power = max(-device.discharge, min(device.charge, power))
        if abs(power) > still:
            out.append(Segment(house.starts[k], house.ends[k], power))
    return tuple(out)


def _heated(house: House, heat: ThermalDevice, values: Sequence[float]) -> tuple[Segment, ...]:
    device = heat.device
    scale = house.problem.units.power_scale
    temperature = device.temperature_c
    out = []
    for k in range(heat.count):
        cell = device.cells[k]
        drift = cell.keep * temperature + cell.constant
        kw = values[heat.power[k]]
        on = values[heat.on[k]] > 0.5 if k in heat.on else kw > DUST_KW
        power = 0
        if on:
            watts = kw * 1000
            if cell.rise_per_w > 0:
                watts = (_aimed(heat, k, values[heat.warmth[k]]) - drift) / cell.rise_per_w
                watts = min(max(watts, kw * 1000 - 1), kw * 1000 + 1)
            power = max(device.min_power, 1, min(device.power, round(watts * scale)))
            out.append(Segment(house.starts[k], house.ends[k], power))
        temperature = drift + cell.rise_per_w * power / scale
    return tuple(out)


def _aimed(heat: ThermalDevice, k: int, warmth: float) -> float:
    """A hair above the least temperature where a solution is at it: many cells that are each a
    rounding below would be no comfort."""
    low, high = heat.limits[k]
    if low is None or (high is not None and high < low + LIFT_C):
        return warmth
    return max(warmth, low + LIFT_C)


def _under_the_limit(programme: Programme, schedule: dict[str, tuple[Segment, ...]]) -> None:
    """Takes back what rounding put above an import limit: first from stores, then from heat."""
    house = programme.house
    if all(cell.headroom is None for cell in house.cells):
        return
    drawn = [0] * len(house.cells)
    for own in schedule.values():
        add_to(drawn, energies(own, house.starts, house.ends))
    most = ROUNDING_W * house.problem.units.power_scale
    for k, cell in enumerate(house.cells):
        if cell.headroom is None:
            continue
        above = -(-drawn[k] // cell.length) - cell.headroom
        if not 0 < above < most:
            continue
        lowest = {id: -store.device.discharge for id, store in programme.storage.items()}
        lowest |= {id: heat.device.min_power for id, heat in programme.thermal.items()}
        for id, least in lowest.items():
            mine = list(schedule[id])
            n = next((n for n, one in enumerate(mine) if one.start == cell.start), None)
            if n is None or above <= 0:
                continue
            less = max(least, mine[n].power - above)
            above -= mine[n].power - less
            mine[n] = mine[n]._replace(power=less)
            schedule[id] = tuple(mine)
