"""The database on disks as they come: full, read-only, hanging, damaged, of another program."""

import asyncio
import os
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from agent.store import Store, StoreInUse
from tests.fakes.disks import fill, read_only, small_disk

NOW = datetime(2026, 1, 16, 10, tzinfo=UTC)
PUT = "INSERT OR REPLACE INTO facts VALUES (?, ?)"
NOBODY = 65534
TABLES = ("rates", "facts", "revisions", "schedules", "readings", "wishes", "plans")


def opened(path: Path) -> "closing[Store]":
    return closing(Store.open(path, NOW))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "agent.sqlite"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk") as folder:
        yield folder


def hold_one_value(path: Path) -> None:
    with opened(path) as store:
        store.set_value("revision", "7")


def user_must_act(store: Store) -> str:
    assert store.problem is not None
    assert store.problem.who_acts.startswith("owner: ")
    return f"{store.problem.why}; {store.problem.who_acts}"


# --- at the start ------------------------------------------------------------------------------


async def test_what_was_answered_true_is_there_after_a_power_cut(path: Path) -> None:
    with opened(path) as store:
        assert store.problem is None
        assert await store.write((PUT, ("a", "1")), (PUT, ("b", "2")))
        # Read by somebody else, as after a cut: nothing of it waits in memory.
        with closing(sqlite3.connect(path)) as other:
            assert other.execute("SELECT count(*) FROM facts").fetchone() == (2,)


async def test_a_full_disk_leaves_an_agent_that_works_from_memory(disk: Path) -> None:
    path = disk / "agent.sqlite"
    hold_one_value(path)
    fill(disk)
    with opened(path) as store:
        assert "make room on the disk, then restart" in user_must_act(store)
        assert store.get_value("revision") == "7"
        assert not await store.write((PUT, ("revision", "8")))
        assert store.get_value("revision") == "8"


async def test_a_full_disk_without_a_database_too(disk: Path) -> None:
    fill(disk)
    with opened(disk / "state" / "agent.sqlite") as store:
        user_must_act(store)
        assert not await store.write((PUT, ("a", "1")))


async def test_a_read_only_disk_is_read(disk: Path) -> None:
    path = disk / "agent.sqlite"
    hold_one_value(path)
    read_only(disk)
    with opened(path) as store:
        assert "mount the disk to be written" in user_must_act(store)
        assert store.problem is not None
        assert "read only); what it holds is used; nothing new is kept" in store.problem.why
        assert store.get_value("revision") == "7"
        assert not await store.write((PUT, ("revision", "8")))


async def test_a_read_only_disk_after_a_power_cut_is_read_with_its_log(disk: Path) -> None:
    path, copy = disk / "agent.sqlite", disk / "cut.sqlite"
    with opened(path) as store:
        assert await store.write(("INSERT INTO facts VALUES (?, ?)", ("revision", "7")))
        for suffix in ("", "-wal"):
            content = path.with_name(path.name + suffix).read_bytes()
            copy.with_name(copy.name + suffix).write_bytes(content)
    read_only(disk)
    with opened(copy) as store:
        user_must_act(store)
        # Its log has no index and none can be made there.
        assert store.get_value("revision") == "7"


async def test_a_folder_that_is_none_costs_the_memory_of_tomorrow_only(path: Path) -> None:
    path.parent.write_text("a file")
    with opened(path) as store:
        user_must_act(store)
        assert not await store.write((PUT, ("a", "1")))
        assert store.get_value("a") == "1"


async def test_a_folder_that_may_not_be_looked_into_is_done_without(path: Path) -> None:
    """Somebody started the agent as root once; since then it is a user of its own."""
    hold_one_value(path)
    path.parent.chmod(0)
    user = os.geteuid()
    try:
        if user == 0:
            os.seteuid(NOBODY)
        with pytest.raises(sqlite3.OperationalError):
            Store.copy_of(path)
        with opened(path) as store:
            assert "let the agent's user write to the state folder" in user_must_act(store)
            assert not await store.write((PUT, ("a", "1")))
            assert store.get_value("a") == "1"
    finally:
        os.seteuid(user)
        path.parent.chmod(0o700)


