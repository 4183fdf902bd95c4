"""A program by rule: from the cell's start where it costs least and fits, else the first.

Of starts that cost the same the first, in time without a price the last: prices may become known.
"""

from collections.abc import Sequence

from agent.planning.devices.program import ScaledProgram
from agent.planning.grid import SiteCell
from agent.planning.rule.allocation import Allocation
from agent.planning.segments import Segment, clipped


def place_program(house: Allocation, program: ScaledProgram) -> tuple[Segment, ...]:
    """Its segments; none where no room is left for it, or no time to look for it. A program under
    way is base load."""
    if program.running:
        return ()
    cells = house.cells
    first = house.problem.grid.boundary(program.earliest)
    best: tuple[tuple[float, ...], int] | None = None
    for k in range(first, len(cells)):
        start = cells[k].start
        late = max(0, start + program.length - program.deadline)
        if best is not None and late:
            break
        if start + program.length > cells[-1].end or house.pace.over():
            break
        unknown, cost = _cost(house, program, start)
        if cost is None:
            continue
        rank = (late, unknown, cost, -start if unknown and not late else start)
        if best is None or rank < best[0]:
            best = (rank, start)
        if house.pace.in_haste():
            break
    return () if best is None else program.segments_from(best[1])


def _cost(house: Allocation, program: ScaledProgram, start: int) -> tuple[float, float | None]:
    """Unknown energy, and what it costs from a start; None where it does not fit."""
    own = program.segments_from(start)
    k = house.problem.grid.index(start)
    unknown = cost = 0.0
    while k < len(house.cells) and house.cells[k].start < start + program.length:
        cell = house.cells[k]
        inside = clipped(own, cell.start, cell.end)
        top = max((one.power for one in inside), default=0)
        room = house.room(k)
        if room is not None and (top > room or _peaks_out(house, cell, inside, top)):
            return 0.0, None
        for one in inside:
            energy = one.power * (one.end - one.start)
            cost += energy * house.price(k, one.power)
            unknown += energy if cell.unknown else 0
        k += 1
    return unknown, cost


def _peaks_out(house: Allocation, cell: SiteCell, inside: Sequence[Segment], top: int) -> bool:
    """Whether its peak above its mean breaks the limit where surplus may be curtailed.

    Curtailment is the same all through a cell, so a surplus does not cover such a peak.
    """
    site = house.problem.situation.site
    if cell.import_limit is None or not (site.pv_curtailable or site.export_limit_w is not None):
        return False
    mean = sum(one.power * (one.end - one.start) for one in inside)
    return top * cell.length - mean > cell.import_limit * cell.length
