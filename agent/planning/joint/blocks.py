"""Contiguous demands. A block's power is known in each cell before anything is solved: the greatest
that the limit leaves.

A hard one without a cap that can be had in time is whole, so its start decides everything; others
may be shorter.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.planning.devices.flexible import ScaledDemand, ScaledDevice
from agent.planning.joint.house import SHORTFALL, House
from agent.planning.joint.milp import Term
from agent.planning.segments import Segment, joined


@dataclass(slots=True)
class Block:
    """`starts`: by the cell that it starts with, the column that says so; `whole[k]`: columns of
    those that are on all through cell k, `opening[k]`: of those that end in it, with their share;
    `covering`: both."""

    index: int
    top: Mapping[int, float]
    starts: dict[int, int] = field(default_factory=dict)
    segments: dict[int, tuple[Segment, ...]] = field(default_factory=dict)
    whole: dict[int, list[int]] = field(default_factory=dict)
    opening: dict[int, list[Term]] = field(default_factory=dict)
    covering: dict[int, list[int]] = field(default_factory=dict)
    none: int | None = None


@dataclass(slots=True)
class FreeBlock:
    """`on[k]`: on in cell k, `ends[k]`: it is the last, `power[k]`: its mean power there."""

    index: int
    top: Mapping[int, float]
    on: dict[int, int] = field(default_factory=dict)
    ends: dict[int, int] = field(default_factory=dict)
    power: dict[int, int] = field(default_factory=dict)


def add_block(
    house: House, device: ScaledDevice, index: int, demand: ScaledDemand, top: dict[int, float]
) -> Block:
    block = Block(index, top)
    milp = house.milp
    one: list[Term] = []
    for k in [0] if demand.under_way else top:
        own = _from(house, device, index, demand, top, k) if k in top else None
        if own is None:
            continue
        on_time = sum(s.power * max(0, min(s.end, demand.deadline) - s.start) for s in own)
        missed = max(0, demand.energy - on_time)
        if house.strict and missed:
            continue
        column = milp.binary()
        one.append((column, 1.0))
        block.starts[k], block.segments[k] = column, own
        house.aim(f"{SHORTFALL}{device.priority}", column, house.kwh(missed))
        total = sum(s.power * (s.end - s.start) for s in own)
        # It keeps its power to the second in which it is full.
        rounded = max(demand.needed_s * device.power, demand.energy + own[-1].power - 1)
        house.aim("excess", column, house.kwh(max(0, total - rounded)))
        _enter(house, block, column, own, max(demand.deadline, 0))
    none = block.none = milp.column(0.0, 1.0)
    house.aim(f"{SHORTFALL}{device.priority}", none, house.kwh(demand.energy))
    house.aim("never", none, house.kwh(demand.energy))
    milp.equal([*one, (none, 1.0)], 1.0)
    return block


def _from(
    house: House,
    device: ScaledDevice,
    index: int,
    demand: ScaledDemand,
    top: Mapping[int, float],
    first: int,
) -> tuple[Segment, ...] | None:
    """What a block that starts with cell `first` draws; None where it has no room."""
    left = demand.energy
    on_since = device.on_since or 0
    began = on_since if first == 0 and device.running else house.starts[first]
    out: list[Segment] = []
    k = first
    while left > 0 or house.starts[k] - began < device.min_on_s:
        if k not in top:
            return None
        cell = house.cells[k]
        power = device.power if cell.headroom is None else min(device.power, cell.headroom)
        seconds = min(cell.length, max(-(-left // power), device.min_on_s - (cell.start - began)))
        out.append(Segment(cell.start, cell.start + seconds, power, index))
        left -= power * seconds
        if seconds < cell.length:
            break
        k += 1
        if k >= len(house.cells):
            if left > 0 or house.ends[k - 1] - began < device.min_on_s:
                return None
            break
    return joined(out)


def _enter(house: House, block: Block, column: int, own: tuple[Segment, ...], since: int) -> None:
    start, end = own[0].start, own[-1].end
    for k in range(house.starts.index(start), len(house.cells)):
        cell = house.cells[k]
        if cell.start >= end:
            break
        inside = [
            (s.power, min(s.end, cell.end) - max(s.start, cell.start))
            for s in own
            if s.start < cell.end and s.end > cell.start
        ]
        energy = sum(power * seconds for power, seconds in inside)
        mean = house.kwh(energy) / house.hours[k]
        peak = house.kw(max(power for power, _ in inside))
        house.balance[k].append((column, mean))
        if peak > mean:
            house.beyond[k].append((column, peak - mean))
        block.covering.setdefault(k, []).append(column)
        if cell.end <= end:
            block.whole.setdefault(k, []).append(column)
        else:
            share = (end - cell.start) / cell.length
            block.opening.setdefault(k, []).append((column, share))
        if cell.unknown:
            house.aim("unknown", column, house.kwh(energy))
        if cell.start >= since and block.top and end > since:
            middle = (cell.start + min(end, cell.end)) / 2 - since
            house.aim("late", column, house.kwh(energy) * middle / 3600)


def add_free_block(
    house: House, device: ScaledDevice, index: int, demand: ScaledDemand, top: dict[int, float]
) -> FreeBlock:
    free, milp = FreeBlock(index, top), house.milp
    need = house.kwh(demand.energy)
    energy: list[Term] = []
    seconds: list[Term] = []
    starts: list[Term] = []
    timely: list[Term] = []
    late: list[Term] = []
    for k, most in top.items():
        on, last, power = milp.binary(), milp.binary(), milp.column(0.0, most)
        free.on[k], free.ends[k], free.power[k] = on, last, power
        house.balance[k].append((power, 1.0))
        house.beyond[k] += [(on, most), (power, -1.0)]
        milp.at_most([(power, 1.0), (on, -most)], 0.0)
        milp.at_least(0.0, [(power, 1.0), (on, -most), (last, most)])
        milp.at_most([(last, 1.0), (on, -1.0)], 0.0)
        begun = milp.column(0.0, 1.0)
        before = [(free.on[k - 1], 1.0)] if k - 1 in free.on else []
        milp.at_least(0.0, [(begun, 1.0), (on, -1.0), *before])
        milp.at_most([(begun, 1.0), (on, -1.0)], 0.0)
        if k - 1 in free.ends:
            milp.at_most([(free.ends[k - 1], 1.0), (on, 1.0)], 1.0)
        if demand.under_way and k:
            milp.fix(begun, 0.0)
        elif demand.under_way:
            milp.fix(on, 1.0)
        starts.append((begun, 1.0))
        cell = house.cells[k]
        (timely if cell.end <= demand.deadline else late).append((power, house.hours[k]))
        if cell.unknown:
            house.aim("unknown", power, house.hours[k])
        if cell.start >= demand.deadline:
            middle = (cell.start + cell.end) / 2 - max(demand.deadline, 0)
            house.aim("late", power, house.hours[k] * middle / 3600)
        energy.append((power, house.hours[k]))
        seconds.append((power, house.cells[k].length / most))
        if k or not device.running:
            seconds.append((begun, -float(device.min_on_s)))
    if starts:
        milp.at_most(starts, 1.0)
        if device.min_on_s:
            milp.at_least(0.0, seconds)
    if device.min_on_s or device.min_off_s or device.grid_s:
        # Its last cell counts as on to its end here, which is not quite the law.
        house.exact = False
    most_energy = house.kwh(max(demand.energy, demand.max_s * device.power))
    if demand.hard:
        short = milp.column(0.0, need)
        over = milp.column(0.0)
        house.aim(f"{SHORTFALL}{device.priority}", short, 1.0)
        house.aim("excess", over, 1.0)
        milp.at_least(need, [*timely, (short, 1.0)])
        if demand.cap is None:
            never = milp.column(0.0, need)
            house.aim("never", never, 1.0)
            milp.at_least(need, [*energy, (never, 1.0)])
        rounded = house.kwh(max(demand.energy, demand.needed_s * device.power))
        milp.at_most([*energy, (over, -1.0)], rounded)
    else:
        served = milp.column(0.0, need)
        milp.at_least(0.0, [*energy, (served, -1.0)])
        milp.at_most(energy, most_energy)
        house.pay(served, -house.price(demand.value))
    return free