def test_a_database_of_a_newer_program_is_left_to_the_byte(path: Path) -> None:
    hold_one_value(path)
    with closing(sqlite3.connect(path)) as newer:
        newer.execute("PRAGMA user_version = 99")
        newer.execute("PRAGMA journal_mode = DELETE")
    before = path.read_bytes()
    with opened(path) as store:
        assert "version 99" in user_must_act(store)
        assert "update the agent" in user_must_act(store)
        store.set_value("revision", "8")
    assert path.read_bytes() == before


@pytest.mark.parametrize("part", ["", "-wal", "-shm"])
async def test_a_damaged_file_is_moved_aside_and_named(path: Path, part: str) -> None:
    hold_one_value(path)
    broken = path.with_name(path.name + part)
    if part:
        broken.mkdir()
    else:
        broken.write_bytes(b"\0" * 8192)
    with opened(path) as store:
        assert store.damaged is not None
        assert store.damaged.name in user_must_act(store)
        assert store.damaged.with_name(store.damaged.name + part).exists()
        assert await store.write((PUT, ("a", "1")))
    with opened(path) as store:
        assert store.problem is None


async def test_a_damaged_file_that_cannot_be_moved_is_done_without(disk: Path) -> None:
    path = disk / "agent.sqlite"
    path.write_bytes(b"\0" * 8192)
    read_only(disk)
    with opened(path) as store:
        user_must_act(store)
        assert not await store.write((PUT, ("a", "1")))


def test_a_card_that_dies_is_not_filled_with_damaged_files(path: Path) -> None:
    path.parent.mkdir()
    for day in range(6):
        path.write_bytes(b"no database at all")
        Store.open(path, NOW + timedelta(days=day)).close()
    kept = sorted(item.name for item in path.parent.glob("*.damaged-*Z"))
    assert len(kept) == 3
    assert kept[-1].endswith("2026-01-21T100000Z")


def test_a_folder_that_it_makes_is_for_nobody_else(path: Path) -> None:
    hold_one_value(path)
    assert path.parent.stat().st_mode & 0o077 == 0


def test_a_second_agent_on_the_same_folder_is_turned_away(path: Path) -> None:
    with opened(path), pytest.raises(StoreInUse, match=str(path.parent)):
        Store.open(path, NOW)
    Store.open(path, NOW).close()


# --- while it runs -----------------------------------------------------------------------------


async def test_a_disk_that_fills_up_is_said_until_there_is_room_again(disk: Path) -> None:
    news: list[str] = []
    with opened(disk / "agent.sqlite") as store:
        store.on_problem = lambda: news.append(store.problem.who_acts if store.problem else "ok")
        store.on_recovered = lambda: news.append("recovered")
        filler = fill(disk)
        assert not await store.write((PUT, ("big", "x" * 100_000)))
        assert not await store.write((PUT, ("big", "x" * 100_000)))
        assert store.get_value("big") is None
        filler.unlink()
        assert await store.write((PUT, ("big", "x" * 100_000)))
    assert news == ["owner: make room on the disk", "ok", "recovered"]


def test_a_write_at_once_that_failed_does_not_spoil_the_next(disk: Path) -> None:
    with opened(disk / "agent.sqlite") as store:
        filler = fill(disk)
        with pytest.raises(sqlite3.OperationalError, match="full"):
            store.set_value("big", "x" * 100_000)
        filler.unlink()
        store.set_value("big", "x" * 100_000)
        assert store.problem is None


