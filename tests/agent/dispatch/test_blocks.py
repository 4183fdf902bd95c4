"""A blocked heat pump: two hours in a row over every revision, then a rest."""

from dataclasses import replace

import pytest

from agent.dispatch.blocks import BlockHistory, BlockRule, blocked_spans, limited_blocks
from tests.agent.dispatch.test_limit import NOW, PUMP, schedule

# A device obeys a setpoint until so long after its end, where no other comes.
SETPOINT_GRACE_S = 30

HOUR = 3600


def hours(spans: list[tuple[int, int]]) -> list[tuple[float, float]]:
    return [(a / HOUR, b / HOUR) for a, b in spans]


def blocked(
    now: int, until: int, history: BlockHistory, rest_s: int = 1800
) -> list[tuple[float, float]]:
    return hours(blocked_spans([(now, until)], now, history, BlockRule(rest_s=rest_s)))


def test_a_long_pause_is_blocks_of_two_hours_with_rests_between() -> None:
    assert blocked(0, 5 * HOUR, BlockHistory()) == [(0, 2), (2.5, 4.5)]


def test_a_block_under_way_is_counted_from_its_first_second() -> None:
    assert blocked(HOUR, 4 * HOUR, BlockHistory(since=0)) == [(1, 2), (2.5, 4)]
    # One that was not ended in time, as by an agent that was away, ends now.
    assert blocked(3 * HOUR, 6 * HOUR, BlockHistory(since=0)) == [(3.5, 5.5)]


def test_after_a_block_there_is_a_rest_as_long_as_the_device_needs() -> None:
    spans = blocked(HOUR, 4 * HOUR, BlockHistory(ended=HOUR - 600), rest_s=HOUR)
    assert spans[0][0] == 2 - 600 / HOUR


def test_blocks_that_touch_are_one_and_others_have_a_rest_between() -> None:
    rule = BlockRule()
    touching = [(0, HOUR), (HOUR, 3 * HOUR)]
    assert hours(blocked_spans(touching, 0, BlockHistory(), rule)) == [(0, 1), (1, 2), (2.5, 3)]
    apart = [(0, HOUR), (HOUR + 600, 2 * HOUR)]
    assert hours(blocked_spans(apart, 0, BlockHistory(), rule)) == [(0, 1), (1.5, 2)]
    later = [(HOUR, 2 * HOUR)]
    assert hours(blocked_spans(later, 0, BlockHistory(since=-HOUR), rule)) == [(1, 2)]


def test_a_device_that_may_not_be_blocked_is_not() -> None:
    assert blocked_spans([(0, HOUR)], 0, BlockHistory(), BlockRule(longest_s=0)) == []


@pytest.mark.parametrize("longest_s", [7200, 3600])
def test_a_setpoint_whose_agent_dies_blocks_no_longer_than_allowed(longest_s: int) -> None:
    pump = replace(PUMP, on_mode=PUMP.pause_mode, block_max_s=longest_s)
    slots = schedule(pump, (0, 6 * HOUR, 0)).slots
    for history in (BlockHistory(), BlockHistory(since=NOW - 1200)):
        blocks = limited_blocks(slots, NOW, history, pump)
        begins = [history.since or NOW, *(slot.start for slot in blocks[1:])]
        lasts = [slot.end - begin for slot, begin in zip(blocks, begins, strict=True)]
        assert max(lasts) + SETPOINT_GRACE_S <= longest_s
        assert lasts[0] > longest_s - 120
