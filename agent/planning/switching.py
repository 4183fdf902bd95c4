"""A device whose seconds depend on each other: minimum times, start costs, old edges, grids."""

from agent.planning.load import Load
from agent.planning.loose import loose_bound
from agent.planning.points import points_of
from agent.planning.relaxed import Model, passes_of
from agent.planning.score import Piece, Score, score
from agent.planning.search import Search
from agent.planning.several import SearchSeveral
from agent.planning.tidy import longer_first
from agent.planning.timeline import Timeline
from agent.planning.weights import Weights, weights_of

BUDGET = 15_000


def plan_switching(timeline: Timeline, load: Load) -> tuple[list[Piece], int | None]:
    """Pieces and, where they are not proved best, a lower bound of the objective."""
    pieces: list[Piece] = []
    bound: int | None = None
    for late in (False, True):
        end = _end(timeline, load, late)
        weights = weights_of(timeline, load, end)
        model = Model(timeline, load, points_of(timeline, load, end), weights)
        passes = passes_of(model)
        # Where points are left out no search proves anything: then a good plan will do.
        budget = BUDGET if model.closed else BUDGET // 6
        one = len(load.needs) == 1
        found = (Search if one else SearchSeveral)(model, passes, budget).run()
        pieces = longer_first(timeline, load, found.pieces)
        result = score(timeline, load, pieces)
        if found.proved and model.closed:
            bound = None
        else:
            lower = found.bound
            if not model.closed:
                lower = loose_bound(timeline, load, model.named, weights)
            bound = _objective(timeline, load, weights, result, lower, end)
        if not any(result.levels[:4]) or not any(need.hard for need in load.needs):
            break
    return pieces, bound


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
    above = zip(result.levels, (w.short, w.never, w.excess, w.late, w.unknown), strict=False)
    rest = lower - sum(level * weight for level, weight in above)
    idle = load.power * timeline.choice_until(load.forced)
    cheapest = load.power * sum(
        min(0, cell.choice) * (b - a) for a, b, cell in timeline.between(0, max(1, end))
    )
    worth = sum(need.gain * need.need for need in load.needs if not need.hard)
    return max(rest // w.money, cheapest - worth) - idle
