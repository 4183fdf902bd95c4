"""One hard contiguous demand without a cap: the best start of its block.

Exact: between two candidates the cost of the block is linear in its start, so the best start is
an edge of the prices or of the window, or such an edge less the duration.
"""

from agent.planning.load import Load
from agent.planning.score import Piece
from agent.planning.timeline import Timeline


def fits(load: Load) -> bool:
    """Whether this file may decide alone."""
    if len(load.needs) != 1 or load.old.cost or load.going:
        return False
    need = load.needs[0]
    return need.contiguous and need.hard and need.cap is None


def plan_block(timeline: Timeline, load: Load) -> list[Piece]:
    need = load.needs[0]
    length = need.top
    if not length:
        return []
    first = max(need.earliest, load.wait)
    if load.grid:
        first += (need.anchor - first) % load.grid
    last = need.deadline - length
    if last <= first:
        # What does not fit starts at once: that misses least, and least of it is late.
        return [(first, first + length, 0)]
    if load.grid:
        starts = list(range(first, last + 1, load.grid))
    else:
        edges = timeline.edges(first, need.deadline)
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
