"""A disk that hangs while prices come: nothing waits, and nothing is lost when it goes on."""

import asyncio
import sqlite3
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from agent.clock import SystemClock
from agent.energy.rates import Direction, Rate
from agent.health import Health
from agent.store import Store
from agent.tariff.normalise import Withdrawal
from agent.tariff.rate_store import RateStore

START = datetime(2026, 1, 15, tzinfo=UTC)
RATES = [
    Rate(START + timedelta(hours=n), START + timedelta(hours=n + 1), Decimal(n), 1.0)
    for n in range(24)
]


async def test_prices_and_facts_wait_for_the_disk_beside_everything_else(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    store = Store.open(path, START)
    health = Health(SystemClock())
    rates = RateStore(store, health)
    # Whoever holds this lock is a disk that takes no write.
    hanging = sqlite3.connect(path, isolation_level=None)
    hanging.execute("BEGIN IMMEDIATE")
    assert rates.put(Direction.IMPORT, RATES, Withdrawal())
    rates.set_value("tariff.timezone", "Europe/Berlin")
    rates.set_value("tariff.timezone", "Europe/London")
    rates.set_value("tariff.timezone", "Europe/Berlin")
    assert rates.get_value("tariff.timezone") == "Europe/Berlin"
    assert not store.rows("SELECT * FROM rates", (), tuple)
    hanging.execute("ROLLBACK")
    hanging.close()
    # What is submitted now comes after it.
    assert await store.submit(("INSERT INTO facts VALUES ('last', '1')", ()))
    assert rates.rates(Direction.IMPORT, START, START + timedelta(days=1)) == RATES
    await asyncio.sleep(0)
    assert rates.get_value("tariff.timezone") == "Europe/Berlin"
    assert not health.counts
    store.close()
    again = Store.open(path, START)
    assert again.get_value("tariff.timezone") == "Europe/Berlin"
    again.close()
