"""What has reached a device that is told each command as its time comes."""

from datetime import UTC, datetime, timedelta

import pytest

from agent.home.model.arrived import Arrived
from agent.home.model.drawn_power import DrawnPower

NOW = datetime(2026, 1, 16, 20, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
FULL_W = 2000.0


def drawn() -> tuple[DrawnPower, Arrived]:
    power = DrawnPower(FULL_W, arrived=Arrived())
    assert power.arrived is not None
    return power, power.arrived


def test_it_goes_on_as_long_as_it_is_told_again_and_no_longer() -> None:
    power, arrived = drawn()
    for minutes in (0, 5, 10):
        arrived.come(FULL_W, NOW + minutes * MINUTE, 15 * MINUTE)
    assert power.energy_kwh(NOW - HOUR, NOW + HOUR) == pytest.approx(2.0 * 25 / 60)
    assert arrived.switchings(NOW + HOUR) == [(NOW, True), (NOW + 25 * MINUTE, False)]


def test_one_that_goes_back_by_nothing_stays_as_it_was_told() -> None:
    power, arrived = drawn()
    arrived.come(FULL_W, NOW, None)
    assert power.power_w(NOW + 9 * HOUR) == FULL_W
    arrived.come(0, NOW + 9 * HOUR, None)
    assert power.energy_kwh(NOW, NOW + 12 * HOUR) == pytest.approx(18.0)


def test_who_is_away_hears_nothing_and_may_have_done_anything() -> None:
    power, arrived = drawn()
    arrived.come(FULL_W, NOW, None)
    arrived.leave(NOW + HOUR)
    arrived.come(FULL_W, NOW + 2 * HOUR, None)
    assert power.power_w(NOW + 2 * HOUR) == 0
    # Its counter may say so later.
    assert power.most_w(NOW + 2 * HOUR) == FULL_W
    arrived.come_back()
    assert power.power_w(NOW + 3 * HOUR) == 0
    arrived.come(FULL_W, NOW + 3 * HOUR, None)
    assert power.energy_kwh(NOW, NOW + 4 * HOUR) == pytest.approx(4.0)


def test_its_word_that_it_is_on_carries_on_what_an_earlier_life_had_told_it() -> None:
    _, arrived = drawn()
    arrived.resume(FULL_W, NOW, NOW + 15 * MINUTE)
    missed = arrived.missed(NOW + 40 * MINUTE)
    assert missed is not None
    assert (missed.start, missed.end) == (NOW + 15 * MINUTE, NOW + 40 * MINUTE)
    arrived.show(NOW + 40 * MINUTE, on=True)
    assert arrived.missed(NOW + 41 * MINUTE) is None


def test_its_word_that_it_is_on_as_it_comes_back_tells_that_it_ran_on() -> None:
    power, arrived = drawn()
    arrived.come(FULL_W, NOW, 90 * MINUTE)
    arrived.leave(NOW + HOUR)
    arrived.come_back()
    # Told anew before it said anything.
    arrived.come(FULL_W, NOW + 2 * HOUR, 90 * MINUTE)
    arrived.show(NOW + 2 * HOUR + MINUTE, on=True)
    # Its timer had opened it for half an hour.
    assert power.energy_kwh(NOW, NOW + 2 * HOUR) == pytest.approx(3.0)
    assert arrived.missed(NOW + 3 * HOUR) is None


def test_its_word_that_it_is_off_as_it_comes_back_tells_that_it_did_not() -> None:
    power, arrived = drawn()
    arrived.come(FULL_W, NOW, None)
    arrived.leave(NOW + HOUR)
    arrived.come_back()
    arrived.show(NOW + 2 * HOUR, on=False)
    arrived.come(FULL_W, NOW + 2 * HOUR, None)
    arrived.show(NOW + 2 * HOUR + MINUTE, on=True)
    assert power.energy_kwh(NOW, NOW + 2 * HOUR) == pytest.approx(2.0)


def test_who_answers_is_there_whatever_was_said_of_it() -> None:
    power, arrived = drawn()
    arrived.leave(NOW)
    arrived.come(FULL_W, NOW, None)
    arrived.show(NOW + MINUTE, on=True)
    assert power.power_w(NOW + HOUR) == FULL_W


def test_its_word_that_it_is_off_ends_what_it_was_told() -> None:
    power, arrived = drawn()
    arrived.come(FULL_W, NOW, None)
    arrived.show(NOW + HOUR, on=False)
    assert arrived.off_since == NOW + HOUR
    assert power.power_w(NOW + HOUR) == 0
    arrived.show(NOW + 2 * HOUR, on=True)
    assert power.power_w(NOW + 2 * HOUR) == FULL_W
