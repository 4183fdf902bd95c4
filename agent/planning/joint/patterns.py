"""Plans from patterns of thermal devices: what is on and off is given, the rest follows by linear
programmes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count, islice

import numpy as np

from agent.planning.engine import Deadline
from agent.planning.joint.columns import Mixture
from agent.planning.joint.heat import ThermalDevice
from agent.planning.joint.highs import Highs, Solution
from agent.planning.joint.mending import mended_values, patterned_values
from agent.planning.joint.milp import INF
from agent.planning.joint.paths import Path
from agent.planning.joint.programme import Programme
from agent.planning.joint.recursion import Floats
from agent.planning.joint.search import Search, enter_values
from agent.planning.joint.starting import start_of
from agent.planning.judge import Judged

# On/off columns of thermal devices and their values.
Pattern = dict[int, float]
# How many paths of each device make patterns, and how many patterns become plans.
HEAVIEST, ENTERED = 4, 4
# A pattern that is dearer than the best plan by itself is none.
ROUGH_GAP, REPAIR_SHARE = 1e-4, 0.15
# Of the time that is left, what a search with the best pattern may take, and how often it begins.
REST_SHARE, REST_ROUNDS = 0.4, 3
# To what share of a good gap it goes.
ENOUGH = 0.3
# What a pattern may cost above the bound, as a share of a good gap, to be as good as any.
NEAR = 0.6
# What a kWh counts that runs lose of what a programme without minimum times takes: in the first
# attempt, and in those that follow with the best pattern.
LOST, LOST_NEXT = 0.5, (0.5, 1.0, 2.0, 4.0)
# How near runs at its prices stay to what is on there, in median prices of full power; after so
# many that are no cheaper, or that share of the time, no more are looked for.
FIRST_PARTS = (0.5, 0.2, 0.8, 0.0)
LEANINGS, RUN_PATIENCE, RUN_SHARE, CHEAPER = (0.0, 0.1), 8, 0.25, 1e-6
# How many cells beside its edges a pattern leaves open where it breaks a limit.
BESIDE = 1


@dataclass(frozen=True, slots=True)
class Priced:
    """A pattern of thermal devices and the relaxed programme that keeps it, `solution` with what is
    on of flexible devices with minimum times, `free` without."""

    pattern: Pattern
    free: Solution
    solution: Solution
    runs: Pattern


def pattern_of(programme: Programme, paths: Mapping[str, Path]) -> Pattern:
    return {
        programme.thermal[id].on[k]: float(on)
        for id, path in paths.items()
        for k, on in enumerate(path.pattern)
    }


def patterns_of(programme: Programme, mixture: Mixture) -> list[Pattern]:
    """The heaviest paths of each device together, then one device with its next ones each."""
    if not mixture.paths:
        return []
    heaviest = {id: own[0][1] for id, own in mixture.paths.items()}
    found = [pattern_of(programme, heaviest)]
    for id, own in mixture.paths.items():
        for weight, path in islice(own, 1, HEAVIEST):
            one = pattern_of(programme, {**heaviest, id: path})
            if weight > 0 and one not in found:
                found.append(one)
    return found


def pattern_like(programme: Programme, plan: Judged) -> Pattern:
    """What is on and off, and what starts when, as in a plan."""
    known = start_of(programme, plan)
    columns = [column for heat in programme.thermal.values() for column in heat.on.values()]
    columns += [column for one in programme.programs.values() for column in one.starts.values()]
    for device in programme.flexible.values():
        columns += [column for block in device.blocks for column in block.starts.values()]
        if device.switched:
            parts = [
                part for split in device.splits for k in split.power for part in split.parts(k)
            ]
            columns += [*device.on.values(), *(part.on for part in parts)]
    return {column: known[column] for column in columns if column in known}


def enter_like(search: Search, programme: Programme, highs: Highs) -> None:
    """The best plan so far, with everything else done as well as can be beside what is on."""
    if search.best is None:
        return
    pattern = pattern_like(programme, search.best)
    solution = fixed(programme, highs, pattern, search.left())
    if solution.values is None:
        return
    values = patterned_values(programme, highs, pattern, solution, search.left, INF)
    if values is not None:
        enter_values(search, programme, values)


def enter_patterns(
    search: Search,
    programme: Programme,
    highs: Highs,
    patterns: Sequence[Pattern],
    *,
    quickly: bool = False,
) -> Priced | None:
    """Each is priced; those that could be better than the best plan become plans, best first. The
    cheapest; None where none is feasible. `quickly`: the first way that makes a plan will do."""
    house = programme.house
    priced: list[Priced] = []
    for pattern in patterns:
        if search.left() <= 0:
            break
        solution = fixed(programme, highs, pattern, search.left())
        if solution.impossible:
            _repair(search, programme, highs, pattern)
        if solution.values is None:
            continue
        without = Priced(pattern, solution, solution, {})
        one = _with_runs(search, programme, highs, without, LOST) or without
        priced.append(one)
        solution = one.solution
        if solution.objective + house.constant - search.bound < NEAR * search.enough:
            # No other is worth looking for.
            break
    priced.sort(key=lambda one: one.solution.objective)
    if priced and not quickly and search.left() > 0:
        priced[0] = _with_better_runs(search, programme, highs, priced[0])
    for one in priced[:ENTERED]:
        value = one.solution.objective
        if search.left() <= 0 or search.good or value + house.constant >= search.objective:
            break
        enough = INF if quickly else value + (1 - NEAR) * search.enough
        known = one.pattern | one.runs
        values = patterned_values(programme, highs, known, one.solution, search.left, enough)
        if values is not None:
            enter_values(search, programme, values)
    return priced[0] if priced else None


def _with_runs(
    search: Search,
    programme: Programme,
    highs: Highs,
    priced: Priced,
    lost: float,
    *,
    backwards: bool = False,
) -> Priced | None:
    """With the runs that lie nearest to what flexible devices take without minimum times: one
    device after the other, as what one gives up the next may take. None where there are none."""
    lattices = programme.run_lattices(search.kernel)
    at, runs = priced.free, Pattern()
    for lattice in reversed(lattices) if backwards else lattices:
        found = lattice.nearest(at, lost)
        if found is None:
            return None
        runs |= found
        at = fixed(programme, highs, priced.pattern | runs, search.left())
        if at.values is None:
            return None
    return replace(priced, solution=at, runs=runs) if runs else None


def _with_better_runs(search: Search, programme: Programme, highs: Highs, priced: Priced) -> Priced:
    """The cheapest of more attempts beside the same pattern, near and by price."""
    lattices = programme.run_lattices(search.kernel)
    if not lattices:
        return priced
    near = priced.free.objective + NEAR * search.enough
    share = search.deadline.share(RUN_SHARE)
    best = priced
    for lost in LOST_NEXT:
        for backwards in (False, True):
            if best.solution.objective < near or share.over() or search.left() <= 0:
                return best
            found = _with_runs(search, programme, highs, priced, lost, backwards=backwards)
            if found is not None and _is_cheaper(found, best):
                best = found
    return _with_priced_runs(search, programme, highs, best, share)


def _with_priced_runs(
    search: Search, programme: Programme, highs: Highs, priced: Priced, share: Deadline
) -> Priced:
    """Prices are first those of the programme without minimum times. Beside a roof a device that is
    on draws more than its price is good for, so what follows is found at prices between these and
    those with the runs that were tried.
    """
    lattices = programme.run_lattices(search.kernel)
    near = priced.free.objective + NEAR * search.enough
    first = np.array(priced.free.duals)
    best, at, patience = priced, priced.free, RUN_PATIENCE
    tried: list[Pattern] = []
    seen: list[Floats] = [np.array(priced.solution.duals)] if priced.runs else []
    for turn in count():
        if not patience or share.over() or search.left() <= 0:
            break
        runs: Pattern = {}
        for lattice in lattices:
            runs |= lattice.pattern(at, LEANINGS[turn % len(LEANINGS)]) or {}
        patience -= 1
        if runs and runs not in tried:
            tried.append(runs)
            kept = fixed(programme, highs, priced.pattern | runs, search.left())
            if kept.values is not None:
                seen.append(np.array(kept.duals))
                found = replace(priced, solution=kept, runs=runs)
                if _is_cheaper(found, best):
                    best, patience = found, RUN_PATIENCE
                if kept.objective < near:
                    break
        if seen:
            part = FIRST_PARTS[turn % len(FIRST_PARTS)]
            at = replace(priced.free, duals=part * first + (1 - part) * np.mean(seen, axis=0))
    return best


def _is_cheaper(one: Priced, other: Priced) -> bool:
    """Without runs a programme is no plan."""
    return not other.runs or one.solution.objective < other.solution.objective - CHEAPER


def search_rest(search: Search, programme: Programme, highs: Highs, priced: Priced) -> None:
    """With this pattern, on and off of cars and directions are found by a small search."""
    milp, money = programme.house.milp, programme.house.money
    values = priced.solution.values
    share = search.deadline.share(REST_SHARE)
    for _ in range(REST_ROUNDS):
        if values is None or not programme.tighten(values) or share.over():
            break
        lower, upper = list(milp.lower), list(milp.upper)
        try:
            for column, value in priced.pattern.items():
                milp.fix(column, value)
            enough = ENOUGH * search.enough
            start = (
                None if search.best is None else start_of(programme, search.best) | priced.pattern
            )
            values = highs.solve(money, share.left(), gap=0.0, absolute=enough, start=start).values
        finally:
            milp.lower[:], milp.upper[:] = lower, upper
        if values is not None and not enter_values(search, programme, values):
            mended = mended_values(programme, highs, values, share.left)
            if mended is not None:
                enter_values(search, programme, mended)


def fixed(programme: Programme, highs: Highs, pattern: Pattern, seconds: float) -> Solution:
    """The relaxed programme with these columns as they are."""
    milp = programme.house.milp
    lower, upper = list(milp.lower), list(milp.upper)
    try:
        for column, value in pattern.items():
            milp.fix(column, value)
        return highs.solve(programme.house.money, seconds, relaxed=True)
    finally:
        milp.lower[:], milp.upper[:] = lower, upper


def _repair(search: Search, programme: Programme, highs: Highs, pattern: Pattern) -> None:
    """Beside its edges a pattern may be wrong: the lattice knows temperatures to a step only."""
    milp = programme.house.milp
    edges = {column for heat in programme.thermal.values() for column in _near(heat, pattern)}
    lower, upper = list(milp.lower), list(milp.upper)
    try:
        for column, value in pattern.items():
            if column not in edges:
                milp.fix(column, value)
        seconds = search.left() * REPAIR_SHARE
        solution = highs.solve(programme.house.money, seconds, gap=ROUGH_GAP)
    finally:
        milp.lower[:], milp.upper[:] = lower, upper
    if solution.values is None or enter_values(search, programme, solution.values):
        return
    mended = mended_values(programme, highs, solution.values, search.left)
    if mended is not None:
        enter_values(search, programme, mended)


def _near(heat: ThermalDevice, pattern: Pattern) -> set[int]:
    """On/off columns of the cells beside the edges of a pattern."""
    on = [pattern.get(heat.on[k]) for k in range(heat.count)] if heat.on else []
    if not on or on[0] is None:
        return set()
    edges = np.flatnonzero(np.diff(np.array(on, dtype=float)))
    cells = {int(k) + aside for k in edges for aside in range(-BESIDE, 2 + BESIDE)}
    return {heat.on[k] for k in cells if 0 <= k < heat.count}
