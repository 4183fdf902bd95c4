"""Every limit of the grid, when it came, what was sent then and what was measured: two years.

A row is under 200 bytes: five numbers.
"""

import csv
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from agent.energy.instants import format_instant, from_unix, to_unix_floor
from agent.records.device_store import DeviceStore
from agent.records.write_queue import GRID
from agent.store import Statement, Store

KEPT = timedelta(days=731)
# What was sent for a limit is recorded when the meters have had time to show it.
SHOWN_AFTER = timedelta(seconds=60)
HEADER = ("at", "limit_w", "sent_w", "measured_w")


@dataclass(frozen=True, slots=True)
class LimitRecord:
    """`limit_w` None: lifted; `sent_w` what devices were told, `measured_w` what they told."""

    at: datetime
    limit_w: float | None
    sent_w: float | None
    measured_w: float | None


class LimitLog:
    """What came and what came into force, each once; a flood waits and loses none.

    `measure(now)` is what devices are told to take together, and what they tell that they take, W.
    """

    measure: Callable[[datetime], tuple[float, float | None]] | None = None

    def __init__(self, writer: DeviceStore) -> None:
        self._queue = writer.queue
        self._newest_w = writer.newest_limit_w()
        self._unseen_since: datetime | None = None

    def received(self, at: datetime, limit_w: float | None) -> None:
        """A limit came, or one that was announced begins or ends. None: there is none."""
        # Of one that is replaced before the meters had their time: what is known by now.
        replaced = self._measured(at)
        self._newest_w, self._unseen_since = limit_w, at
        second = to_unix_floor(at)
        sql = "INSERT OR REPLACE INTO limits (at, limit_w) VALUES (?, ?)"
        self._queue.put(GRID, f"limit {second}", *replaced, (sql, (second, limit_w)))
        oldest = to_unix_floor(at - KEPT)
        self._queue.put(GRID, "old limits", ("DELETE FROM limits WHERE at < ?", (oldest,)))

    def in_force(self, at: datetime, limit_w: float | None) -> None:
        """What holds now; recorded where it is another than the last."""
        if limit_w != self._newest_w:
            self.received(at, limit_w)

    @property
    def check_at(self) -> datetime | None:
        """When what the meters show of the newest limit is to be recorded; None: it is."""
        return None if self._unseen_since is None else self._unseen_since + SHOWN_AFTER

    def look(self, now: datetime) -> None:
        """Record what was sent for the newest limit and measured after it, once it has shown."""
        if self.check_at is None or now < self.check_at:
            return
        if statements := self._measured(now):
            self._queue.put(GRID, f"obeyed {self._unseen_since}", *statements)
        self._unseen_since = None

    def _measured(self, now: datetime) -> tuple[Statement, ...]:
        if self._unseen_since is None or self.measure is None:
            return ()
        sql = "UPDATE limits SET sent_w = ?, measured_w = ? WHERE at = ?"
        return ((sql, (*self.measure(now), to_unix_floor(self._unseen_since))),)


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
