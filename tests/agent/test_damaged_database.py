"""A database that was damaged while nobody looked: at its start the agent says so and goes on."""

import random
import shutil
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.clock import SteppedClock
from agent.store import Store
from integrations.sandbox.household import DEVICES
from integrations.sandbox.server import FlatPeakSandbox
from tests.fakes.home import BASE, Home
from tests.fakes.virtual_loop import run_virtual

START = datetime(2026, 1, 15, 15, tzinfo=UTC)
STATE = (
    b'{"plugged":true,"soc_percent":30,"power_w":0,"energy_kwh":1,"mode":"idle",'
    b'"at":"2026-01-15T15:00:00Z"}'
)


def evening(path: Path, hours: float, start: datetime = START) -> dict[str, bytes]:
    """A while of an agent on that database; what the broker holds at its end."""

    async def live(clock: SteppedClock) -> dict[str, bytes]:
        store = Store.open(path, clock.now())
        async with FlatPeakSandbox(clock) as sandbox:
            home = Home(clock, sandbox, store=store)
            home.broker.publish(f"{BASE}/device/ev/state", STATE, retain=True)
            home.broker.publish(f"{BASE}/device/dishwasher/request", b"{}", retain=False)
            await home.run(home.config(DEVICES), clock.now() + timedelta(hours=hours))
            store.close()
            return home.broker.retained

    return run_virtual(live, start)


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("healthy") / "agent.sqlite"
    evening(path, 0.5)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return path


def damage(raw: bytearray, rng: random.Random) -> None:
    kind = rng.choice(["bit", "bits", "text", "zero", "cut"])
    if kind == "cut":
        del raw[rng.randrange(len(raw)) :]
    elif kind == "zero":
        start = rng.randrange(0, len(raw), 512)
        raw[start : start + 512] = bytes(512)
    elif kind == "text":
        # Digits and letters within rows: SQLite's own check finds nothing wrong with them.
        places = [i for i, byte in enumerate(raw) if 48 <= byte < 58 or 97 <= byte < 123]
        for place in rng.sample(places, 5):
            raw[place] = rng.choice(b"0159aez{}\"',:-\x00\xff")
    else:
        for _ in range(1 if kind == "bit" else 20):
            raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)


def survive(healthy: Path, folder: Path, seed: int) -> None:
    folder.mkdir()
    path = folder / "agent.sqlite"
    raw = bytearray(healthy.read_bytes())
    damage(raw, random.Random(seed))
    path.write_bytes(raw)
    retained = evening(path, 0.05, START + timedelta(hours=1))
    assert f"{BASE}/device/ev/schedule" in retained
    # and once more, on what that life has left
    retained = evening(path, 0.02, START + timedelta(hours=2))
    assert f"{BASE}/device/ev/setpoint" in retained
    shutil.rmtree(folder)


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_database_ends_nothing(healthy: Path, tmp_path: Path, seed: int) -> None:
    survive(healthy, tmp_path / "damaged", seed)


def stored_and_killed(folder: Path) -> Path:
    """Thirty commits, each after the one before; nothing but the first is in the file yet."""
    path, killed = folder / "agent.sqlite", folder / "killed" / "agent.sqlite"
    store = Store.open(path, START)
    for k in range(30):
        store.set_value("other", f"{k} " + "text " * 300)
    killed.parent.mkdir()
    for suffix in ("", "-wal"):
        shutil.copy(f"{path}{suffix}", f"{killed}{suffix}")
    store.close()
    return killed


def reopened(path: Path) -> tuple[str, str]:
    """What the store says of the disk, and which of the texts it holds."""
    store = Store.open(path, START)
    why, text = store.problem.why if store.problem else "", store.get_value("other") or ""
    store.close()
    return why, text.partition(" ")[0]


@pytest.mark.parametrize("place", [0.2, 0.5, 0.8])
def test_a_log_that_is_damaged_in_its_middle_is_named(tmp_path: Path, place: float) -> None:
    """What follows was stored, and answered; SQLite leaves it out without a word."""
    killed = stored_and_killed(tmp_path)
    log = killed.with_name(f"{killed.name}-wal")
    raw = bytearray(log.read_bytes())
    raw[int(len(raw) * place)] ^= 4
    log.write_bytes(raw)
    why, text = reopened(killed)
    assert "log was damaged" in why
    assert text != "29"
    # Said once: what is stored from then on is whole.
    assert reopened(killed) == ("", text)


def test_a_transaction_that_the_power_cut_is_no_damage(tmp_path: Path) -> None:
    killed = stored_and_killed(tmp_path)
    log = killed.with_name(f"{killed.name}-wal")
    raw = bytearray(log.read_bytes())
    raw[-1500] ^= 4
    log.write_bytes(raw)
    assert reopened(killed) == ("", "28")


def test_a_log_after_a_kill_is_read_to_its_end(tmp_path: Path) -> None:
    assert reopened(stored_and_killed(tmp_path)) == ("", "29")


@pytest.mark.full
def test_two_thousand_damaged_databases_end_nothing(healthy: Path, tmp_path: Path) -> None:
    for seed in range(100, 2100):
        survive(healthy, tmp_path / "damaged", seed)
