"""An appliance on a real broker: its presence, and its state when it and when the agent comes."""

import asyncio
import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from agent.clock import SteppedClock
from agent.tasks import cancel_all
from integrations.sandbox.appliances.appliance import Setup
from integrations.sandbox.appliances.followers import Command, ScheduleFollower
from integrations.sandbox.appliances.heat import HOUSE, Heater
from integrations.sandbox.appliances.link import open_link
from integrations.sandbox.broker import HOST, open_broker
from tests.fakes.brokers import Heard
from tests.fakes.real_home import BASE, listening

DEVICE = f"{BASE}/device/heat_pump"


def count(heard: list[Heard], topic: str) -> int:
    return sum(item.topic == topic for item in heard)


async def test_it_says_that_it_is_there_what_it_is_and_what_it_does() -> None:
    clock = SteppedClock(datetime(2026, 1, 15, 15, tzinfo=UTC))
    async with open_broker("mosquitto") as broker, listening(broker, "watcher") as watcher:
        async with open_link(HOST, broker.port, "heat_pump", f"{DEVICE}/status") as link:
            follower = ScheduleFollower(Command("normal", 0))
            zone = ZoneInfo("Europe/London")
            setup = Setup("heat_pump", BASE, clock, zone, link, follower)
            appliance = Heater(setup, model=HOUSE, rated_w=2000, temperature_c=20)
            life = asyncio.create_task(appliance.run())
            await watcher.until(lambda heard: count(heard, f"{DEVICE}/state") == 1)
            await watcher.client.publish(f"{BASE}/status", "online", qos=1)
            await watcher.until(lambda heard: count(heard, f"{DEVICE}/state") == 2)
            await cancel_all([life])
        await watcher.until(lambda heard: count(heard, f"{DEVICE}/status") == 2)
    said = {item.topic: item.payload for item in watcher.heard}
    info = json.loads(said[f"{DEVICE}/info"])
    assert (info["follows"], info["max_power_w"]) == ("schedule", 2000)
    presence = [item.payload for item in watcher.heard if item.topic == f"{DEVICE}/status"]
    assert presence == [b"online", b"offline"]


async def test_a_link_that_is_lost_leaves_offline_behind() -> None:
    async with open_broker("mosquitto") as broker, listening(broker, "watcher") as watcher:
        async with open_link(HOST, broker.port, "ev", f"{DEVICE}/status"):
            await watcher.until(lambda heard: count(heard, f"{DEVICE}/status") == 1)
            # another takes the client id over: the broker drops the first one
            async with open_link(HOST, broker.port, "ev"):
                await watcher.until(lambda heard: count(heard, f"{DEVICE}/status") == 2)
        assert watcher.heard[-1].payload == b"offline"
