"""A plan from a solution that breaks relaxed rules: whole numbers stay, directions are rounded.

Each direction that is broken is set to what its flows are mostly, and the rest is solved again as a
linear programme; in a few rounds, as one direction pushes flows into another.
"""

from collections.abc import Callable, Sequence

from agent.planning.joint.highs import Highs
from agent.planning.joint.programme import Programme

ROUNDS = 8


def mended_values(
    programme: Programme, highs: Highs, values: Sequence[float], left: Callable[[], float]
) -> Sequence[float] | None:
    """None where no such plan is found. The bounds of the programme are as before afterwards."""
    house = programme.house
    milp = house.milp
    lower, upper = list(milp.lower), list(milp.upper)
    found: Sequence[float] | None = None
    try:
        for column in milp.whole - programme.fresh:
            milp.fix(column, float(round(values[column])))
        for column, (low, high) in programme.rounded_powers(values).items():
            milp.lower[column], milp.upper[column] = low, high
        for _ in range(ROUNDS):
            wrong = programme.site.directions_of(values)
            for column, value in wrong.items():
                milp.fix(column, value)
            solution = highs.solve(house.money, left(), relaxed=True)
            if solution.values is None or left() <= 0:
                break
            values = solution.values
            if not programme.site.broken_now(values):
                found = values
                break
    finally:
        milp.lower[:], milp.upper[:] = lower, upper
    return found
