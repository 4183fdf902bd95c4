"""One split demand whose seconds do not depend on each other: the cheapest seconds, by sorting.

Exact: every second may be on or off by itself, so the best plan takes seconds in the order of
(unknown, price). Only where seconds of one price are left over do the tie rules decide; where that
takes more than one look (`None`), the search in `agent.planning.exact.minimum_times` does it.
"""

from itertools import combinations

from agent.planning.devices.flexible import ScaledDemand, ScaledDevice
from agent.planning.exact.objectives import ServedSpan, Task
from agent.planning.timeline import FOREVER, PriceSpan, Timeline

# Of more spans of one price than this the search chooses.
FEW = 4


def fits(device: ScaledDevice) -> bool:
    """Whether this file may decide alone."""
    if device.coupled_in_time or device.grid_s or len(device.demands) != 1:
        return False
    return not device.demands[0].contiguous


def plan_interruptible(task: Task) -> list[ServedSpan] | None:
    timeline, device = task.timeline, task.device
    demand = device.demands[0]
    parts = [
        (a, b, cell)
        for a, b, cell in timeline.between(demand.earliest, max(demand.earliest, demand.deadline))
        if demand.admits(cell)
    ]
    wanted = demand.needed_s if demand.hard else _worth(device, demand, parts)
    if wanted is None:
        return None
    have = sum(b - a for a, b, _ in parts)
    if have < wanted:
        return _spans([(a, b) for a, b, _ in parts] + _late(timeline, demand, have))
    chosen = _cheapest(parts, wanted)
    return None if chosen is None else _spans(chosen)


def _worth(
    device: ScaledDevice, demand: ScaledDemand, parts: list[tuple[int, int, PriceSpan]]
) -> int | None:
    """Seconds of a soft demand that pay; None where a price equals the value (ties decide)."""
    if not demand.needed_s:
        return 0
    costs = sorted((cell.choice * device.power, b - a) for a, b, cell in parts)
    wanted, dearest = 0, 0
    for cost, length in costs:
        if cost == demand.value_per_s:
            return None
        if cost > demand.value_per_s or wanted >= demand.needed_s:
            break
        wanted, dearest = min(demand.needed_s, wanted + length), cost
    if wanted == demand.needed_s and dearest >= demand.value_of_last_s:
        if dearest == demand.value_of_last_s:
            return None
        wanted -= 1
    return wanted


def _late(timeline: Timeline, demand: ScaledDemand, have: int) -> list[tuple[int, int]]:
    """After the deadline: as early as possible, above no cap, and no more than a cap allows."""
    left = demand.needed_s - have
    if demand.allowance_s is not None:
        left = min(left, demand.allowance_s)
    out = []
    for a, b, cell in timeline.between(max(demand.deadline, demand.earliest), FOREVER):
        if left <= 0:
            break
        if demand.admits(cell):
            out.append((a, min(b, a + left)))
            left -= out[-1][1] - a
    return out


def _cheapest(parts: list[tuple[int, int, PriceSpan]], wanted: int) -> list[tuple[int, int]] | None:
    rank = sorted({(cell.unknown, cell.choice) for _, _, cell in parts})
    spans: dict[tuple[bool, int], list[tuple[int, int]]] = {key: [] for key in rank}
    for a, b, cell in parts:
        spans[cell.unknown, cell.choice].append((a, b))
    chosen: list[tuple[int, int]] = []
    for key in rank:
        length = sum(b - a for a, b in spans[key])
        if length <= wanted:
            chosen += spans[key]
            wanted -= length
            continue
        if not wanted:
            break
        if key[0]:
            return chosen + _latest(spans[key], wanted)
        joined = _joined(spans[key])
        return None if len(joined) > FEW else _tied(chosen, joined, wanted)
    return chosen


def _tied(
    chosen: list[tuple[int, int]], spans: list[tuple[int, int]], wanted: int
) -> list[tuple[int, int]]:
    """Of spans of one price those with which the plan starts least, then earliest.

    All of them are taken whole or not at all but one, of which either end is.
    """
    best: tuple[int, int, list[int]] | None = None
    found = chosen
    for count in range(len(spans)):
        for some in combinations(spans, count):
            left = wanted - sum(b - a for a, b in some)
            if left < 0:
                continue
            for a, b in spans:
                if (a, b) in some or b - a < left:
                    continue
                for part in ((a, a + left), (b - left, b)):
                    runs = _joined(sorted([*chosen, *some, part]))
                    rank = (len(runs), sum(x for x, _ in runs), [x - y for x, y in runs])
                    if best is None or rank < best:
                        best, found = rank, runs
    return found


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    out: list[tuple[int, int]] = []
    for a, b in spans:
        if out and out[-1][1] == a:
            out[-1] = (out[-1][0], b)
        else:
            out.append((a, b))
    return out


def _latest(spans: list[tuple[int, int]], wanted: int) -> list[tuple[int, int]]:
    out = []
    for a, b in reversed(spans):
        take = min(wanted, b - a)
        if take:
            out.append((b - take, b))
        wanted -= take
    return out


def _spans(spans: list[tuple[int, int]]) -> list[ServedSpan]:
    return [(a, b, 0) for a, b in _joined(sorted(spans))]
