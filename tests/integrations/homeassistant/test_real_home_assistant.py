"""The whole agent and a real Home Assistant on one Mosquitto.

The one such run that is short enough for `make test`.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from agent.store import Store
from integrations.homeassistant.appliance import words
from integrations.sandbox.appliances.ev import Ev
from integrations.sandbox.broker import HOST
from integrations.sandbox.household import FULL_DEVICES, FULL_SITE
from tests.fakes.command import command
from tests.fakes.home_assistant import (
    ENTRY,
    HomeAssistantProcess,
    home_assistant,
)
from tests.fakes.real_home import BASE, RealHome, real_home

EVENING = datetime(2026, 1, 15, 16, 0)  # noqa: DTZ001 - local time of the house
# What a person looks for first: unit, device class, state class.
HEADLINES = {
    "sensor.flatpeak_import_price": ("EUR/kWh", None, "measurement"),
    "sensor.flatpeak_next_price_change": (None, "timestamp", None),
    "sensor.flatpeak_price_forecast": ("EUR/kWh", None, None),
    "sensor.flatpeak_saved": ("EUR", "monetary", "total"),
    "sensor.ev_power": ("W", "power", "measurement"),
    "sensor.ev_state_of_charge": ("%", "battery", "measurement"),
    "sensor.ev_energy": ("kWh", "energy", "total_increasing"),
    "sensor.heat_pump_next_start": (None, "timestamp", None),
    "sensor.water_heater_temperature": ("°C", "temperature", "measurement"),
    "binary_sensor.ev_plugged_in": (None, "plug", None),
    "binary_sensor.flatpeak_prices_stale": (None, "problem", None),
}
# What is not known without a ledger or a car, or not planned while people are away.
LATER = (
    "sensor.flatpeak_saved",
    "sensor.ev_energy",
    "sensor.ev_state_of_charge",
    "sensor.heat_pump_next_start",
)
KNOWN = [name for name in HEADLINES if name not in LATER]
# What is taken from the grid and given to it stands in one source since then.
ONE_GRID_SOURCE = (2026, 1)
# Clock times and instants as entities of their own.
LATER_PLATFORMS_SINCE = (2026, 5)
KILLED = """
site: {{id: cellar}}
tariff: {{source: fixed, timezone: Europe/Berlin, currency: EUR, import: 0.3}}
mqtt: {{host: {host}, port: {port}}}
state: {{directory: {folder}/state}}
"""


@contextlib.asynccontextmanager
async def bench(
    program: Path, folder: Path
) -> AsyncIterator[tuple[HomeAssistantProcess, RealHome]]:
    async with (
        real_home("mosquitto", EVENING) as home,
        home_assistant(program, folder / "hass", home.broker.port) as hass,
    ):
        yield hass, home


def all_known(states: Mapping[str, dict[str, Any]]) -> bool:
    known = (states[name]["state"] not in ("unknown", "unavailable") for name in KNOWN)
    return set(HEADLINES) <= set(states) and all(known)


def headlines_are_back(states: Mapping[str, dict[str, Any]]) -> bool:
    """Without those of the deleted device."""
    return all(
        name in states and states[name]["state"] not in ("unknown", "unavailable")
        for name in KNOWN
        if "water_heater" not in name
    )


async def test_an_evening_with_home_assistant(program: Path, tmp_path: Path) -> None:
    async with bench(program, tmp_path) as (hass, home):
        store = Store.in_memory()
        config = home.config(FULL_DEVICES, site=FULL_SITE)
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(home.living())
            agent = home.agent(config, store)
            await agent.__aenter__()
            states = await hass.until(all_known, "the headlines")
            entities_are_of_their_kind(states)
            await hass.until(heat_is_planned, "windows of the heat pump")
            await controls_echo(hass, home)
            await what_is_wrong_changes_nothing(hass, home)
            await an_event_arrives(hass, home)
            await the_registry_is_in_order(hass)
            await the_energy_dashboard_takes_the_price(hass)
            assert hass.complaints() == []
            await what_a_person_deletes_stays_away(hass, home)
            await a_wiped_broker_is_healed_by_birth(hass, home)
            await agent.__aexit__(None, None, None)
            await hass.until_state("sensor.flatpeak_import_price", "unavailable")
            await hass.until_state("select.ev_mode", "unavailable")
        await a_killed_agent_is_unavailable(hass, home, tmp_path)


def entities_are_of_their_kind(states: Mapping[str, dict[str, Any]]) -> None:
    for name, wanted in HEADLINES.items():
        found = states[name]["attributes"]
        keys = ("unit_of_measurement", "device_class", "state_class")
        assert tuple(found.get(key) for key in keys) == wanted, name
    prices = states["sensor.flatpeak_price_forecast"]["attributes"]["raw_today"]
    assert prices[0]["start"] == "2026-01-15T00:00:00+01:00"


def heat_is_planned(states: Mapping[str, dict[str, Any]]) -> bool:
    return bool(states["sensor.heat_pump_plan"]["attributes"].get("windows"))


async def controls_echo(hass: HomeAssistantProcess, home: RealHome) -> None:
    # So that the car itself says the same, which it does from time to time.
    for car in home.appliances:
        if isinstance(car, Ev):
            car.plugged, car.soc_percent = True, 50.0
    await home.say("device/ev/state", {"plugged": True, "soc_percent": 50}, retain=True)
    await hass.until_state("binary_sensor.ev_plugged_in", "on")
    await hass.call("select/select_option", "select.ev_mode", option="boost")
    await hass.until_state("select.ev_mode", "boost")
    await hass.call("number/set_value", "number.ev_boost_for", value=0)
    await hass.until_state("select.ev_mode", "auto")
    await hass.call("number/set_value", "number.ev_boost_for", value=60)
    await hass.until_state("number.ev_boost_for", "60")
    await hass.call("button/press", "button.ev_back_to_the_configuration")
    await hass.until_state("select.ev_mode", "auto")
    for entity, value in (
        ("number.ev_target_charge", 90),
        ("number.ev_always_charged_to", 30),
        ("number.ev_highest_price", 0.155),
        ("number.battery_target_charge", 70),
    ):
        await hass.call("number/set_value", entity, value=value)
        await hass.until_state(entity, str(value))
    await hass.call("text/set_value", "text.ev_ready_by", value="05:30")
    await hass.until_state("text.ev_ready_by", "05:30")
    await hass.call("switch/turn_on", "switch.dishwasher_loaded")
    await hass.until_state("switch.dishwasher_loaded", "on")
    await hass.call("text/set_value", "text.flatpeak_away_until", value="2026-01-20 18:00")
    await hass.until_state("text.flatpeak_away_until", "2026-01-20 18:00")
    if hass.version >= LATER_PLATFORMS_SINCE:
        await hass.call("time/set_value", "time.ev_ready_by_clock", time="06:15:00")
        await hass.until_state("time.ev_ready_by_clock", "06:15:00")
        await hass.until_state("text.ev_ready_by", "06:15")
        away = "datetime.flatpeak_away_until_date_and_time"
        await hass.call("datetime/set_value", away, datetime="2026-01-21T18:00:00+01:00")
        await hass.until_state(away, "2026-01-21T17:00:00+00:00")
        await hass.until_state("text.flatpeak_away_until", "2026-01-21 18:00")
    await hass.call("button/press", "button.water_heater_more_hot_water_once")
    await home.until("device/water_heater/wish", hours=1)
    await hass.call("button/press", "button.ev_skip_tonight")
    await hass.until_state("sensor.ev_state", "paused")


async def what_is_wrong_changes_nothing(hass: HomeAssistantProcess, home: RealHome) -> None:
    await hass.call("text/set_value", "text.ev_ready_by", value="25:00")
    refused = await hass.until(
        lambda states: states["sensor.ev_last_request"]["state"].startswith("refused"), "refusal"
    )
    assert "25:00" in refused["sensor.ev_last_request"]["state"]
    assert (await home.until("device/ev/wish", accepted=False))["reason"]
    await hass.call("number/set_value", "number.ev_target_charge", value=10)
    await hass.until(
        lambda states: "below the present" in states["sensor.ev_last_request"]["state"], "refusal"
    )
    assert (await hass.states())["number.ev_target_charge"]["state"] == "90"
    for service, entity, data in (
        ("number/set_value", "number.ev_target_charge", {"value": 300}),
        ("select/select_option", "select.ev_mode", {"option": "turbo"}),
    ):
        with pytest.raises(aiohttp.ClientResponseError):
            await hass.call(service, entity, **data)


async def an_event_arrives(hass: HomeAssistantProcess, home: RealHome) -> None:
    states = await hass.until(
        lambda states: states["event.ev_event"]["state"] not in ("unknown", "unavailable"), "event"
    )
    assert states["event.ev_event"]["attributes"]["event_type"]


async def the_registry_is_in_order(hass: HomeAssistantProcess) -> None:
    devices = await hass.ask("config/device_registry/list")
    mine = {item["name"]: item for item in devices if item["via_device_id"]}
    kinds = {str(item["id"]): item["type"] for item in FULL_DEVICES}
    assert set(mine) == {words(name) for name, kind in kinds.items() if kind != "meter"}
    hub = next(item for item in devices if item["name"] == "FlatPeak")
    assert {item["via_device_id"] for item in mine.values()} == {hub["id"]}
    issues = await hass.ask("repairs/list_issues")
    assert [item for item in issues["issues"] if item["domain"] in ("mqtt", "sensor")] == []


async def the_energy_dashboard_takes_the_price(hass: HomeAssistantProcess) -> None:
    taken: dict[str, object] = {
        "stat_energy_from": hass.real("sensor.ev_energy_of_this_session"),
        "stat_cost": None,
        "entity_energy_price": hass.real("sensor.flatpeak_import_price"),
        "number_energy_price": None,
    }
    grid: dict[str, object] = {"type": "grid", "cost_adjustment_day": 0}
    if hass.version < ONE_GRID_SOURCE:
        grid |= {"flow_from": [taken], "flow_to": []}
    else:
        given = ("stat_energy_to", "stat_compensation")
        prices = ("entity_energy_price_export", "number_energy_price_export")
        grid |= taken | dict.fromkeys((*given, *prices))
    await hass.ask("energy/save_prefs", energy_sources=[grid])
    found = await hass.ask("energy/validate")
    # The first statistics are made within five minutes.
    kinds = {issue["type"] for source in found["energy_sources"] for issue in source}
    assert kinds <= {"statistics_not_defined"}


async def what_a_person_deletes_stays_away(hass: HomeAssistantProcess, home: RealHome) -> None:
    """A device is deleted there; everything is announced again, but for it."""
    devices = await hass.ask("config/device_registry/list")
    found = next(item for item in devices if item["name"] == "Water heater")
    await hass.ask(
        "config/device_registry/remove_config_entry", config_entry_id=ENTRY, device_id=found["id"]
    )
    await hass.until(lambda states: "sensor.water_heater_power" not in states, "deleted")
    await home.say("device/water_heater/info", {"maker": "Acme"}, retain=True)
    await home.say("device/ev/info", {"maker": "Acme", "model": "New"}, retain=True)
    async with asyncio.timeout(30):
        while True:
            devices = await hass.ask("config/device_registry/list")
            if any(item["model"] == "New" for item in devices):
                break
            await asyncio.sleep(0.2)
    assert "Water heater" not in {item["name"] for item in devices}


async def a_wiped_broker_is_healed_by_birth(hass: HomeAssistantProcess, home: RealHome) -> None:
    """Everything retained is lost, then Home Assistant starts anew."""
    names = ("text.flatpeak_away_until", "number.ev_target_charge")
    before = {name: item["state"] for name, item in (await hass.states()).items() if name in names}
    shown = {item.topic for item in home.watcher.heard if "/ha/" in item.topic}
    for topic in [*(name for name in shown if not name.endswith("/set")), f"{BASE}/status"]:
        await home.watcher.client.publish(topic, b"", qos=1, retain=True)
    await hass.reload()
    await hass.until(headlines_are_back, "what was lost is back")
    await hass.until(
        lambda states: all(states[name]["state"] == value for name, value in before.items()),
        f"as before: {before}",
    )


async def a_killed_agent_is_unavailable(
    hass: HomeAssistantProcess, home: RealHome, folder: Path
) -> None:
    config = folder / "config.yaml"
    config.write_text(KILLED.format(host=HOST, port=home.broker.port, folder=folder))
    async with command("run", "--config", config):
        # Its clock is not confirmed by anybody here, so it tells no price yet.
        await hass.until_state("sensor.flatpeak_cellar_health", "degraded")
    # The block's end kills it: only its last will speaks.
    await hass.until_state("sensor.flatpeak_cellar_health", "unavailable")
