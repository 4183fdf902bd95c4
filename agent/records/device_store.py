"""What devices were told, said and wish, kept over a restart; and the plans behind it.

Every row is read through one door that may say no: one that cannot be believed is dropped, counted
and named, and never ends the agent.
"""

import json
import zlib
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from agent.clock import Clock
from agent.energy.instants import format_instant, from_unix, parse_instant, to_unix_floor
from agent.energy.readings import AGE_LIMITS, Reading
from agent.health import Health
from agent.records.schedule_store import SCHEDULE, ScheduleStore
from agent.records.write_queue import GRID, Answer, WriteQueue
from agent.store import REPLACE_FACT, Statement, Store

T = TypeVar("T")
PLANS_KEPT = timedelta(days=14)
PLANS_A_DAY = 64
TOPICS = "published_topics"
AWAY = "away_until"
NEWEST_CONFIRMED = "clock.newest_confirmed"
GRID_LIMIT = "grid_limit"
# Whose write it is where it is nobody else's.
AGENT = "the agent"
OWNER_OF = "owner of "
WISH = "wish"
HOURLY = "hourly_means:"
HOURLY_DAYS_KEPT = 22
COMPANION = "companion:"
PHASES = "told_phases:"
TEXT_KINDS = ("mode", "error", "following")
# What a stored text that cannot be believed may raise while it is read.
UNBELIEVABLE = (ValueError, KeyError, TypeError, ArithmeticError, AttributeError, RecursionError)


