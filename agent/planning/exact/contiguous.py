"""One hard contiguous demand without a cap: the best start of its block.

Exact: between two candidates the cost of the block is linear in its start, so the best start is
an edge of the prices or of the window, or such an edge less the duration.
"""

from agent.planning.devices.flexible import ScaledDevice
from agent.planning.exact.objectives import ServedSpan, Task


def fits(device: ScaledDevice) -> bool:
    """Whether this file may decide alone."""
    if len(device.demands) != 1 or device.incumbent.cost or device.running:
        return False
    demand = device.demands[0]
    return demand.contiguous and demand.hard and demand.cap is None


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
        edges = timeline.edges(first, demand.deadline)
        moved = [edge - length for edge in edges]
        starts = sorted({first, last, *(x for x in (*edges, *moved) if first <= x <= last)})
    best: tuple[int, int, int, int] | None = None
    for start in starts:
        end = start + length
        unknown = timeline.unknown_until(end) - timeline.unknown_until(start)
        if best is not None and unknown > best[0]:
            continue
        cost = timeline.choice_until(end) - timeline.choice_until(start)
        instants = timeline.unknown_instants(start, end) if unknown else 0
        found = (unknown, cost, -instants, start)
        if best is None or found < best:
            best = found
    assert best is not None
    return [(best[3], best[3] + length, 0)]
