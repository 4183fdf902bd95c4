"""What survives a restart, and what a disk that cannot be written does."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.clock import SystemClock
from agent.energy.instants import from_unix
from agent.energy.readings import Reading
from agent.energy.schedule import DefaultCommand, DeviceType, OfflineRule, Schedule
from agent.health import Health, State
from agent.records.device_store import PLANS_A_DAY, DeviceStore
from agent.store import Store

NOW = datetime(2026, 1, 16, 10, tzinfo=UTC)


def schedule(revision: int) -> Schedule:
    return Schedule(
        device="ev",
        device_type=DeviceType.EVSE,
        revision=revision,
        issued_at=100,
        valid_from=0,
        valid_until=1000,
        currency="EUR",
        slots=(),
        default=DefaultCommand("idle", 0),
        offline=OfflineRule(900, "charge", 3700),
    )


def device_store(store: Store) -> tuple[DeviceStore, Health]:
    health = Health(SystemClock())
    return DeviceStore(store, health, SystemClock()), health


def test_everything_comes_back_after_a_restart(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "a.sqlite", NOW)
    book, _ = device_store(store)
    book.issue(schedule(7))
    book.save_wish("ev", "{}")
    book.save_state("ev", "state", [Reading("plugged", True, NOW)])
    store.close()
    again, _ = device_store(Store.open(tmp_path / "a.sqlite", NOW))
    assert again.highest_revision("ev") == 7
    assert again.schedules() == {"ev": schedule(7)}
    assert again.readings("ev") == {"plugged": Reading("plugged", True, NOW)}
    assert (again.wish("ev"), again.state("ev")) == ("{}", "state")


def test_a_disk_that_cannot_be_written_stops_nothing_and_is_said(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "a.sqlite", NOW)
    book, health = device_store(store)
    store.connection.execute("PRAGMA query_only = ON")
    book.issue(schedule(7))
    assert health.parts["disk"].state is State.FAILED
    assert "owner" in health.parts["disk"].who_acts
    store.connection.execute("PRAGMA query_only = OFF")
    book.issue(schedule(8))
    assert health.parts["disk"].state.value == "ok"


def test_a_damaged_database_is_moved_aside_and_the_agent_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    store = Store.open(path, NOW)
    device_store(store)[0].issue(schedule(7))
    store.close()
    path.write_bytes(b"SQLite format 3\x00" + b"broken" * 1000)
    again = Store.open(path, NOW)
    assert again.damaged is not None
    assert again.damaged.read_bytes().startswith(b"SQLite format 3")
    assert device_store(again)[0].highest_revision("ev") == 0


def test_one_device_cannot_wear_out_the_disk() -> None:
    store = Store.in_memory()
    book, health = device_store(store)
    written = sum(book.save_wish("ev", json.dumps({"id": str(n)})) for n in range(1000))
    assert written * 4096 <= 64_000
    assert health.counts["writes_put_off"] == 1000 - written
    assert book.save_wish("tank", "{}")
    # what waits is the newest, and it is written at the end of a life at the latest
    book.flush(everything=True)
    assert book.wish("ev") == '{"id": "999"}'


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE schedules SET document = '{}'",
        "UPDATE schedules SET document = '[' || document || ']'",
        "UPDATE schedules SET document = replace(document, 'idle', 'idly')",
        "UPDATE schedules SET document = replace(document, '1000', '1e99')",
        "UPDATE schedules SET device = 'other'",
        "UPDATE revisions SET revision = 'x'",
        "UPDATE revisions SET revision = -5",
        "UPDATE readings SET at = 9e18",
        "UPDATE readings SET value = 'NaN'",
        "UPDATE readings SET value = '\"yes\"'",
        "UPDATE readings SET kind = 'colour'",
        "UPDATE readings SET value = x'ff00'",
        "UPDATE plans SET made_at = 9000000000000000000",
        "DROP TABLE schedules",
    ],
)
def test_a_row_that_cannot_be_believed_is_dropped_and_counted(tmp_path: Path, sql: str) -> None:
    store = Store.open(tmp_path / "a.sqlite", NOW)
    book, _ = device_store(store)
    book.issue(schedule(7))
    book.save_state("ev", "state", [Reading("plugged", True, NOW)])
    book.keep_plan(1000, "{}", "{}")
    store.connection.execute(sql)
    again, health = device_store(store)
    found = (again.schedules(), again.readings("ev"), again.newest_instant())
    revision = again.highest_revision("ev")
    whole = ({"ev": schedule(7)}, {"plugged": Reading("plugged", True, NOW)}, from_unix(1000))
    assert (*found, revision) != (*whole, 7)
    assert 0 <= revision < 2**32
    if "-5" not in sql:
        assert health.counts["unreadable_rows"] >= 1


def test_at_most_so_many_plans_a_day_and_two_weeks_of_them() -> None:
    store = Store.in_memory()
    book, _ = device_store(store)
    for minute in range(100):
        book.keep_plan(minute * 60, "{}", "{}")
    count = "SELECT count(*) FROM plans"
    assert store.connection.execute(count).fetchone()[0] == PLANS_A_DAY
    book.keep_plan(15 * 86_400, "{}", "{}")
    assert store.connection.execute(count).fetchone()[0] == 1
