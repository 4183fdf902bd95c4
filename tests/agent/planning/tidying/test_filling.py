"""Energy for cells that are on, where there are more of them than it takes."""

from agent.planning.tidying.filling import filled
from agent.planning.tidying.room import Option

QUARTER = 900
POWER = 10


def cell(k: int, price: int, *, needed: bool = False) -> Option:
    points = ((POWER, price * POWER * QUARTER),)
    return Option(k * QUARTER, (k + 1) * QUARTER, POWER, POWER, points, needed)


def test_a_run_beside_a_cell_that_must_be_on_is_cut_behind_it() -> None:
    """The dear ones between that cell and the cheap ones go."""
    options = [cell(0, 5, needed=True), *(cell(k, 5) for k in (1, 2, 3)), cell(4, 2), cell(5, 2)]
    powers = [(POWER, 0)] * len(options)
    own = filled(options, powers, range(len(options)), 3 * POWER * QUARTER, POWER)
    assert own is not None
    assert sorted(own) == [0, 4, 5]
