"""A person's boost under a limit while the sun shines: the others yield."""

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from agent.clock import SteppedClock
from agent.energy.plan import Engine, Plan
from agent.energy.situation import Situation
from agent.planning import make_plan
from agent.planning.joint.engine import JointEngine
from agent.planning.portfolio import ENGINES, Entry
from integrations.sandbox.server import FlatPeakSandbox
from tests.fakes.home import BASE, Home
from tests.fakes.virtual_loop import run_virtual

START = datetime(2026, 6, 20, 7, tzinfo=UTC)
LIMIT_W, SUN_W = 8000, 4000
HOUSE: list[dict[str, Any]] = [
    {"id": "ev", "type": "ev_charger", "max_power_w": 11_000, "phases": 3, "battery_kwh": 58},
    {
        "id": "battery",
        "type": "battery",
        "capacity_kwh": 10,
        "max_charge_w": 5000,
        "max_discharge_w": 5000,
    },
    {
        "id": "tank",
        "type": "hot_water_tank",
        "power_w": 2000,
        "litres": 300,
        "persons": 6,
    },
]


ENGINES_OF_ALL = (*ENGINES, Entry(Engine.JOINT, JointEngine()))


async def plan(situation: Situation) -> Plan:
    return make_plan(situation, time.process_time, 1.0, ENGINES_OF_ALL)


def test_a_boost_gets_what_the_limit_leaves_though_the_plan_counts_on_the_sun() -> None:
    async def live(clock: SteppedClock) -> Home:
        async with FlatPeakSandbox(clock) as sandbox:
            home = Home(clock, sandbox, plan=plan)
            loop = asyncio.get_running_loop()

            def say(topic: str, body: object, *, retain: bool = True) -> None:
                home.broker.publish(f"{BASE}/{topic}", json.dumps(body), retain=retain)

            def acknowledge(message: Any) -> None:
                if message.payload:
                    revision = json.loads(message.payload)["revision"]
                    ack = {"revision": revision, "status_type": "ACCEPTED", "diagnostic": ""}
                    say(message.topic.removeprefix(f"{BASE}/").replace("schedule", "ack"), ack)

            home.broker.subscribe([f"{BASE}/device/+/schedule"], acknowledge)
            day = [
                {
                    "start": (START + timedelta(hours=n)).isoformat(),
                    "end": (START + timedelta(hours=n + 1)).isoformat(),
                    "value": SUN_W if n < 10 else 0,
                }
                for n in range(48)
            ]
            say("site/forecast/pv", day)
            say("device/ev/state", {"plugged": True, "soc_percent": 40, "power_w": 0})
            say("device/battery/state", {"soc_percent": 30, "power_w": 0})
            say("device/tank/state", {"temperature_c": 46, "power_w": 0})
            boost = {"mode": "boost", "for_s": 4 * 3600}
            loop.call_later(300, lambda: say("device/ev/request", boost, retain=False))
            site = {
                "import_limit_w": LIMIT_W,
                "base_load_w": 300,
                "latitude": 52.5,
                "longitude": 13.4,
                "pv": {"peak_w": 6000},
            }
            await home.run(home.config(HOUSE, site=site), START + timedelta(minutes=12))
            return home

    home = run_virtual(live, START)
    told = home.bodies("device/ev/schedule")[-1]
    boost = [slot for slot in told["slots"] if slot["reason"] == "boost"]
    ends = [datetime.fromisoformat(slot["end"]) for slot in boost]
    assert ends[-1] >= START + timedelta(hours=4)
    assert ends[:-1] == [datetime.fromisoformat(slot["start"]) for slot in boost[1:]]
    # All that the limit leaves beside the house, less the tank's where that has not yielded yet.
    assert min(slot["power_w"] for slot in boost) >= 5000
    assert boost[0]["power_w"] >= 7000


def test_a_boost_that_waits_for_others_to_make_room_says_so_at_once() -> None:
    """The pump, which has to run now, never confirms that it has made room."""
    pump = {
        "id": "pump",
        "type": "load",
        "power_w": 3000,
        "needs": [{"hours": 4, "window": {"start": "09:00", "end": "13:00"}}],
    }
    heater = {**pump, "id": "heater", "priority": 5, "needs": [{"hours": 1}]}
    asked_at = START + timedelta(minutes=5)

    async def live(clock: SteppedClock) -> tuple[Home, list[dict[str, Any]]]:
        async with FlatPeakSandbox(clock) as sandbox:
            home = Home(clock, sandbox)
            heard: list[dict[str, Any]] = []

            async def person() -> None:
                await clock.sleep_until(asked_at)
                request = json.dumps({"mode": "boost", "for_s": 3600, "id": "now"})
                home.broker.publish(f"{BASE}/device/heater/request", request, retain=False)
                for seconds in (3, 117):
                    await clock.sleep(seconds)
                    setpoint, wish = (
                        home.body(f"device/heater/{of}") for of in ("setpoint", "wish")
                    )
                    heard.append({**wish, "power_w": setpoint["power_w"]})

            asking = asyncio.ensure_future(person())
            site = {"import_limit_w": 4000, "base_load_w": 300}
            await home.run(home.config([pump, heater], site=site), asked_at + timedelta(minutes=3))
            await asking
            return home, heard

    _, (at_once, later) = run_virtual(live, START)
    assert at_once["id"] == later["id"] == "now"
    assert at_once["accepted"]
    assert at_once["power_w"] == 0
    assert at_once["reason"] == "it waits until others have made room"
    assert (later["power_w"], later["reason"]) == (3000, "")
