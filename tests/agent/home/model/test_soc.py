"""A car's state of charge: believed, carried on, doubted."""

from datetime import UTC, datetime, timedelta

import pytest

from agent.home.model.soc import SocEstimate

START = datetime(2026, 1, 16, 20, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def car(percent: float | None = 40.0) -> SocEstimate:
    made = SocEstimate(battery_kwh=50.0, efficiency=0.9, max_power_w=7200.0)
    if percent is not None:
        made.report(percent, at(0), 0.0, 0.0, at(0))
    return made


def test_what_was_told_is_carried_on_by_what_was_taken() -> None:
    assert car().percent(5.0, 5.0) == pytest.approx(49.0)


def test_one_that_never_told_is_unknown() -> None:
    assert car(None).percent(5.0, 5.0) is None


def test_a_fall_to_nothing_is_doubted_until_it_has_stood_for_ten_minutes() -> None:
    doubted = car()
    assert not doubted.report(0.0, at(1), 0.0, 0.0, at(1))
    assert doubted.percent(0.0, 0.0) == 40
    assert not doubted.settle(at(10))
    assert doubted.settle(at(11))
    assert doubted.percent(0.0, 0.0) == 0


def test_a_slip_that_is_taken_back_was_never_believed() -> None:
    slip = car()
    slip.report(0.0, at(1), 0.0, 0.0, at(1))
    assert slip.report(40.5, at(2), 0.1, 0.1, at(2))
    assert not slip.settle(at(60))
    assert slip.percent(0.1, 0.1) == pytest.approx(40.3, abs=0.3)


def test_a_person_is_believed_at_once() -> None:
    stated = car()
    stated.state(85.0, at(1), 0.0)
    assert stated.percent(0.0, 0.0) == 85


def test_a_sensor_stuck_at_nothing_does_not_charge_for_ever() -> None:
    stuck = car(0.0)
    delivered = 0.0
    for minute in range(0, 600, 5):
        delivered = 7.2 * minute / 60
        stuck.report(0.0, at(minute), delivered, delivered, at(minute))
    believed = stuck.percent(delivered, delivered)
    assert believed is not None
    assert believed >= 80


def test_an_older_value_than_the_one_that_holds_changes_nothing() -> None:
    known = car()
    assert not known.report(60.0, at(-5), 0.0, 0.0, at(1))
    assert known.percent(0.0, 0.0) == 40