async def test_a_disk_that_hangs_holds_up_neither_the_loop_nor_reading(path: Path) -> None:
    with opened(path) as store, closing(sqlite3.connect(path, isolation_level=None)) as other:
        store.set_value("a", "0")
        other.execute("BEGIN IMMEDIATE")
        turns = 0

        async def turn() -> None:
            nonlocal turns
            while True:
                turns += 1
                assert store.get_value("a") == "0"
                await asyncio.sleep(0)

        turning = asyncio.create_task(turn())
        assert not await store.write((PUT, ("a", "1")), timeout_s=0.1)
        assert turns > 10
        turning.cancel()
        assert "does not keep up" in user_must_act(store)
        later = [store.submit((PUT, ("a", str(number)))) for number in range(2, 5)]
        other.execute("ROLLBACK")
        assert await asyncio.gather(*later) == [True, True, True]
        assert store.get_value("a") == "4"
        assert store.problem is None


async def test_a_disk_that_hangs_is_said_though_nobody_waits_for_it(path: Path) -> None:
    said = asyncio.Event()
    with opened(path) as store, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        def look() -> None:
            if "does not keep up" in user_must_act(store):
                said.set()

        store.on_problem = look
        answer = store.submit((PUT, ("a", "1")))
        async with asyncio.timeout(60):
            await said.wait()
        store.on_problem = lambda: None
        other.execute("ROLLBACK")
        await answer


async def test_what_waits_for_a_disk_that_hangs_is_bounded(path: Path) -> None:
    with opened(path) as store, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        megabyte = "x" * 1_000_000
        waiting = [store.submit((PUT, (str(number), megabyte))) for number in range(20)]
        refused = [answer for answer in waiting if answer.done()]
        assert len(refused) >= 15
        assert not any([await answer for answer in refused])
        other.execute("ROLLBACK")
        assert all([await answer for answer in waiting if answer not in refused])


@pytest.mark.parametrize("suffixes", [("-wal",), ("", "-wal", "-shm")])
async def test_files_that_somebody_removes_are_no_longer_written_to_as_if_they_were_there(
    path: Path, suffixes: tuple[str, ...]
) -> None:
    with opened(path) as store:
        assert await store.write((PUT, ("a", "1")))
        for suffix in suffixes:
            path.with_name(path.name + suffix).unlink()
        assert not await store.write((PUT, ("a", "2")))
        assert "restart the service" in user_must_act(store)


async def test_one_write_that_cannot_be_harms_no_other(path: Path) -> None:
    with opened(path) as store:
        answers = [
            store.submit((PUT, ("a", "1"))),
            store.submit(("INSERT INTO nowhere VALUES (?)", (1,))),
            store.submit((PUT, ("b", 2**80))),
            store.submit((PUT, ("c", "\ud800"))),
            store.submit((PUT, ("d", "1")), (PUT, ("e", None))),
            store.submit((PUT, ("f", "1"))),
        ]
        assert await asyncio.gather(*answers) == [True, False, False, False, False, True]
        assert store.get_value("d") is None
        assert store.problem is None


def test_what_still_waits_at_the_end_is_written(path: Path) -> None:
    async def live() -> None:
        for number in range(50):
            store.submit((PUT, (str(number), "x")))

    store = Store.open(path, NOW)
    asyncio.run(live())
    store.close()
    with opened(path) as store:
        assert len(store.rows("SELECT name FROM facts", (), str)) == 50


