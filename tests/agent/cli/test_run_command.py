"""`flatpeak-agent run` as a process: how it stops, what it says of a wrong config, systemd."""

import asyncio
import contextlib
import json
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from integrations.sandbox.broker import HOST, free_port
from tests.fakes.brokers import Heard, Mosquitto, Watcher, watching
from tests.fakes.command import Command, NotifySocket, command
from tests.fakes.disks import fill, small_disk

STATUS = "flatpeak/home/status"
HEALTH = "flatpeak/home/health"
ALIVE = "WATCHDOG=1"
QUICK_S = 2.0
STOPS = [signal.SIGINT, signal.SIGTERM]

CONFIG = """
tariff: {{source: fixed, timezone: Europe/Berlin, currency: EUR, import: 0.3}}
mqtt: {{host: {host}, port: {port}}}
devices:
  - {{id: ev, type: ev_charger, max_power_w: 11000, phases: 3, battery_kwh: 60}}
state: {{directory: {folder}/state}}
"""


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[NotifySocket]:
    with contextlib.closing(NotifySocket(tmp_path / "notify")) as notify:
        yield notify


def config_file(folder: Path, port: int) -> Path:
    path = folder / "config.yaml"
    path.write_text(CONFIG.format(host=HOST, port=port, folder=folder))
    return path


@contextlib.asynccontextmanager
async def running(
    folder: Path, port: int, systemd: NotifySocket, **env: str
) -> AsyncIterator[Command]:
    variables = {"NOTIFY_SOCKET": str(systemd.path), "WATCHDOG_USEC": "200000", **env}
    async with command("run", "--config", config_file(folder, port), env=variables) as agent:
        yield agent


@pytest.mark.parametrize("number", STOPS)
async def test_told_to_stop_while_it_is_still_starting(
    tmp_path: Path, systemd: NotifySocket, number: signal.Signals
) -> None:
    async with running(tmp_path, free_port(), systemd) as agent:
        await agent.until_it_has_handlers()
        code, _, err, took = await agent.stopped_by(number)
    assert (code, err) == (0, "")
    assert took < QUICK_S
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("number", STOPS)
async def test_told_to_stop_while_it_runs(
    tmp_path: Path, systemd: NotifySocket, number: signal.Signals
) -> None:
    async with Mosquitto(tmp_path) as broker, watching(broker.port, STATUS) as other:
        async with running(tmp_path, broker.port, systemd) as agent:
            await other.until_heard(STATUS, b"online")
            code, _, err, took = await agent.stopped_by(number)
        await other.until_heard(STATUS, b"offline")
        assert other.payloads(STATUS) == [b"online", b"offline"]
        assert code == 0, err
        assert took < QUICK_S
        assert "Traceback" not in err
        async with watching(broker.port, STATUS, name="late") as late:
            assert (await late.until_heard(STATUS)).payload == b"offline"


async def test_killed_it_leaves_offline_by_its_last_will(
    tmp_path: Path, systemd: NotifySocket
) -> None:
    async with Mosquitto(tmp_path) as broker, watching(broker.port, STATUS) as other:
        async with running(tmp_path, broker.port, systemd) as agent:
            await other.until_heard(STATUS, b"online")
            await agent.stopped_by(signal.SIGKILL)
        await other.until_heard(STATUS, b"offline")


@contextlib.contextmanager
def silent_port() -> Iterator[int]:
    """A broker's port that takes connections and never says a word."""
    with socket.create_server((HOST, 0)) as server:
        yield server.getsockname()[1]


@contextlib.contextmanager
def deaf_port() -> Iterator[int]:
    """A port where even the connect hangs: its queue is full."""
    with socket.socket() as server, contextlib.ExitStack() as stack:
        server.bind((HOST, 0))
        server.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        yield server.getsockname()[1]


@contextlib.contextmanager
def closed_port() -> Iterator[int]:
    yield free_port()


@pytest.mark.parametrize("number", STOPS)
@pytest.mark.parametrize("port", [silent_port, deaf_port, closed_port])
async def test_told_to_stop_while_no_broker_answers(
    tmp_path: Path,
    systemd: NotifySocket,
    port: "type[contextlib.AbstractContextManager[int]]",
    number: signal.Signals,
) -> None:
    with port() as where:
        async with running(tmp_path, where, systemd) as agent:
            await systemd.until(ALIVE)
            code, _, err, took = await agent.stopped_by(number)
        assert code == 0, err
        assert took < QUICK_S
        assert "Traceback" not in err


async def test_told_to_stop_while_the_broker_is_frozen(
    tmp_path: Path, systemd: NotifySocket
) -> None:
    async with Mosquitto(tmp_path) as broker, watching(broker.port, STATUS) as other:
        async with running(tmp_path, broker.port, systemd) as agent:
            await other.until_heard(STATUS, b"online")
            broker.freeze()
            code, _, _, took = await agent.stopped_by(signal.SIGTERM)
            broker.thaw()
        assert code == 0
        assert took < QUICK_S
        await other.until_heard(STATUS, b"offline")


async def test_systemd_is_told_alive_and_stopping_but_not_ready_before_schedules_stand(
    tmp_path: Path, systemd: NotifySocket
) -> None:
    async with running(tmp_path, free_port(), systemd) as agent:
        await systemd.until(ALIVE, times=5)
        assert {*systemd.heard} == {ALIVE}
        stopping = asyncio.create_task(agent.stopped_by(signal.SIGTERM))
        await systemd.until("STOPPING=1")
        assert (await stopping)[0] == 0


