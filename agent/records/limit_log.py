"""Every limit of the grid, when it came, what was sent then and what was measured: two years.

A row is under 200 bytes: five numbers.
"""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from agent.energy.instants import format_instant, from_unix, to_unix_floor
from agent.records.device_store import DeviceStore
from agent.store import Store

KEPT = timedelta(days=731)
SITE = "site"
HEADER = ("at", "limit_w", "sent_w", "measured_w")


@dataclass(frozen=True, slots=True)
class LimitRecord:
    """`limit_w` None: lifted; `sent_w` what devices were told, `measured_w` what they told."""

    at: datetime
    limit_w: float | None
    sent_w: float | None
    measured_w: float | None


class LimitLog:
    """`writer` bounds what a flood of limits may write."""

    def __init__(self, writer: DeviceStore) -> None:
        self._writer = writer

    def received(self, at: datetime, limit_w: float | None) -> None:
        """A limit came."""
        row = (to_unix_floor(at), limit_w if limit_w is not None and limit_w < 1e8 else None)
        oldest = to_unix_floor(at - KEPT)
        self._writer.put(
            SITE,
            "limit",
            ("INSERT OR REPLACE INTO limits (at, limit_w) VALUES (?, ?)", row),
            ("DELETE FROM limits WHERE at < ?", (oldest,)),
        )

    def obeyed(self, received_at: datetime, sent_w: float, measured_w: float | None) -> None:
        """What was sent for the limit that came then, and what was measured after it."""
        row = (sent_w, measured_w, to_unix_floor(received_at))
        sql = "UPDATE limits SET sent_w = ?, measured_w = ? WHERE at = ?"
        self._writer.put(SITE, "limit obeyed", (sql, row))


def read_limits(store: Store) -> list[LimitRecord]:
    """In order of time; rows that cannot be read are left out."""
    sql = "SELECT at, limit_w, sent_w, measured_w FROM limits ORDER BY at"
    return store.rows(sql, (), _record)


def _record(row: tuple[int, float | None, float | None, float | None]) -> LimitRecord:
    at, *numbers = row
    limit, sent, measured = (None if number is None else float(number) for number in numbers)
    return LimitRecord(from_unix(at), limit, sent, measured)


def to_csv(records: Iterable[LimitRecord]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER)
    for item in records:
        numbers = (item.limit_w, item.sent_w, item.measured_w)
        writer.writerow(
            [format_instant(item.at), *("" if n is None else f"{n:g}" for n in numbers)]
        )
    return out.getvalue()
