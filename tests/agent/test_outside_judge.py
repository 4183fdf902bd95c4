"""A day in a difficult house, judged by somebody who knows only the wire contract."""

import asyncio
import json
import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agent.clock import SteppedClock
from agent.energy.instants import format_instant
from integrations.sandbox.household import DEVICES, build_appliances
from integrations.sandbox.server import FlatPeakSandbox
from tests.fakes.home import BASE, Home
from tests.fakes.memory_broker import MemoryLink
from tests.fakes.virtual_loop import run_virtual
from tests.judge import House, Utterance, complaints

START = datetime(2026, 1, 15, 15, tzinfo=UTC)
LIMIT_W, BASE_LOAD_W = 14_000, 500
SECOND_CAR: Mapping[str, object] = {
    "id": "second_car",
    "type": "ev_charger",
    "max_power_w": 7400,
    "energy_kwh": 15,
    "ready_by": {"every_day": "06:00"},
}
POOL: Mapping[str, object] = {
    "id": "pool",
    "type": "load",
    "power_w": 900,
    "needs": [{"hours": 5, "window": {"start": "00:00", "end": "23:30"}}],
}


def test_the_judge_sees_what_is_wrong() -> None:
    """A judge that finds nothing in anything proves nothing."""
    at = 1_768_521_600
    slot = {"start": format_instant(datetime.fromtimestamp(at - 10, UTC))}
    slot["end"] = format_instant(datetime.fromtimestamp(at + 9000, UTC))
    body = {
        "device_type": "space_heating",
        "revision": 5,
        "issued_at": format_instant(datetime.fromtimestamp(at, UTC)),
        "valid_from": format_instant(datetime.fromtimestamp(at, UTC)),
        "valid_until": format_instant(datetime.fromtimestamp(at + 60, UTC)),
        "slots": [{**slot, "mode": "block", "power_w": 20_000}],
        "default": {"mode": "idle", "power_w": 0},
        "offline": {"mode": "normal", "power_w": 0},
        "cost": 0.12345678,
        "baseline_cost": 0,
    }
    said = [
        Utterance(at, "device/hp/schedule", json.dumps(body).encode()),
        Utterance(at + 1, "device/hp/schedule", json.dumps({**body, "revision": 6}).encode()),
        Utterance(at + 2, "device/hp/schedule/compact", b'{"r":5,"p":[],"e":1768521600}'),
        Utterance(at + 3, "device/hp/request", b'{"id":"x"}'),
        Utterance(at + 30, "event", b'{"type":"a","device":null,"at":"2026-01-16T00:00:00Z"}'),
        Utterance(at + 30, "event", b'{"type":"a","device":null,"at":"2026-01-16T00:00:01Z"}'),
    ]
    found = "\n".join(complaints(said, House(limit_w=1000)))
    for wrong in (
        "valid_from", "less than an hour", "modes", "begins 10 s ago", "beyond valid_until",
        "cost 0.12345678", "two revisions", "compact e", "before its schedule", "no answer",
        "twice within", "W under", "blocked for",
    ):  # fmt: skip
        assert wrong in found, (wrong, found)


async def difficult_day(clock: SteppedClock, seed: int) -> list[Utterance]:
    rng = random.Random(seed)
    async with FlatPeakSandbox(clock) as sandbox:
        home = Home(clock, sandbox)
        zone = next(iter(sandbox.locations.values())).zone
        home.appliances = build_appliances(BASE, clock, zone, lambda name: MemoryLink(home.broker))
        config = home.config([*DEVICES, SECOND_CAR, POOL])
        site = {"import_limit_w": LIMIT_W, "base_load_w": BASE_LOAD_W}
        config = config.model_copy(update={"site": config.site.model_copy(update=site)})

        def say(topic: str, body: Any, *, retain: bool = False) -> None:
            payload = body if isinstance(body, bytes) else json.dumps(body).encode()
            home.broker.publish(f"{BASE}/{topic}", payload, retain=retain)

        async def others() -> None:
            """Devices that lie and fall silent, people, a grid operator."""
            await clock.sleep(300)
            say("device/second_car/state", {"plugged": True}, retain=True)
            for number in range(150):
                await clock.sleep(rng.uniform(60, 900))
                now = clock.now()
                kind = rng.choice(["limit", "boost", "pause", "lie", "lie", "flood", "broker"])
                if kind == "limit":
                    until = format_instant(now + timedelta(seconds=rng.randint(60, 5000)))
                    power = rng.choice([600, 3000, 4200, 9000])
                    say("site/limit", {"import_w": power, "until": until}, retain=True)
                elif kind in ("boost", "pause"):
                    device = rng.choice(["ev", "heat_pump", "water_heater", "second_car", "pool"])
                    wish: dict[str, Any] = {"mode": kind, "id": f"n{number}"}
                    if rng.random() < 0.6:
                        wish["for_s"] = rng.randint(60, 20_000)
                    say(f"device/{device}/request", wish)
                elif kind == "lie":
                    lie = rng.choice(
                        [
                            {"power_w": rng.choice([0, 7400, -5, 90_000])},
                            {"energy_kwh": rng.uniform(0, 5000)},
                            {"plugged": rng.random() < 0.7},
                            {"soc_percent": 250, "plugged": "on", "at": "0001-01-01T00:00:00Z"},
                        ]
                    )
                    say("device/second_car/state", lie, retain=True)
                elif kind == "flood":
                    for _ in range(40):
                        say("device/second_car/state", {"plugged": rng.random() < 0.5})
                        await clock.sleep(0.05)
                else:
                    await home.restart_broker()

        talk = asyncio.create_task(others())
        await home.run(config, START + timedelta(hours=14))
        # a second life of the agent on the same database
        await home.run(config, START + timedelta(hours=26))
        talk.cancel()
        await asyncio.gather(talk, return_exceptions=True)
        begin = START.timestamp()
        return [
            Utterance(begin + s.at, s.topic.removeprefix(f"{BASE}/"), s.payload, s.retain)
            for s in home.broker.log
        ]


@pytest.mark.parametrize(
    "seed", [1, *(pytest.param(seed, marks=pytest.mark.full) for seed in range(2, 9))]
)
def test_a_difficult_day_breaks_no_promise(seed: int) -> None:
    said = run_virtual(lambda clock: difficult_day(clock, seed), START)
    house = House(
        base_load_w=BASE_LOAD_W,
        limit_w=LIMIT_W,
        minimum_w={"ev": 4140, "second_car": 1380},
    )
    assert len(said) > 1000
    assert complaints(said, house) == []
