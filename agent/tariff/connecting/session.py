"""The life of a session in which a person connects a tariff: a state machine. Pure.

    OPEN -> PROCESSING -> CONNECTED, or from either DISCONNECTED, CANCELLED, FAILED

The source's word decides: it is asked again and again, whether or not the person's browser comes
back. A browser that does only has it asked sooner, and may bring why nothing came of it.
"""

import hmac
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from agent.energy.connection import (
    ConnectSession,
    Failure,
    SessionResult,
    SessionState,
    StartedSession,
    TariffStatus,
)
from agent.energy.rates import Direction
from agent.energy.sentences import sentence
from agent.energy.text import clean_text

# A token that claims to last longer is not worth polling for.
MAX_LIFE = timedelta(days=1)
# After so long the source itself gives up fetching a tariff.
PROCESSED_WITHIN = timedelta(hours=48)
# How often to ask, by how long ago the person was last seen to act.
OPEN_INTERVALS = (
    (timedelta(minutes=10), timedelta(seconds=5)),
    (timedelta(hours=1), timedelta(seconds=30)),
    (MAX_LIFE, timedelta(minutes=5)),
)
PROCESSING_INTERVALS = (
    (timedelta(minutes=2), timedelta(seconds=5)),
    (timedelta(minutes=30), timedelta(minutes=1)),
    (PROCESSED_WITHIN, timedelta(minutes=15)),
)
ANOTHER_LOCATION = sentence(
    "the tariff was connected for another location than this home's; nothing is changed here"
)
CLOCKS_DIFFER = timedelta(minutes=5)
MAX_BACKOFF = timedelta(minutes=15)
# The longest that the source's wish not to be asked is followed.
MAX_RETRY_AFTER = timedelta(hours=1)
# What a browser may bring back, and errors of the source, by their codes in capitals.
FAILURES = {
    "DISMISS_LOGIN": Failure.LOGIN_DISMISSED,
    "DISMISS_CONSENT": Failure.CONSENT_DISMISSED,
    "ERROR": Failure.PROVIDER_ERROR,
    "TOKEN_EXPIRED": Failure.EXPIRED,
}


def opened(
    direction: Direction, started: StartedSession, now: datetime, for_location: str = ""
) -> ConnectSession:
    life = min(timedelta(seconds=max(started.good_for_s, 0)), MAX_LIFE)
    return ConnectSession(
        direction,
        SessionState.OPEN,
        now,
        now + life,
        started.token,
        started.url,
        now,
        for_location,
    )


def find(sessions: Sequence[ConnectSession], token: str) -> ConnectSession | None:
    """The session that the token stands for; None for a foreign one. In constant time each."""
    given = token.encode(errors="replace")
    found = None
    for session in sessions:
        if session.token and hmac.compare_digest(session.token.encode(), given):
            found = session
    return found


def returned(session: ConnectSession, now: datetime) -> ConnectSession:
    """The person's browser is back: ask at once. A second time changes nothing.

    Also where it was given up here meanwhile: what the person did there may have come of it.
    """
    if session.returned_at is not None:
        return session
    if session.state is SessionState.CANCELLED and now < session.expires_at:
        session = replace(session, state=SessionState.OPEN, changed_at=now)
    if not session.is_live:
        return session
    return replace(session, returned_at=now, checked_at=None, failed_checks=0)


def next_check(session: ConnectSession, now: datetime) -> datetime | None:
    """When the source is to be asked; None where there is nothing to ask any more."""
    if not session.is_live:
        return None
    if _asks_to_wait(session, now):
        assert session.not_before is not None
        ends = session.state is SessionState.OPEN and session.expires_at > now
        return min(session.not_before, session.expires_at) if ends else session.not_before
    if session.checked_at is None or session.checked_at > now:
        return now
    if session.state is SessionState.OPEN:
        table, since = OPEN_INTERVALS, session.returned_at or session.started_at
    else:
        table, since = PROCESSING_INTERVALS, session.changed_at
    interval = next((step for span, step in table if now - since < span), table[-1][1])
    if session.failed_checks:
        interval = min(interval * 2 ** min(session.failed_checks, 10), MAX_BACKOFF)
    due = session.checked_at + interval
    return min(due, session.expires_at) if session.expires_at > now else due