class DeviceStore:
    """Writes are handed over and answered later: True once they have reached the disk.

    What one device causes beyond its budget, and what the disk did not take, is answered False and
    waits in `queue`. What people and the grid operator say has budgets of its own: no device that
    flaps keeps it from the disk. That the disk takes nothing is said in health, by the store.

    `on_wish_stored(device)` and `on_away_stored()` hear that a wish reached the disk after it was
    answered False.
    """

    def __init__(self, store: Store, health: Health, clock: Clock) -> None:
        self._store = store
        self.queue = WriteQueue(store, health, clock)
        self.queue.on_late = self._late
        self.schedules = ScheduleStore(store, self.queue)
        self.on_wish_stored: Callable[[str], None] = lambda device: None
        self.on_away_stored: Callable[[], None] = lambda: None

    def _rows(self, sql: str, values: tuple[object, ...], parse: Callable[..., T]) -> list[T]:
        """Each row that can be believed, parsed."""
        return self._store.rows(sql, values, lambda row: parse(*row))

    # --- what devices said ----------------------------------------------------------------------

    def readings(self, device: str) -> dict[str, Reading]:
        sql = "SELECT kind, value, at FROM readings WHERE device = ?"
        found = self._rows(sql, (device,), _stored_reading)
        return {reading.kind: reading for reading in found}

    def state(self, device: str) -> str | None:
        return self._value(f"tracker:{device}")

    def save_state(
        self,
        device: str,
        text: str,
        readings: Iterable[Reading],
        booked: Sequence[Statement] = (),
    ) -> Answer:
        """The model of the device, its last readings and what the ledger `booked`, together."""
        return self.queue.put(
            device,
            "state",
            (REPLACE_FACT, (f"tracker:{device}", text)),
            *(
                (
                    "INSERT OR REPLACE INTO readings VALUES (?, ?, ?, ?)",
                    (device, item.kind, json.dumps(item.value), to_unix_floor(item.at)),
                )
                for item in readings
            ),
            *booked,
        )

    def told_phases(self, device: str) -> int | str | None:
        """What the device last said of its phases, where that counts."""
        text = self._value(f"{PHASES}{device}")
        return int(text) if text is not None and text.isdecimal() else text

    def save_told_phases(self, device: str, phases: int | str | None) -> Answer:
        return self.queue.put(device, "phases", (REPLACE_FACT, (f"{PHASES}{device}", str(phases))))

    # --- wishes ---------------------------------------------------------------------------------

    def wish(self, device: str) -> str | None:
        found = self._rows("SELECT document FROM wishes WHERE device = ?", (device,), str)
        return found[0] if found else None

    def save_wish(self, device: str, text: str) -> Answer:
        sql = "INSERT OR REPLACE INTO wishes VALUES (?, ?)"
        return self.queue.put_first(f"{OWNER_OF}{device}", WISH, (sql, (device, text)))

    def _late(self, whose: str, what: str) -> None:
        if what == SCHEDULE:
            self.schedules.on_late(whose)
        elif what == WISH:
            self.on_wish_stored(whose.removeprefix(OWNER_OF))
        elif what == AWAY:
            self.on_away_stored()

    def away_until(self) -> datetime | None:
        sql = "SELECT value FROM facts WHERE name = ?"
        found = self._rows(sql, (AWAY,), lambda text: from_unix(int(text)))
        return found[0] if found else None

    def save_away_until(self, when: datetime | None) -> Answer:
        forget = "DELETE FROM facts WHERE name = ?"
        if when is None:
            return self.queue.put(f"{OWNER_OF}the site", AWAY, (forget, (AWAY,)))
        return self.queue.put(
            f"{OWNER_OF}the site", AWAY, (REPLACE_FACT, (AWAY, str(to_unix_floor(when))))
        )

    def grid_limit(self) -> str | None:
        return self._value(GRID_LIMIT)

    def save_grid_limit(self, text: str) -> Answer:
        return self.queue.put(GRID, GRID_LIMIT, (REPLACE_FACT, (GRID_LIMIT, text)))

    def newest_limit_w(self) -> float | None:
        """That of the record of limits; None: none, or lifted."""
        found = self._rows("SELECT limit_w FROM limits ORDER BY at DESC LIMIT 1", (), _or_none)
        return found[0] if found else None

    # --- what the house drew and its roof gave --------------------------------------------------

    def hourly_means(self) -> list[tuple[int, str]]:
        """Day (since the epoch) and its text, of the last weeks."""
        sql = "SELECT name, value FROM facts WHERE name LIKE ?"
        return self._rows(sql, (f"{HOURLY}%",), lambda name, text: (_day_of(name), str(text)))

    def save_hourly_means(self, day: int, text: str) -> Answer:
        return self.queue.put(
            "site",
            f"{HOURLY}{day}",
            (REPLACE_FACT, (f"{HOURLY}{day}", text)),
            ("DELETE FROM facts WHERE name = ?", (f"{HOURLY}{day - HOURLY_DAYS_KEPT}",)),
        )

    # --- topics that were used ------------------------------------------------------------------

    def published_topics(self) -> set[str]:
        """Every retained topic that was published and not emptied since."""
        text = self._value(TOPICS)
        try:
            found = json.loads(text or "[]")
        except ValueError:
            return set()
        return (
            {topic for topic in found if isinstance(topic, str)}
            if isinstance(found, list)
            else set()
        )

    def save_published_topics(self, topics: Iterable[str]) -> Answer:
        return self._save_value(TOPICS, json.dumps(sorted(topics)))

    # --- what companions keep -------------------------------------------------------------------

    def companion_text(self, name: str) -> str | None:
        return self._value(f"{COMPANION}{name}")

    def save_companion_text(self, name: str, text: str) -> Answer:
        return self._save_value(f"{COMPANION}{name}", text)

    # --- plans ----------------------------------------------------------------------------------

    def keep_plan(self, made_at: int, situation: str, plan: str) -> None:
        """The Situation and plan behind a published change; at most 64 a day, two weeks."""
        sql = "SELECT count(*) FROM plans WHERE made_at > ?"
        since = self._rows(sql, (made_at - 86_400,), int)
        if since and since[0] >= PLANS_A_DAY:
            return
        packed = zlib.compress(situation.encode()), zlib.compress(plan.encode())
        oldest = made_at - int(PLANS_KEPT.total_seconds())
        self._store.submit(
            ("INSERT OR REPLACE INTO plans VALUES (?, ?, ?)", (made_at, *packed)),
            ("DELETE FROM plans WHERE made_at < ?", (oldest,)),
        )

    def newest_confirmed(self) -> datetime | None:
        """The newest instant that a confirmed clock has shown."""
        sql = "SELECT value FROM facts WHERE name = ?"
        found = self._rows(sql, (NEWEST_CONFIRMED,), parse_instant)
        return found[0] if found else None

    def save_newest_confirmed(self, when: datetime) -> None:
        self._save_value(NEWEST_CONFIRMED, format_instant(when))

    def newest_instant(self) -> datetime | None:
        """The latest moment at which something was certainly written: time cannot lie before it."""
        sql = "SELECT made_at FROM plans ORDER BY made_at DESC LIMIT 1"
        found = self._rows(sql, (), from_unix)
        return found[0] if found else None

    def _value(self, name: str) -> str | None:
        found = self._rows("SELECT value FROM facts WHERE name = ?", (name,), str)
        return found[0] if found else None

    def _save_value(self, name: str, text: str) -> Answer:
        return self.queue.submit(AGENT, name, (REPLACE_FACT, (name, text)))


def _or_none(value: float | None) -> float | None:
    return None if value is None else float(value)


def _day_of(name: str) -> int:
    return int(name.removeprefix(HOURLY))


def _stored_reading(kind: str, value: str, at: int) -> Reading:
    if kind not in AGE_LIMITS:
        raise KeyError(kind)
    read = json.loads(value)
    wanted = (bool,) if kind == "plugged" else (str,) if kind in TEXT_KINDS else (int, float)
    if not isinstance(read, wanted) or (isinstance(read, bool) and kind != "plugged"):
        raise TypeError(f"{kind} {value}")
    if isinstance(read, float) and not -1e12 < read < 1e12:
        raise ValueError(f"{kind} {value}")
    return Reading(kind, read, from_unix(at))
