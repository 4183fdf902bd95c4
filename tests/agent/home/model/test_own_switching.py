"""What switches otherwise than told is left alone."""

from datetime import UTC, datetime, timedelta

from agent.home.model.own_switching import (
    FORGOTTEN_AFTER,
    LONGEST,
    LONGEST_RUN,
    OwnSwitching,
)

NOW = datetime(2026, 1, 16, 20, tzinfo=UTC)
LEAST = timedelta(minutes=20)
SECOND = timedelta(seconds=1)


def test_a_run_of_its_own_is_left_alone_until_it_ends() -> None:
    own = OwnSwitching()
    own.began(NOW)
    assert own.is_left_alone(NOW + LONGEST_RUN - SECOND)
    assert not own.is_left_alone(NOW + LONGEST_RUN)
    assert not own.is_odd(NOW)
    own.ended()
    assert not own.is_left_alone(NOW)


def test_each_refusal_is_waited_for_twice_as_long_up_to_two_hours() -> None:
    own, at = OwnSwitching(), NOW
    for lasts in (LEAST, 2 * LEAST, 4 * LEAST, LONGEST, LONGEST):
        own.refused(at, LEAST)
        assert own.is_left_alone(at + lasts - SECOND)
        assert not own.is_left_alone(at + lasts)
        at += lasts
    assert own.is_odd(at)


def test_after_a_day_it_is_trusted_again() -> None:
    own = OwnSwitching()
    for each in range(5):
        own.refused(NOW + each * LEAST, LEAST)
    own.refused(NOW + FORGOTTEN_AFTER + 5 * LEAST, LEAST)
    assert not own.is_left_alone(NOW + FORGOTTEN_AFTER + 6 * LEAST)
