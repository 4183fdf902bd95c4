"""Blueprints, entities told by `mqtt_statestream`, and the dashboard, in a real Home Assistant."""

import asyncio
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import async_playwright
from ruamel.yaml import YAML

from agent.cli.dashboard import dashboard_text
from agent.store import Store
from integrations.sandbox.household import FULL_DEVICES, FULL_SITE
from tests.fakes.brokers import Heard
from tests.fakes.home_assistant import NAMED_BY_US, HomeAssistantProcess, home_assistant, version_of
from tests.fakes.real_home import BASE, RealHome, real_home

pytestmark = pytest.mark.full

BLUEPRINTS = Path(__file__).parents[3] / "integrations" / "homeassistant" / "blueprints"
ZONE = ZoneInfo("Europe/Berlin")
MOST_BYTES = 200_000
CHROMIUM = "/usr/bin/chromium"
WALLBOX = {
    "id": "wallbox",
    "type": "ev_charger",
    "max_power_w": 11000,
    "phases": 3,
    "battery_kwh": 60,
    "ready_by": {"every_day": "07:00"},
    "adapter": {
        "family": "home_assistant",
        "entities": {
            "soc": "sensor.car_battery",
            "plugged": "input_boolean.cable",
            "power": "sensor.wallbox_kw",
        },
    },
}
CONFIGURATION = """
input_boolean: {cable: {}, charger: {}, trouble: {}}
input_number:
  car: {min: 0, max: 100, initial: 45}
  kilowatts: {min: 0, max: 22, initial: 0}
  amperes: {min: 0, max: 32, initial: 6}
template:
  - sensor:
      - {name: Car battery, state: "{{ states('input_number.car') }}", unit_of_measurement: "%"}
      - name: Wallbox kW
        state: "{{ states('input_number.kilowatts') }}"
        unit_of_measurement: kW
        device_class: power
      - name: Roof today
        state: "7"
        attributes:
          detailedHourly: >-
            {{ [{'period_start': (now() + timedelta(hours=1)).isoformat(), 'pv_estimate': 1.5},
                {'period_start': (now() + timedelta(hours=2)).isoformat(), 'pv_estimate': 2}] }}
mqtt_statestream:
  base_topic: statestream
  publish_attributes: true
  publish_timestamps: true
  include:
    entities: [sensor.car_battery, input_boolean.cable, sensor.wallbox_kw]
automation:
  - id: trouble
    alias: Trouble
    use_blueprint:
      path: flatpeak/notify_problem.yaml
      input: {problems: [input_boolean.trouble], stands_for: {seconds: 0}}
  - id: ask
    alias: Ask
    use_blueprint:
      path: flatpeak/ask_before_boost.yaml
      input:
        cause: [input_boolean.trouble]
        boost_for: BOOST_FOR
        minutes: 90
        plan: PLAN
        notify: script.phone
  - id: trip
    alias: Trip
    use_blueprint:
      path: flatpeak/trip_from_calendar.yaml
      input: {calendar: calendar.trips, word: trip, target: 95, ahead: "-6:00:00"}
  - id: tell
    alias: Tell
    use_blueprint:
      path: flatpeak/tell_readings.yaml
      input: {device: grid_meter, power: [sensor.wallbox_kw]}
  - id: roof
    alias: Roof
    use_blueprint:
      path: flatpeak/pv_forecast.yaml
      input: {forecasts: [sensor.roof_today]}
  - id: follow
    alias: Follow
    use_blueprint:
      path: flatpeak/follow_setpoint.yaml
      input:
        device: wallbox
        switch: input_boolean.charger
        current: [input_number.amperes]
script:
  wish:
    alias: Wish
    use_blueprint: {path: flatpeak/set_wish.yaml}
  phone:
    alias: Phone
    mode: parallel
    sequence:
      - action: mqtt.publish
        data: {topic: test/phone, payload: "{{ [message, data.actions[0].action] | to_json }}"}
"""
# As they are called in the configuration, before 2025.10 and since.
IDS = {
    True: {"BOOST_FOR": "number.ev_boost_for", "PLAN": "sensor.ev_plan"},
    False: {"BOOST_FOR": "number.flatpeak_ev_boost_min", "PLAN": "sensor.flatpeak_ev_plan"},
}
CALENDAR: dict[str, object] = {
    "created_at": "2026-01-01T00:00:00+00:00",
    "data": {"calendar_name": "Trips", "storage_key": "trips"},
    "disabled_by": None,
    "discovery_keys": {},
    "domain": "local_calendar",
    "entry_id": "01CALENDARTEST0000000000AA",
    "minor_version": 1,
    "modified_at": "2026-01-01T00:00:00+00:00",
    "options": {},
    "pref_disable_new_entities": False,
    "pref_disable_polling": False,
    "source": "user",
    "subentries": [],
    "title": "Trips",
    "unique_id": None,
    "version": 1,
}


