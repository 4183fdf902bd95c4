"""People who press buttons: a compressor's least times hold against them, and they are told so."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from agent.clock import SteppedClock
from integrations.sandbox.appliances.appliance import Setup
from integrations.sandbox.appliances.followers import Command, ScheduleFollower
from integrations.sandbox.server import FlatPeakSandbox
from tests.fakes.compressor import Compressor
from tests.fakes.home import BASE, Home
from tests.fakes.memory_broker import MemoryLink
from tests.fakes.virtual_loop import run_virtual

START = datetime(2026, 1, 15, 12, tzinfo=UTC)
LEAST = timedelta(minutes=30)
HEAT_PUMP = {
    "id": "hp",
    "type": "heat_pump",
    "power_w": 2000,
    "min_on_s": 1800,
    "min_off_s": 1800,
    "needs": [{"hours": 3, "window": {"start": "22:00", "end": "06:00"}}],
}
CAR = {
    "id": "ev",
    "type": "ev_charger",
    "max_power_w": 7400,
    "phases": 1,
    "battery_kwh": 58,
    "target_soc_percent": 80,
    "ready_by": {"every_day": "07:00"},
    "priority": 5,
}
SITE = {"import_limit_w": 8000, "base_load_w": 300}

Asked = tuple[float, str, dict[str, Any]]


def afternoon(*asked: Asked, minutes: float = 150, car: bool = False) -> tuple[Compressor, Home]:
    """`asked`: minutes after the start, the topic below `device/`, what is said there."""

    async def run(clock: SteppedClock) -> tuple[Compressor, Home]:
        async with FlatPeakSandbox(clock) as sandbox:
            home = Home(clock, sandbox)
            zone = next(iter(sandbox.locations.values())).zone
            normal = ScheduleFollower(Command("normal", 0))
            pump = Compressor(Setup("hp", BASE, clock, zone, MemoryLink(home.broker), normal))
            home.appliances = [pump]
            config = home.config([HEAT_PUMP, CAR], site=SITE) if car else home.config([HEAT_PUMP])

            async def ask() -> None:
                for at, topic, said in asked:
                    await clock.sleep_until(START + timedelta(minutes=at))
                    home.broker.publish(f"{BASE}/device/{topic}", json.dumps(said), retain=False)

            asking = asyncio.create_task(ask())
            await home.run(config, START + timedelta(minutes=minutes))
            await asking
            return pump, home

    return run_virtual(run, START)


def reasons(home: Home) -> list[str]:
    return [body["reason"] for body in home.bodies("device/hp/wish")]


def test_a_boost_after_a_run_waits_for_the_least_time_off() -> None:
    pump, home = afternoon(
        (1, "hp/request", {"mode": "boost", "for_s": 2400}),
        (43, "hp/request", {"mode": "boost", "for_s": 3600}),
    )
    assert len(pump.switched) >= 3
    assert all(lasts >= LEAST for lasts in pump.stretches())
    assert any("it rests until" in reason for reason in reasons(home))
    assert "it rests until" not in reasons(home)[-1]


def test_a_pause_and_an_end_wait_for_the_least_time_on() -> None:
    pump, home = afternoon(
        (1, "hp/request", {"mode": "boost", "for_s": 7200}),
        (5, "hp/request", {"mode": "pause", "for_s": 3600}),
    )
    assert pump.stretches()[0] >= LEAST
    assert pump.power_w == 0
    assert any("it runs until" in reason for reason in reasons(home))
    told = home.bodies("device/hp/schedule")
    assert any(slot["mode"] == "block" for body in told for slot in body["slots"])


def test_the_first_boost_of_one_whose_past_nobody_knows_is_at_once() -> None:
    pump, _ = afternoon((1, "hp/request", {"mode": "boost", "for_s": 2400}), minutes=10)
    assert pump.switched[0] <= START + timedelta(seconds=62)


def test_the_boost_of_a_car_makes_no_compressor_stop_too_early() -> None:
    pump, home = afternoon(
        (0.5, "ev/state", {"plugged": True, "soc_percent": 30}),
        (1, "hp/request", {"mode": "boost", "for_s": 7200}),
        (10, "ev/request", {"mode": "boost"}),
        minutes=60,
        car=True,
    )
    assert pump.stretches()[0] >= LEAST
    wishes = [body["reason"] for body in home.bodies("device/ev/wish")]
    assert any("the limit leaves" in reason for reason in wishes)
