"""Heat by rule: as late as comfort lets it, so early as the limit makes it.

Backwards over the cells: how warm the store must be for the powers that are left to hold comfort
from then on, and how warm it may be for comfort to hold without any. Forwards: just so much power
that this holds, minimum times kept; where a plan is to be kept, its powers too as long as they make
nothing too hot, then or later.
"""

from collections.abc import Container, Mapping
from math import inf
from types import MappingProxyType

from agent.planning.devices.thermal import ScaledThermal, hygiene_held
from agent.planning.rule.allocation import Allocation
from agent.planning.segments import Segment, joined

# So much warmer than must be: powers are rounded to a milliwatt.
SPARE_C = 1e-4
FREEZING = -1e9
# A store that keeps no more of its warmth over a cell cannot be heated ahead.
FORGETS = 1e-9


def place_heat(
    house: Allocation,
    device: ScaledThermal,
    planned: Mapping[int, int] = MappingProxyType({}),
    *,
    most_cells: int | None = None,
) -> tuple[Segment, ...]:
    """`planned`: power by cell of a plan that is to be kept; `most_cells`: so many are looked at,
    later ones are left idle."""
    cells = house.cells[: len(device.cells)][:most_cells]
    most = [_most(house, device, k) for k in range(len(cells))]
    required = _required(house, device, most)
    if not planned:
        return _placed(house, device, planned, most, required, [])[0]
    waived: Container[int] = ()
    if device.hygiene_by is not None:
        # It waives the maximum where the plan that is kept holds it.
        anywhere = [inf] * len(device.cells)
        temperatures = _placed(house, device, planned, most, required, anywhere)[1]
        waived = hygiene_held(device, temperatures, [cell.end for cell in cells])[0]
    return _placed(house, device, planned, most, required, _allowed(device, waived))[0]


def _placed(
    house: Allocation,
    device: ScaledThermal,
    planned: Mapping[int, int],
    most: list[int],
    required: list[float],
    allowed: list[float],
) -> tuple[tuple[Segment, ...], list[float]]:
    """Its segments, and the temperatures at now and at cell ends."""
    cells = house.cells[: len(most)]
    scale = house.problem.units.power_scale
    own: list[Segment] = []
    temperature = device.temperature_c
    temperatures = [temperature]
    since = device.on_since if device.running else None
    off_since = device.off_since if device.off_since is not None else -(1 << 40)
    for k, cell in enumerate(cells):
        heat = device.cells[k]
        idle = heat.keep * temperature + heat.constant
        goal = required[k]
        wanted = 0.0
        if idle < goal and heat.rise_per_w > 0:
            wanted = (goal - idle) / heat.rise_per_w
        on = since is not None
        must = since is not None and cell.start < since + device.min_on_s
        barred = not on and (cell.start < off_since + device.min_off_s)
        kept = 0
        if planned.get(k, 0) > 0:
            kept = _kept(device, k, idle, planned[k], allowed[k], scale)
        if kept and not on and _overheats(house, device, allowed, k, temperature):
            kept = 0
        power = 0
        if (
            wanted > 0
            or kept
            or must
            or (on and _cools_out(house, device, required, k, temperature))
        ):
            power = min(max(-int(-wanted * scale // 1), device.min_power, kept), most[k])
        if must:
            power = max(power, device.min_power)
        elif (
            barred
            or power < max(1, device.min_power)
            or (not on and not _lasts(house, device, most, k))
        ):
            power = 0
        if power and not on:
            since = cell.start
        elif not power and on:
            since, off_since = None, cell.start
        if power:
            own.append(Segment(cell.start, cell.end, power))
        temperature = idle + heat.rise_per_w * power / scale
        temperatures.append(temperature)
    return joined(own), temperatures


def _kept(
    device: ScaledThermal, k: int, idle_c: float, planned: int, allowed_c: float, scale: int
) -> int:
    """The planned power in cell k, or as much less as comfort asks for."""
    rise = device.cells[k].rise_per_w
    if allowed_c == inf or rise <= 0:
        return min(planned, device.power)
    power = min(planned, device.power, int((allowed_c - idle_c) / rise * scale))
    return power if power >= device.min_power else 0


def _most(house: Allocation, device: ScaledThermal, k: int) -> int:
    power = house.most(k, device.power)
    return power if power >= max(1, device.min_power) else 0


def _lasts(house: Allocation, device: ScaledThermal, most: list[int], k: int) -> bool:
    """Whether a run from cell k has room for its least power as long as it must last."""
    begin = house.cells[k].start
    for n in range(k, len(most)):
        if house.cells[n].start >= begin + device.min_on_s:
            return True
        if not most[n]:
            return False
    # Behind the horizon nothing is counted; before it nobody knows.
    return len(most) == len(device.cells)


def _cools_out(
    house: Allocation, device: ScaledThermal, required: list[float], k: int, temperature: float
) -> bool:
    """Whether the store would be too cold before it may be on again, were it off from cell k."""
    begin = house.cells[k].start
    for n in range(k, len(required)):
        if house.cells[n].start >= begin + device.min_off_s:
            return False
        temperature = device.cells[n].keep * temperature + device.cells[n].constant
        if temperature < required[n]:
            return True
    return False


def _overheats(
    house: Allocation, device: ScaledThermal, allowed: list[float], k: int, temperature: float
) -> bool:
    """Whether the store would be too hot before it may be off again, were it on from cell k."""
    least_w = device.min_power / house.problem.units.power_scale
    begin = house.cells[k].start
    for n in range(k, len(allowed)):
        if house.cells[n].start >= begin + device.min_on_s:
            return False
        heat = device.cells[n]
        temperature = heat.keep * temperature + heat.constant + heat.rise_per_w * least_w
        if temperature > allowed[n]:
            return True
    return False


def _allowed(device: ScaledThermal, waived: Container[int]) -> list[float]:
    """The temperature at the end of each cell up to which no later one is too hot without power."""
    most = [
        inf if cell.max_c is None or k in waived else cell.max_c
        for k, cell in enumerate(device.cells)
    ]
    for k in range(len(most) - 1, 0, -1):
        heat = device.cells[k]
        if heat.keep >= FORGETS:
            most[k - 1] = min(most[k - 1], (most[k] - heat.constant) / heat.keep)
    return most


def _required(house: Allocation, device: ScaledThermal, most: list[int]) -> list[float]:
    """The temperature at the end of each cell from which comfort can be held on."""
    scale = house.problem.units.power_scale
    least = [FREEZING if cell.min_c is None else cell.min_c for cell in device.cells[: len(most)]]
    if device.hygiene_by is not None:
        by = device.hygiene_by
        ends = [cell.end for cell in house.cells[: len(least)]]
        begin = max((end for end in ends if end <= by - device.hygiene_hold_s), default=ends[0])
        for k, end in enumerate(ends):
            if begin <= end <= by:
                least[k] = max(least[k], device.hygiene_c)
    required = list(least)
    for k in range(len(least) - 1, 0, -1):
        heat = device.cells[k]
        if heat.keep < FORGETS:
            continue
        before = (required[k] - heat.constant - heat.rise_per_w * most[k] / scale) / heat.keep
        required[k - 1] = max(least[k - 1], before)
    return [value + SPARE_C for value in required]
