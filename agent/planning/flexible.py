"""The exact plan of one flexible device: which method proves it, and what it found."""

from dataclasses import dataclass, replace

from agent.energy.plan import Status
from agent.planning import block, split, switching
from agent.planning.apart import plan_apart
from agent.planning.load import Load
from agent.planning.score import Piece, Score, score
from agent.planning.timeline import Timeline


@dataclass(frozen=True, slots=True)
class Solved:
    """The pieces of a device, their score, and a proved lower bound of the objective."""

    load: Load
    pieces: list[Piece]
    score: Score
    status: Status
    bound: int


def solve(timeline: Timeline, load: Load) -> Solved:
    load = with_allowances(timeline, load)
    going_on = next((i for i, need in enumerate(load.needs) if need.under_way), None)
    if going_on is not None:
        return _block_goes_on(timeline, load, going_on)
    pieces, bound = _asked(timeline, load)
    found = score(timeline, load, pieces)
    if bound is None or bound >= found.objective:
        return Solved(load, pieces, found, Status.OPTIMAL, found.objective)
    return Solved(load, pieces, found, Status.BEST_FOUND, bound)


def _block_goes_on(timeline: Timeline, load: Load, index: int) -> Solved:
    """The block under way from now to its end, the other demands after it."""
    end = max(load.needs[index].top, load.forced)
    pieces: list[Piece] = [(0, end, index)]
    others = [i for i, need in enumerate(load.needs) if i != index and need.need]
    if others:
        needs = tuple(
            replace(load.needs[i], earliest=max(load.needs[i].earliest, end)) for i in others
        )
        rest = replace(load, needs=needs, forced=0, going=False, wait=end + load.min_off)
        found, _ = _asked(timeline, rest)
        pieces += [(a, b, None if i is None else others[i]) for a, b, i in found]
    result = score(timeline, load, pieces)
    status = Status.BEST_FOUND if others else Status.OPTIMAL
    return Solved(load, pieces, result, status, result.objective)


def _asked(timeline: Timeline, load: Load) -> tuple[list[Piece], int | None]:
    """`_search` without the demands that ask for nothing."""
    asked = [i for i, need in enumerate(load.needs) if need.need]
    if len(asked) in (0, len(load.needs)):
        return _search(timeline, load)
    some = replace(load, needs=tuple(load.needs[i] for i in asked))
    found, bound = _search(timeline, some)
    pieces: list[Piece] = [(a, b, None if i is None else asked[i]) for a, b, i in found]
    if load.grid and any(score(timeline, load, pieces).missing):
        # A step of the grid that one demand may not fill may be filled by another.
        return _search(timeline, load)
    return pieces, bound


def _search(timeline: Timeline, load: Load) -> tuple[list[Piece], int | None]:
    """Pieces and, where they are not proved best, a lower bound of the objective."""
    if not load.needs and not load.forced and not load.old.cost:
        return [], None
    apart = plan_apart(timeline, load, _search)
    if apart is not None:
        return apart
    if split.fits(load):
        pieces = split.plan_split(timeline, load)
        if pieces is not None:
            return pieces, None
    if block.fits(load):
        return block.plan_block(timeline, load), None
    if not any(need.need for need in load.needs):
        return ([(0, load.forced, None)] if load.forced else []), None
    return switching.plan_switching(timeline, load)


def with_allowances(timeline: Timeline, load: Load) -> Load:
    """A capped hard demand may get late what it would miss without all caps, and no more."""
    if not any(need.allowance is not None and need.need for need in load.needs):
        return load
    room = load.wait + load.min_on + load.forced + 2 * load.grid + load.min_off
    room += sum(need.need for need in load.needs)
    if all(need.deadline - need.earliest >= room for need in load.needs if need.allowance == 0):
        return load
    free = load.uncapped()
    if split.fits(free):
        need = load.needs[0]
        miss = need.need - max(0, need.deadline - need.earliest)
    else:
        miss = sum(score(timeline, free, _asked(timeline, free)[0]).missing)
    needs = []
    for need in load.needs:
        if need.allowance is not None:
            share = max(0, min(miss, need.need))
            need = replace(need, allowance=share)
            miss -= share
        needs.append(need)
    return replace(load, needs=tuple(needs))


def as_soon_as_possible(timeline: Timeline, load: Load) -> Solved:
    """Every hard demand without a cap as early as it may be: a plan by rule that always exists."""
    pieces: list[Piece] = [(0, load.forced, None)] if load.forced else []
    at = max(load.forced, load.wait)
    for index, need in sorted(enumerate(load.needs), key=lambda item: item[1].earliest):
        if not need.hard or need.cap is not None or not need.need:
            continue
        start = max(at, need.earliest)
        if pieces and start > pieces[-1][1]:
            start = max(start, pieces[-1][1] + load.min_off)
        if load.grid:
            start += (need.anchor - start) % load.grid
        pieces.append((start, start + need.top, index))
        at = start + need.top
    found = score(timeline, load, pieces)
    cheapest = min([cell.choice for cell in timeline.cells if cell.start <= at], default=0)
    worth = sum(need.gain * need.need for need in load.needs)
    bound = min(found.objective, min(0, cheapest) * load.power * at - worth)
    return Solved(load, pieces, found, Status.RULE, bound)
