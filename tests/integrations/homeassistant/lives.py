"""Lives of an agent in virtual time, with what it announces and shows on a broker in memory."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from agent.clock import SteppedClock
from agent.store import Store
from integrations.sandbox.household import Household
from integrations.sandbox.server import FlatPeakSandbox
from tests.fakes.home import BASE, Home
from tests.fakes.memory_broker import MemoryLink
from tests.fakes.virtual_loop import run_virtual

START = datetime(2026, 1, 15, 15, tzinfo=UTC)
HUB = "homeassistant/device/flatpeak_home/_hub/config"
EV = {
    "id": "ev",
    "type": "ev_charger",
    "max_power_w": 11000,
    "phases": 3,
    "battery_kwh": 58,
    "ready_by": {"every_day": "07:00"},
}
TANK = {
    "id": "tank",
    "type": "water_heater",
    "power_w": 2000,
    "needs": [{"energy_kwh": 4, "window": {"start": "23:00", "end": "06:30"}}],
}
Story = Callable[[Home], Awaitable[None]]


def live(*lives: tuple[Sequence[object], Mapping[str, Any], Story]) -> Home:
    """Lives of an agent one after the other, an hour each, on one disk and one broker."""

    async def run(clock: SteppedClock) -> Home:
        async with FlatPeakSandbox(clock) as sandbox:
            home = Home(clock, sandbox)
            store = Store.in_memory()
            home.store = store
            for devices, sections, story in lives:
                telling = asyncio.ensure_future(story(home))
                config = home.config(devices, **{"homeassistant": {}, **sections})
                await home.run(config, clock.now() + timedelta(hours=1))
                await telling
            return home

    return run_virtual(run, START)


def a_day(household: Household, hours: float = 24) -> Home:
    """A household that lives for so long, with all that stands behind it."""

    async def run(clock: SteppedClock) -> Home:
        async with FlatPeakSandbox(clock) as sandbox:
            home = Home(clock, sandbox)
            zone = next(iter(sandbox.locations.values())).zone
            home.appliances = household.build(
                BASE, clock, zone, lambda _name: MemoryLink(home.broker)
            )
            config = home.config(household.devices, site=household.site, homeassistant={})
            await home.run(config, clock.now() + timedelta(hours=hours))
            return home

    return run_virtual(run, START)


async def nothing(home: Home) -> None:
    await home.clock.sleep(60)


def said_to(home: Home, topic: str, body: object = b"") -> None:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    home.broker.publish(topic, payload, retain=False)
