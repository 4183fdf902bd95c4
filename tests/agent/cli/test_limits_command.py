"""`flatpeak-agent limits`: the record of the grid operator's limits, beside a running agent."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.cli.limits import table
from agent.clock import SystemClock
from agent.health import Health
from agent.records.device_store import DeviceStore
from agent.records.limit_log import LimitLog, LimitSaid, LimitSource
from agent.store import Store
from integrations.sandbox.broker import HOST
from tests.fakes.brokers import Mosquitto, watching
from tests.fakes.command import PATIENCE_S, command
from tests.fakes.disks import database_of_version

T = datetime(2026, 1, 16, 17, 0, tzinfo=UTC)
CSV = """at,limit_w,sent_w,measured_w,received_w,end,source
2026-01-16T17:00:00Z,7560,7400,3980,4200,2026-01-16T18:00:00Z,message
2026-01-16T18:00:00Z,,,,,,
"""
CONFIG = """
site: {{failsafe_limit_w: 4200}}
tariff: {{source: fixed, timezone: Europe/Berlin, currency: EUR, import: 0.3}}
mqtt: {{host: {host}, port: {port}}}
state: {{directory: {folder}}}
"""


async def fill(folder: Path) -> None:
    store = Store.open(folder / "agent.sqlite", T)
    clock = SystemClock()
    writer = DeviceStore(store, Health(clock), clock)
    limits = LimitLog(writer)
    limits.measure = lambda now: (7400, 3980)
    said = LimitSaid(4200, T + timedelta(hours=1), LimitSource.MESSAGE)
    limits.received(T, 7560, said)
    limits.look(T + timedelta(minutes=1))
    limits.received(T + timedelta(hours=1), None)
    writer.queue.flush(everything=True)
    store.close()


def files_in(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


async def limits(*args: str | Path, **env: str) -> tuple[int, str, str]:
    async with command("limits", *args, env=env) as running:
        code, out, err, _ = await running.ended()
    return code, out, err


async def test_as_csv_and_for_people(tmp_path: Path) -> None:
    await fill(tmp_path)
    files = files_in(tmp_path)
    assert await limits("--csv", "--state", tmp_path) == (0, CSV, "")
    code, out, _ = await limits("--state", tmp_path)
    assert code == 0
    assert "2026-01-16T17:00:00Z      7,560 W        7,400 W      3,980 W" in out
    assert "lifted" in out
    # Whoever looks makes nothing that the agent, as another user, could not write afterwards.
    assert files_in(tmp_path) == files


async def test_beside_a_running_agent(tmp_path: Path) -> None:
    path, base = tmp_path / "config.yaml", "flatpeak/home"
    async with Mosquitto(tmp_path) as broker, watching(broker.port, f"{base}/#") as other:
        state = tmp_path / "state"
        path.write_text(CONFIG.format(host=HOST, port=broker.port, folder=state))
        async with command("run", "--config", path):
            await other.until_heard(f"{base}/status", b"online")
            limit = b'{"import_w": 3000}'
            await other.client.publish(f"{base}/site/limit", limit, qos=1)
            out = ""
            # Written beside the event loop: it may not be on the disk yet.
            async with asyncio.timeout(PATIENCE_S):
                while ",3000," not in out:
                    code, out, err = await limits("--csv", "--config", path)
                    assert (code, err) == (0, "")
            assert other.payloads(f"{base}/status") == [b"online"]


async def test_a_file_of_before_there_were_limits(tmp_path: Path) -> None:
    database_of_version(tmp_path / "agent.sqlite", 1)
    assert await limits("--state", tmp_path) == (0, "no limit has come yet\n", "")


@pytest.mark.parametrize("content", [None, b"", b"no database"])
async def test_where_there_is_no_database(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "agent.sqlite").write_bytes(content)
    code, out, err = await limits("--csv", "--state", tmp_path)
    assert (code, out) == (66, "")
    assert str(tmp_path / "agent.sqlite") in err
    assert "--as-service" in err
    assert "Traceback" not in err


async def test_a_wrong_config_ends_with_78(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("mqtt: {port: 0}\n")
    assert (await limits("--config", tmp_path / "config.yaml"))[0] == 78


def test_no_limit_at_all() -> None:
    assert table([]) == "no limit has come yet\n"
