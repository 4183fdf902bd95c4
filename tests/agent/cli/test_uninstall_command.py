"""`flatpeak-agent uninstall` at a real broker: nothing of ours is left, devices are freed first."""

import asyncio
import contextlib
import json
import shutil
import sqlite3
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from agent.cli.uninstall import in_order, main
from agent.clock import SystemClock
from agent.health import Health
from agent.records.device_store import DeviceStore
from agent.store import Store
from integrations.sandbox.broker import HOST, free_port
from tests.fakes.brokers import Mosquitto, Watcher, watching
from tests.fakes.command import agent_life

BASE = "flatpeak/home"
TANK = f"{BASE}/device/tank"
FORMS = [f"{TANK}/schedule", f"{TANK}/schedule/compact", f"{TANK}/setpoint"]
HEALTH = f"{BASE}/health"
CONFIG = """
tariff: {{source: fixed, timezone: Europe/Berlin, currency: EUR, import: 0.3}}
mqtt: {{host: {host}, port: {port}}}
state: {{directory: {folder}}}
devices:
  - {{id: tank, type: water_heater, power_w: 2000, needs: [{{energy_kwh: 4}}]}}
"""
FOREIGN = {"flatpeak/home/device/tank/state": b'{"power_w": 0}', "flatpeak/cottage/plan": b"{}"}


def config_file(folder: Path, port: int) -> Path:
    path = folder / "config.yaml"
    path.write_text(CONFIG.format(host=HOST, port=port, folder=folder / "state"))
    return path


