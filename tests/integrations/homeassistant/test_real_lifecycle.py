"""What comes, goes, is killed and comes back, as a real Home Assistant sees it."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent.clock import SteppedClock
from agent.store import Store
from integrations.sandbox.broker import Broker
from integrations.sandbox.household import DEVICES
from integrations.sandbox.locations import built_in
from integrations.sandbox.server import FlatPeakSandbox
from tests.fakes.brokers import Mosquitto, Watcher, watching
from tests.fakes.home_assistant import ENTRY, HomeAssistantProcess, home_assistant
from tests.fakes.real_home import RealHome

pytestmark = pytest.mark.full

EVENING = datetime(2026, 1, 15, 16, 0)  # noqa: DTZ001 - local time of the house
BACK_WITHIN_S = 15.0
EV, HEAT_PUMP, TANK, DISHWASHER = DEVICES
WASHER = {**DISHWASHER, "id": "washer"}
RELAY = {
    "id": "heat_pump",
    "type": "load",
    "power_w": 2000,
    "needs": [{"hours": 3, "window": {"start": "22:00", "end": "06:00"}}],
}
LATER_PLATFORMS_SINCE = (2026, 5)
PRICE = "sensor.flatpeak_import_price"
KEYS = ("device_class", "unit_of_measurement", "state_class")


@contextlib.asynccontextmanager
async def house(broker: Mosquitto, watcher: Watcher) -> AsyncIterator[RealHome]:
    place = built_in()[0]
    clock = SteppedClock(EVENING.replace(tzinfo=place.zone).astimezone(UTC), 1.0)
    async with FlatPeakSandbox(clock, locations=[place]) as sandbox:
        yield RealHome(
            Broker("mosquitto", broker.port, broker.port), clock, sandbox, watcher, place.zone
        )


async def test_it_comes_and_goes_and_leaves_no_ghost(program: Path, tmp_path: Path) -> None:
    store = Store.in_memory()
    async with (
        Mosquitto(tmp_path) as broker,
        watching(broker.port, name="watcher") as watcher,
        house(broker, watcher) as home,
        home_assistant(program, tmp_path / "hass", broker.port) as hass,
    ):
        async with home.agent(home.config([EV, HEAT_PUMP, TANK, DISHWASHER]), store):
            await hass.until(price_is_known, "the price")
            await every_announced_entity_is_there(hass, watcher)
            await statistics_are_kept(hass)
            assert hass.complaints() == []
            await home_assistant_comes_back(hass)
        await hass.until_state(PRICE, "unavailable")
        # Renamed, removed and of another kind, all at once.
        async with home.agent(home.config([EV, RELAY, WASHER]), store):
            await hass.until(price_is_known, "the price again")
            await only_these_are_left(hass, "FlatPeak", ("EV", "Heat pump", "Washer"))
            await nothing_is_left_of_a_program_or_heat(hass)
        flat = home.config([EV], site={"id": "flat"})
        async with home.agent(flat, store, until=b""):
            await hass.until_state("select.ev_mode", "auto")
            await only_these_are_left(hass, "FlatPeak flat", ("EV",))
            assert hass.complaints() == []
            await the_broker_comes_back_with_nothing(hass, broker)


def price_is_known(states: Mapping[str, dict[str, Any]]) -> bool:
    found = states.get(PRICE)
    return found is not None and found["state"] not in ("unknown", "unavailable")


async def every_announced_entity_is_there(hass: HomeAssistantProcess, watcher: Watcher) -> None:
    """Each with the class and the unit that were announced, and available where it should be."""
    devices = {
        item.topic: json.loads(item.payload)
        for item in watcher.heard
        if item.topic.startswith("homeassistant/device/") and item.payload
    }
    announced = {
        part["unique_id"]: (message["device"]["name"], part)
        for message in devices.values()
        for part in message["components"].values()
    }
    assert len(announced) > 100
    registry = await hass.entities()
    if hass.version >= LATER_PLATFORMS_SINCE:
        later = ("/ready_by_time", "/away_until_time")
        registry = {key: item for key, item in registry.items() if not key.endswith(later)}
    assert set(registry) == set(announced)
    # What only the device itself can tell is not known while nobody has heard of it.
    silent = {
        registry[name]["entity_id"]: "availability" in p for name, (_, p) in announced.items()
    }
    states = await hass.until(
        lambda states: all(
            name in states and (states[name]["state"] == "unavailable") == unheard
            for name, unheard in silent.items()
        ),
        "all that is known without the devices",
    )
    for unique_id, (device, part) in announced.items():
        entry = registry[unique_id]
        found = states[entry["entity_id"]]
        shown = {key: found["attributes"].get(key) for key in KEYS}
        assert shown == {key: part.get(key) for key in KEYS}, unique_id
        assert found["attributes"]["friendly_name"] == f"{device} {part['name']}"
        assert entry["entity_category"] == part.get("entity_category"), unique_id


async def statistics_are_kept(hass: HomeAssistantProcess) -> None:
    """Of the price as a mean, of each appliance's energy and of the savings as a sum."""
    kept = {item["statistic_id"]: item for item in await hass.ask("recorder/list_statistic_ids")}
    assert kept[hass.real(PRICE)]["has_mean"]
    sums = [f"sensor.{name}_energy" for name in ("ev", "heat_pump", "water_heater", "dishwasher")]
    for name in (*sums, "sensor.flatpeak_saved"):
        assert kept[hass.real(name)]["has_sum"]
    assert (await hass.ask("recorder/validate_statistics")) == {}