def _asks_to_wait(session: ConnectSession, now: datetime) -> bool:
    """Not where the clock was set back since."""
    until = session.not_before
    return until is not None and now < until <= now + MAX_RETRY_AFTER


def checked(session: ConnectSession, now: datetime) -> ConnectSession:
    """The source was asked, with no news: its time may be over."""
    session = replace(session, checked_at=now, failed_checks=0)
    return timed_out(session, now)


def unreachable(
    session: ConnectSession, now: datetime, retry_at: datetime | None = None
) -> ConnectSession:
    """No answer that could be used; `retry_at` is when the source wants to be asked again."""
    not_before = None if retry_at is None else min(retry_at, now + MAX_RETRY_AFTER)
    session = replace(
        session, checked_at=now, failed_checks=session.failed_checks + 1, not_before=not_before
    )
    return timed_out(session, now)


def timed_out(session: ConnectSession, now: datetime) -> ConnectSession:
    if session.state is SessionState.OPEN and now >= session.expires_at:
        return failed(session, Failure.EXPIRED, now)
    if session.state is SessionState.PROCESSING and now - session.changed_at >= PROCESSED_WITHIN:
        return failed(session, Failure.NOT_PROCESSED, now)
    return session


def finished(session: ConnectSession, result: SessionResult, now: datetime) -> ConnectSession:
    """The source gave what came of it. Only the first such answer counts."""
    if not session.is_live:
        return session
    if session.for_location and not result.complete and session.returned_at is None:
        return checked(session, now)
    if session.for_location and result.location_id not in ("", session.for_location):
        # Taken over it would put an end to all that is known of the home.
        return failed(session, Failure.REFUSED, now, ANOTHER_LOCATION)
    session = replace(session, checked_at=now, failed_checks=0)
    if result.disconnected:
        return _ended(session, SessionState.DISCONNECTED, now)
    if result.processed:
        return processed(replace(session, location_id=result.location_id), now)
    if session.state is SessionState.PROCESSING:
        return timed_out(session, now)
    return replace(
        session,
        state=SessionState.PROCESSING,
        location_id=result.location_id,
        changed_at=now,
    )


def judged(session: ConnectSession, status: TariffStatus, now: datetime) -> ConnectSession:
    """What the location's status says, where the session itself tells no more."""
    if status is TariffStatus.CONNECTED:
        return processed(session, now)
    if status is TariffStatus.ERROR:
        return failed(session, Failure.PROVIDER_ERROR, now)
    return checked(session, now)


def processed(session: ConnectSession, now: datetime) -> ConnectSession:
    return _ended(session, SessionState.CONNECTED, now)


def led_to(session: ConnectSession, connected_at: datetime) -> bool:
    """Was it this session by which the source says that a tariff was connected then?"""
    if session.state is SessionState.PROCESSING:
        return session.started_at - CLOCKS_DIFFER <= connected_at
    begun, ended = session.started_at - CLOCKS_DIFFER, session.changed_at + CLOCKS_DIFFER
    return session.state is SessionState.CONNECTED and begun <= connected_at <= ended


def cancelled(session: ConnectSession, now: datetime) -> ConnectSession:
    return _ended(session, SessionState.CANCELLED, now) if session.is_live else session


def failed(
    session: ConnectSession, failure: Failure, now: datetime, reason: str = ""
) -> ConnectSession:
    if not session.is_live:
        return session
    ended = _ended(session, SessionState.FAILED, now)
    return replace(ended, failure=failure, reason=clean_text(reason))


def _ended(session: ConnectSession, state: SessionState, now: datetime) -> ConnectSession:
    """The token stays, so that a browser that comes late or twice is still known; its link goes."""
    return replace(session, state=state, changed_at=now, url="")
