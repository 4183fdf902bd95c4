"""Every limit of the grid, when it came, what was sent then and what was measured: two years.

A row is under 200 bytes: five numbers, and beside it a fact with what was said of it.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from agent.energy.instants import format_instant, from_unix, to_unix_floor
from agent.records.device_store import DeviceStore
from agent.records.write_queue import GRID
from agent.store import REPLACE_FACT, Statement, Store

KEPT = timedelta(days=731)
# What was sent for a limit is recorded when the meters have had time to show it.
SHOWN_AFTER = timedelta(seconds=60)
HEADER = ("at", "limit_w", "sent_w", "measured_w", "received_w", "end", "source")
SAID = "limit_said:"
# Of every instant that is kept the Unix time has as many digits: names are in order of time.
DIGITS = 10


class LimitSource(StrEnum):
    """Why that holds: a message has just come, the broker had kept one, an earlier one announced
    it, or nothing that was said holds any more."""

    MESSAGE = "message"
    KEPT = "kept by the broker"
    ANNOUNCED = "announced"
    FAILSAFE = "failsafe"


@dataclass(frozen=True, slots=True)
class LimitSaid:
    """`received_w` as the message has it, before what §14a leaves for several devices; `end` where
    one was said."""

    received_w: float | None
    end: datetime | None
    source: LimitSource


@dataclass(frozen=True, slots=True)
class LimitRecord:
    """`limit_w` None: lifted; `sent_w` what devices were told, `measured_w` what they told. `said`
    None: of a version that kept no more."""

    at: datetime
    limit_w: float | None
    sent_w: float | None
    measured_w: float | None
    said: LimitSaid | None = None


class LimitLog:
    """What came and what came into force, each once; a flood waits and loses none.

    `measure(now)` is what devices are told to take together, and what they tell that they take, W.
    """

    measure: Callable[[datetime], tuple[float, float | None]] | None = None

    def __init__(self, writer: DeviceStore) -> None:
        self._queue = writer.queue
        self._newest_w = writer.newest_limit_w()
        self._unseen_since: datetime | None = None

    def received(self, at: datetime, limit_w: float | None, said: LimitSaid | None = None) -> None:
        """A limit came, or one that was announced begins or ends. None: there is none."""
        # Of one that is replaced before the meters had their time: what is known by now.
        replaced = self._measured(at)
        self._newest_w, self._unseen_since = limit_w, at
        second = to_unix_floor(at)
        sql = "INSERT OR REPLACE INTO limits (at, limit_w) VALUES (?, ?)"
        row: list[Statement] = [(sql, (second, limit_w))]
        if said is not None:
            row.append((REPLACE_FACT, (_fact_name(second), _said_text(said))))
        self._queue.put(GRID, f"limit {second}", *replaced, *row)
        oldest = to_unix_floor(at - KEPT)
        self._queue.put(
            GRID,
            "old limits",
            ("DELETE FROM limits WHERE at < ?", (oldest,)),
            ("DELETE FROM facts WHERE name >= ? AND name < ?", (SAID, _fact_name(oldest))),
        )

    def in_force(self, at: datetime, limit_w: float | None, said: LimitSaid | None = None) -> None:
        """What holds now; recorded where it is another than the last."""
        if limit_w != self._newest_w:
            self.received(at, limit_w, said)

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
    sql = "SELECT name, value FROM facts WHERE name LIKE ?"
    said = dict(store.rows(sql, (f"{SAID}%",), _said))

    def record(row: tuple[int, float | None, float | None, float | None]) -> LimitRecord:
        at, *numbers = row
        limit, sent, measured = (None if number is None else float(number) for number in numbers)
        return LimitRecord(from_unix(at), limit, sent, measured, said.get(at))

    sql = "SELECT at, limit_w, sent_w, measured_w FROM limits ORDER BY at"
    return store.rows(sql, (), record)


def _fact_name(second: int) -> str:
    return f"{SAID}{second:0{DIGITS}}"


def _said_text(said: LimitSaid) -> str:
    end = None if said.end is None else to_unix_floor(said.end)
    return json.dumps([said.received_w, end, said.source.value], separators=(",", ":"))


def _said(row: tuple[str, str]) -> tuple[int, LimitSaid]:
    name, text = row
    received_w, end, source = json.loads(text)
    return int(name.removeprefix(SAID)), LimitSaid(
        None if received_w is None else float(received_w),
        None if end is None else from_unix(int(end)),
        LimitSource(source),
    )


def to_csv(records: Iterable[LimitRecord]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER)
    for item in records:
        said = item.said or LimitSaid(None, None, LimitSource.MESSAGE)
        numbers = (item.limit_w, item.sent_w, item.measured_w, said.received_w)
        writer.writerow(
            [
                format_instant(item.at),
                *("" if n is None else f"{n:.10g}" for n in numbers),
                "" if said.end is None else format_instant(said.end),
                "" if item.said is None else said.source.value,
            ]
        )
    return out.getvalue()
