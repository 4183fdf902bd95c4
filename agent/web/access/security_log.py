"""What happened that an owner may want to look at later: log-ins, failed ones, changes, consent.

No entry holds a secret. What one stranger in the network causes to be written is bounded: beyond
the budget entries are held in memory, and those of one kind counted in one.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from agent.clock import Clock
from agent.energy.instants import from_unix, to_unix_floor
from agent.energy.text import clean_text
from agent.store import Statement, Store

KINDS = (
    "claimed",
    "claim_failed",
    "claim_locked",
    "login",
    "login_failed",
    "logout",
    "sessions_ended",
    "password_changed",
    "config_changed",
    "consent_given",
    "consent_withdrawn",
)
KEPT = 500
SHOWN = 200
MOST_TEXT = 200
# Two pages of the database each: half a megabyte a day of the card whatever anybody does.
BURST, REFILL_S = 20.0, 1800.0
MOST_HELD = 20


@dataclass(frozen=True, slots=True)
class SecurityEvent:
    """`count` of one kind with one text that came close together."""

    at: datetime
    kind: str
    text: str
    count: int = 1


class SecurityLog:
    def __init__(
        self, store: Store, clock: Clock, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._clock = clock
        self._now_s = now_s
        self._left, self._left_at = BURST, now_s()
        self._held: list[SecurityEvent] = []
        sql = "SELECT at, kind, text FROM security_events ORDER BY id DESC LIMIT ?"
        rows = store.rows(sql, (SHOWN,), _event)
        self._events: deque[SecurityEvent] = deque(reversed(rows), maxlen=SHOWN)

    def record(self, kind: str, text: str = "") -> None:
        """`kind` is one of KINDS, `text` names no secret: an address, a name, a section."""
        event = SecurityEvent(self._clock.now(), kind, clean_text(text, MOST_TEXT))
        if self._may_write():
            self._events.append(event)
            self._write([*self._held, event])
            self._held = []
            return
        last = self._held[-1] if self._held else None
        if last is not None and (last.kind, last.text) == (event.kind, event.text):
            self._held[-1] = SecurityEvent(event.at, kind, event.text, last.count + 1)
            self._events[-1] = self._held[-1]
        elif len(self._held) < MOST_HELD:
            self._held.append(event)
            self._events.append(event)

    def recent(self) -> Sequence[SecurityEvent]:
        """The newest first."""
        return tuple(reversed(self._events))

    def _may_write(self) -> bool:
        now = self._now_s()
        self._left = min(BURST, self._left + (now - self._left_at) / REFILL_S)
        self._left_at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def _write(self, events: Sequence[SecurityEvent]) -> None:
        insert = "INSERT INTO security_events (at, kind, text) VALUES (?, ?, ?)"
        statements: list[Statement] = [
            (insert, (to_unix_floor(event.at), event.kind, _stored(event))) for event in events
        ]
        oldest = "DELETE FROM security_events WHERE id <= (SELECT max(id) FROM security_events) - ?"
        self._store.submit(*statements, (oldest, (KEPT,)))


def _stored(event: SecurityEvent) -> str:
    return event.text if event.count == 1 else f"{event.text} ({event.count} times)"


def _event(row: tuple[int, str, str]) -> SecurityEvent:
    at, kind, text = row
    return SecurityEvent(from_unix(at), str(kind), clean_text(text, MOST_TEXT))
