"""Least money, with the aims where they are: relaxed, by patterns of thermal devices, by search."""

from collections.abc import Mapping

from agent.planning.joint.heat_cuts import Pattern, heat_bound
from agent.planning.joint.highs import Highs, Solution
from agent.planning.joint.mending import mended_values, patterned_values
from agent.planning.joint.programme import Programme
from agent.planning.joint.search import FINE_GAP, MIP_ROUNDS, Search, enter_values
from agent.planning.joint.starting import start_of, whole_values

# Programmes that relax rules are solved to this gap, in this share of the time that is left.
ROUGH_GAP, ROUGH_SHARE = 1e-4, 0.8
# Of the time that is left, what rows of thermal devices and what each of their patterns may take.
CUTS_SHARE, PATTERN_SHARE = 0.4, 0.25
# How many cells beside its edges a pattern leaves open.
BESIDE = 1
# With less time than that no pattern is looked for, and a search is not begun again.
LEAST_PATTERN_S, LEAST_SEARCH_S = 0.08, 0.3


def prove_relaxed(
    search: Search, programme: Programme, highs: Highs, relaxed: Solution
) -> list[Pattern]:
    """Proves what the programme without whole numbers can prove, and finds which directions matter;
    patterns of thermal devices, the best last."""
    house = programme.house
    if relaxed.values is None:
        return []
    if house.exact:
        search.raise_bound(relaxed.bound + house.constant)
    programme.tighten_directions(relaxed.values)
    if search.closed or search.left() < LEAST_PATTERN_S:
        return []
    share = search.deadline.share(CUTS_SHARE)

    def first(pattern: Pattern) -> None:
        enter_pattern(search, programme, highs, pattern)

    bound, patterns = heat_bound(programme, highs, relaxed, share.left, first)
    if house.exact:
        search.raise_bound(bound + house.constant)
    return patterns


def least_money(
    search: Search,
    programme: Programme,
    highs: Highs,
    start: Mapping[int, float] | None = None,
) -> None:
    """Least money with the aims where they are."""
    house = programme.house
    if start is None and search.best is not None:
        start = start_of(programme, search.best)
    broken = True
    for _ in range(MIP_ROUNDS):
        if search.left() <= 0 or search.closed:
            break
        # While rules are broken, a rough solution says well enough which ones matter.
        rough = broken and programme.relaxes
        seconds = search.left() * (ROUGH_SHARE if rough else 1.0)
        gap = ROUGH_GAP if rough else FINE_GAP
        solution = highs.solve(house.money, seconds, start=start, gap=gap)
        if house.exact and not solution.impossible:
            search.raise_bound(solution.bound + house.constant)
        if solution.values is None:
            if not rough or solution.impossible:
                break
            continue
        enter_values(search, programme, solution.values)
        if search.closed:
            break
        start = whole_values(programme, solution.values)
        broken = programme.tighten(solution.values)
        if broken and search.left() > 0:
            mended = mended_values(programme, highs, solution.values, search.left)
            if mended is not None:
                enter_values(search, programme, mended)
                start = None if search.best is None else start_of(programme, search.best)
        elif not broken and not (rough and search.left() > LEAST_SEARCH_S):
            break


def enter_pattern(search: Search, programme: Programme, highs: Highs, pattern: Pattern) -> bool:
    """The best plan in which thermal devices are on and off as the pattern has it."""
    if search.left() <= 0:
        return False
    milp = programme.house.milp
    columns = {
        programme.thermal[id].on[k]: float(on)
        for id, cells in pattern.items()
        for k, on in enumerate(cells)
    }
    values = patterned_values(programme, highs, columns, search.left)
    if values is not None and enter_values(search, programme, values):
        return True
    # Beside its edges a pattern may be wrong: the lattice knows temperatures to a step only.
    edges = {
        programme.thermal[id].on[k + aside]
        for id, cells in pattern.items()
        for k in range(1, len(cells))
        if cells[k] != cells[k - 1]
        for aside in range(-1 - BESIDE, 1 + BESIDE)
        if 0 <= k + aside < len(cells)
    }
    lower, upper = list(milp.lower), list(milp.upper)
    try:
        for column, value in columns.items():
            if column not in edges:
                milp.fix(column, value)
        seconds = search.left() * PATTERN_SHARE
        solution = highs.solve(programme.house.money, seconds, gap=ROUGH_GAP)
    finally:
        milp.lower[:], milp.upper[:] = lower, upper
    if solution.values is None:
        return False
    if enter_values(search, programme, solution.values) or search.left() <= 0:
        return True
    mended = mended_values(programme, highs, solution.values, search.left)
    return mended is not None and enter_values(search, programme, mended)
