"""Who is logged in. The browser holds a random token, the database only its hash.

In the database, so that an update of the agent throws nobody out in the middle of something. Used
sessions are written at most once a day, for the disk is an SD card.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from agent.clock import Clock
from agent.energy.instants import from_unix, to_unix_floor
from agent.energy.text import clean_text
from agent.store import Store

LASTS = timedelta(days=30)
IDLE = timedelta(days=7)
SEEN_EVERY = timedelta(days=1)
MOST_SESSIONS = 20
TOKEN_BYTES = 32
MOST_TOKEN = 100


@dataclass(slots=True)
class Session:
    """`notice` is what the next page shows once: is it an error, and a sentence."""

    token_hash: str
    created_at: datetime
    seen_at: datetime
    address: str
    notice: tuple[bool, str] | None = field(default=None)


class Sessions:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[str, Session] = {
            item.token_hash: item
            for item in store.rows(
                "SELECT token_hash, created_at, seen_at, address FROM web_sessions", (), _session
            )
        }

    def open(self, address: str) -> str:
        """A new session's token. Beyond the most that there may be the least used one ends."""
        now = self._clock.now()
        for item in [item for item in self._known.values() if self._is_over(item, now)]:
            self._close(item)
        while len(self._known) >= MOST_SESSIONS:
            self._close(min(self._known.values(), key=lambda item: item.seen_at))
        token = secrets.token_urlsafe(TOKEN_BYTES)
        session = Session(_hash(token), now, now, clean_text(address, 64))
        self._known[session.token_hash] = session
        self._write(session)
        return token

    def find(self, token: str) -> Session | None:
        """The session of a cookie; None where it is nobody's or over."""
        if not token or len(token) > MOST_TOKEN:
            return None
        # Looked up by a hash: how long that takes tells nothing of the token.
        session = self._known.get(_hash(token))
        if session is None:
            return None
        now = self._clock.now()
        if self._is_over(session, now):
            self._close(session)
            return None
        if not timedelta(0) <= now - session.seen_at < SEEN_EVERY:
            session.seen_at = now
            self._write(session)
        return session

    def close(self, token: str) -> None:
        if (session := self._known.get(_hash(token))) is not None:
            self._close(session)

    def close_all(self, but: Session | None = None) -> None:
        for session in list(self._known.values()):
            if session is not but:
                self._close(session)

    def all(self) -> Sequence[Session]:
        """The newest first."""
        return sorted(self._known.values(), key=lambda item: item.created_at, reverse=True)

    def _is_over(self, session: Session, now: datetime) -> bool:
        # Where the clock went back, it stands for what it has left.
        return now - session.created_at >= LASTS or now - session.seen_at >= IDLE

    def _close(self, session: Session) -> None:
        self._known.pop(session.token_hash, None)
        sql = "DELETE FROM web_sessions WHERE token_hash = ?"
        self._store.submit((sql, (session.token_hash,)))

    def _write(self, session: Session) -> None:
        sql = "INSERT OR REPLACE INTO web_sessions VALUES (?, ?, ?, ?)"
        times = to_unix_floor(session.created_at), to_unix_floor(session.seen_at)
        self._store.submit((sql, (session.token_hash, *times, session.address)))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _session(row: tuple[str, int, int, str]) -> Session:
    token_hash, created_at, seen_at, address = row
    return Session(token_hash, from_unix(created_at), from_unix(seen_at), clean_text(address, 64))
