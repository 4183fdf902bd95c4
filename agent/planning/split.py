"""One split demand whose seconds do not depend on each other: the cheapest seconds, by sorting.

Exact: every second may be on or off by itself, so the best plan takes seconds in the order of
(unknown, price). Only where seconds of one price are left over do the tie rules decide; where that
takes more than one look (`None`), the search in `agent.planning.switching` does it.
"""

from itertools import combinations

from agent.planning.load import Load, Need
from agent.planning.score import Piece
from agent.planning.timeline import FOREVER, Cell, Timeline

# Of more spans of one price than this the search chooses.
FEW = 4


def fits(load: Load) -> bool:
    """Whether this file may decide alone."""
    if load.coupled or load.grid or len(load.needs) != 1:
        return False
    return not load.needs[0].contiguous


def plan_split(timeline: Timeline, load: Load) -> list[Piece] | None:
    need = load.needs[0]
    parts = [
        (a, b, cell)
        for a, b, cell in timeline.between(need.earliest, max(need.earliest, need.deadline))
        if need.admits(cell)
    ]
    wanted = need.need if need.hard else _worth(load, need, parts)
    if wanted is None:
        return None
    have = sum(b - a for a, b, _ in parts)
    if have < wanted:
        return _pieces([(a, b) for a, b, _ in parts] + _late(timeline, need, have))
    chosen = _cheapest(parts, wanted)
    return None if chosen is None else _pieces(chosen)


def _worth(load: Load, need: Need, parts: list[tuple[int, int, Cell]]) -> int | None:
    """Seconds of a soft demand that pay; None where a price equals the value (ties decide)."""
    if not need.need:
        return 0
    costs = sorted((cell.choice * load.power, b - a) for a, b, cell in parts)
    wanted, dearest = 0, 0
    for cost, length in costs:
        if cost == need.gain:
            return None
        if cost > need.gain or wanted >= need.need:
            break
        wanted, dearest = min(need.need, wanted + length), cost
    if wanted == need.need and dearest >= need.gain_of_last:
        if dearest == need.gain_of_last:
            return None
        wanted -= 1
    return wanted


def _late(timeline: Timeline, need: Need, have: int) -> list[tuple[int, int]]:
    """After the deadline: as early as possible, above no cap, and no more than a cap allows."""
    left = need.need - have
    if need.allowance is not None:
        left = min(left, need.allowance)
    out = []
    for a, b, cell in timeline.between(max(need.deadline, need.earliest), FOREVER):
        if left <= 0:
            break
        if need.admits(cell):
            out.append((a, min(b, a + left)))
            left -= out[-1][1] - a
    return out


def _cheapest(parts: list[tuple[int, int, Cell]], wanted: int) -> list[tuple[int, int]] | None:
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


def _pieces(spans: list[tuple[int, int]]) -> list[Piece]:
    return [(a, b, 0) for a, b in _joined(sorted(spans))]
