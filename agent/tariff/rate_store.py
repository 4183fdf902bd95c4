"""The rate cache's side of the database: a disk that fails costs history, never a price in use."""

import logging
import sqlite3
from datetime import datetime

from agent.energy.rates import Direction, Rate
from agent.health import Health
from agent.store import Store
from agent.tariff.feed import Feed
from agent.tariff.rate_table import RateTable

log = logging.getLogger(__name__)


class RateStore:
    """Writes that are counted and logged where they fail, and then done without."""

    def __init__(self, store: Store, health: Health) -> None:
        self.rate_table = RateTable(store)
        self._store = store
        self._health = health

    def get_value(self, name: str) -> str | None:
        return self._store.get_value(name)

    def set_value(self, name: str, value: str) -> None:
        try:
            self._store.set_value(name, value)
        except sqlite3.Error as error:
            self._failed(error)

    def load(self, feed: Feed) -> None:
        feed.load(self._store)

    def save(self, feed: Feed) -> None:
        try:
            feed.save(self._store)
        except sqlite3.Error as error:
            self._failed(error)

    def put(self, direction: Direction, fetched: tuple[Rate, ...]) -> bool:
        """Whether the stored rates changed."""
        try:
            return self.rate_table.put(direction, fetched)
        except sqlite3.Error as error:
            self._failed(error)
            return False

    def forget_before(self, when: datetime) -> None:
        try:
            self.rate_table.forget_before(when)
        except sqlite3.Error as error:
            self._failed(error)

    def forget_everything(self) -> None:
        """All rates and all that is known about fetching them."""
        try:
            self.rate_table.clear()
        except sqlite3.Error as error:
            self._failed(error)
        for direction in Direction:
            self.set_value(f"tariff.{direction}", "{}")

    def _failed(self, error: sqlite3.Error) -> None:
        if self._health.count("failed_writes_of_rates") == 1:
            log.error("rates cannot be written: %s; they are kept in memory", error)
