"""What survives a restart, and what a disk that cannot be written does."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.clock import SteppedClock, SystemClock
from agent.energy.instants import from_unix
from agent.energy.readings import Reading
from agent.energy.schedule import DefaultCommand, DeviceType, OfflineRule, Schedule
from agent.health import Health
from agent.records.device_store import PLANS_A_DAY, DeviceStore
from agent.store import Store
from tests.fakes.disks import fill, small_disk
from tests.fakes.virtual_loop import run_virtual

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


async def test_everything_comes_back_after_a_restart(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "a.sqlite", NOW)
    book, _ = device_store(store)
    book.schedules.issue(schedule(7))
    book.save_wish("ev", "{}")
    book.save_state("ev", "state", [Reading("plugged", True, NOW)])
    store.close()
    again, _ = device_store(Store.open(tmp_path / "a.sqlite", NOW))
    assert again.schedules.highest_revision("ev") == 7
    assert again.schedules.stored() == {"ev": schedule(7)}
    assert again.readings("ev") == {"plugged": Reading("plugged", True, NOW)}
    assert (again.wish("ev"), again.state("ev")) == ("{}", "state")


async def test_one_device_cannot_wear_out_the_disk(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "a.sqlite", NOW)
    book, health = device_store(store)
    answers = [book.save_wish("ev", json.dumps({"id": str(n)})) for n in range(1000)]
    written = sum(await asyncio.gather(*answers))
    assert 20 < written < 100
    assert (tmp_path / "a.sqlite-wal").stat().st_size <= 64_000
    assert health.counts["writes_put_off"] == 1000 - written
    assert await book.save_wish("tank", "{}")
    # what waits is the newest, and it is written at the end of a life at the latest
    book.queue.flush(everything=True)
    assert await book.save_away_until(NOW)
    assert book.wish("ev") == '{"id": "999"}'


def test_what_a_full_disk_did_not_take_is_written_when_there_is_room_again(tmp_path: Path) -> None:
    """The newest of each, without anybody writing anything else."""
    late: list[str] = []

    async def live(clock: SteppedClock, disk: Path) -> None:
        store = Store.open(disk / "a.sqlite", NOW)
        book = DeviceStore(store, Health(clock), clock)
        book.on_wish_stored = late.append
        filler = fill(disk)
        big = "x" * 8_000
        assert not await book.save_wish("ev", json.dumps({"id": big}))
        assert not await book.save_wish("tank", json.dumps({"id": big}))
        assert not await book.save_wish("ev", json.dumps({"id": f"{big} again"}))
        await clock.sleep(100)
        assert store.problem is not None
        assert late == []
        filler.unlink()
        await clock.sleep(60)
        assert store.problem is None
        assert json.loads(book.wish("ev") or "")["id"] == f"{big} again"
        assert book.wish("tank") is not None
        store.close()

    with small_disk(tmp_path / "disk") as disk:
        run_virtual(lambda clock: live(clock, disk), NOW)
    assert sorted(late) == ["ev", "tank"]


async def test_a_device_that_flaps_keeps_no_wish_and_no_limit_from_the_disk(
    tmp_path: Path,
) -> None:
    book, health = device_store(Store.open(tmp_path / "a.sqlite", NOW))
    for number in range(100):
        book.save_state("ev", str(number), [Reading("plugged", bool(number % 2), NOW)])
    assert health.counts["writes_put_off"] > 0
    assert await book.save_wish("ev", "{}")
    assert await book.save_grid_limit("{}")


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
async def test_a_row_that_cannot_be_believed_is_dropped_and_counted(
    tmp_path: Path, sql: str
) -> None:
    store = Store.open(tmp_path / "a.sqlite", NOW)
    book, _ = device_store(store)
    book.schedules.issue(schedule(7))
    book.save_state("ev", "state", [Reading("plugged", True, NOW)])
    book.keep_plan(1000, "{}", "{}")
    assert await book.save_away_until(NOW)
    store.connection.execute(sql)
    again, _ = device_store(store)
    found = (again.schedules.stored(), again.readings("ev"), again.newest_instant())
    revision = again.schedules.highest_revision("ev")
    whole = ({"ev": schedule(7)}, {"plugged": Reading("plugged", True, NOW)}, from_unix(1000))
    assert (*found, revision) != (*whole, 7)
    assert 0 <= revision < 2**32
    if "-5" not in sql:
        assert store.unreadable_rows >= 1


async def test_at_most_so_many_plans_a_day_and_two_weeks_of_them() -> None:
    store = Store.in_memory()
    book, _ = device_store(store)
    for minute in range(100):
        book.keep_plan(minute * 60, "{}", "{}")
    count = "SELECT count(*) FROM plans"
    assert store.connection.execute(count).fetchone()[0] == PLANS_A_DAY
    book.keep_plan(15 * 86_400, "{}", "{}")
    assert store.connection.execute(count).fetchone()[0] == 1
