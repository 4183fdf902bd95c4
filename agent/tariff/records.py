"""A few named facts of the database as records of instants, dates, numbers and text.

Nothing here raises for a bad disk: what cannot be read is not there, what cannot be written is kept
in memory by whoever wrote it; both are counted and logged once.
"""

import json
import logging
import re
import sqlite3
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Protocol

from agent.energy.instants import format_instant, parse_instant
from agent.energy.text import clean_text
from agent.health import Health

log = logging.getLogger(__name__)

MAX_TEXT = 500
MAX_LINES = 100


class Facts(Protocol):
    """Where named values lie: a Store, or one that is open only while it is used."""

    def get_value(self, name: str) -> str | None: ...

    def set_value(self, name: str, value: str) -> None: ...


class Records:
    """Reads and writes that are counted where they fail, and then done without."""

    def __init__(self, facts: Facts, health: Health) -> None:
        self._facts = facts
        self._health = health

    def get_value(self, name: str) -> str | None:
        try:
            return self._facts.get_value(name)
        except sqlite3.Error as error:
            self._not_read(error)
            return None

    def set_value(self, name: str, value: str) -> None:
        try:
            self._facts.set_value(name, value)
        except sqlite3.Error as error:
            self._not_written(error)

    def get_record(self, name: str) -> "Record":
        """A record that `set_record` stored; an empty one where it cannot be read."""
        text = self.get_value(f"tariff.{name}")
        try:
            kept = json.loads(text or "{}")
        except (ValueError, RecursionError):
            kept = None
        if not isinstance(kept, dict):
            self._unreadable()
            kept = {}
        return Record(kept, self._unreadable)

    def set_record(self, name: str, values: Mapping[str, object]) -> None:
        """Store what is not empty: instants, dates, numbers and lists of text, as text."""
        kept = {key: _to_text(value) for key, value in values.items() if value not in (None, "")}
        self.set_value(f"tariff.{name}", json.dumps({k: v for k, v in kept.items() if v}))

    def _unreadable(self) -> None:
        if self._health.count("unreadable_rows") == 1:
            log.error("some of what was stored of the rates cannot be read; it is left out")

    def _not_read(self, error: sqlite3.Error) -> None:
        if self._health.count("unreadable_rows") == 1:
            log.error("stored rates cannot be read: %s", clean_text(str(error)))

    def _not_written(self, error: sqlite3.Error) -> None:
        if self._health.count("failed_writes_of_rates") == 1:
            log.error("rates cannot be written: %s; they are kept in memory", error)


class Record:
    """A few stored values. What cannot be read counts as not there."""

    def __init__(self, kept: Mapping[str, object], unreadable: Callable[[], None]) -> None:
        self._kept = kept
        self._unreadable = unreadable

    def text(self, key: str) -> str:
        value = self._kept.get(key, "")
        if isinstance(value, str):
            return clean_text(value, MAX_TEXT)
        self._unreadable()
        return ""

    def instant(self, key: str) -> datetime | None:
        try:
            return parse_instant(text) if (text := self.text(key)) else None
        except ValueError:
            self._unreadable()
            return None

    def day(self, key: str) -> date | None:
        try:
            return date.fromisoformat(text) if (text := self.text(key)) else None
        except ValueError:
            self._unreadable()
            return None

    def number(self, key: str) -> int:
        text = self.text(key)
        if not text or re.fullmatch("[0-9]{1,6}", text):
            return int(text or 0)
        self._unreadable()
        return 0

    def lines(self, key: str) -> list[str]:
        value = self._kept.get(key, [])
        if isinstance(value, list) and all(isinstance(line, str) for line in value):
            return [clean_text(line, MAX_TEXT) for line in value[:MAX_LINES]]
        self._unreadable()
        return []


def _to_text(value: object) -> str | list[str]:
    if isinstance(value, datetime):
        return format_instant(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [str(line) for line in value]
    return str(value)