class Uninstall:
    """The command, in this process; each call gives its exit code, stdout and stderr."""

    def __init__(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._path, self._capsys = path, capsys

    async def __call__(self) -> tuple[int, str, str]:
        self._capsys.readouterr()
        code = await asyncio.to_thread(main, ["--config", str(self._path)])
        return code, *self._capsys.readouterr()


def agent(path: Path, other: Watcher) -> AbstractAsyncContextManager[None]:
    """One life of the agent, until what it says of its device is out."""
    return agent_life(path, other, {f"{BASE}/status", HEALTH, f"{BASE}/ha/device/tank"})


async def led(path: Path, other: Watcher) -> None:
    """As a life leaves it whose clock was confirmed: the tank holds a schedule of ours."""
    clock = SystemClock()
    store = Store.open(path.parent / "state" / "agent.sqlite", clock.now())
    memory = DeviceStore(store, Health(clock), clock)
    await memory.save_published_topics(memory.published_topics() | set(FORMS))
    store.close()
    for topic in FORMS:
        await other.client.publish(topic, b"{}", qos=1, retain=True)


async def retained(port: int) -> set[str]:
    async with watching(port, "#", name="late") as late:
        await late.client.publish("end", b"", qos=1)
        await late.until_heard("end")
        return {item.topic for item in late.heard if item.payload}


async def test_nothing_of_ours_is_left_and_only_of_ours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with Mosquitto(tmp_path) as broker, watching(broker.port, "#") as other:
        path = config_file(tmp_path, broker.port)
        uninstall = Uninstall(path, capsys)
        for topic, payload in FOREIGN.items():
            await other.client.publish(topic, payload, qos=1, retain=True)
        async with agent(path, other):
            code, out, err = await uninstall()
            assert (code, out) == (69, "")
            assert "another agent uses the state folder" in err
            assert "stop it first" in err
            assert HEALTH in await retained(broker.port)
        await led(path, other)
        before = len(other.heard)
        code, out, err = await uninstall()
        assert (code, err) == (0, "")
        assert "1 device(s) freed, on their own logic now: tank\n" in out
        assert await retained(broker.port) == set(FOREIGN)
        emptied = [item.topic for item in other.heard[before:] if not item.payload]
        assert emptied[:3] == FORMS
        assert {HEALTH, f"{BASE}/status"} <= set(emptied)
        assert (await uninstall())[:2] == (
            0,
            "nothing that the agent published is left on the broker\n",
        )


LEFT = [
    *FORMS,
    HEALTH,
    *(f"{BASE}/tariff/{name}" for name in ("now", "import", "import/list", "export/list")),
    *(f"{BASE}/ha/{name}" for name in ("hub", "hub/prices", "device/tank", "device/tank/plan")),
    "homeassistant/device/flatpeak_home/tank/config",
]
OF_OTHERS = {
    **FOREIGN,
    # A person's own, beside what an agent says.
    f"{BASE}/tariff/mine": b"1",
    f"{BASE}/tariff/mine/list": b"1",
    f"{BASE}/ha/note": b"1",
    f"{BASE}/ha/hub/away/set": b"1",
    f"{BASE}/device/tank/ack": b"{}",
    "homeassistant/device/flatpeak_cottage/tank/config": b"{}",
}


@pytest.mark.parametrize("fault", ["missing", "empty", "header", "newer", "begun anew"])
async def test_what_no_database_knows_is_named_and_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    path = tmp_path / "state" / "agent.sqlite"
    Store.open(path, SystemClock().now()).close()
    if fault == "missing":
        path.unlink()
    elif fault == "empty":
        path.write_bytes(b"")
    elif fault == "header":
        path.write_bytes(b"x" * 16 + path.read_bytes()[16:])
    elif fault == "newer":
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA user_version = 99")
    before = path.read_bytes() if path.exists() else None
    async with Mosquitto(tmp_path) as broker, watching(broker.port, "#") as other:
        for topic in (*LEFT, *OF_OTHERS):
            await other.client.publish(topic, b"{}", qos=1, retain=True)
        code, out, err = await Uninstall(config_file(tmp_path, broker.port), capsys)()
        assert (code, out) == (66, "")
        assert [line.strip() for line in err.splitlines() if line[:4].isspace()] == sorted(LEFT)
        assert await retained(broker.port) == {*LEFT, *OF_OTHERS}
    if before is not None and fault != "begun anew":
        assert path.read_bytes() == before
        assert not list(path.parent.glob("*damaged*"))


async def test_a_damaged_file_whose_log_tells_what_it_held_is_believed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "state" / "agent.sqlite"
    clock = SystemClock()
    store = Store.open(path, clock.now())
    await DeviceStore(store, Health(clock), clock).save_published_topics([HEALTH])
    copy = tmp_path / "copy"
    shutil.copytree(path.parent, copy)
    store.close()
    shutil.rmtree(path.parent)
    copy.rename(path.parent)
    path.write_bytes(b"x" * 16 + path.read_bytes()[16:])
    async with Mosquitto(tmp_path) as broker, watching(broker.port, "#") as other:
        await other.client.publish(HEALTH, b"{}", qos=1, retain=True)
        code, _, err = await Uninstall(config_file(tmp_path, broker.port), capsys)()
        assert (code, err) == (0, "")
        assert await retained(broker.port) == set()
    assert not list(path.parent.glob("*damaged*"))


async def test_nothing_is_said_of_a_broker_that_was_not_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Store.open(tmp_path / "state" / "agent.sqlite", SystemClock().now()).close()
    code, out, _ = await Uninstall(config_file(tmp_path, free_port()), capsys)()
    assert (code, out) == (69, "")


async def test_what_the_broker_does_not_take_is_not_forgotten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with Mosquitto(tmp_path) as broker, watching(broker.port, "#") as other:
        path = config_file(tmp_path, broker.port)
        uninstall = Uninstall(path, capsys)
        code, _, err = await uninstall()
        assert code == 66
        assert "agent.sqlite" in err
        await led(path, other)
    rules = tmp_path / "rules.acl"
    rules.write_text(f"topic read #\ntopic write {BASE}/plan\n")
    async with Mosquitto(tmp_path, [f"acl_file {rules}"], broker.port):
        code, out, err = await uninstall()
        assert (code, out) == (69, "")
        assert "the broker refuses" in err
        assert "it can be given again" in err
    async with Mosquitto(tmp_path, port=broker.port):
        assert "1 device(s) freed" in (await uninstall())[1]


async def test_other_makers_devices_that_may_still_run_as_told_are_let_go(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As an agent leaves them that was killed, or stopped while its broker was away."""
    async with Mosquitto(tmp_path) as broker, watching(broker.port, "#") as other:
        path = config_file(tmp_path, broker.port)
        with path.open("a") as file:
            for name in ("pump", "lamp"):
                adapter = f"{{family: tasmota, topic: {name}}}"
                needs = "[{hours: 1, window: {}}]"
                file.write(
                    f"  - {{id: {name}, type: load, power_w: 900, needs: {needs}, "
                    f"adapter: {adapter}}}\n"
                )
        clock = SystemClock()
        store = Store.open(tmp_path / "state" / "agent.sqlite", clock.now())
        memory = DeviceStore(store, Health(clock), clock)
        told = {"arrived_since": "2026-01-16T02:00:00Z", "arrived_until": None, "arrived_w": 900}
        await memory.save_state("pump", json.dumps(told), ())
        await memory.save_state("lamp", "{}", ())
        store.close()
        code, out, err = await Uninstall(path, capsys)()
        assert (code, err) == (0, "")
        assert "1 device(s) freed, on their own logic now: pump" in out
        await other.until_heard("cmnd/pump/PulseTime1")
        said = {item.topic: item.payload for item in other.heard if item.topic[:4] == "cmnd"}
        assert said == {"cmnd/pump/POWER1": b"OFF", "cmnd/pump/PulseTime1": b"0"}


def test_devices_are_freed_first_each_as_it_was_told_and_status_is_last() -> None:
    topics = [
        "p/h/status",
        "p/h/plan",
        "homeassistant/device/x/ev/config",
        "p/h/device/ev/wish",
        "p/h/device/ev/setpoint",
        "p/h/device/tank/schedule",
        "p/h/device/ev/schedule/compact",
        "p/h/device/ev/schedule",
    ]
    assert in_order(topics) == [
        "p/h/device/ev/schedule",
        "p/h/device/ev/schedule/compact",
        "p/h/device/ev/setpoint",
        "p/h/device/tank/schedule",
        "homeassistant/device/x/ev/config",
        "p/h/device/ev/wish",
        "p/h/plan",
        "p/h/status",
    ]
