"""Whatever the disk made of the stored rows: the cache starts on them, lives and mends itself."""

import asyncio
import json
import sqlite3
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.clock import Clock, SteppedClock
from agent.energy.rates import Direction, Rate
from agent.errors import Unavailable
from agent.health import Health, State
from agent.ports import FetchedRates
from agent.store import Store
from agent.tariff.normalise import gaps
from agent.tariff.rate_cache import RateCache
from agent.tariff.rate_table import RateTable
from tests.fakes.virtual_loop import run_virtual

START = datetime(2026, 1, 16, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
IMPORT = Direction.IMPORT
NOW_S = int(START.timestamp())
# SQL literals, for what Python's driver would not write.
VALUES = st.sampled_from(
    [
        "0", "-1", "9223372036854775807", "-9223372036854775808", "1e300", "9e999", "-9e999",
        "0.5", "1.5", "'x'", "''", "'nan'", "'-Infinity'", "'1e999999'", "'0.25'", "x'ff00'",
        "CAST(x'fffe' AS TEXT)", "'1_0'", "'" + "9" * 5000 + "'", "zeroblob(3)",
        str(NOW_S), str(NOW_S + 7200), str(NOW_S - 900), "253402300799", "7258118400",
    ]
)  # fmt: skip
COLUMNS = st.sampled_from(["start", "end", "price", "confidence", "carbon"])
TEXTS = st.sampled_from(
    [
        "", "{", "[]", "null", "7", "\ud83d", "\x00", "9" * 5000, "[" * 100_000, "nan", "Nowhere",
        "EUR", "Europe/Paris", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z", "refused",
        "2199-12-31T23:59:59Z", "2026-01-16T10:00:00", "2026-01-16T12:00:00Z", "unavailable",
        "\xb2", "retry", "early", "-3", "failed", "2026-01-16", "2026-02-31",
    ]
)  # fmt: skip
NAMES = st.sampled_from(
    ["tariff.import", "tariff.events", "tariff.currency", "tariff.timezone", "tariff.identity"]
)
KEYS = st.sampled_from(
    [
        "due", "fetched_at", "tried_at", "told_at", "next_update", "history_from", "warnings",
        "history_target", "asked_day", "outcome", "code", "failures", "state", "why", "retries",
        "due_as", "day", "newest", "ids", "tariff_expired", "tariff_expired_at",
    ]
)  # fmt: skip
JSON_VALUES = TEXTS | st.none() | st.booleans() | st.integers() | st.lists(TEXTS, max_size=2)
DAMAGES = st.lists(
    st.one_of(
        st.tuples(st.just("cell"), st.integers(0, 200), COLUMNS, VALUES),
        st.tuples(st.just("row"), VALUES, VALUES, VALUES, VALUES, VALUES),
        st.tuples(st.just("fact"), NAMES, VALUES),
        st.tuples(st.just("text"), NAMES, TEXTS),
        st.tuples(st.just("key"), NAMES, KEYS, JSON_VALUES),
    ),
    min_size=1,
    max_size=6,
)


class Source:
    identity = "source"
    directions = (IMPORT,)

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.calls = 0
        self.away = False

    async def fetch(self, direction: Direction, start: datetime, end: datetime) -> FetchedRates:
        self.calls += 1
        await asyncio.sleep(0)
        if self.away:
            raise Unavailable("away")
        now = self.clock.now()
        hours = int((min(end, now + 60 * HOUR) - start) / HOUR)
        rates = [
            Rate(start + n * HOUR, start + (n + 1) * HOUR, Decimal(n % 7) / 10)
            for n in range(hours)
        ]
        return FetchedRates(direction, "EUR", "Europe/Berlin", rates, now + 6 * HOUR)

    async def close(self) -> None:
        """Nothing is open."""


@pytest.fixture(scope="module")
def good() -> Any:
    """A database as a day of life leaves it."""
    store = Store.in_memory()

    async def story(clock: SteppedClock) -> None:
        await live(Source(clock), store, clock, 24)

    run_virtual(story, START - timedelta(days=1))
    yield store.connection
    store.close()


async def live(source: Source, store: Store, clock: Clock, hours: int) -> Health:
    health = Health(clock)
    cache = RateCache(source, store, clock, health, random=Random(1))
    task = asyncio.create_task(cache.run())
    for _ in range(hours):
        await clock.sleep(3600)
        assert not task.done()
        now = clock.now()
        plan = cache.planning_rates(IMPORT, now, now + 48 * HOUR)
        assert not plan or gaps(plan, now, now + 48 * HOUR) == []
        assert all(rate.price.is_finite() and 0 < rate.confidence <= 1 for rate in plan)
        health.parts["tariff"].why.encode()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return health


def damage(connection: sqlite3.Connection, how: tuple[Any, ...]) -> None:
    kind, *what = how
    try:
        if kind == "cell":
            row, column, value = what
            connection.execute(
                f"UPDATE OR REPLACE rates SET {column} = {value} WHERE start ="
                f" (SELECT start FROM rates ORDER BY start LIMIT 1 OFFSET {row})"
            )
        elif kind == "row":
            connection.execute(f"INSERT OR REPLACE INTO rates VALUES ('import', {', '.join(what)})")
        elif kind == "fact":
            name, value = what
            connection.execute(f"UPDATE facts SET value = {value} WHERE name = '{name}'")
        elif kind == "text":
            name, text = what
            safe = text.encode("utf-8", "surrogatepass")
            connection.execute(
                "INSERT OR REPLACE INTO facts VALUES (?, CAST(? AS TEXT))", (name, safe)
            )
        else:
            name, key, value = what
            row = connection.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
            kept = json.loads(row[0]) if row and str(row[0]).startswith("{") else {}
            text = json.dumps({**kept, key: value})
            connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, text))
    except (sqlite3.IntegrityError, sqlite3.OperationalError, ValueError):
        # Not what this column can hold, or damaged before so that it is not found.
        return


