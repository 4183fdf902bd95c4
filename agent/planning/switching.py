"""A device whose seconds depend on each other: minimum times, start costs, old edges, grids.

The search proves its plan where the points to switch at are few enough and its states do not run
out. Else the best of a few good plans is taken, with a lower bound: what the search was left with,
and the plans of devices that are easier to plan and have no plan that this one could not follow.
No price may spoil the aims before it, so where these are in doubt the device without money is one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice, permutations

from agent.planning.load import Load, OldEdges
from agent.planning.loose import loose_bound
from agent.planning.plain import plain, renamed
from agent.planning.points import points_of
from agent.planning.relaxed import Model, passes_of
from agent.planning.score import Piece, Score, score
from agent.planning.search import Search
from agent.planning.several import SearchSeveral
from agent.planning.tidy import longer_first
from agent.planning.timeline import Timeline
from agent.planning.weights import Weights, weights_of

BUDGET = 15_000
# Where points had to be left out no search proves anything, so less of it will do.
BUDGET_OPEN = 2_500
# Without money states are fewer and cheaper.
BUDGET_PLAIN = 25_000
# Of several demands even so not few; one order of them is soon done.
BUDGET_ORDER = 4_000
MOST_ORDERS = 6
# So many levels of a score come before money.
AIMS = 5
STEPS_S = (60, 300, 900)


@dataclass(frozen=True, slots=True)
class Attempt:
    """Pieces with their score; `lower` bounds all aims in one number where nothing is proved."""

    pieces: list[Piece]
    score: Score
    lower: int | None
    closed: bool
    weights: Weights
    end: int


def plan_switching(timeline: Timeline, load: Load) -> tuple[list[Piece], int | None]:
    """Pieces and, where they are not proved best, a lower bound of the objective."""
    first = last = _attempt(timeline, load, late=False)
    if _matters(first.score, load):
        # The deadline stands in the way: look beyond it.
        last = _attempt(timeline, load, late=True)
    if last.lower is None:
        return last.pieces, None
    pieces, found = min(
        [(one.pieces, one.score) for one in (first, last)] + _simpler(timeline, load),
        key=lambda plan: plan[1].levels,
    )
    # A plan that is all in time is bound by the look that saw no further.
    seen = last if _matters(found, load) else first
    if seen.lower is None:
        return pieces, None
    if not _aims_are_proved(seen.weights, found, seen.lower):
        for one, proves in _moneyless(timeline, load, late=_matters(found, load)):
            if one.score.levels < found.levels:
                pieces, found = one.pieces, one.score
            if proves:
                return pieces, None
        seen = last if _matters(found, load) else first
    if seen.lower is None:
        return pieces, None
    return pieces, _objective(timeline, load, seen.weights, found, seen.lower, seen.end)


def _aims_are_proved(weights: Weights, found: Score, lower: int) -> bool:
    """Whether no plan is better in an aim before money.

    All aims from money on together weigh less than half a second of unknown time.
    """
    return not any(found.levels[:AIMS]) or 2 * (_aims(weights, found) - lower) < weights.unknown


def _aims(w: Weights, found: Score) -> int:
    """The aims before money in one number."""
    levels = zip(found.levels, (w.short, w.never, w.excess, w.late, w.unknown), strict=False)
    return sum(level * weight for level, weight in levels)


def _moneyless(timeline: Timeline, load: Load, *, late: bool) -> Iterator[tuple[Attempt, bool]]:
    """Plans that are good in the aims before money, and whether one is proved the best plan.

    First the best where money does not matter. Where that needs no unknown time, next the cheapest
    that uses none: with that barred the search has less to tell apart.
    """
    time, bare, kept = plain(timeline, load)
    if not kept:
        return
    one = _attempt(time, bare, late=late, moneyless=True)
    pieces = renamed(one.pieces, kept)
    aims = score(timeline, load, pieces)
    yield replace(one, pieces=pieces, score=aims), False
    if aims.levels[AIMS - 1]:
        return
    known = replace(load, needs=tuple(replace(need, known=True) for need in load.needs))
    other = _attempt(timeline, known, late=late)
    found = score(timeline, load, other.pieces)
    # A soft demand may bridge what hard ones alone cannot: without it nothing is proved.
    proves = one.lower is None and other.lower is None and len(kept) == len(load.needs)
    proves = proves and found.levels[:AIMS] == aims.levels[:AIMS]
    yield replace(other, score=found), proves


def _simpler(timeline: Timeline, load: Load) -> list[tuple[list[Piece], Score]]:
    """Plans of devices that are easier to plan, and whose plans are plans of this one too."""
    out = []
    if load.old.cost:
        # As if changes were free.
        other = _attempt(timeline, replace(load, old=OldEdges()), late=False)
        out.append((other.pieces, score(timeline, load, other.pieces)))
    for step in STEPS_S:
        # Longer minimum times, up to those that fit the prices well enough to be proved.
        min_on, min_off = (-(-time // step) * step for time in (load.min_on, load.min_off))
        longer = replace(load, min_on=min_on, min_off=min_off)
        if longer == load or len(load.needs) > 1 or load.needs[0].need < min_on:
            continue
        other = _attempt(timeline, longer, late=False)
        out.append((other.pieces, score(timeline, load, other.pieces)))
        if other.closed:
            break
    return out


def _matters(found: Score, load: Load) -> bool:
    """Whether something is missing, too much or late, so that time after deadlines may help."""
    return any(found.levels[:4]) and any(need.hard for need in load.needs)


def _attempt(timeline: Timeline, load: Load, *, late: bool, moneyless: bool = False) -> Attempt:
    end = _end(timeline, load, late)
    weights = weights_of(timeline, load, end)
    model = Model(timeline, load, points_of(timeline, load, end), weights)
    budget = BUDGET if model.closed else BUDGET_OPEN
    passes = passes_of(model)
    if len(load.needs) == 1:
        found = Search(model, passes, BUDGET_PLAIN if moneyless else budget).run()
    elif not moneyless:
        found = SearchSeveral(model, passes, budget).run()
    else:
        found = SearchSeveral(model, passes, BUDGET_ORDER).run()
        if not found.proved:
            orders = (
                SearchSeveral(model, passes, BUDGET_ORDER, order).run() for order in _orders(load)
            )
            best = min(orders, key=lambda one: one.cost)
            if best.cost < found.cost:
                found = replace(found, pieces=best.pieces, cost=best.cost)
    pieces = longer_first(timeline, load, found.pieces)
    lower = None if found.proved else found.bound
    if not model.closed:
        lower = loose_bound(timeline, load, model.named, weights)
    return Attempt(pieces, score(timeline, load, pieces), lower, model.closed, weights, end)


def _orders(load: Load) -> list[tuple[int, ...]]:
    """In which order demands may be served, the nearest deadline first."""
    urgent = sorted(range(len(load.needs)), key=lambda i: load.needs[i].deadline)
    return list(islice(permutations(urgent), MOST_ORDERS))


def _end(timeline: Timeline, load: Load, late: bool) -> int:
    """Where looking ahead ends: the deadlines, or after all that may have to come late."""
    end = max([need.deadline for need in load.needs] + [load.forced, 0])
    if not late:
        return end
    if any(need.allowance for need in load.needs):
        end = max(end, timeline.horizon)
    end = max([end, *(need.earliest for need in load.needs)]) + load.wait
    end += sum(need.need for need in load.needs if need.hard)
    return end + (load.min_on + load.min_off + 2 * load.grid) * (len(load.needs) + 1)


def _objective(
    timeline: Timeline, load: Load, weights: Weights, result: Score, lower: int, end: int
) -> int:
    """The bound of all aims in one number as a bound of the objective alone."""
    w = weights
    rest = lower - _aims(w, result)
    idle = load.power * timeline.choice_until(load.forced)
    cheapest = load.power * sum(
        min(0, cell.choice) * (b - a) for a, b, cell in timeline.between(0, max(1, end))
    )
    worth = sum(need.gain * need.need for need in load.needs if not need.hard)
    return max(rest // w.money, cheapest - worth) - idle
