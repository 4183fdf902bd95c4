"""A stay or a run: what the device's answers say of it."""

from datetime import UTC, datetime, timedelta

import pytest

from agent.energy.readings import Acknowledgement, AckStatus
from agent.home.model.session import Session

NOW = datetime(2026, 1, 16, 20, tzinfo=UTC)
OPTS_OUT = Acknowledgement(7, AckStatus.ABORTED, "user_opt_out")


def test_a_persons_choice_holds_for_a_day_from_when_it_was_first_told() -> None:
    session = Session()
    assert session.answer(OPTS_OUT, NOW)
    assert not session.answer(OPTS_OUT, NOW + timedelta(hours=5))
    assert session.opted_out(NOW + timedelta(hours=23))
    assert not session.opted_out(NOW + timedelta(hours=24))


def test_it_ends_as_soon_as_the_device_accepts_again() -> None:
    session = Session()
    session.answer(OPTS_OUT, NOW)
    accepted = Acknowledgement(7, AckStatus.ACCEPTED)
    assert session.answer(accepted, NOW)
    assert not session.opted_out(NOW)
    assert not session.answer(accepted, NOW)


def test_a_run_that_was_not_told_begins_when_the_device_says_so() -> None:
    session, later = Session(), NOW + timedelta(minutes=1)
    started = Acknowledgement(7, AckStatus.STARTED)
    assert session.answer(started, NOW)
    assert not session.answer(started, later)
    assert (session.started_at, session.confirmed) == (NOW, True)


@pytest.mark.parametrize("word", [AckStatus.SUCCEEDED, AckStatus.ABORTED])
def test_only_a_run_under_way_can_end_and_no_choice_of_a_person_ends_it(word: AckStatus) -> None:
    over = Acknowledgement(7, word)
    assert not Session().is_ended_by(over)
    session = Session(started_at=NOW)
    assert session.is_ended_by(over)
    assert not session.is_ended_by(OPTS_OUT)
    session.end_run(NOW)
    assert (session.started_at, session.satisfied_at) == (None, NOW)
    assert not session.is_ended_by(over)


def test_only_a_run_that_it_was_told_to_begin_is_confirmed() -> None:
    session = Session()
    session.confirm_run()
    assert not session.confirmed
    session.started_at = NOW
    session.confirm_run()
    assert session.confirmed
