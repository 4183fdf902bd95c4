"""Under §14a the grid's limit binds the controllable devices, and the others take nothing of it."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agent.clock import SteppedClock
from integrations.sandbox.server import FlatPeakSandbox
from tests.fakes.home import BASE, Home
from tests.fakes.virtual_loop import run_virtual

START = datetime(2026, 1, 15, 18, tzinfo=UTC)
CAR = {"id": "ev", "type": "ev_charger", "max_power_w": 11_000, "phases": 3, "energy_kwh": 30}
HEAT_PUMP = {
    "id": "hp",
    "type": "heat_pump",
    "power_w": 5000,
    "needs": [{"hours": 4, "window": {"start": "18:00", "end": "07:00"}}],
}
SECTION_14A: dict[str, Any] = {
    "limit_scope": "controllable",
    "controllable_devices": ["ev"],
    "failsafe_limit_w": 4200,
    "base_load_w": 500,
}


def power_at(schedule: dict[str, Any], when: datetime) -> int:
    at = when.strftime("%Y-%m-%dT%H:%M:%SZ")
    slots = [slot for slot in schedule["slots"] if slot["start"] <= at < slot["end"]]
    return int(slots[0]["power_w"]) if slots else 0


def lived(site: dict[str, Any], devices: list[dict[str, Any]], *, boost: str = "") -> Home:
    """Ten minutes in which the car is plugged in and everybody takes what it is told."""

    async def live(clock: SteppedClock) -> Home:
        async with FlatPeakSandbox(clock) as sandbox:
            home = Home(clock, sandbox)
            config = home.config(devices)
            section = type(config.site).model_validate({**config.site.model_dump(), **site})

            def say(topic: str, body: object) -> None:
                home.broker.publish(f"{BASE}/{topic}", json.dumps(body).encode(), retain=False)

            async def story() -> None:
                await clock.sleep(5)
                say("device/ev/state", {"plugged": True})
                if boost:
                    say(f"device/{boost}/request", {"mode": "boost"})
                for _ in range(50):
                    await clock.sleep(10)
                    for device in devices:
                        told = home.broker.retained.get(f"{BASE}/device/{device['id']}/schedule")
                        if told:
                            answer = {"revision": json.loads(told)["revision"]}
                            answer["status_type"] = "ACCEPTED"
                            say(f"device/{device['id']}/ack", answer)

            telling = asyncio.ensure_future(story())
            until = START + timedelta(minutes=10)
            await home.run(config.model_copy(update={"site": section}), until)
            await telling
            return home

    return run_virtual(live, START)


def night(home: Home, *names: str) -> list[list[int]]:
    """What those devices are told for each five minutes till morning."""
    schedules = [home.body(f"device/{name}/schedule") for name in names]
    moments = [START + timedelta(minutes=10 + 5 * step) for step in range(160)]
    return [[power_at(schedule, when) for schedule in schedules] for when in moments]


def test_a_device_that_is_not_controllable_is_planned_beside_the_limit() -> None:
    home = lived(SECTION_14A, [CAR, HEAT_PUMP])
    told = night(home, "ev", "hp")
    # More than the limit allows at all, and yet it gets its four hours.
    assert sum(hp for _, hp in told) / 12 == pytest.approx(20_000, rel=0.05)
    # It takes nothing of what the car may draw: the two run side by side in the cheap hours.
    assert max(ev for ev, _ in told) > 4000
    assert any(ev > 4000 and hp == 5000 for ev, hp in told)
    assert max(ev for ev, _ in told) <= 4200
    plan: Any = home.body("plan")
    assert {part["id"] for part in plan["devices"]} == {"ev", "hp"}
    assert all(part["deadline_met"] for part in plan["devices"] if part["id"] == "hp")


def test_the_houses_own_limit_binds_both() -> None:
    home = lived({**SECTION_14A, "import_limit_w": 8000}, [CAR, HEAT_PUMP])
    told = night(home, "ev", "hp")
    assert max(hp for _, hp in told) == 5000
    assert max(ev for ev, _ in told) > 4000
    assert all(ev <= 4200 and ev + hp + 500 <= 8000 for ev, hp in told)


def test_a_boost_of_a_device_that_is_not_controllable_is_given_whole() -> None:
    home = lived(SECTION_14A, [CAR, HEAT_PUMP], boost="hp")
    assert home.body("device/hp/setpoint")["power_w"] == 5000
    assert "limit" not in str(home.body("device/hp/wish").get("reason", ""))
    assert max(ev for ev, _ in night(home, "ev", "hp")) > 4000


def test_a_limit_that_comes_is_obeyed_at_once_by_the_controllable_one_alone() -> None:
    seen: list[list[int]] = []

    async def live(clock: SteppedClock) -> None:
        async with FlatPeakSandbox(clock) as sandbox:
            home = Home(clock, sandbox)
            config = home.config([CAR, HEAT_PUMP])
            site = {**SECTION_14A, "failsafe_limit_w": 11_500}
            section = type(config.site).model_validate({**config.site.model_dump(), **site})

            def say(topic: str, body: object) -> None:
                home.broker.publish(f"{BASE}/{topic}", json.dumps(body).encode(), retain=False)

            def told() -> list[int]:
                bodies = [home.body(f"device/{name}/setpoint") for name in ("ev", "hp")]
                return [int(str(body["power_w"])) for body in bodies]

            async def story() -> None:
                await clock.sleep(5)
                say("device/ev/state", {"plugged": True})
                for name in ("ev", "hp"):
                    say(f"device/{name}/request", {"mode": "boost"})
                await clock.sleep(90)
                seen.append(told())
                for power_w in (4200, 0):
                    say("site/limit", {"import_w": power_w})
                    await clock.sleep(5)
                    seen.append(told())

            telling = asyncio.ensure_future(story())
            await home.run(
                config.model_copy(update={"site": section}), START + timedelta(minutes=2)
            )
            await telling

    run_virtual(live, START)
    free, dimmed, off = seen
    assert free == [11_000, 5000]
    assert 4000 < dimmed[0] <= 4200
    assert dimmed[1] == off[1] == 5000
    assert off[0] == 0


def test_a_boost_of_a_controllable_one_keeps_the_limit() -> None:
    home = lived(SECTION_14A, [CAR, HEAT_PUMP], boost="ev")
    assert 4000 < int(str(home.body("device/ev/setpoint")["power_w"])) <= 4200
    assert "of the 11000 W that were asked" in str(home.body("device/ev/wish")["reason"])
