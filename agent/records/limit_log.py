"""Every limit of the grid, when it came, what was sent then and what was measured: two years.

A row is under 200 bytes: five numbers.
"""

import csv
import io
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from agent.energy.instants import format_instant, from_unix, to_unix_floor
from agent.health import Health
from agent.store import Store

KEPT = timedelta(days=731)
HEADER = ("at", "limit_w", "sent_w", "measured_w")


@dataclass(frozen=True, slots=True)
class LimitRecord:
    """`limit_w` None: lifted; `sent_w` what devices were told, `measured_w` what they told."""

    at: datetime
    limit_w: float | None
    sent_w: float | None
    measured_w: float | None


class LimitLog:
    def __init__(self, store: Store, health: Health) -> None:
        self._store = store
        self._health = health

    def received(self, at: datetime, limit_w: float | None) -> None:
        """A limit came."""
        row = (to_unix_floor(at), limit_w if limit_w is not None and limit_w < 1e8 else None)
        self._write("INSERT OR REPLACE INTO limits (at, limit_w) VALUES (?, ?)", row)
        oldest = to_unix_floor(at - KEPT)
        self._write("DELETE FROM limits WHERE at < ?", (oldest,))

    def obeyed(self, received_at: datetime, sent_w: float, measured_w: float | None) -> None:
        """What was sent for the limit that came then, and what was measured after it."""
        row = (sent_w, measured_w, to_unix_floor(received_at))
        self._write("UPDATE limits SET sent_w = ?, measured_w = ? WHERE at = ?", row)

    def records(self) -> Iterator[LimitRecord]:
        """In order of time; rows that cannot be read are left out."""
        try:
            rows = self._store.connection.execute(
                "SELECT at, limit_w, sent_w, measured_w FROM limits ORDER BY at"
            ).fetchall()
        except sqlite3.Error:
            self._health.count("unreadable_rows")
            return
        for at, *numbers in rows:
            try:
                limit, sent, measured = (None if n is None else float(n) for n in numbers)
                yield LimitRecord(from_unix(at), limit, sent, measured)
            except (ValueError, TypeError, OverflowError):
                self._health.count("unreadable_rows")

    def _write(self, sql: str, row: tuple[object, ...]) -> None:
        try:
            self._store.connection.execute(sql, row)
        except sqlite3.Error:
            self._health.count("failed_writes_of_limits")


def to_csv(records: Iterator[LimitRecord]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER)
    for item in records:
        numbers = (item.limit_w, item.sent_w, item.measured_w)
        writer.writerow(
            [format_instant(item.at), *("" if n is None else f"{n:g}" for n in numbers)]
        )
    return out.getvalue()
