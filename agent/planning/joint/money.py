"""Least money, with the aims where they are: relaxed, by patterns of thermal devices, by search."""

from collections.abc import Mapping

from agent.planning.joint.columns import ColumnGeneration, Mixture
from agent.planning.joint.highs import Highs, Solution
from agent.planning.joint.mending import mended_values
from agent.planning.joint.milp import INF
from agent.planning.joint.paths import Path
from agent.planning.joint.patterns import (
    Pattern,
    enter_like,
    enter_patterns,
    pattern_of,
    patterns_of,
    search_rest,
)
from agent.planning.joint.programme import Programme
from agent.planning.joint.search import FINE_GAP, MIP_ROUNDS, Search, enter_values
from agent.planning.joint.starting import start_of, whole_values

# Programmes that relax rules are solved to this gap, in this share of the time that is left.
ROUGH_GAP, ROUGH_SHARE = 1e-4, 0.8
# Of the time that is left, what prices and paths of thermal devices may take.
COLUMNS_SHARE = 0.4
# With less time than that no pattern is looked for, and a search is not begun again.
LEAST_PATTERN_S, LEAST_SEARCH_S = 0.06, 0.3


def prove_relaxed(search: Search, programme: Programme, highs: Highs, relaxed: Solution) -> None:
    """Proves what the programme without whole numbers can prove, and finds which directions matter;
    plans from paths of thermal devices, and what these prove."""
    house = programme.house
    if relaxed.values is None:
        return
    if house.exact:
        search.raise_bound(relaxed.bound + house.constant)
    programme.tighten_directions(relaxed.values)
    if search.closed or search.left() < LEAST_PATTERN_S:
        return
    if search.aims_proved and not search.good:
        enter_like(search, programme, highs)
    generation = ColumnGeneration(programme, search.kernel, search.memory)
    if generation.devices:
        generation.begin(relaxed)
        _prove_by_paths(search, programme, highs, generation)


def prove_remembered(search: Search, programme: Programme, highs: Highs) -> bool:
    """The same from what is known of the plan before, without solving the whole house first. False
    where nothing is known, or where that led to no plan."""
    if search.left() < LEAST_PATTERN_S:
        return False
    generation = ColumnGeneration(programme, search.kernel, search.memory)
    if not generation.recall():
        return False
    _prove_by_paths(search, programme, highs, generation)
    return search.aims_proved and search.bound > -INF


def _prove_by_paths(
    search: Search, programme: Programme, highs: Highs, generation: ColumnGeneration
) -> None:
    house = programme.house

    def first(paths: Mapping[str, Path]) -> None:
        pattern = pattern_of(programme, paths)
        enter_patterns(search, programme, highs, [pattern], quickly=True)

    if not generation.start(search.left, first):
        return
    cheapest, seen = None, list[Pattern]()
    while search.left() > 0:
        share = search.deadline.share(COLUMNS_SHARE)
        mixture = generation.run(search.stake, share.left)
        if house.exact:
            search.raise_bound(mixture.bound + house.constant)
        fresh = [one for one in patterns_of(programme, mixture) if one not in seen]
        seen += fresh
        cheapest = enter_patterns(search, programme, highs, fresh) or cheapest
        _remember(search, programme, generation, mixture)
        if generation.finished or search.good or search.left() < LEAST_PATTERN_S:
            break
    if house.exact and not search.good and search.left() > 0:
        search.raise_bound(generation.prove() + house.constant)
    if cheapest is not None and not search.good and search.left() > 0:
        search_rest(search, programme, highs, cheapest)


def _remember(
    search: Search, programme: Programme, generation: ColumnGeneration, mixture: Mixture
) -> None:
    """The heaviest paths and the best prices, for the next time."""
    found = {id: [path.on for _, path in paths] for id, paths in mixture.paths.items()}
    rates = {id: one.rates(generation.best.prices[id]) for id, one in generation.devices.items()}
    search.memory.keep(programme.problem, found, rates)


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
