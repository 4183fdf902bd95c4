"""A time that cannot be read is named for as long as it is told, and no longer."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

from agent.clock import SteppedClock
from integrations.sandbox.server import FlatPeakSandbox
from tests.fakes.home import BASE, Home
from tests.fakes.virtual_loop import run_virtual

START = datetime(2026, 1, 15, 15, tzinfo=UTC)
CAR = {"id": "ev", "type": "ev_charger", "max_power_w": 7400, "energy_kwh": 10}
STATE = {"plugged": True, "power_w": 0}


@pytest.mark.parametrize("then", [{}, {"at": "2026-01-15T15:02:00Z"}])
def test_a_time_that_is_mended_or_left_out_is_blamed_no_more(then: dict[str, str]) -> None:
    async def live(clock: SteppedClock) -> Home:
        async with FlatPeakSandbox(clock) as sandbox:
            home = Home(clock, sandbox)
            loop = asyncio.get_running_loop()

            def say(body: object) -> None:
                home.broker.publish(f"{BASE}/device/ev/state", json.dumps(body), retain=True)

            for minute in (0, 1):
                loop.call_later(60 * minute, say, {**STATE, "at": f"15.01.2026 15:0{minute}"})
            loop.call_later(120, say, {**STATE, **then})
            await home.run(home.config([CAR]), START + timedelta(minutes=4))
            return home

    home = run_virtual(live, START)
    parts = [body["parts"].get("device:ev") for body in home.bodies("health")]
    whys = [part["why"] for part in parts if part is not None]
    blamed = [why for why in whys if "at cannot be read" in why]
    assert len(set(blamed)) == 1
    assert "at cannot be read" not in whys[-1]