async def test_blueprints_and_dashboard(program: Path, tmp_path: Path) -> None:
    folder = tmp_path / "hass"
    shutil.copytree(BLUEPRINTS, folder / "blueprints")
    # Templates compare with the clock of Home Assistant, which is that of the machine.
    now = datetime.now(ZONE).replace(tzinfo=None)
    by_name = await version_of(program) < NAMED_BY_US
    configuration = CONFIGURATION
    for word, entity in IDS[by_name].items():
        configuration = configuration.replace(word, entity)
    async with (
        real_home("mosquitto", now) as home,
        home_assistant(program, folder, home.broker.port, configuration, [CALENDAR]) as hass,
        home.living(),
    ):
        config = home.config([*FULL_DEVICES, WALLBOX], site=FULL_SITE)
        async with home.agent(config, Store.in_memory()):
            await hass.until(
                lambda states: (
                    "select.wallbox_mode" in states
                    and states["select.wallbox_mode"]["state"] == "auto"
                ),
                "the wallbox",
            )
            await every_automation_is_loaded(hass)
            await entities_are_readings(hass)
            await readings_are_told(hass, home)
            await the_roof_is_foretold(home)
            await a_wish_is_answered(hass)
            await the_charger_follows(hass)
            await a_problem_is_told_and_a_boost_asked_for(hass, home)
            await a_trip_stands_in_the_calendar(hass, home)
            await a_car_waits_for_the_night(hass, home)
            await the_dashboard_is_shown(hass, dashboard_text(config, by_name=by_name), tmp_path)
            assert hass.complaints() == []


async def every_automation_is_loaded(hass: HomeAssistantProcess) -> None:
    names = ("trouble", "ask", "trip", "tell", "roof", "follow")
    wanted = {f"automation.{name}": "on" for name in names} | {"script.wish": "off"}
    await hass.until(
        lambda states: all(
            name in states and states[name]["state"] == word for name, word in wanted.items()
        ),
        "every blueprint in use",
    )


async def entities_are_readings(hass: HomeAssistantProcess) -> None:
    """What stood before the car came is believed when it does."""
    await hass.call("input_number/set_value", "input_number.car", value=44)
    await hass.call("input_boolean/turn_on", "input_boolean.cable")
    await hass.until_state("binary_sensor.wallbox_plugged_in", "on")
    await hass.until_state("sensor.wallbox_state_of_charge", "44")
    await hass.call("input_number/set_value", "input_number.kilowatts", value=3.5)
    await hass.until_state("sensor.wallbox_power", "3500")


async def readings_are_told(hass: HomeAssistantProcess, home: RealHome) -> None:
    await home.until("device/grid_meter/state", power_w=3500.0)
    await hass.call("input_number/set_value", "input_number.kilowatts", value=0)
    await hass.until_state("sensor.wallbox_power", "0")


async def the_roof_is_foretold(home: RealHome) -> None:
    await home.watcher.until(lambda heard: bool(list(forecasts(heard))))
    spans = next(forecasts(home.watcher.heard))
    assert [item["value"] for item in spans] == [1500, 2000]
    assert spans[0]["end"] == spans[1]["start"]


def forecasts(heard: list[Heard]) -> Iterator[list[dict[str, Any]]]:
    for item in heard:
        if item.topic == f"{BASE}/site/forecast/pv" and item.payload:
            yield json.loads(item.payload)


async def a_wish_is_answered(hass: HomeAssistantProcess) -> None:
    for wish, accepted in (
        ({"target_soc_percent": 90, "ready_by": "05:30"}, True),
        ({"ready_by": "25:00"}, False),
        ({"mode": "auto"}, True),
        ({"target_soc_percent": 10}, False),
    ):
        told = await hass.post(
            "services/script/wish?return_response", {"device": "wallbox", "wish": wish}
        )
        answer = told["service_response"]
        assert answer["accepted"] is accepted, answer
        assert accepted or answer["reason"]
    await hass.until_state("number.wallbox_target_charge", "90")


async def the_charger_follows(hass: HomeAssistantProcess) -> None:
    await hass.call("select/select_option", "select.wallbox_mode", option="boost")
    await hass.until_state("input_boolean.charger", "on")
    await hass.until_state("input_number.amperes", "16.0")
    await hass.call("select/select_option", "select.wallbox_mode", option="pause")
    await hass.until_state("input_boolean.charger", "off")


