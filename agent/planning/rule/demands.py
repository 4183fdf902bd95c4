"""A flexible device by rule: demand after demand into the best cells that have room.

Where seconds do not depend on each other the cheapest cells are taken one by one; else whole runs
are placed, each from a cell's start, so long that minimum times hold.
"""

from agent.planning.devices.flexible import ScaledDemand, ScaledDevice
from agent.planning.rule.allocation import Allocation
from agent.planning.rule.runs import RunPlacer
from agent.planning.segments import Segment, joined


class CellPlacer:
    """Of a device whose seconds do not depend on each other."""

    def __init__(self, house: Allocation, device: ScaledDevice) -> None:
        self.house, self.device = house, device
        self.own: list[Segment] = []

    @property
    def segments(self) -> tuple[Segment, ...]:
        return joined(self.own)

    def place(self, index: int) -> None:
        self.own += _cell_by_cell(self.house, self.device, index, self.own)


def placer_of(house: Allocation, device: ScaledDevice) -> CellPlacer | RunPlacer:
    """What places its demands one by one; a run that must go on it has placed already."""
    in_runs = device.coupled_in_time or device.grid_s or device.running
    if in_runs or any(demand.contiguous for demand in device.demands):
        return RunPlacer(house, device)
    return CellPlacer(house, device)


def place_demands(house: Allocation, device: ScaledDevice) -> tuple[Segment, ...]:
    """Segments of the device, those of a run that must go on among them."""
    placer, demands = placer_of(house, device), device.demands
    for i in sorted(
        range(len(demands)), key=lambda i: (not demands[i].under_way, demands[i].deadline)
    ):
        placer.place(i)
    return placer.segments


def usable_power(house: Allocation, device: ScaledDevice, demand: ScaledDemand, k: int) -> int:
    """The most that a demand may draw in cell k; 0 where it may not be served there."""
    cell = house.cells[k]
    if cell.start < demand.earliest:
        return 0
    if cell.start < demand.deadline < cell.end:
        return 0
    if cell.start >= demand.deadline and not served_late(demand):
        return 0
    if cell.unknown and (not demand.hard or demand.cap is not None):
        return 0
    power = house.most(k, device.power)
    if demand.cap is not None and cell.price > demand.cap:
        power = min(power, max(0, cell.pv - cell.base))
    return power if power >= max(1, device.min_power) else 0


def served_late(demand: ScaledDemand) -> bool:
    """Whether it is given after its deadline what it could not get before."""
    return demand.hard and demand.allowance_s is None


def _cell_by_cell(
    house: Allocation, device: ScaledDevice, index: int, own: list[Segment]
) -> list[Segment]:
    demand = device.demands[index]
    left = demand.energy
    busy = {house.problem.grid.index(one.start) for one in own}
    cells = []
    found = 0
    for k in range(house.problem.grid.boundary(demand.earliest), len(house.cells)):
        cell = house.cells[k]
        if house.pace.over() or (found >= left and house.pace.in_haste()):
            break
        if cell.start >= demand.deadline and (found >= left or not served_late(demand)):
            # What is late comes after what is not, in the order of time.
            break
        power = 0 if k in busy else usable_power(house, device, demand, k)
        if power:
            late = max(0, cell.start + 1 - demand.deadline) if demand.hard else 0
            price = house.price(k, power)
            if demand.hard or price < demand.value:
                # Prices may still become known: without one, as late as possible.
                when = -cell.start if cell.unknown and not late else cell.start
                rank = (late, cell.unknown, price if not late else 0, when)
                cells.append((rank, k, power))
                found += power * cell.length
    parts: list[Segment] = []
    for _, k, power in sorted(cells):
        if left <= 0:
            break
        part = fill_cell(house, device, index, k, power, left)
        parts.append(part)
        left -= part.power * (part.end - part.start)
    house.take(parts)
    return parts


def fill_cell(
    house: Allocation, device: ScaledDevice, index: int, k: int, power: int, energy: int
) -> Segment:
    """A cell at `power`, or as much less of it as `energy` needs: less power, else less time."""
    cell = house.cells[k]
    wanted = -(-energy // cell.length)
    if wanted >= power:
        return Segment(cell.start, cell.end, power, index)
    if wanted >= device.min_power:
        return Segment(cell.start, cell.end, wanted, index)
    seconds = -(-energy // device.min_power)
    return Segment(cell.start, cell.start + seconds, device.min_power, index)
