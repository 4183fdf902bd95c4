"""On or off, since when, and whether that was told."""

from datetime import UTC, datetime, timedelta

import pytest

from agent.home.model.commanded import Commanded, CommandedSpan
from agent.home.model.switching import Switching

NOW = datetime(2026, 1, 16, 20, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LEAST = timedelta(minutes=20)


def told_on(first: int, last: int, *, at: int = 0, free_outside: bool = False) -> Commanded:
    """Told at that minute to run from the first to the last."""
    commanded = Commanded()
    span = CommandedSpan(NOW + first * MINUTE, NOW + last * MINUTE, 2000.0)
    commanded.tell([span], NOW + at * MINUTE, free_outside=free_outside)
    return commanded


def heard(switching: Switching, commanded: Commanded, minute: int, *, on: bool) -> None:
    at = NOW + minute * MINUTE
    switching.note_own(commanded, at, LEAST, on=on, clock_is_ahead=False)
    switching.report(at, on=on)


def test_it_switches_as_it_was_told_where_it_does_not_tell() -> None:
    switching, commanded = Switching(), told_on(10, 60)
    switching.follow(commanded, NOW + 30 * MINUTE)
    assert (switching.on_since, switching.off_since) == (NOW + 10 * MINUTE, None)
    switching.follow(commanded, NOW + 70 * MINUTE)
    assert (switching.on_since, switching.off_since) == (None, NOW + 60 * MINUTE)


def test_a_rest_whose_beginning_nobody_saw_is_none_that_has_to_last() -> None:
    switching = Switching()
    switching.report(NOW, on=False)
    assert (switching.off_since, switching.was_seen_to_end) == (NOW, False)
    switching.report(NOW + MINUTE, on=True)
    switching.report(NOW + 2 * MINUTE, on=False)
    assert (switching.off_since, switching.was_seen_to_end) == (NOW + 2 * MINUTE, True)


def test_it_is_idle_since_it_first_told_so() -> None:
    switching = Switching()
    for minute in (0, 1):
        switching.report(NOW + minute * MINUTE, on=False)
    assert switching.idle_since == NOW
    switching.report(NOW + 2 * MINUTE, on=True)
    assert switching.idle_since is None


@pytest.mark.parametrize(("minute", "is_own"), [(3, True), (8, False), (30, False)])
def test_a_run_that_began_long_before_it_was_told_is_its_own(minute: int, is_own: bool) -> None:
    """The clocks may differ by four minutes."""
    switching = Switching()
    heard(switching, told_on(10, 60), minute, on=True)
    assert switching.own.is_left_alone(NOW + minute * MINUTE) is is_own


def test_heat_begins_runs_of_its_own_all_the_time() -> None:
    switching = Switching()
    heard(switching, told_on(100, 160, free_outside=True), 3, on=True)
    assert not switching.own.is_left_alone(NOW + 4 * MINUTE)


@pytest.mark.parametrize(("minute", "is_own"), [(31, True), (45, False)])
def test_one_that_goes_off_just_as_it_is_told_anew_refuses(minute: int, is_own: bool) -> None:
    switching = Switching()
    heard(switching, told_on(0, 60), 0, on=True)
    heard(switching, told_on(0, 90, at=30), minute, on=False)
    assert switching.own.is_left_alone(NOW + minute * MINUTE) is is_own


def test_another_stay_is_another_car() -> None:
    switching = Switching()
    heard(switching, told_on(100, 160), 3, on=True)
    switching.begin_session()
    assert not switching.own.is_left_alone(NOW + 4 * MINUTE)
