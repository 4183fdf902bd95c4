"""Replanning every five minutes with noisy readings: as calm as planning once with perfect ones.

Two nights in the usual run, a week in the full one. Judged by what was said on MQTT.
"""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from agent.clock import SteppedClock
from integrations.sandbox.household import DEVICES, build_appliances
from integrations.sandbox.server import FlatPeakSandbox
from tests.fakes.home import BASE, Home
from tests.fakes.memory_broker import MemoryLink
from tests.fakes.noisy_link import NoisyLink
from tests.fakes.virtual_loop import run_virtual

START = datetime(2026, 1, 12, 11, tzinfo=UTC)
APPLIANCES = ("ev", "heat_pump", "water_heater", "dishwasher")
MOST_REVISIONS_A_NIGHT = 3
# From the start, which is noon in Berlin.
NIGHT_BEGINS_S, NIGHT_ENDS_S = 5 * 3600, 21 * 3600


def lived(days: int, *, noisy: bool) -> Home:
    async def live(clock: SteppedClock) -> Home:
        async with FlatPeakSandbox(clock) as sandbox:
            home = Home(clock, sandbox)
            zone = next(iter(sandbox.locations.values())).zone
            dice = random.Random(7)

            def link(name: str) -> MemoryLink | NoisyLink:
                plain = MemoryLink(home.broker)
                return NoisyLink(plain, dice) if noisy else plain

            home.appliances = build_appliances(BASE, clock, zone, link)
            await home.run(home.config(DEVICES), START + timedelta(days=days))
            return home

    return run_virtual(live, START)


def starts(home: Home) -> Counter[str]:
    """How often each device went on."""
    found: Counter[str] = Counter()
    for name in APPLIANCES:
        powers = [body["power_w"] for body in home.bodies(f"device/{name}/state")]
        found[name] = sum(a <= 0 < b for a, b in zip([0, *powers], powers, strict=False))
    return found


def revisions(home: Home) -> Counter[tuple[str, int]]:
    """By device and night, from five in the afternoon to nine in Berlin."""
    found: Counter[tuple[str, int]] = Counter()
    for said in home.broker.log:
        parts = said.topic.split("/")
        night = NIGHT_BEGINS_S <= said.at % 86400 < NIGHT_ENDS_S
        if parts[-1] == "schedule" and said.payload and night:
            found[parts[-2], int(said.at // 86400)] += 1
    return found


@pytest.mark.parametrize("days", [2, pytest.param(7, marks=pytest.mark.full)])
def test_noise_moves_hardly_anything(days: int) -> None:
    calm, noisy = lived(days, noisy=False), lived(days, noisy=True)
    few, many = starts(calm), starts(noisy)
    for name in APPLIANCES:
        assert many[name] <= few[name] + max(2, few[name] // 10), (few, many)
    restless = {key: n for key, n in revisions(noisy).items() if n > MOST_REVISIONS_A_NIGHT}
    assert not restless