async def home_assistant_comes_back(hass: HomeAssistantProcess) -> None:
    before = shown(await hass.states())
    await hass.stop()
    await hass.start()
    loop = asyncio.get_running_loop()
    began = loop.time()
    await hass.until(lambda states: shown(states) == before, f"as before: {before}")
    assert loop.time() - began < BACK_WITHIN_S


def shown(states: Mapping[str, dict[str, Any]]) -> dict[str, bool]:
    """Our entities, and whether they are available."""
    ours = ("flatpeak_", "ev_", "heat_pump_", "water_heater_", "dishwasher_")
    return {
        name: item["state"] != "unavailable"
        for name, item in states.items()
        if name.partition(".")[2].startswith(ours)
    }


async def only_these_are_left(hass: HomeAssistantProcess, hub: str, names: Sequence[str]) -> None:
    wanted = {hub, *names}
    found: list[str] = []
    try:
        async with asyncio.timeout(30):
            while sorted(found) != sorted(wanted):
                devices = await ours(hass)
                found = [item["name"] for item in devices]
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise AssertionError(f"{found}, not {wanted}") from None
    entities = await hass.ask("config/entity_registry/list")
    ids = {item["id"] for item in devices}
    assert {item["device_id"] for item in entities if item["platform"] == "mqtt"} == ids


async def ours(hass: HomeAssistantProcess) -> list[dict[str, Any]]:
    """The devices that came over the broker."""
    devices = await hass.ask("config/device_registry/list")
    return [item for item in devices if ENTRY in item["config_entries"]]


async def nothing_is_left_of_a_program_or_heat(hass: HomeAssistantProcess) -> None:
    """A heat pump that has become a load has no temperature any more."""
    states = await hass.until(
        lambda states: "button.heat_pump_more_heat_once" not in states, "a load's own entities"
    )
    gone = ("dishwasher", "water_heater")
    assert not [name for name in states if name.partition(".")[2].startswith(gone)]
    assert "sensor.heat_pump_temperature" not in states
    assert "switch.washer_loaded" in states


async def the_broker_comes_back_with_nothing(hass: HomeAssistantProcess, broker: Mosquitto) -> None:
    before = shown(await hass.states())
    await broker.stop()
    await hass.until_state("select.ev_mode", "unavailable")
    await broker.start()
    await hass.until(lambda states: shown(states) == before, f"as before: {before}")
