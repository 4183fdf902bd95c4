"""Days of a household as a real Home Assistant sees them: no complaint, and nothing missed."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from agent.app import plan_in_thread
from agent.cli.demo_summary import is_good
from agent.cli.paced_clock import PacedClock
from agent.energy.localtime import local_instant
from agent.energy.plan import Plan
from agent.energy.situation import Situation
from agent.store import Store
from agent.tasks import cancel_all
from integrations.sandbox.appliances.link import open_link
from integrations.sandbox.broker import HOST, open_broker
from integrations.sandbox.household import DEVICES, HOUSEHOLDS
from integrations.sandbox.locations import built_in
from integrations.sandbox.server import FlatPeakSandbox
from tests.fakes.brokers import Mosquitto, watching
from tests.fakes.home_assistant import HomeAssistantProcess, home_assistant
from tests.fakes.real_home import BASE, RealHome
from tests.integrations.homeassistant.discovery_rules import PATH
from tests.integrations.homeassistant.lives import a_day

pytestmark = pytest.mark.full

LAST_WORD = "That was the day"
# Everything of a day comes within a minute: the broker keeps what waits for Home Assistant.
PATIENT = ("max_queued_messages 0", "max_inflight_messages 0")
HEARS_ALL_WITHIN_S = 300.0
EVENING = datetime(2026, 1, 15, 16, 0)  # noqa: DTZ001 - local time of the house
AWAY_FOR = timedelta(hours=48)
SPEED = 1200.0
RIGHT_WITHIN_S = 15.0
PULSE = "test/pulse"
NOTHING = ("unknown", "")


@pytest.mark.parametrize("house", HOUSEHOLDS)
async def test_a_day_leaves_nothing_in_its_log(program: Path, tmp_path: Path, house: str) -> None:
    """All that was said in 24 hours, in the same order, in a minute."""
    day = await asyncio.to_thread(a_day, HOUSEHOLDS[house])
    said = [item for item in day.broker.log if item.payload != b"offline"]
    async with (
        Mosquitto(tmp_path, PATIENT) as broker,
        home_assistant(program, tmp_path / "hass", broker.port) as hass,
        aiomqtt.Client(HOST, broker.port, identifier="day", timeout=60) as client,
    ):
        for item in said:
            await client.publish(item.topic, item.payload, qos=1, retain=item.retain)
        word = {"at": "2026-01-16T15:00:00Z", "type": "tariff_fetch_failed", "device": None}
        await client.publish(f"{BASE}/event", json.dumps({**word, "text": LAST_WORD}), qos=1)
        states = await hass.until(has_heard_all, "the day's last word", HEARS_ALL_WITHIN_S)
        assert len(states) > 100
        assert hass.complaints() == []


def has_heard_all(states: Mapping[str, dict[str, Any]]) -> bool:
    found = states.get("event.flatpeak_event")
    return found is not None and found["attributes"].get("text") == LAST_WORD


@pytest.mark.parametrize("program", [""], indirect=True, ids=str)
async def test_two_days_without_home_assistant(program: Path, tmp_path: Path) -> None:
    """No deadline is missed for it, and when it is back everything there is right."""
    async with (
        fast_home() as (home, clock),
        home_assistant(program, tmp_path / "hass", home.broker.port) as hass,
        home.living(),
    ):

        async def plan(situation: Situation) -> Plan:
            with clock.hold():
                return await plan_in_thread(situation)

        config = home.config(DEVICES)
        async with home.agent(config, Store.in_memory(), plan=plan) as ledger:
            await hass.until(lambda states: "sensor.ev_plan" in states, "the car")
            await hass.stop()
            await clock.sleep_until(clock.now() + AWAY_FOR)
            clock.slow_down_to(1)
            await hass.start()
            await everything_is_right(hass, home)
            accounts = [ledger.of(str(device["id"])) for device in DEVICES]
            assert is_good(accounts), accounts
            assert hass.complaints() == []


@contextlib.asynccontextmanager
async def fast_home() -> AsyncIterator[tuple[RealHome, PacedClock]]:
    """A house whose time waits for what is on its way."""
    place = built_in()[0]
    clock = PacedClock(local_instant(EVENING.date(), EVENING.time(), place.zone), SPEED)
    async with (
        open_broker("mosquitto") as broker,
        watching(broker.port, name="watcher") as watcher,
        FlatPeakSandbox(clock, locations=[place]) as sandbox,
        open_link(HOST, broker.port, "pulse") as link,
    ):
        pulse = asyncio.Event()
        await link.subscribe([PULSE], lambda _topic, _payload: pulse.set())
        pacing = clock.follow(lambda: link.publish(PULSE, "", retain=False), pulse)
        jobs = [asyncio.create_task(clock.run()), asyncio.create_task(pacing)]
        try:
            yield RealHome(broker, clock, sandbox, watcher, place.zone), clock
        finally:
            await cancel_all(jobs)


async def everything_is_right(hass: HomeAssistantProcess, home: RealHome) -> None:
    """Each sensor shows what the agent says now, soon after it is there again."""
    wrong: Sequence[str] = ["nothing was looked at"]
    try:
        async with asyncio.timeout(RIGHT_WITHIN_S):
            while wrong:
                wrong = await differences(hass, home)
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise AssertionError(wrong) from None


async def differences(hass: HomeAssistantProcess, home: RealHome) -> Sequence[str]:
    """What is missing there or shows something else than was said last."""
    known, states = await hass.entities(), await hass.states()
    out = []
    for name, value in sensors(home):
        state = states.get(known[name]["entity_id"]) if name in known else None
        if state is None or not is_shown(state, value):
            out.append(f"{name} is {state and state['state']}, not {value}")
    return out


def sensors(home: RealHome) -> Iterator[tuple[str, object]]:
    """Every sensor that was announced, with the value in what was said last of its device."""
    last = {item.topic: item.payload for item in home.watcher.heard if item.payload}
    for topic, payload in last.items():
        if not topic.startswith("homeassistant/device/"):
            continue
        body = json.loads(payload)
        document = json.loads(last[body["state_topic"]])
        for part in body["components"].values():
            if part["platform"] == "sensor" and (path := PATH.search(part["value_template"])):
                value: Any = document
                for key in path[1].strip(".").split("."):
                    value = value[key]
                yield part["unique_id"], value


def is_shown(state: Mapping[str, Any], value: object) -> bool:
    found = state["state"]
    if value is None or value == "":
        return found in NOTHING
    if found in (*NOTHING, "unavailable"):
        return False
    if isinstance(value, int | float):
        return bool(float(found) == pytest.approx(value))
    if state["attributes"].get("device_class") == "timestamp":
        return bool(datetime.fromisoformat(found) == datetime.fromisoformat(str(value)))
    return bool(found == value)
