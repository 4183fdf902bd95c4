"""What is wrong with what a device tells is said as it comes, and no longer than it is so."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agent.clock import SteppedClock
from integrations.sandbox.server import FlatPeakSandbox
from tests.contracts.test_registry import SECTIONS
from tests.fakes.home import BASE, Home
from tests.fakes.virtual_loop import run_virtual

START = datetime(2026, 1, 15, 15, tzinfo=UTC)
EV = {"id": "ev", "type": "ev_charger", "max_power_w": 11000, "phases": 3, "battery_kwh": 58}


def say(home: Home, body: object, device: str = "ev") -> None:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    home.broker.publish(f"{BASE}/device/{device}/state", payload, retain=True)


def why(home: Home, device: str = "ev") -> str:
    parts: Any = home.body("health")["parts"]
    return str(parts[f"device:{device}"].get("why", ""))


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


def live(devices: Sequence[object], story: Callable[[Home], Awaitable[None]]) -> None:
    async def run(clock: SteppedClock) -> None:
        async with FlatPeakSandbox(clock) as sandbox:
            home = Home(clock, sandbox)
            telling = asyncio.ensure_future(story(home))
            await home.run(home.config(devices), clock.now() + timedelta(minutes=10))
            await telling

    run_virtual(run, START)


@pytest.mark.parametrize("nonsense", [b"garbage", b"[1]", b"{"])
def test_a_state_that_is_nonsense_degrades_the_device_until_one_can_be_read(
    nonsense: bytes,
) -> None:
    async def story(home: Home) -> None:
        await home.clock.sleep(60)
        for device, good in (("ev", {"plugged": True}), ("grid", {"power_w": 300})):
            say(home, good, device)
            await home.clock.sleep(10)
            assert "cannot be read" not in why(home, device)
            say(home, nonsense, device)
            await home.clock.sleep(10)
            assert "what it says on state cannot be read" in why(home, device)
            say(home, good, device)
            await home.clock.sleep(10)
            assert "cannot be read" not in why(home, device)

    live([EV, {"id": "grid", "type": "meter", "role": "grid"}], story)


def test_a_temperature_that_cannot_be_is_named_at_once_and_no_longer_than_it_is_told() -> None:
    house = {"id": "house", **SECTIONS["house_heat_pump"], "type": "house_heat_pump"}

    async def story(home: Home) -> None:
        await home.clock.sleep(60)
        say(home, {"temperature_c": 20.6, "power_w": 0}, "house")
        await home.clock.sleep(60)
        say(home, {"temperature_c": 85}, "house")
        await home.clock.sleep(5)
        assert "temperature_c 85 cannot be" in why(home, "house")
        say(home, {"temperature_c": 20.6}, "house")
        await home.clock.sleep(5)
        assert "cannot be" not in why(home, "house")

    live([house], story)
