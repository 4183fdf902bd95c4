"""Clocks of devices that are slow, and messages that come late."""

from datetime import UTC, datetime, timedelta

import pytest

from agent.home.model.device_clock import DeviceClock

NOW = datetime(2026, 1, 16, 20, tzinfo=UTC)


def second(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize("hours", [0.1, 0.27, 1, 5, 24 * 1000])
def test_what_a_slow_clock_dates_counts_as_it_comes(hours: float) -> None:
    clock, lag = DeviceClock(), timedelta(hours=hours)
    clock.corrected(second(0) - lag, second(0))
    for each in range(30, 300, 30):
        assert clock.corrected(second(each) - lag, second(each + 1)) >= second(each)
    assert clock.lag == pytest.approx(lag, abs=timedelta(seconds=2))


def test_a_clock_that_was_set_is_believed_again() -> None:
    clock = DeviceClock()
    for each in (0, 30, 60):
        clock.corrected(second(each - 3600), second(each))
    assert clock.corrected(second(88), second(90)) == second(88)
    assert not clock.lag


def test_messages_that_were_held_back_keep_their_times() -> None:
    clock = DeviceClock()
    for each in range(60):
        # A minute apart when they were said, and all come within six seconds.
        said = second(60 * each - 7200)
        assert clock.corrected(said, second(each / 10)) == said


def test_one_message_again_and_again_grows_older() -> None:
    clock = DeviceClock()
    for each in range(0, 3600, 60):
        assert clock.corrected(second(-3600), second(each)) == second(-3600)
    assert clock.dated_long_ago is None
    clock.corrected(second(-90_000), second(4000))
    assert clock.dated_long_ago == second(-90_000)


@pytest.mark.parametrize("hours", [0.1, 1, 5])
def test_a_fast_clock_is_known_and_what_it_dates_counts_as_it_comes(hours: float) -> None:
    clock, lead = DeviceClock(), timedelta(hours=hours)
    for each in range(0, 300, 30):
        assert clock.corrected(second(each) + lead, second(each)) == second(each)
    assert clock.lead == lead
    assert not clock.lag
    clock.corrected(second(300), second(300))
    assert not clock.lead


def test_one_time_ahead_that_does_not_run_is_no_clock() -> None:
    clock = DeviceClock()
    for each in range(0, 300, 30):
        assert clock.corrected(second(90_000), second(each)) == second(each)
    assert not clock.lead
