"""Other slots for one flexible device: its runs moved, everything at once."""

from agent.planning.devices.flexible import ScaledDevice
from agent.planning.reasons.house import House, Instead
from agent.planning.segments import Run, Segment, joined, runs_of

# So many runs are looked at for a better time.
MOST_MOVED = 4


def shifted(
    house: House, device: ScaledDevice, run: Run, seconds: int
) -> tuple[Segment, ...] | None:
    """One run moved; None where it would leave now, its windows or the room between the others."""
    start, end = run[0] + seconds, run[1] + seconds
    own = house.segments(device.id)
    others = [one for one in own if not run[0] <= one.start < run[1]]
    if start < max(device.blocked_s, device.mandatory_s):
        return None
    if any(one.start < end and start < one.end for one in others):
        return None
    moved = []
    for one in own:
        if not run[0] <= one.start < run[1]:
            continue
        if one.demand is None:
            return None
        demand = device.demands[one.demand]
        if one.start + seconds < demand.earliest or one.end + seconds > demand.deadline:
            return None
        moved.append(one._replace(start=one.start + seconds, end=one.end + seconds))
    return joined([*others, *moved])


def best_move(house: House, device: ScaledDevice) -> Instead | None:
    """The single run in the time that looks cheapest for it, judged; None where it can not move.

    Looks are by the import price; what it truly costs is the judge's word.
    """
    best: tuple[int, tuple[Segment, ...]] | None = None
    runs = runs_of(house.segments(device.id))
    for run in sorted(runs, key=lambda one: one[0] - one[1])[:MOST_MOVED]:
        for start in _starts(house, run):
            gain = _worth(house, run[0], run[1]) - _worth(house, start, start + run[1] - run[0])
            if gain <= 0 or (best is not None and gain <= best[0]):
                continue
            other = shifted(house, device, run, start - run[0])
            if other is not None:
                best = gain, other
        if house.deadline.over():
            return None
    return None if best is None else house.instead(device, best[1])


def _starts(house: House, run: Run) -> list[int]:
    """Where prices change, and where a run that ends at such an instant begins."""
    if house.deadline.over():
        return []
    edges = [edge for edge in house.pieces.starts if edge < house.horizon]
    if house.problem.coupled:
        return edges
    length = run[1] - run[0]
    return [*edges, *(edge - length for edge in edges if edge >= length)]


def _worth(house: House, start: int, end: int) -> int:
    timeline = house.problem.timeline
    return timeline.choice_until(end) - timeline.choice_until(start)


def everything_at_once(house: House, device: ScaledDevice) -> tuple[Segment, ...]:
    """What each demand gets in the plan, one after the other, as early as window and limit let."""
    served = house.judged.devices[device.id].served
    forced = [one for one in house.segments(device.id) if one.demand is None]
    at = max([device.blocked_s, *(one.end for one in forced)])
    out = list(forced)
    order = sorted(range(len(served)), key=lambda i: device.demands[i].earliest)
    for index in order:
        start = max(at, device.demands[index].earliest)
        if house.problem.coupled:
            own = _through_cells(house, device, index, start, served[index])
        else:
            length = -(-served[index] // device.power)
            own = [Segment(start, start + length, device.power, index)] if length else []
        out += own
        at = own[-1].end if own else at
    return joined(out)


def _through_cells(
    house: House, device: ScaledDevice, index: int, at: int, energy: int
) -> list[Segment]:
    """At as much power as the limit leaves in each cell, the last of it in a part of a cell."""
    out: list[Segment] = []
    left = energy
    for k in house.between(at, house.cells[-1].end if house.cells else 0):
        if left <= 0:
            break
        cell = house.cells[k]
        start = max(at, cell.start)
        length = cell.end - start
        room = house.room(k)
        power = device.power
        if room is not None:
            power = min(power, room + house.energy(device.id, k) // cell.length)
        if power <= 0 or power < device.min_power:
            continue
        if power * length > left:
            power = max(device.min_power, -(-left // length))
            length = min(length, -(-left // power))
        out.append(Segment(start, start + length, power, index))
        left -= power * length
    return _trimmed(list(joined(out)), -left, device.min_power)


def _trimmed(segments: list[Segment], excess: int, least: int) -> list[Segment]:
    """What the last whole second is too much is taken off the power of the longest segment."""
    if excess > 0:
        at = max(range(len(segments)), key=lambda i: segments[i].end - segments[i].start)
        one = segments[at]
        power = one.power - excess // (one.end - one.start)
        if power >= least:
            segments[at] = one._replace(power=power)
    return segments
