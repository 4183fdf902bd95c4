"""A night with a compressor whose own clock is fast: it may run early, but is not toggled."""

from datetime import UTC, datetime, timedelta

import pytest

from agent.clock import SteppedClock
from integrations.sandbox.appliances.appliance import Setup
from integrations.sandbox.appliances.followers import Command, ScheduleFollower
from integrations.sandbox.server import FlatPeakSandbox
from tests.fakes.compressor import Compressor, CompressorWithoutTimes
from tests.fakes.home import BASE, Home
from tests.fakes.memory_broker import MemoryLink
from tests.fakes.virtual_loop import run_virtual

START = datetime(2026, 1, 15, 20, tzinfo=UTC)
MINIMUM = timedelta(seconds=1200)
HEAT_PUMP = {
    "id": "hp",
    "type": "heat_pump",
    "power_w": 2000,
    "min_on_s": 1200,
    "min_off_s": 1200,
    "needs": [{"hours": 3, "window": {"start": "22:00", "end": "06:00"}}],
}


def night(make: type[Compressor], minutes: int) -> tuple[Compressor, Home]:
    async def run(clock: SteppedClock) -> tuple[Compressor, Home]:
        async with FlatPeakSandbox(clock) as sandbox:
            home = Home(clock, sandbox)
            zone = next(iter(sandbox.locations.values())).zone
            fast = SteppedClock(START + timedelta(minutes=minutes))
            idle = ScheduleFollower(Command("normal", 0))
            pump = make(Setup("hp", BASE, fast, zone, MemoryLink(home.broker), idle))
            home.appliances = [pump]
            await home.run(home.config([HEAT_PUMP]), START + timedelta(hours=12))
            return pump, home

    return run_virtual(run, START)


def whys(home: Home) -> str:
    parts = [body["parts"].get("device:hp", {}) for body in home.bodies("health")]
    return "; ".join(part.get("why", "") for part in parts)


@pytest.mark.parametrize("minutes", [20, 60])
def test_a_compressor_with_a_fast_clock_keeps_its_least_times_and_is_named(minutes: int) -> None:
    pump, home = night(Compressor, minutes)
    assert pump.switched
    assert all(lasts >= MINIMUM for lasts in pump.stretches())
    assert f"its clock is {minutes} min ahead" in whys(home)


def test_one_that_gives_no_times_is_not_asked_over_and_over() -> None:
    pump, _ = night(CompressorWithoutTimes, 60)
    assert 2 <= len(pump.switched) <= 8