def test_a_disk_that_hangs_does_not_hold_up_the_end(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.database.writer.CLOSE_TIMEOUT_S", 0.1)
    store = Store.open(path, NOW)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        async def live() -> None:
            store.submit((PUT, ("a", "1")))

        asyncio.run(live())
        store.close()
        other.execute("ROLLBACK")


# --- rows --------------------------------------------------------------------------------------


def test_a_row_that_cannot_be_read_costs_itself_only(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(path) as store:
        for name, value in (("a", "1.5"), ("b", "one"), ("c", b"\xff\xfe"), ("d", ""), ("e", "2")):
            store.connection.execute(PUT, (name, value))
        found = store.rows("SELECT value FROM facts", (), lambda row: Decimal(row[0]))
        assert found == [Decimal("1.5"), Decimal(2)]
        assert store.unreadable_rows == 3
        assert store.problem is None
    assert len([item for item in caplog.records if "cannot be read" in item.message]) == 1


def fill_with_life(path: Path) -> None:
    """About what a household's database holds after some weeks."""
    chance = random.Random(1)
    with opened(path) as store, store.transaction() as connection:
        for hour in range(2000):
            row = ("import", hour * 3600, hour * 3600 + 3600, f"0.{hour}", 1.0, None)
            connection.execute("INSERT INTO rates VALUES (?, ?, ?, ?, ?, ?)", row)
        for number in range(12):
            name = f"device-{number}"
            document = f'{{"revision": {number}, "slots": []}}'
            connection.execute("INSERT INTO schedules VALUES (?, ?)", (name, document))
            connection.execute("INSERT INTO wishes VALUES (?, ?)", (name, document))
            connection.execute("INSERT INTO revisions VALUES (?, ?)", (name, number))
            connection.execute(PUT, (f"tracker:{name}", document))
            connection.execute("INSERT INTO readings VALUES (?, 'power_w', '1', 5)", (name,))
            plan = chance.randbytes(5000)
            connection.execute("INSERT INTO plans VALUES (?, ?, ?)", (number, plan, plan))


def damage(content: bytearray, chance: random.Random) -> bytearray:
    kind = chance.choice(["flip", "flip", "flips", "truncate", "zero", "noise"])
    at = chance.randrange(len(content))
    if kind == "truncate":
        return content[:at]
    if kind == "zero":
        page = at // 4096 * 4096
        content[page : page + 4096] = bytes(4096)
    elif kind == "noise":
        content[at : at + 64] = chance.randbytes(64)
    else:
        for _ in range(1 if kind == "flip" else 30):
            content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    return content


async def live_on(path: Path) -> None:
    """Two lives of a program that reads all and writes; whatever the file holds, none ends."""
    for life in range(2):
        with opened(path) as store:
            for table in TABLES:
                store.rows(f"SELECT * FROM {table}", (), lambda row: row)
            kept = await store.write((PUT, ("life", str(life))), ("DELETE FROM wishes", ()))
            if kept:
                assert store.get_value("life") == str(life)
            else:
                user_must_act(store)


@pytest.mark.parametrize("count", [100, pytest.param(2000, marks=pytest.mark.full)])
def test_no_damaged_file_ends_a_start_or_a_read(path: Path, count: int) -> None:
    fill_with_life(path)
    whole = path.read_bytes()
    for seed in range(count):
        for old in path.parent.iterdir():
            old.unlink()
        path.write_bytes(damage(bytearray(whole), random.Random(seed)))
        try:
            asyncio.run(live_on(path))
        except Exception as error:
            raise AssertionError(f"seed {seed}") from error


def ruin_all_but_the_first_page(path: Path) -> None:
    with path.open("r+b") as file:
        size = file.seek(0, 2)
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))


async def test_a_file_found_damaged_while_it_is_used_is_begun_anew_at_the_next_start(
    path: Path,
) -> None:
    fill_with_life(path)
    with opened(path) as store:
        store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        store.connection.execute("PRAGMA cache_size = 0")
        ruin_all_but_the_first_page(path)
        for table in TABLES:
            store.rows(f"SELECT * FROM {table}", (), lambda row: row)
        assert "restart the service" in user_must_act(store)
    with opened(path) as store:
        assert store.damaged is not None
        assert await store.write((PUT, ("a", "1")))


def test_a_new_database_is_its_owners_alone(path: Path) -> None:
    before = os.umask(0o022)
    try:
        with closing(Store.open(path, datetime(2026, 1, 15, tzinfo=UTC))) as store:
            store.set_value("a", "b")
            files = sorted(path.parent.glob(f"{path.name}*"))
            assert path in files
            for file in files:
                assert not file.stat().st_mode & 0o077 or file.stat().st_size == 0, file
    finally:
        os.umask(before)
