"""One hard contiguous demand without a cap: the best start of its block.

Exact: between two candidates the cost of the block is linear in its start, so the best start is
an edge of the prices or of the window, one where the block begins to stand for an old one, or such
an instant less the duration.
"""

from agent.planning.devices.flexible import ScaledDevice
from agent.planning.exact.objectives import ServedSpan, Task
from agent.planning.incumbent import LASTING_S, SAME_EDGE_S


def fits(device: ScaledDevice) -> bool:
    """Whether this file may decide alone."""
    if len(device.demands) != 1 or device.running:
        return False
    demand = device.demands[0]
    return demand.contiguous and demand.hard and demand.cap is None


def _kept(device: ScaledDevice) -> list[int]:
    """Where an edge of the block comes to cost less."""
    old = device.incumbent
    if not old.cost:
        return []
    since = [] if device.off_since is None else [device.off_since + LASTING_S]
    near = [
        edge + shift
        for kind in (True, False)
        for edge in old.edges[kind]
        for shift in (-SAME_EDGE_S, SAME_EDGE_S)
    ]
    return [old.until, *since, *near]


def plan_contiguous(task: Task) -> list[ServedSpan]:
    timeline, device = task.timeline, task.device
    demand = device.demands[0]
    length = demand.max_s
    if not length:
        return []
    first = max(demand.earliest, device.blocked_s)
    if device.grid_s:
        first += (demand.anchor - first) % device.grid_s
    last = demand.deadline - length
    if last <= first:
        # What does not fit starts at once: that misses least, and least of it is late.
        return [(first, first + length, 0)]
    if device.grid_s:
        starts = list(range(first, last + 1, device.grid_s))
    else:
        edges = [*timeline.edges(first, demand.deadline), *_kept(device)]
        moved = [edge - length for edge in edges]
        starts = sorted({first, last, *(x for x in (*edges, *moved) if first <= x <= last)})
    old = device.incumbent
    best: tuple[int, int, int, int] | None = None
    for start in starts:
        end = start + length
        unknown = timeline.unknown_until(end) - timeline.unknown_until(start)
        if best is not None and unknown > best[0]:
            continue
        cost = device.power * (timeline.choice_until(end) - timeline.choice_until(start))
        if old.cost:
            cost += old.cost * old.changes([(start, end)], None, device.off_since)
        instants = timeline.unknown_instants(start, end) if unknown else 0
        found = (unknown, cost, -instants, start)
        if best is None or found < best:
            best = found
    assert best is not None
    return [(best[3], best[3] + length, 0)]
