"""The same energy in fewer stretches: what one demand of a device takes, what a store takes or
gives between two turns. All others stay as they are."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from agent.planning.devices.flexible import ScaledDemand, ScaledDevice
from agent.planning.devices.flexible_rules import ON_SHARE
from agent.planning.devices.storage import ScaledStorage
from agent.planning.grid import SiteCell
from agent.planning.segments import Segment, clipped, energies, joined, runs_of
from agent.planning.tidying.fewest_runs import Rules, fewest_runs, powers_at
from agent.planning.tidying.filling import exact_powers, filled, whole_powers
from agent.planning.tidying.room import Option, Room
from agent.planning.timeline import FOREVER

# Prices of energy that are tried: where there is just enough of it, and so many above that.
MORE_PRICES = 2
# More runs than this are not counted apart.
MOST_RUNS = 16
# Money counts in grains of so much of the currency, less than what makes one plan another.
GRAINS = 10**7


def demand_in_runs(
    room: Room, model: ScaledDevice, segments: Sequence[Segment], index: int
) -> Iterator[tuple[Segment, ...]]:
    """Segments of the device with one demand placed anew, fewest runs first. `room` is without the
    device. What comes after the deadline stays; nothing where the demand is one block, or served
    otherwise than its rules say of a plain one."""
    demand = model.demands[index]
    in_time = clipped(segments, 0, demand.deadline)
    mine = [one for one in in_time if one.demand == index]
    others = [one for one in in_time if one.demand != index]
    others += clipped(segments, demand.deadline, FOREVER)
    if demand.contiguous or not mine or room.deadline.over():
        return
    # Seconds by cell in which others are served.
    lasting = [one._replace(power=1) for one in others]
    busy = energies(lasting, room.pieces.starts, room.pieces.ends)
    least = max(model.min_power, -(-model.power // ON_SHARE))
    options: list[Option] = []
    last = max((k for k, cell in enumerate(room.cells) if cell.start < demand.deadline), default=-1)
    for k, cell in enumerate(room.cells[: last + 2]):
        one = Option(cell.start, cell.end)
        if k in busy:
            one = replace(one, fixed=busy[k] >= cell.length)
        elif _admits(demand, cell):
            one = room.drawing(k, least, model.power)
        if cell.start < model.mandatory_s:
            one = replace(one, needed=True)
        options.append(one)
    admitted = [
        cell for k, cell in enumerate(room.cells) if k not in busy and _admits(demand, cell)
    ]
    if not all(_inside(one, admitted) for one in mine):
        return
    energy = sum(one.power * (one.end - one.start) for one in mine)
    rules = Rules(
        min_on_s=model.min_on_s,
        min_off_s=model.min_off_s,
        running=model.running,
        on_since=model.on_since or 0,
        blocked_s=model.blocked_s,
        may_switch=lambda at: model.on_grid(at, index),
    )
    served = sum(one.power * (one.end - one.start) for one in segments if one.demand == index)
    spare = max(0, demand.needed_s * model.power - served) if demand.hard else 0
    runs = min(MOST_RUNS, len(runs_of(segments)))
    for own in _chosen(room, options, energy, runs, rules, model.min_power):
        placed = exact_powers(options, own, model.min_power, spare, index)
        yield joined([*others, *placed])


def store_in_stretches(
    room: Room, model: ScaledStorage, segments: Sequence[Segment]
) -> Iterator[tuple[Segment, ...]]:
    """The same of a store, one stretch between two turns after the other. `room` is without it."""
    moved = energies(segments, room.pieces.starts, room.pieces.ends)
    for first, end, sign in _turns(model, moved):
        if room.deadline.over():
            return
        mine = {k: abs(moved[k]) for k in range(first, end) if moved.get(k)}
        others = [
            Segment(room.cells[k].start, room.cells[k].end, moved[k] // room.cells[k].length)
            for k in moved
            if k not in mine
        ]
        if sum(b - a > 1 for a, b in pairwise(sorted(mine))) == 0:
            continue
        options = []
        for k in range(first, end):
            if not model.available[k]:
                options.append(Option(room.cells[k].start, room.cells[k].end))
            elif sign > 0:
                options.append(room.drawing(k, -(-model.charge // ON_SHARE), model.charge))
            else:
                least = min(mine.get(k, model.discharge), model.discharge // ON_SHARE + 1)
                options.append(room.giving(k, least, model.discharge, sells=model.export))
        runs = min(MOST_RUNS, 1 + sum(b - a > 1 for a, b in pairwise(sorted(mine))))
        for own in _chosen(room, options, sum(mine.values()), runs, Rules(), 0):
            yield joined([*others, *whole_powers(options, own, sign)])


def _chosen(
    room: Room,
    options: Sequence[Option],
    energy: int,
    most_runs: int,
    rules: Rules,
    floor: int,
) -> Iterator[dict[int, int]]:
    """Energy by cell, as indices of the options."""
    matters = [k for k, one in enumerate(options) if one.usable or one.needed]
    if not matters:
        return
    # What is before and after is idle; but a run under way goes on from now.
    first = 0 if rules.running else matters[0]
    ahead = options[first : matters[-1] + 1]
    grain = max(1, room.problem.units.money_scale // GRAINS)
    over = room.deadline.over
    for price in _prices(ahead, energy, grain, over):
        if over():
            return
        powers = powers_at(ahead, price, grain)
        for on in fewest_runs(ahead, powers, energy, most_runs, rules, over):
            own = filled(ahead, powers, on, energy, floor)
            if own is not None:
                yield {first + k: energy for k, energy in own.items()}


def _prices(
    options: Sequence[Option], energy: int, grain: int, over: Callable[[], bool]
) -> list[float]:
    """Prices of energy at which there is enough of it, the least first; none when it is over."""
    found: set[float] = set()
    for one in options:
        before = (0, 0)
        for point in one.points:
            if point[0] > before[0]:
                step = (point[0] - before[0]) * one.length
                found.add((point[1] - before[1]) / step)
            before = point
    prices = sorted(found)
    low, high = 0, len(prices)
    while low < high:
        if over():
            return []
        middle = (low + high) // 2
        powers = powers_at(options, prices[middle], grain)
        if sum(p * one.length for (p, _), one in zip(powers, options, strict=True)) < energy:
            low = middle + 1
        else:
            high = middle
    return prices[low : low + 1 + MORE_PRICES]


def _admits(demand: ScaledDemand, cell: SiteCell) -> bool:
    inside = demand.earliest <= cell.start and cell.end <= demand.deadline
    return inside and not cell.unknown and (demand.cap is None or cell.price <= demand.cap)


def _inside(one: Segment, cells: Sequence[SiteCell]) -> bool:
    """Whether a segment lies in these cells, which are in time order."""
    covered = sum(max(0, min(one.end, cell.end) - max(one.start, cell.start)) for cell in cells)
    return covered == one.end - one.start


def _turns(model: ScaledStorage, moved: dict[int, int]) -> Iterator[tuple[int, int, int]]:
    """(first cell, end, direction) of stretches in which it only takes or only gives; where it
    comes with another energy a new one begins."""
    known = len(model.available)
    marks = sorted({0, known, *model.arrives})
    for low, high in pairwise(marks):
        busy = [k for k in range(low, high) if moved.get(k)]
        n = 0
        while n < len(busy):
            sign = 1 if moved[busy[n]] > 0 else -1
            last = n
            while last + 1 < len(busy) and moved[busy[last + 1]] * sign > 0:
                last += 1
            first = low if not n else busy[n - 1] + 1
            end = busy[last + 1] if last + 1 < len(busy) else high
            yield first, end, sign
            n = last + 1
