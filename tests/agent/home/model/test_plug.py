"""A plug contact that flickers is told from a car that leaves."""

from datetime import UTC, datetime, timedelta

from agent.home.model.plug import PlugContact

START = datetime(2026, 1, 16, 20, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def test_a_car_that_leaves_has_left_at_once() -> None:
    contact = PlugContact()
    assert contact.unplug(at(0))
    assert not contact.plug(at(600))


def test_a_car_that_is_back_at_once_was_never_away() -> None:
    contact = PlugContact()
    contact.unplug(at(0))
    assert contact.plug(at(1))


def test_a_contact_that_flickers_is_believed_only_when_it_lasts() -> None:
    contact = PlugContact()
    for minute in (0, 10):
        assert contact.unplug(at(minute))
        assert contact.plug(at(minute + 1))
    assert contact.flickers(at(20))
    assert not contact.unplug(at(20))
    assert not contact.has_left(at(21))
    assert contact.has_left(at(23))
    assert not contact.flickers(at(120))
