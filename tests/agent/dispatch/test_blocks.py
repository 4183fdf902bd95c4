"""A blocked heat pump: two hours in a row over every revision, then a rest."""

from agent.dispatch.blocks import BlockHistory, blocked_spans

HOUR = 3600


def hours(spans: list[tuple[int, int]]) -> list[tuple[float, float]]:
    return [(a / HOUR, b / HOUR) for a, b in spans]


def test_a_long_pause_is_blocks_of_two_hours_with_rests_between() -> None:
    spans = blocked_spans(0, 5 * HOUR, BlockHistory(), 0)
    assert hours(spans) == [(0, 2), (2.5, 4.5)]


def test_a_block_under_way_is_counted_from_its_first_second() -> None:
    spans = blocked_spans(HOUR, 4 * HOUR, BlockHistory(since=0), 0)
    assert hours(spans) == [(1, 2), (2.5, 4)]
    spans = blocked_spans(3 * HOUR, 6 * HOUR, BlockHistory(since=0), 0)
    assert hours(spans) == [(3, 5), (5.5, 6)]


def test_after_a_block_there_is_a_rest_as_long_as_the_device_needs() -> None:
    spans = blocked_spans(HOUR, 4 * HOUR, BlockHistory(ended=HOUR - 600), HOUR)
    assert spans[0][0] == 2 * HOUR - 600