async def until_health(other: Watcher, part: str) -> dict[str, str]:
    """What the agent says of a part, as soon as it says anything."""

    def told(heard: list[Heard]) -> list[dict[str, str]]:
        bodies = [json.loads(item.payload) for item in heard if item.topic == HEALTH]
        return [body["parts"][part] for body in bodies if part in body["parts"]]

    await other.until(lambda heard: bool(told(heard)))
    return told(other.heard)[-1]


async def refused(folder: Path, text: str | None, **env: str) -> str:
    path = folder / "config.yaml"
    if text is not None:
        path.write_text(text)
    env = {"STATE_DIRECTORY": str(folder / "state"), **env}
    async with command("run", "--config", path, env=env) as agent:
        code, out, err, _ = await agent.ended()
    assert (code, out) == (78, "")
    assert "Traceback" not in err
    assert not (folder / "state").exists()
    return err


async def test_every_fault_of_a_config_is_named_at_once(tmp_path: Path) -> None:
    err = await refused(
        tmp_path,
        """
site: {id: My House, timezone: Berlin, import_limit_w: -5}
tariff:
  {source: flatpeak, location_id: loc_1, account_id: acc,
   api_key: sk_live_topsecret, directions: [up]}
mqtt: {port: 70000, password: hunter2, protocol: 4}
devices:
  - {id: ev, type: ev_charger, max_power_w: 900}
  - {id: hp, type: heatpump, power_w: 2000}
  - {id: wm, type: program, profile: [], colour: red}
lock: {}
""",
    )
    assert "12 things are wrong, nothing was started" in err.splitlines()[0]
    for words in (
        "site.id: is 'My House'",
        "site.timezone: is 'Berlin'",
        "site.import_limit_w: is -5",
        "tariff.directions[0]: is 'up'",
        "mqtt.port: is 70000",
        "mqtt.protocol: is 4",
        "devices[0]",
        "devices[1]",
        "devices[2].profile",
        "lock",
    ):
        assert words in err, words
    assert "topsecret" not in err
    assert "hunter2" not in err


async def test_a_missing_file_says_where_to_begin(tmp_path: Path) -> None:
    err = await refused(tmp_path, None)
    assert f"no config file at {tmp_path}/config.yaml" in err
    assert "config.example.yaml" in err


async def test_broken_yaml_is_named_with_its_line(tmp_path: Path) -> None:
    err = await refused(tmp_path, "site:\n  id: home\n mqtt: {host: [\n")
    assert "line 3" in err


async def test_a_state_folder_that_cannot_be_used_is_said_and_done_without(
    tmp_path: Path, systemd: NotifySocket
) -> None:
    blocked = tmp_path / "state"
    blocked.write_text("a file")
    async with (
        Mosquitto(tmp_path) as broker,
        watching(broker.port, HEALTH) as other,
        running(tmp_path, broker.port, systemd) as agent,
    ):
        disk = await until_health(other, "disk")
        code, _, err, _ = await agent.stopped_by(signal.SIGTERM)
    assert disk["state"] == "failed"
    assert str(blocked) in disk["why"]
    assert disk["who_acts"] == (
        "owner: let the agent's user write to the state folder, then restart the service"
    )
    assert code == 0
    assert "Traceback" not in err


async def test_a_full_disk_is_said_and_the_rest_goes_on(
    tmp_path: Path, systemd: NotifySocket
) -> None:
    with small_disk(tmp_path / "state") as disk:
        fill(disk)
        async with (
            Mosquitto(tmp_path) as broker,
            watching(broker.port, "flatpeak/#") as other,
            running(tmp_path, broker.port, systemd) as agent,
        ):
            said = await until_health(other, "disk")
            await other.until_heard("flatpeak/home/status", b"online")
            code, _, err, _ = await agent.stopped_by(signal.SIGTERM)
    assert said["who_acts"] == "owner: make room on the disk, then restart the service"
    assert code == 0
    assert "Traceback" not in err


async def test_two_agents_never_share_a_state_folder(tmp_path: Path, systemd: NotifySocket) -> None:
    port = free_port()
    async with running(tmp_path, port, systemd) as first:
        await systemd.until(ALIVE)
        async with running(tmp_path, port, systemd) as second:
            code, _, err, _ = await second.ended()
        assert code == 78
        assert f"another agent uses the state folder {tmp_path}/state; nothing was started" in err
        assert (await first.stopped_by(signal.SIGTERM))[0] == 0
    # A lock that outlived its holder would keep the agent away for ever.
    systemd.pending()
    systemd.heard.clear()
    async with running(tmp_path, port, systemd) as third:
        await systemd.until(ALIVE)
        assert (await third.stopped_by(signal.SIGTERM))[0] == 0


async def test_a_reload_is_refused_and_nothing_ends(tmp_path: Path, systemd: NotifySocket) -> None:
    async with running(tmp_path, free_port(), systemd) as agent:
        await systemd.until(ALIVE)
        agent.process.send_signal(signal.SIGHUP)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await agent.process.wait()
        code, _, err, _ = await agent.stopped_by(signal.SIGTERM)
    assert code == 0
    assert "restart the service to read the config anew" in err
