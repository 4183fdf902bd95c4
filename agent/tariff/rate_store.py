"""The rate cache's side of the database: a disk that fails costs history, never a price in use.

Nothing here raises: what cannot be read is not there, what cannot be written is kept in memory;
both are counted and logged once.
"""

import logging
import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta

from agent.energy.rates import Direction, Rate
from agent.health import Health
from agent.store import Store
from agent.tariff.normalise import Withdrawal
from agent.tariff.rate_table import RateTable
from agent.tariff.records import Records

log = logging.getLogger(__name__)

# The record of the contract's events; each direction has one of its own.
EVENTS = "events"


class RateStore(Records):
    """The rates besides."""

    def __init__(self, store: Store, health: Health) -> None:
        super().__init__(store, health)
        self._table = RateTable(store, self._unreadable, self._unwritten)

    def rates(self, direction: Direction, start: datetime, end: datetime) -> list[Rate]:
        """Every rate that reaches into `[start, end)`, whole, in order."""
        try:
            return self._table.rates(direction, start, end)
        except sqlite3.Error as error:
            self._not_read(error)
            return []

    def newest(self, direction: Direction, span: timedelta) -> list[Rate]:
        """The last `span` of what is kept, whatever the wall clock says."""
        try:
            return self._table.newest(direction, span)
        except sqlite3.Error as error:
            self._not_read(error)
            return []

    def _unwritten(self) -> None:
        """What is wrong with the disk says the part that writes."""
        self._health.count("failed_writes_of_rates")

    def put(self, direction: Direction, fetched: Sequence[Rate], withdrawal: Withdrawal) -> bool:
        """Whether the stored rates changed."""
        try:
            return self._table.put(direction, fetched, withdrawal)
        except sqlite3.Error as error:
            self._not_written(error)
            return False

    def change_currency(self, old: str, new: str) -> None:
        try:
            self._table.change_currency(old, new)
        except sqlite3.Error as error:
            self._not_written(error)

    def forget_before(self, when: datetime) -> None:
        try:
            self._table.forget_before(when)
        except sqlite3.Error as error:
            self._not_written(error)

    def forget(self, direction: Direction) -> None:
        """Its rates, and all that is known about fetching them."""
        try:
            self._table.forget(direction)
        except sqlite3.Error as error:
            self._not_written(error)
        self.set_record(direction, {})

    def forget_everything(self) -> None:
        """All rates and all that is known about fetching them."""
        try:
            self._table.clear()
        except sqlite3.Error as error:
            self._not_written(error)
        for name in (*Direction, EVENTS):
            self.set_record(name, {})
