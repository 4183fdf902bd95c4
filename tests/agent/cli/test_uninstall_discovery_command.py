"""`flatpeak-agent uninstall-discovery`, with the agent running and after it has stopped."""

import asyncio
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from integrations.sandbox.broker import HOST
from tests.fakes.brokers import Mosquitto, Watcher, watching
from tests.fakes.command import PATIENCE_S, agent_life, command

STATUS = "flatpeak/home/status"
TANK = "homeassistant/device/flatpeak_home/tank/config"
HUB = "homeassistant/device/flatpeak_home/_hub/config"
CONFIG = """
tariff: {{source: fixed, timezone: Europe/Berlin, currency: EUR, import: 0.3}}
mqtt: {{host: {host}, port: {port}}}
state: {{directory: {folder}}}
devices:
  - {{id: tank, type: water_heater, power_w: 2000, needs: [{{energy_kwh: 4}}]}}
"""


def config_file(folder: Path, port: int) -> Path:
    path = folder / "config.yaml"
    path.write_text(CONFIG.format(host=HOST, port=port, folder=folder / "state"))
    return path


async def uninstall(path: Path) -> tuple[int, str, str]:
    async with command("uninstall-discovery", "--config", path) as running:
        code, out, err, _ = await running.ended()
    return code, out, err


def agent(
    path: Path, other: Watcher, *, announces: bool = True
) -> AbstractAsyncContextManager[None]:
    """One life of the agent, until what it says of prices and devices is out."""
    # What is announced comes before what is shown there.
    wanted = {"flatpeak/home/ha/device/tank", *((TANK, HUB) if announces else ())}
    return agent_life(path, other, wanted)


async def left(port: int) -> set[str]:
    """The announcements that the broker keeps."""
    async with watching(port, "#", name="late") as late:
        await late.client.publish("end", b"", qos=1)
        await late.until_heard("end")
        return {item.topic for item in late.heard if item.topic.endswith("/config")}


async def until_nothing_is_left(port: int) -> None:
    """A running agent may have been about to say it anew: it takes that back when it hears."""
    async with asyncio.timeout(PATIENCE_S):
        while await left(port):
            pass


async def test_nothing_is_left_and_a_restart_brings_nothing_back(tmp_path: Path) -> None:
    async with Mosquitto(tmp_path) as broker, watching(broker.port, "#") as other:
        path = config_file(tmp_path, broker.port)
        async with agent(path, other):
            pass
        assert {TANK, HUB} <= await left(broker.port)
        code, out, err = await uninstall(path)
        assert (code, err) == (0, "")
        assert "taken back" in out
        assert await left(broker.port) == set()
        async with agent(path, other, announces=False):
            pass
        assert await left(broker.port) == set()
        assert (await uninstall(path))[:2] == (0, "nothing was announced to Home Assistant\n")


async def test_beside_a_running_agent_which_does_not_say_it_again(tmp_path: Path) -> None:
    async with Mosquitto(tmp_path) as broker, watching(broker.port, "#") as other:
        path = config_file(tmp_path, broker.port)
        async with agent(path, other):
            code, out, err = await uninstall(path)
            assert (code, err) == (0, "")
            assert "taken back" in out
            await until_nothing_is_left(broker.port)
        async with agent(path, other, announces=False):
            pass
        assert await left(broker.port) == set()


async def test_what_a_damaged_database_does_not_tell_is_named_and_left_alone(
    tmp_path: Path,
) -> None:
    database = tmp_path / "state" / "agent.sqlite"
    database.parent.mkdir()
    database.write_bytes(b"x" * 4096)
    async with Mosquitto(tmp_path) as broker, watching(broker.port, "#") as other:
        await other.client.publish(TANK, b"{}", qos=1, retain=True)
        code, out, err = await uninstall(config_file(tmp_path, broker.port))
        assert (code, out) == (66, "")
        assert TANK in err
        assert await left(broker.port) == {TANK}
    assert list(database.parent.iterdir()) == [database]


async def test_without_a_broker_or_a_database_it_says_so(tmp_path: Path) -> None:
    async with Mosquitto(tmp_path) as broker, watching(broker.port, "#") as other:
        path = config_file(tmp_path, broker.port)
        code, _, err = await uninstall(path)
        assert code == 66
        assert "agent.sqlite" in err
        async with agent(path, other):
            pass
    code, _, err = await uninstall(path)
    assert code == 69
    assert "nothing was changed" in err
