"""How much of a house the joint engine plans in time and without taking the machine's memory."""

from agent.planning.problem import Problem

# Cells times devices: of more than so many nothing is known in time, per second that is left, and
# telling the solver takes more memory than a gateway has to spare.
MOST_SIZE, SIZE_IN_A_SECOND = 6000, 2000


def is_too_large(problem: Problem, seconds: float = float("inf")) -> bool:
    """Whether it is not worth asking, with so many seconds left."""
    size = problem.grid.boundary(problem.grid.end) * len(problem.models)
    return size > min(MOST_SIZE, SIZE_IN_A_SECOND * seconds)
