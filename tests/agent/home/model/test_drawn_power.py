"""What a device is taken to draw, by what it told and what it was told."""

from datetime import UTC, datetime, timedelta

import pytest

from agent.home.model.commanded import OBEYS_WITHIN, CommandedSpan
from agent.home.model.drawn_power import REPORTS_WITHIN, DrawnPower

NOW = datetime(2026, 1, 16, 20, tzinfo=UTC)
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
FULL_W = 7200.0


def drawn(watts: float = FULL_W, *, free_outside: bool = False) -> DrawnPower:
    """Told at NOW to take that for an hour."""
    power = DrawnPower(FULL_W)
    power.commanded.tell([CommandedSpan(NOW, NOW + HOUR, watts)], NOW, free_outside=free_outside)
    return power


def test_without_a_word_of_it_what_it_was_told_counts_and_never_more_than_its_most() -> None:
    power = drawn(9000.0)
    assert power.power_w(NOW) == FULL_W
    assert power.power_w(NOW + HOUR) == 0
    assert power.energy_kwh(NOW, NOW + 2 * HOUR) == pytest.approx(7.2)
    power.takes_nothing = True
    assert power.power_w(NOW) == 0


def test_what_it_tells_counts_for_a_quarter_of_an_hour() -> None:
    power = drawn()
    power.told = 3000.0, NOW
    assert power.power_w(NOW + REPORTS_WITHIN) == 3000
    assert power.power_w(NOW + REPORTS_WITHIN + SECOND) == FULL_W
    assert not power.reports(NOW + REPORTS_WITHIN + SECOND)
    assert power.energy_kwh(NOW, NOW + HOUR / 2) == pytest.approx(0.75 + 1.8, abs=1e-5)


@pytest.mark.parametrize(("free_outside", "after_w"), [(False, 0.0), (True, 3000.0)])
def test_told_less_since_it_has_obeyed_unless_it_draws_what_it_likes(
    free_outside: bool, after_w: float
) -> None:
    power = drawn(free_outside=free_outside)
    power.told = 3000.0, NOW + SECOND
    stopped = NOW + 2 * SECOND
    power.commanded.tell([], stopped, free_outside=free_outside)
    assert power.power_w(stopped + OBEYS_WITHIN) == 3000
    assert power.power_w(stopped + OBEYS_WITHIN + SECOND) == after_w


def test_what_may_go_through_a_counter_is_all_that_it_can_where_it_may_run() -> None:
    assert drawn(3000.0).may_w(NOW) == FULL_W
    assert drawn(3000.0).most_w(NOW) == 3000
    assert drawn(3000.0).may_w(NOW + HOUR) == 0
    assert drawn(free_outside=True).may_w(NOW + HOUR) == FULL_W
