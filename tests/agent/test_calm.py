"""Replanning every five minutes with noisy readings: as calm as planning once with perfect ones.

Two nights in the usual run, a week in the full one. Judged by what was said on MQTT.
"""

import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from agent.clock import SteppedClock
from integrations.sandbox.appliances.link import Receive
from integrations.sandbox.household import DEVICES, build_appliances
from integrations.sandbox.server import FlatPeakSandbox
from tests.fakes.home import BASE, Home
from tests.fakes.memory_broker import MemoryLink
from tests.fakes.virtual_loop import run_virtual

START = datetime(2026, 1, 12, 11, tzinfo=UTC)
APPLIANCES = ("ev", "heat_pump", "water_heater", "dishwasher")
# What gauges and plugs are off by: points of SoC, and a share of the power.
SOC_NOISE, POWER_NOISE = 0.3, 0.02
MOST_REVISIONS_A_NIGHT = 3
# From the start, which is noon in Berlin.
NIGHT_BEGINS_S, NIGHT_ENDS_S = 5 * 3600, 21 * 3600


@dataclass
class NoisyLink:
    """What an appliance says of itself is a little off, each time anew."""

    link: MemoryLink
    dice: random.Random

    async def publish(self, topic: str, payload: str, *, retain: bool) -> None:
        if topic.endswith("/state"):
            body = json.loads(payload)
            if "soc_percent" in body:
                soc = body["soc_percent"] + self.dice.gauss(0, SOC_NOISE)
                body["soc_percent"] = round(min(100.0, max(0.0, soc)), 1)
            if body.get("power_w"):
                body["power_w"] = round(body["power_w"] * (1 + self.dice.gauss(0, POWER_NOISE)))
            payload = json.dumps(body)
        await self.link.publish(topic, payload, retain=retain)

    async def subscribe(self, topics: Sequence[str], receive: Receive) -> None:
        await self.link.subscribe(topics, receive)


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
