"""A night with a charger that switches its phases, in a house whose limit falls and rises.

Judged by the car: when it was switched, how soon it obeyed, and whether it was ready in time.
"""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from agent.clock import SteppedClock
from integrations.firmware.follower import Follower
from integrations.sandbox.appliances.appliance import Setup
from integrations.sandbox.appliances.ev import Ev
from integrations.sandbox.appliances.followers import (
    Command,
    CompactFollower,
    DeviceFollower,
    ScheduleFollower,
    SetpointFollower,
)
from integrations.sandbox.server import FlatPeakSandbox
from tests.fakes.home import BASE, Home
from tests.fakes.memory_broker import MemoryLink
from tests.fakes.virtual_loop import run_virtual

START = datetime(2026, 1, 15, 15, tzinfo=UTC)
NOON = timedelta(hours=20)
OBEYS_WITHIN_S = 5
CAR: dict[str, Any] = {
    "id": "ev",
    "type": "ev_charger",
    "max_power_w": 11_000,
    "battery_kwh": 40,
    "target_soc_percent": 80,
    # It charges as soon as it comes, so that the limits below meet it.
    "floor_soc_percent": 80,
    "ready_by": {"every_day": "07:00"},
}
SWITCHED = {**CAR, "phases": "switched", "phase_switch_min_s": 300}
IDLE = Command("idle", 0)
FOLLOWERS: list[Callable[[], DeviceFollower]] = [
    lambda: CompactFollower(Follower(0)),
    lambda: ScheduleFollower(IDLE),
    lambda: SetpointFollower(IDLE),
]
# Seconds after the car came, and what the house may draw from then on.
LIMITS = ((600, 3000), (660, 12_000), (700, 2500), (1500, 12_000), (1560, 3900), (2400, 12_000))


def live(
    follower: DeviceFollower,
    section: dict[str, Any],
    life_ends_after_s: int | None = None,
    *,
    says: int | str = "switched",
) -> tuple[Home, Ev]:
    """One night from 16:00; `life_ends_after_s`: so long after the car came the agent restarts.

    `says`: what the charger tells of its phases.
    """
    cars: list[Ev] = []

    async def run(clock: SteppedClock) -> Home:
        async with FlatPeakSandbox(clock) as sandbox:
            home = Home(clock, sandbox)
            zone = next(iter(sandbox.locations.values())).zone
            setup = Setup("ev", BASE, clock, zone, MemoryLink(home.broker), follower)
            car = Ev(setup, battery_kwh=40, phases=says)
            cars.append(car)
            came = car.next_event(START)
            assert came is not None
            jobs = [
                asyncio.create_task(car.run()),
                asyncio.create_task(limits_fall_and_rise(home, car, came)),
            ]
            if life_ends_after_s is not None:
                await home.run(home.config([section]), came + timedelta(seconds=life_ends_after_s))
            await home.run(home.config([section]), START + NOON)
            await jobs[1]
            jobs[0].cancel()
            return home

    return run_virtual(run, START), cars[0]


async def limits_fall_and_rise(home: Home, car: Ev, came: datetime) -> None:
    for after_s, import_w in LIMITS:
        await home.clock.sleep_until(came + timedelta(seconds=after_s))
        body = json.dumps({"import_w": import_w})
        home.broker.publish(f"{BASE}/site/limit", body, retain=True)
        await home.clock.sleep(OBEYS_WITHIN_S)
        assert car.power_w <= import_w, after_s


@pytest.mark.parametrize("follower", FOLLOWERS)
@pytest.mark.parametrize("life_ends_after_s", [None, 690])
def test_a_stricter_limit_is_obeyed_and_switches_keep_apart(
    follower: Callable[[], DeviceFollower], life_ends_after_s: int | None
) -> None:
    home, car = live(follower(), SWITCHED, life_ends_after_s)
    switched = [at for at, _ in car.switchings]
    assert len(switched) >= 4
    assert all(later - earlier >= timedelta(seconds=300) for earlier, later in pairwise(switched))
    [(_, soc)] = car.departures
    assert soc >= 79.9
    for body in home.bodies("device/ev/setpoint"):
        power_w, phases = body["power_w"], body.get("phases")
        if power_w:
            assert phases == (3 if power_w >= 4140 else 1)
            assert not 3680 < power_w < 4140
            assert 6 <= body["current_a"] <= 16
            assert body["current_a"] * 230 * phases <= power_w + 40
    for body in home.bodies("device/ev/schedule"):
        for slot in body["slots"]:
            assert slot["phases"] == (3 if slot["power_w"] >= 4140 else 1)


def test_where_the_config_does_not_say_the_charger_does() -> None:
    """It says that it switches; the agent's next life knows that before it is told again."""
    home, car = live(ScheduleFollower(IDLE), CAR, 690)
    assert {count for _, count in car.switchings} == {1, 3}
    for body in home.bodies("device/ev/setpoint"):
        assert not body["power_w"] or body["phases"] == (3 if body["power_w"] >= 4140 else 1)
    assert _health(home)["state"] == "ok"


def test_where_the_charger_contradicts_the_config_health_says_so() -> None:
    home, _ = live(ScheduleFollower(IDLE), SWITCHED, says=1)
    assert "says phases: 1, it is planned with 1 or 3" in _health(home)["why"]


def _health(home: Home) -> dict[str, Any]:
    parts: Any = home.body("health")["parts"]
    found: dict[str, Any] = parts["device:ev"]
    return found
