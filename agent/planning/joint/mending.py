"""A plan from a solution that breaks relaxed rules: whole numbers stay, directions are rounded.

Each direction that is broken is set to what its flows are mostly, and the rest is solved again as a
linear programme; in a few rounds, as one direction pushes flows into another.
"""

from collections.abc import Callable, Mapping, Sequence

from agent.planning.joint.highs import Highs, Solution
from agent.planning.joint.milp import INF
from agent.planning.joint.programme import Programme

ROUNDS = 8


def mended_values(
    programme: Programme,
    highs: Highs,
    values: Sequence[float],
    left: Callable[[], float],
    fixed: Mapping[int, float] | None = None,
    enough: float = -INF,
) -> Sequence[float] | None:
    """None where no such plan is found. The bounds of the programme are as before afterwards.

    `fixed`: columns that keep a value; left out, all whole numbers that the last search knew.
    `enough`: a value that is good enough to look for no better one.
    """
    house = programme.house
    milp = house.milp
    if fixed is None:
        whole = milp.whole - programme.fresh
        fixed = {column: float(round(values[column])) for column in whole}
    # They may give a device on/off in more cells, for good.
    roundings = programme.roundings(values, fixed)
    lower, upper = list(milp.lower), list(milp.upper)
    try:
        for column, value in fixed.items():
            milp.fix(column, value)
        best: Solution | None = None
        for powers in roundings:
            kept = list(milp.lower), list(milp.upper)
            for column, (low, high) in powers.items():
                milp.lower[column], milp.upper[column] = low, high
            solution = directed(programme, highs, values, left)
            milp.lower[:], milp.upper[:] = kept
            if solution is not None and (best is None or solution.objective < best.objective):
                best = solution
            if left() <= 0 or (best is not None and best.objective <= enough):
                break
        return None if best is None else best.values
    finally:
        milp.lower[:], milp.upper[:] = lower, upper


def directed(
    programme: Programme,
    highs: Highs,
    values: Sequence[float],
    left: Callable[[], float],
    cost: Mapping[int, float] | None = None,
) -> Solution | None:
    """Directions are set until none is broken, at last every one at once, as one that is set may
    break the next; their bounds stay. `cost`: what is minimised, money where it is left out."""
    house = programme.house
    for n in range(ROUNDS + 1):
        for column, value in programme.site.directions_of(values, every=n == ROUNDS).items():
            house.milp.fix(column, value)
        solution = highs.solve(house.money if cost is None else cost, left(), relaxed=True)
        if solution.values is None or left() <= 0:
            return None
        values = solution.values
        if not programme.site.broken_now(values):
            return solution
    return None


def patterned_values(
    programme: Programme,
    highs: Highs,
    on: Mapping[int, float],
    solution: Solution,
    left: Callable[[], float],
    enough: float,
) -> Sequence[float] | None:
    """A plan with these columns as they are, by linear programmes alone; None where blocks of their
    own ask for a search. `solution`: the programme with them; `enough`: see `mended_values`."""
    if any(device.free_blocks for device in programme.flexible.values()):
        return None
    assert solution.values is not None, "solved"
    fixed = dict(on)
    starts = [program.starts for program in programme.programs.values()]
    starts += [block.starts for device in programme.flexible.values() for block in device.blocks]
    for columns in starts:
        if columns:
            likeliest = max(columns.values(), key=solution.values.__getitem__)
            fixed |= {column: float(column == likeliest) for column in columns.values()}
    return mended_values(programme, highs, solution.values, left, fixed, enough)
