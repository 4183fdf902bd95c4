"""An error that a device tells stands as long as it tells it, over every restart of the agent."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from agent.clock import SteppedClock
from integrations.sandbox.server import FlatPeakSandbox
from tests.fakes.home import BASE, Home
from tests.fakes.virtual_loop import run_virtual

START = datetime(2026, 1, 15, 15, tzinfo=UTC)
EV = {"id": "ev", "type": "ev_charger", "max_power_w": 11000, "phases": 3, "battery_kwh": 58}


def say(home: Home, body: object) -> None:
    home.broker.publish(f"{BASE}/device/ev/state", json.dumps(body).encode(), retain=True)


def why(home: Home) -> str:
    parts: Any = home.body("health")["parts"]
    return str(parts["device:ev"]["why"])


def test_an_error_ends_with_the_first_state_that_leaves_it_out() -> None:
    async def run(clock: SteppedClock) -> None:
        async with FlatPeakSandbox(clock) as sandbox:
            home = Home(clock, sandbox)

            async def story() -> None:
                await clock.sleep(60)
                say(home, {"plugged": True, "soc_percent": 50, "error": "E42"})
                await clock.sleep(60)
                assert "says E42" in why(home)
                say(home, {"plugged": True, "soc_percent": 51})
                await clock.sleep(60)
                assert "E42" not in why(home)
                say(home, {"plugged": True, "soc_percent": 51, "error": "E43"})
                await clock.sleep(60)
                assert "says E43" in why(home)

            telling = asyncio.ensure_future(story())
            await home.run(home.config([EV]), clock.now() + timedelta(minutes=10))
            await telling
            # The agent is away meanwhile.
            say(home, {"plugged": True, "soc_percent": 52})
            await home.run(home.config([EV]), clock.now() + timedelta(minutes=5))
            assert "E43" not in why(home)

    run_virtual(run, START)