async def check(clock: SteppedClock, good: sqlite3.Connection, damages: list[Any]) -> None:
    store = Store.in_memory()
    good.backup(store.connection)
    for how in damages:
        damage(store.connection, how)
    source = Source(clock)
    source.away = len(damages) % 2 == 1
    await live(source, store, clock, 3)
    # As many as on a cold start, where the damage took everything.
    assert source.calls <= 18
    # Once it is asked again all is well, whatever is still in the table.
    source.away = False
    health = await live(source, store, clock, 30)
    assert health.parts["tariff"].state is State.OK, health.parts["tariff"].why
    now = clock.now()
    kept = RateTable(store).rates(IMPORT, now, now + 24 * HOUR)
    assert gaps(kept, now, now + 24 * HOUR) == []
    assert health.counts.get("failed_writes_of_rates", 0) == 0
    store.close()


FUZZ = {"deadline": None, "suppress_health_check": list(HealthCheck)}


@settings(max_examples=40, derandomize=True, **FUZZ)  # type: ignore[arg-type] # one dict for both
@given(damages=DAMAGES)
def test_damaged_rows(good: sqlite3.Connection, damages: list[Any]) -> None:
    run_virtual(lambda clock: check(clock, good, damages), START)


@pytest.mark.full
@settings(max_examples=1000, **FUZZ)  # type: ignore[arg-type]
@given(damages=DAMAGES)
def test_many_damaged_rows(good: sqlite3.Connection, damages: list[Any]) -> None:
    run_virtual(lambda clock: check(clock, good, damages), START)


def test_what_cannot_be_read_is_counted_once(good: sqlite3.Connection) -> None:
    async def story(clock: SteppedClock) -> None:
        store = Store.in_memory()
        good.backup(store.connection)
        store.connection.execute("UPDATE rates SET price = 'cheap' WHERE start < ?", (NOW_S,))
        rows = store.connection.execute("SELECT count(*) FROM rates WHERE price = 'cheap'")
        (damaged,) = rows.fetchone()
        source = Source(clock)
        source.away = True
        health = await live(source, store, clock, 30)
        assert health.counts["unreadable_rows"] == damaged > 0
        store.close()

    run_virtual(story, START)
