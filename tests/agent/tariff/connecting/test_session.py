"""The life of a session, told as what happened and what it is then."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from agent.energy.connection import (
    ConnectSession,
    Failure,
    SessionResult,
    SessionState,
    StartedSession,
    TariffStatus,
    TariffSummary,
)
from agent.energy.rates import Direction
from agent.tariff.connecting import session as machine
from agent.tariff.connecting.contract_end import ended_soon
from agent.web.words import Words

NOW = datetime(2026, 1, 15, 9, tzinfo=UTC)
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)


def opened(good_for_s: float = 3600, for_location: str = "") -> ConnectSession:
    started = StartedSession("cot_1", "https://connect.example/?fp_cot=cot_1", good_for_s)
    return machine.opened(Direction.IMPORT, started, NOW, for_location)


def test_from_open_to_connected() -> None:
    session = machine.checked(opened(), NOW)
    session = machine.finished(session, SessionResult("loc_1", processed=False), NOW)
    assert (session.state, session.location_id) == (SessionState.PROCESSING, "loc_1")
    session = machine.finished(session, SessionResult("loc_1", processed=True), NOW + HOUR)
    assert session.state is SessionState.CONNECTED
    assert session.url == ""
    assert machine.next_check(session, NOW + HOUR) is None


def test_only_the_first_end_counts() -> None:
    ended = machine.cancelled(opened(), NOW)
    late = SessionResult("loc_1", processed=True)
    assert machine.finished(ended, late, NOW) == ended
    assert machine.failed(ended, Failure.EXPIRED, NOW) == ended
    # But for a browser that comes back while the link is good: something may have come of it there.
    assert machine.returned(ended, NOW).state is SessionState.OPEN
    assert machine.returned(ended, ended.expires_at) == ended
    assert machine.cancelled(ended, NOW + HOUR) == ended


def test_a_known_location_is_no_result_until_the_person_has_finished() -> None:
    session = opened(for_location="loc_1")
    early = SessionResult("loc_1", processed=True)
    assert machine.finished(session, early, NOW).state is SessionState.OPEN
    saved = replace(early, complete=True)
    assert machine.finished(session, saved, NOW).state is SessionState.CONNECTED
    back = machine.returned(session, NOW)
    assert machine.finished(back, early, NOW).state is SessionState.CONNECTED


def test_disconnected_at_the_source() -> None:
    result = SessionResult("loc_1", complete=True, processed=False, disconnected=True)
    assert machine.finished(opened(), result, NOW).state is SessionState.DISCONNECTED


def test_time_runs_out() -> None:
    session = machine.checked(opened(60), NOW + 59 * SECOND)
    assert session.state is SessionState.OPEN
    session = machine.checked(session, NOW + 60 * SECOND)
    assert (session.state, session.failure) == (SessionState.FAILED, Failure.EXPIRED)
    processing = machine.finished(opened(), SessionResult("loc_1"), NOW)
    late = machine.unreachable(processing, NOW + 48 * HOUR)
    assert (late.state, late.failure) == (SessionState.FAILED, Failure.NOT_PROCESSED)


@pytest.mark.parametrize("good_for_s", [-5, 0, 1e12])
def test_an_absurd_life_is_bounded(good_for_s: float) -> None:
    assert NOW <= opened(good_for_s).expires_at <= NOW + machine.MAX_LIFE


def test_asked_often_at_first_then_rarely_and_at_once_when_the_browser_is_back() -> None:
    session = opened(86_400)
    assert machine.next_check(session, NOW) == NOW
    session = machine.checked(session, NOW)
    assert machine.next_check(session, NOW) == NOW + 5 * SECOND
    later = NOW + 2 * HOUR
    session = machine.checked(session, later)
    assert machine.next_check(session, later) == later + timedelta(minutes=5)
    session = machine.returned(session, later)
    assert machine.next_check(session, later) == later
    assert machine.returned(session, later + HOUR) == session
    session = machine.checked(session, later)
    assert machine.next_check(session, later) == later + 5 * SECOND


def test_a_source_that_is_away_is_asked_ever_more_rarely_but_at_the_end_once_more() -> None:
    session = opened(86_400)
    for _ in range(9):
        session = machine.unreachable(session, NOW)
    assert machine.next_check(session, NOW) == NOW + machine.MAX_BACKOFF
    near_the_end = replace(session, checked_at=session.expires_at - SECOND)
    assert machine.next_check(near_the_end, session.expires_at - SECOND) == session.expires_at


def test_a_clock_that_was_set_back_asks_at_once() -> None:
    session = machine.checked(opened(), NOW + 30 * SECOND)
    assert machine.next_check(session, NOW) == NOW


def test_a_token_is_found_among_all_and_a_foreign_one_is_not() -> None:
    other = replace(opened(), direction=Direction.EXPORT, token="cot_2")
    assert machine.find([opened(), other], "cot_2") == other
    for foreign in ("cot_3", "", "cot_", "cot_11", "\ud800", "ä"):
        assert machine.find([opened(), other], foreign) is None
    assert machine.find([replace(other, token="")], "") is None


def test_no_secret_in_what_is_printed() -> None:
    assert "cot_1" not in repr(opened())


@pytest.mark.parametrize(
    ("days", "said"),
    [(15, ""), (13, "ends on 2026-01-28 10:00"), (-1, "ended on 2026-01-14 10:00")],
)
def test_the_end_of_a_contract_is_said_two_weeks_before(days: int, said: str) -> None:
    end = NOW + timedelta(days=days)
    summary = TariffSummary(Direction.IMPORT, TariffStatus.CONNECTED, "Agile", contract_end=end)
    text = ended_soon(summary, NOW, ZoneInfo("Europe/Berlin"))
    assert said in text
    assert bool(said) == bool(text)


def test_midnight_is_told_as_the_midnight_that_it_is() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    end = datetime(2026, 12, 31, tzinfo=berlin)
    summary = TariffSummary(Direction.IMPORT, TariffStatus.CONNECTED, "Agile", contract_end=end)
    text = ended_soon(summary, end - timedelta(days=3), berlin)
    assert "ends on 2026-12-31 00:00: connect the next one then" in text
    assert "endet am 31.12.2026 00:00:" in Words("de", berlin).plain(text)


def test_what_comes_for_another_location_is_not_taken() -> None:
    session = replace(opened(), for_location="loc_1")
    ended = machine.finished(session, SessionResult("loc_2", processed=True, complete=True), NOW)
    assert (ended.state, ended.failure) == (SessionState.FAILED, Failure.REFUSED)
    assert "another location" in ended.reason
    same = machine.finished(session, SessionResult("loc_1", processed=True, complete=True), NOW)
    assert same.state is SessionState.CONNECTED
