"""The access file that ships with the agent, on a real Mosquitto with real users."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from agent.clock import SystemClock
from agent.config.mqtt import MqttSection
from agent.contracts.catalogue import TOPICS
from agent.health import Health, State
from agent.mqtt.connection import MqttConnection
from agent.tasks import cancel_all
from integrations.sandbox.broker import HOST
from tests.fakes.brokers import Mosquitto, password_file, watching

ACL = Path(__file__).parents[2] / "systemd" / "mosquitto.acl"
BASE = "flatpeak/home"
AGENT = "flatpeak-agent"
PASSWORD = "secret"


def login(user: str) -> dict[str, Any]:
    return {"username": user, "password": PASSWORD, "name": f"client-of-{user}"}


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    users = dict.fromkeys(
        (AGENT, "homeassistant", "energy-manager", "ev", "tank", "stranger"), PASSWORD
    )
    rules = [
        "allow_anonymous false",
        f"password_file {password_file(tmp_path, **users)}",
        f"acl_file {ACL}",
    ]
    async with Mosquitto(tmp_path, rules) as opened:
        yield opened


async def heard_of(broker: Mosquitto, user: str, topics: list[str]) -> set[str]:
    """Which of these topics get through when that user writes to them."""
    async with (
        watching(broker.port, f"{BASE}/#", **login(AGENT)) as reader,
        watching(broker.port, "nothing", **login(user)) as writer,
    ):
        for topic in topics:
            await writer.client.publish(f"{BASE}/{topic}", b"x", qos=1)
        await reader.client.publish(f"{BASE}/end", b"", qos=1)
        await reader.until_heard(f"{BASE}/end")
        return {item.topic.removeprefix(f"{BASE}/") for item in reader.heard} - {"end"}


def all_topics(*devices: str) -> list[str]:
    names = [topic.name for topic in TOPICS]
    forecasts = [f"site/forecast/{name}" for name in ("pv", "load", "outdoor", "import", "export")]
    extra = ["ledger", "site/limit", *forecasts]
    names += ["device/{device}/info", "device/{device}/status"]
    per_device = [name.replace("{device}", device) for name in names for device in devices]
    return sorted({*(name for name in per_device if "{" not in name), *extra})


async def test_the_agent_may_write_all_it_owns_and_clear_what_others_left(
    broker: Mosquitto,
) -> None:
    settings = MqttSection.model_validate(
        {"host": HOST, "port": broker.port, "username": AGENT, "password": PASSWORD}
    )
    health = Health(SystemClock())
    wanted = all_topics("ev")

    async def greet() -> None:
        for topic in wanted:
            await post.publish(f"{BASE}/{topic}", "x")
            await post.publish(f"{BASE}/{topic}", "")

    post = MqttConnection(
        settings, f"{BASE}/status", "agent", health, lambda: [f"{BASE}/#"], lambda _: None, greet
    )
    async with watching(broker.port, f"{BASE}/#", **login("homeassistant")) as reader:
        task = asyncio.create_task(post.run())
        await reader.until(lambda heard: len(heard) == 2 * len(wanted))
        await cancel_all([task])
    assert health.parts["broker"].state is State.OK
    assert {item.topic for item in reader.heard} == {f"{BASE}/{topic}" for topic in wanted}


async def test_a_device_speaks_for_itself_only(broker: Mosquitto) -> None:
    got_through = await heard_of(broker, "ev", all_topics("ev", "tank"))
    assert got_through == {
        f"device/ev/{name}" for name in ("state", "info", "status", "ack", "request")
    }


SITE_INPUTS = {
    "site/limit",
    *(f"site/forecast/{name}" for name in ("pv", "load", "outdoor", "import", "export")),
}


async def test_home_assistant_may_ask_limit_foretell_and_tell_of_devices(broker: Mosquitto) -> None:
    got_through = await heard_of(broker, "homeassistant", all_topics("ev", "tank"))
    asks = {f"device/{name}/{what}" for name in ("ev", "tank") for what in ("request", "state")}
    assert got_through == asks | {"site/request"} | SITE_INPUTS


async def test_the_agent_hears_what_home_assistant_streams(broker: Mosquitto) -> None:
    topic = "statestream/sensor/car/state"
    async with (
        watching(broker.port, "statestream/#", **login(AGENT)) as agent,
        watching(broker.port, "none", **login("homeassistant")) as speaker,
    ):
        await speaker.client.publish(topic, "45", qos=1, retain=True)
        await agent.until_heard(topic, b"45")


async def test_home_assistant_presses_its_own_buttons_and_shows_what_only_the_agent_says(
    broker: Mosquitto,
) -> None:
    commands = ["ha/hub/away/set", "ha/device/ev/skip/set"]
    got_through = await heard_of(broker, "homeassistant", [*commands, "ha/hub", "ha/device/ev"])
    assert got_through == set(commands)


async def test_discovery_is_between_the_agent_and_home_assistant(broker: Mosquitto) -> None:
    ours = "homeassistant/device/flatpeak_home/ev/config"
    foreign, birth = "homeassistant/device/other/config", "homeassistant/status"
    async with (
        watching(broker.port, "homeassistant/#", **login("homeassistant")) as hass,
        watching(broker.port, "homeassistant/#", **login(AGENT)) as agent,
        watching(broker.port, "nothing", **login("ev")) as device,
    ):
        await device.client.publish(ours, b"x", qos=1)
        for topic in (foreign, ours):
            await agent.client.publish(topic, b"y", qos=1)
        await hass.until_heard(ours, b"y")
        assert [item.topic for item in hass.heard] == [ours]
        # A person deletes the device there.
        await hass.client.publish(ours, b"", qos=1)
        await hass.client.publish(birth, b"online", qos=1)
        await agent.until_heard(birth, b"online")
        assert agent.payloads(ours) == [b"y", b""]


async def test_an_energy_manager_limits_and_foretells_and_commands_nobody(
    broker: Mosquitto,
) -> None:
    got_through = await heard_of(broker, "energy-manager", all_topics("ev", "tank"))
    assert got_through == SITE_INPUTS
    seen = await read_by(broker, "energy-manager")
    assert {"plan", "health", "status", "time", "tariff/import"} <= seen
    assert not any(topic.startswith("device/") for topic in seen)


async def read_by(broker: Mosquitto, user: str) -> set[str]:
    async with (
        watching(broker.port, "#", **login(user)) as reader,
        watching(broker.port, "nothing", **login(AGENT)) as writer,
    ):
        for topic in all_topics("ev", "tank"):
            await writer.client.publish(f"{BASE}/{topic}", b"x", qos=1)
        await writer.client.publish(f"{BASE}/status", b"end", qos=1)
        await reader.until_heard(f"{BASE}/status", b"end")
        return {item.topic.removeprefix(f"{BASE}/") for item in reader.heard}


async def test_a_device_reads_its_own_topics_the_status_and_the_time(broker: Mosquitto) -> None:
    own = {name for name in all_topics("ev") if name.startswith("device/ev/")}
    assert await read_by(broker, "ev") == {*own, "status", "time"}
    assert await read_by(broker, "stranger") == {"status", "time"}


async def test_without_a_password_nobody_comes_in(broker: Mosquitto) -> None:
    with pytest.raises(aiomqtt.MqttError):
        async with watching(broker.port):
            pytest.fail("anonymous clients are let in")
