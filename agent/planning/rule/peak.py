"""What a capacity charge asks of the rule: the same plan again, below peaks that cost less.

The rule looks at prices cell by cell, and a peak has none there. So its best plan is made anew with
a level that no window's mean may exceed: what is paid already, then between that and what the plan
pays. Each is judged; the cheaper the plan there, the nearer the next level.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

from agent.planning.devices.measured import Pieces
from agent.planning.engine import Deadline
from agent.planning.idle import idle_energy
from agent.planning.judge import Judged
from agent.planning.problem import Problem
from agent.planning.site import peaks_of, site_money

# Levels that are tried, as shares of the way to what the first plan pays.
MOST_LEVELS, NEAREST = 7, 1 / 64

# By cell, the most import; None where it does not count.
Levels = Sequence[int | None]


def with_lower_peak(
    problem: Problem, plan: Judged, made_at: Callable[[Levels], Judged | None], deadline: Deadline
) -> Judged:
    """The best plan of all levels, that one among them. `made_at`: the plan at a level, judged;
    None where there was no time."""
    known = _known(problem, plan)
    if known is None:
        return plan
    lowest, highest = known
    found: list[tuple[float, Judged]] = [(1.0, plan)]
    share, best = 0.0, plan
    for _ in range(MOST_LEVELS):
        if deadline.over():
            break
        level = {
            later: lowest[later] + round(share * (highest[later] - lowest[later]))
            for later in lowest
        }
        other = made_at(_levels(problem, level))
        if other is None:
            break
        found = sorted([*found, (share, other)], key=lambda one: one[0])
        if not other.faults and other.beats(best):
            best = other
        at = next(k for k, (_, one) in enumerate(found) if one is best)
        beside = [one for one, _ in found[max(0, at - 1) : at + 2]]
        width, begin = max((b - a, a) for a, b in pairwise(beside))
        if width <= NEAREST:
            break
        share = begin + width / 2
    return best


def _known(problem: Problem, plan: Judged) -> tuple[dict[bool, int], dict[bool, int]] | None:
    """The peaks, this period's and the next one's, that cost nothing more, and those of the plan;
    None where these are the same."""
    charge = problem.situation.site.capacity_charge
    if charge is None or charge.per_kw <= 0:
        return None
    grid = problem.grid
    pieces = Pieces(grid.cells, grid.starts, grid.ends)
    idle = site_money(problem, pieces, idle_energy(problem, pieces), idle=True).flows
    lowest = peaks_of(problem, pieces, idle).highest
    highest = peaks_of(problem, plan.site.pieces, plan.site.flows).highest
    if all(highest[later] <= lowest[later] for later in lowest):
        return None
    return lowest, {later: max(lowest[later], highest[later]) for later in lowest}


def _levels(problem: Problem, level: dict[bool, int]) -> list[int | None]:
    """What is left of each window is spread evenly over what is left of its time."""
    grid = problem.grid
    left = [0] * len(grid.windows)
    for cell in grid.cells:
        if cell.window is not None:
            left[cell.window] += cell.length
    powers = [
        max(0, (level[window.later] * window.length - window.imported) // seconds) if seconds else 0
        for window, seconds in zip(grid.windows, left, strict=True)
    ]
    return [None if cell.window is None else powers[cell.window] for cell in grid.cells]
