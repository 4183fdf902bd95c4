"""Which edges of a plan are those of the plan in force, and what the others cost."""

from agent.planning.incumbent import OFF, ON, IncumbentEdges

COST = 7
HOUR = 3600


def edges(*runs: tuple[int, int], until: int = 24 * HOUR) -> IncumbentEdges:
    return IncumbentEdges(COST, until, {ON: [a for a, _ in runs], OFF: [b for _, b in runs]})


def test_a_plan_that_is_kept_changes_nothing() -> None:
    assert edges((HOUR, 2 * HOUR)).changes([(HOUR, 2 * HOUR)]) == 0


def test_an_edge_within_two_minutes_is_the_same() -> None:
    old = edges((HOUR, 2 * HOUR))
    assert old.changes([(HOUR - 120, 2 * HOUR + 120)]) == 0
    # Each of the two is new, and each of the old ones is missed.
    assert old.changes([(HOUR - 121, 2 * HOUR + 121)]) == 4


def test_edges_of_a_run_that_is_too_short_match_nothing() -> None:
    old = edges((HOUR, 2 * HOUR))
    assert old.changes([(HOUR, HOUR + 239)]) == 4
    assert old.changes([(HOUR, HOUR + 240)]) == 2


def test_edges_beside_a_gap_that_is_too_short_match_nothing() -> None:
    old = edges((HOUR, 2 * HOUR))
    # The end at the gap and the start after it are new, and the old end is missed no more.
    assert old.changes([(HOUR, HOUR + 1800), (HOUR + 1800 + 239, 2 * HOUR)]) == 2


def test_what_lies_beyond_the_span_that_counts_is_free() -> None:
    assert edges((HOUR, 2 * HOUR), until=HOUR).changes([]) == 0
    assert edges((HOUR, 2 * HOUR), until=HOUR + 1).changes([]) == 1


def test_a_run_under_way_is_as_long_as_it_has_been_on() -> None:
    old = edges((-300, 100))
    assert old.changes([(0, 100)], running_since=-300) == 0
    # On since a moment ago: too short, so its end is new and the old one is missed.
    assert old.changes([(0, 100)], running_since=-10) == 2
