"""Replanning every five minutes with noisy readings: as calm as planning once with perfect ones.

Two nights in the usual run, a week in the full one. Judged by what was said on MQTT.
"""

import random
from datetime import UTC, datetime, timedelta

import pytest

from agent.clock import SteppedClock
from integrations.sandbox.household import DEVICES, build_appliances
from integrations.sandbox.server import FlatPeakSandbox
from tests.fakes.calmness import (
    MOST_REVISIONS_A_NIGHT,
    more_starts_allowed,
    revisions_of,
    starts_of,
)
from tests.fakes.home import BASE, Home
from tests.fakes.memory_broker import MemoryLink
from tests.fakes.noisy_link import NoisyLink
from tests.fakes.virtual_loop import run_virtual

START = datetime(2026, 1, 12, 11, tzinfo=UTC)
APPLIANCES = ("ev", "heat_pump", "water_heater", "dishwasher")


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


@pytest.mark.parametrize("days", [2, pytest.param(7, marks=pytest.mark.full)])
def test_noise_moves_hardly_anything(days: int) -> None:
    calm, noisy = lived(days, noisy=False), lived(days, noisy=True)
    few, many = starts_of(calm, APPLIANCES), starts_of(noisy, APPLIANCES)
    for name in APPLIANCES:
        assert many[name] <= few[name] + more_starts_allowed(few[name]), (few, many)
    restless = {key: n for key, n in revisions_of(noisy).items() if n > MOST_REVISIONS_A_NIGHT}
    assert not restless
