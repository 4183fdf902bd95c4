"""Somebody switches a device on at the device itself; meanwhile the agent starts anew."""

from datetime import UTC, datetime, timedelta

import pytest

from agent.clock import SteppedClock
from agent.energy.instants import parse_instant
from integrations.sandbox.appliances.appliance import Setup
from integrations.sandbox.appliances.followers import Command, ScheduleFollower
from integrations.sandbox.server import FlatPeakSandbox
from tests.fakes.compressor import Compressor
from tests.fakes.home import BASE, Home
from tests.fakes.memory_broker import MemoryLink
from tests.fakes.virtual_loop import run_virtual

START = datetime(2026, 1, 15, 16, 30, tzinfo=UTC)
BY_HAND = (START + timedelta(minutes=10), START + timedelta(minutes=130))
AWAY = (START + timedelta(minutes=30), START + timedelta(minutes=100))
NEED = {"hours": 3, "window": {"start": "16:00", "end": "06:00"}}
HEAT_PUMP = {
    "id": "hp",
    "type": "heat_pump",
    "power_w": 2000,
    "min_on_s": 1200,
    "min_off_s": 1200,
    "needs": [{"hours": 3, "window": {"start": "16:00", "end": "06:00"}}],
}


class SwitchedByHand(Compressor):
    """On for two hours by its own button, else as its schedule says."""

    def apply_command(self, command: Command, now: datetime) -> tuple[str, float]:
        mode, power_w = super().apply_command(command, now)
        return mode, self.max_power_w if BY_HAND[0] <= now < BY_HAND[1] else power_w

    def next_event(self, now: datetime) -> datetime | None:
        return next((when for when in BY_HAND if when > now), None)


def test_what_it_delivered_counts_after_a_restart_as_before() -> None:
    async def run(clock: SteppedClock) -> list[dict[str, str]]:
        async with FlatPeakSandbox(clock) as sandbox:
            home = Home(clock, sandbox)
            zone = next(iter(sandbox.locations.values())).zone
            normal = ScheduleFollower(Command("normal", 0))
            home.appliances = [
                SwitchedByHand(Setup("hp", BASE, clock, zone, MemoryLink(home.broker), normal))
            ]
            config = home.config([HEAT_PUMP])
            await home.run(config, AWAY[0])
            await clock.sleep_until(AWAY[1])
            await home.run(config, BY_HAND[1] + timedelta(minutes=1))
            slots: list[dict[str, str]] = home.bodies("device/hp/schedule")[-1]["slots"]
            return slots

    tonight = [
        (parse_instant(slot["start"]), parse_instant(slot["end"]))
        for slot in run_virtual(run, START)
        if BY_HAND[1] <= parse_instant(slot["start"]) < START + timedelta(hours=12)
    ]
    hours = sum((end - start) / timedelta(hours=1) for start, end in tonight)
    # A quarter of an hour is a plan's step.
    assert hours == pytest.approx(1.0, abs=0.26)
