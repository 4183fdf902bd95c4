"""The last tie rule: of plans that are equal otherwise, the one with the longer first run."""

from agent.planning.load import Load
from agent.planning.score import Piece, runs_of, score
from agent.planning.timeline import Timeline


def longer_first(timeline: Timeline, load: Load, pieces: list[Piece]) -> list[Piece]:
    """Moves ends between runs of one demand while nothing else changes."""
    if len(load.needs) != 1 or any(demand is None for _, _, demand in pieces):
        return pieces
    runs = [list(run) for run in runs_of(pieces)]
    if len(runs) < 2:
        return pieces
    best = score(timeline, load, pieces)
    for i in range(len(runs)):
        for k in range(i + 1, len(runs)):
            for length in _lengths(timeline, load, runs, i, k):
                moved = [list(run) for run in runs]
                moved[i][1] += length
                moved[k][1] -= length
                if not _allowed(timeline, load, moved):
                    continue
                found = score(timeline, load, [(a, b, 0) for a, b in moved])
                if found.levels <= best.levels:
                    runs, best = moved, found
                    break
    return [(a, b, 0) for a, b in runs]


def _lengths(timeline: Timeline, load: Load, runs: list[list[int]], i: int, k: int) -> list[int]:
    """By how much the end of run i may move on and that of run k back, the most first."""
    step = load.grid or 1
    room = runs[i + 1][0] - max(1, load.min_off) - runs[i][1]
    spare = runs[k][1] - runs[k][0] - max(1, load.min_on)
    most = min(room, spare) // step * step
    if most <= 0:
        return []
    ahead = [edge - runs[i][1] for edge in timeline.edges(runs[i][1] + 1, runs[i][1] + most)]
    behind = [runs[k][1] - edge for edge in timeline.edges(runs[k][1] - most, runs[k][1] - 1)]
    found = {most, *(x // step * step for x in (*ahead, *behind))}
    return sorted((x for x in found if 0 < x <= most), reverse=True)


def _allowed(timeline: Timeline, load: Load, runs: list[list[int]]) -> bool:
    need = load.needs[0]
    if need.contiguous:
        return False
    for start, end in runs:
        if start < need.earliest and start > 0:
            return False
        if not need.hard and end > need.deadline:
            return False
        if not all(need.admits(cell) for _, _, cell in timeline.between(start, end)):
            return False
    return True
