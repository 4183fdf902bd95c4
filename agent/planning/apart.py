"""Demands whose windows lie apart are planned one group at a time: nothing couples them.

Where the best plan of a group, late energy included, ends long enough before the windows of the
next group begin, no plan of one changes what the other may do or costs. All aims are sums over the
groups, so the best of each is the best of all, ties included. A group that reaches into the next
one is joined with it.
"""

from collections.abc import Callable
from dataclasses import replace

from agent.planning.load import Load
from agent.planning.score import Piece, score
from agent.planning.timeline import Timeline

Search = Callable[[Timeline, Load], tuple[list[Piece], int | None]]


def plan_apart(
    timeline: Timeline, load: Load, search: Search
) -> tuple[list[Piece], int | None] | None:
    """Pieces and bound as `search` gives them; None where all demands are one group."""
    if load.old.cost:
        return None
    # Runs that touch would be one run: a second lies between groups at least.
    gap = max(load.min_off, 1)
    groups = _groups(load, gap)
    if len(groups) < 2:
        return None
    pieces: list[Piece] = []
    total, proved, at = 0, True, 0
    while at < len(groups):
        members = groups[at]
        if len(members) == len(load.needs):
            return None
        part = replace(load, needs=tuple(load.needs[i] for i in members))
        if at:
            part = replace(part, going=False, forced=0, wait=0)
        found, bound = search(timeline, part)
        end = max((end for _, end, _ in found), default=0)
        if at + 1 < len(groups) and end + gap > _begin(load, groups[at + 1]):
            groups[at : at + 2] = [members + groups[at + 1]]
            continue
        objective = score(timeline, part, found).objective
        pieces += [(a, b, None if i is None else members[i]) for a, b, i in found]
        total += objective if bound is None else min(bound, objective)
        proved = proved and (bound is None or bound >= objective)
        at += 1
    return pieces, None if proved else total


def _begin(load: Load, members: list[int]) -> int:
    return min(load.needs[i].earliest for i in members)


def _groups(load: Load, gap: int) -> list[list[int]]:
    """Indices of demands by windows that lie apart, in time order."""
    groups: list[list[int]] = []
    end = 0
    for index in sorted(range(len(load.needs)), key=lambda i: load.needs[i].earliest):
        need = load.needs[index]
        if groups and need.earliest < end + gap:
            groups[-1].append(index)
        else:
            groups.append([index])
        end = max(end, need.deadline, load.forced, load.wait)
    return groups
