"""Whose reading changed the plan gets its setpoint, whatever the plans of the others take."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

from agent.clock import SteppedClock
from agent.energy.plan import Plan
from agent.energy.situation import Situation
from agent.planning import make_plan
from integrations.sandbox.server import FlatPeakSandbox
from tests.fakes.home import BASE, Home
from tests.fakes.virtual_loop import run_virtual

START = datetime(2026, 1, 15, 15, tzinfo=UTC)
NEEDY = {"type": "ev_charger", "max_power_w": 7400, "phases": 1, "energy_kwh": 900}
# It stands there from the beginning, and its plan is a hard one.
SLOW_PLAN_S = 1.5


async def slow_for_the_first(situation: Situation) -> Plan:
    """Within the planner's time limit, but only just."""
    if any(device.id == "first" for device in situation.devices):
        await asyncio.sleep(SLOW_PLAN_S)
    return make_plan(situation)


@pytest.mark.parametrize("mode", ["charge", "idle"])
def test_a_car_that_comes_or_goes_waits_for_no_other_cars_plan(mode: str) -> None:
    async def live(clock: SteppedClock) -> tuple[float, Home]:
        async with FlatPeakSandbox(clock) as sandbox:
            home = Home(clock, sandbox, plan=slow_for_the_first)
            loop = asyncio.get_running_loop()
            changed_at = loop.time() + 120

            def plug(device: str, plugged: bool) -> None:
                body = json.dumps({"plugged": plugged})
                home.broker.publish(f"{BASE}/device/{device}/state", body, retain=True)

            loop.call_soon(plug, "first", True)
            loop.call_soon(plug, "second", mode == "idle")
            loop.call_at(changed_at, plug, "second", mode == "charge")
            cars = [{**NEEDY, "id": name} for name in ("first", "second")]
            await home.run(home.config(cars), START + timedelta(minutes=4))
            return changed_at, home

    changed_at, home = run_virtual(live, START)
    setpoints = [said for said in home.broker.log if said.topic == f"{BASE}/device/second/setpoint"]
    told = next(said for said in setpoints if said.at >= changed_at)
    assert json.loads(told.payload)["mode"] == mode
    assert told.at - changed_at < SLOW_PLAN_S / 2
    # The plan for everybody that followed has nothing else to say to it.
    assert all(json.loads(said.payload)["mode"] == mode for said in setpoints if said.at > told.at)