async def a_problem_is_told_and_a_boost_asked_for(
    hass: HomeAssistantProcess, home: RealHome
) -> None:
    await home.watcher.client.subscribe("test/#")
    await hass.call("input_boolean/turn_on", "input_boolean.trouble")
    await home.watcher.until(lambda heard: any(item.topic == "test/phone" for item in heard))
    said = next(item for item in home.watcher.heard if item.topic == "test/phone")
    message, action = json.loads(said.payload)
    assert "Boost now for 90 minutes?" in message
    assert (await hass.states())["select.ev_mode"]["state"] == "auto"
    await hass.post("events/mobile_app_notification_action", {"action": action})
    await hass.until_state("select.ev_mode", "boost")
    await hass.until_state("number.ev_boost_for", "90")
    await hass.call("number/set_value", "number.ev_boost_for", value=0)
    notes = await hass.ask("persistent_notification/get")
    assert any(item["title"] == "trouble" for item in notes)


async def a_trip_stands_in_the_calendar(hass: HomeAssistantProcess, home: RealHome) -> None:
    start = datetime.now(UTC) + timedelta(hours=6, seconds=8)
    await hass.call(
        "calendar/create_event",
        "calendar.trips",
        summary="Trip to the sea",
        description="at least 85 %",
        start_date_time=f"{start:%Y-%m-%dT%H:%M:%S+00:00}",
        end_date_time=f"{start + timedelta(hours=1):%Y-%m-%dT%H:%M:%S+00:00}",
    )
    # What is added later is seen within a quarter of an hour; one just switched on looks at once.
    await hass.call("automation/turn_off", "automation.trip")
    await hass.call("automation/turn_on", "automation.trip")
    wish = await home.until("device/ev/request", target_soc_percent=85)
    assert wish["ready_by"] == f"{start - timedelta(minutes=15):%Y-%m-%dT%H:%M:%SZ}"


async def a_car_waits_for_the_night(hass: HomeAssistantProcess, home: RealHome) -> None:
    if (await hass.states())["binary_sensor.ev_plugged_in"]["state"] == "off":
        await home.say("device/ev/state", {"plugged": True, "soc_percent": 35}, retain=True)
    await home.say("device/battery/state", {"soc_percent": 52, "power_w": 0}, retain=True)
    await home.say("device/dishwasher/request", {"start": True})
    await hass.until(
        lambda states: (
            states["sensor.ev_plan"]["attributes"].get("windows")
            and states["sensor.dishwasher_plan"]["attributes"].get("windows")
        ),
        "plans of car and dishwasher",
    )


async def the_dashboard_is_shown(hass: HomeAssistantProcess, text: str, folder: Path) -> None:
    """As text it is pasted, as a person would; every entity in it exists, every card is drawn."""
    view = YAML(typ="safe", pure=True).load(text)
    missing = set(entities_in(view)) - {hass.real(name) for name in await hass.states()}
    assert missing == set()
    await hass.ask(
        "lovelace/dashboards/create",
        url_path="flat-peak",
        title="FlatPeak",
        icon="mdi:flash",
        mode="storage",
        require_admin=False,
        show_in_sidebar=True,
    )
    await hass.ask("lovelace/config/save", url_path="flat-peak", config=view)
    picture = folder / "dashboard.png"
    async with async_playwright() as tool:
        browser = await tool.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        page = await browser.new_page(viewport={"width": 1600, "height": 1180})
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        await page.add_init_script(f"localStorage.hassTokens = {json.dumps(tokens(hass))}")
        await page.goto(f"{hass.url}/flat-peak/flatpeak")
        await page.get_by_text("Prices and plan").first.wait_for(timeout=60_000)
        await page.get_by_text("What was").first.wait_for(timeout=60_000)
        image = page.locator("hui-image img").first
        await image.wait_for()
        drawn = "image => image.complete && image.naturalWidth"
        async with asyncio.timeout(20):
            while not await image.evaluate(drawn):
                await asyncio.sleep(0.1)
        for broken in ("hui-error-card", "hui-warning", "ha-alert[alert-type=error]"):
            assert await page.locator(broken).count() == 0, broken
        await page.wait_for_load_state("networkidle")
        await page.mouse.move(800, 1100)
        await page.screenshot(path=picture)
        await browser.close()
    assert errors == []
    assert picture.stat().st_size < MOST_BYTES
    if kept := os.environ.get("DASHBOARD_PNG"):
        shutil.copy(picture, kept)


def entities_in(node: object) -> Iterator[str]:
    if isinstance(node, Mapping):
        for key, inner in node.items():
            if key == "entity":
                yield str(inner)
            elif key == "entities":
                yield from (item for item in inner if isinstance(item, str))
                yield from entities_in(inner)
            else:
                yield from entities_in(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from entities_in(inner)


def tokens(hass: HomeAssistantProcess) -> str:
    """As the front end keeps them of who has logged in."""
    return json.dumps(
        {
            "access_token": hass.token,
            "refresh_token": hass.refresh_token,
            "token_type": "Bearer",
            "expires_in": 1800,
            "expires": int(time.time() * 1000) + 1_800_000,
            "hassUrl": hass.url,
            "clientId": f"{hass.url}/",
        }
    )
