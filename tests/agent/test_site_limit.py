"""A day below a tight import limit: everything is ready in time and the limit always holds."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agent.clock import SteppedClock
from integrations.sandbox.household import DEVICES, build_appliances
from integrations.sandbox.server import FlatPeakSandbox
from tests.fakes.home import BASE, Home
from tests.fakes.memory_broker import MemoryLink
from tests.fakes.virtual_loop import run_virtual

START = datetime(2026, 1, 15, 15, tzinfo=UTC)
LIMIT_W = 9000
BASE_LOAD_W = 400
# Appliances obey one after the other within a second.
HANDOVER = timedelta(seconds=2)


def test_the_limit_holds_and_nothing_is_late() -> None:
    async def live(clock: SteppedClock) -> Home:
        async with FlatPeakSandbox(clock) as sandbox:
            home = Home(clock, sandbox)
            zone = next(iter(sandbox.locations.values())).zone
            home.appliances = build_appliances(
                BASE, clock, zone, lambda name: MemoryLink(home.broker)
            )
            one_phase = {"max_power_w": 7400, "phases": 1}
            devices = [{**item, **one_phase} if item["id"] == "ev" else item for item in DEVICES]
            config = home.config(devices)
            site = {"import_limit_w": LIMIT_W, "base_load_w": BASE_LOAD_W}
            config = config.model_copy(update={"site": config.site.model_copy(update=site)})
            await home.run(config, START + timedelta(days=1))
            return home

    home = run_virtual(live, START)
    for device, account in home.ledger.accounts.items():
        assert account.deadlines == account.deadlines_met > 0, device
        assert account.schedules == account.schedules_followed, device
    assert home.ledger.of("ev").energy_kwh > 20

    powers: dict[str, float] = {}
    above_since: datetime | None = None
    for said in home.broker.log:
        if not said.topic.endswith("/state"):
            continue
        now = START + timedelta(seconds=said.at)
        assert above_since is None or now - above_since <= HANDOVER, (now, powers)
        powers[said.topic.split("/")[-2]] = float(json.loads(said.payload)["power_w"])
        above = sum(powers.values()) + BASE_LOAD_W > LIMIT_W
        above_since = (above_since or now) if above else None


def test_a_car_that_nobody_charges_without_the_agent_stays_named() -> None:
    ev = {"id": "ev", "type": "ev_charger", "max_power_w": 11_000, "phases": 3, "energy_kwh": 20}
    pump = {"id": "pump", "type": "load", "power_w": 3000, "needs": [{"hours": 24, "window": {}}]}

    async def live(clock: SteppedClock) -> Home:
        async with FlatPeakSandbox(clock) as sandbox:
            home = Home(clock, sandbox)
            config = home.config([ev, pump])
            site = config.site.model_copy(update={"import_limit_w": 5200, "base_load_w": 500})

            def say(topic: str, body: object) -> None:
                home.broker.publish(f"{BASE}/{topic}", json.dumps(body).encode(), retain=False)

            def parts() -> dict[str, Any]:
                return home.body("health")["parts"]  # type: ignore[return-value]  # JSON

            async def until_limit(state: str) -> None:
                while parts().get("limit", {}).get("state", "ok") != state:
                    await clock.sleep(5)

            async def story() -> None:
                await clock.sleep(10)
                say("device/ev/state", {"plugged": True})
                await clock.sleep(10)
                say("device/ev/request", {"mode": "boost"})
                say("device/pump/request", {"mode": "pause"})
                await until_limit("degraded")
                assert "ev will not be charged" in parts()["offline"]["why"]
                for device in ("ev", "pump"):
                    ack = {"revision": home.body(f"device/{device}/schedule")["revision"]}
                    say(f"device/{device}/ack", {**ack, "status_type": "ACCEPTED"})
                await until_limit("ok")
                assert "ev will not be charged" in parts()["offline"]["why"]

            telling = asyncio.ensure_future(story())
            until = START + timedelta(minutes=10)
            await home.run(config.model_copy(update={"site": site}), until)
            assert telling.done(), parts()
            await telling
            return home

    run_virtual(live, START)


def test_under_section_14a_both_cars_keep_their_six_amperes_whatever_the_house_draws() -> None:
    cars = [
        {"id": name, "type": "ev_charger", "max_power_w": 11_000, "phases": 1, "energy_kwh": 60}
        for name in ("one", "two")
    ]

    async def live(clock: SteppedClock) -> Home:
        async with FlatPeakSandbox(clock) as sandbox:
            home = Home(clock, sandbox)
            config = home.config(cars)
            site = {"limit_scope": "controllable", "base_load_w": 5000, "failsafe_limit_w": 30_000}
            site_section = type(config.site).model_validate({**config.site.model_dump(), **site})
            seen: list[list[int]] = []

            def say(topic: str, body: object) -> None:
                home.broker.publish(f"{BASE}/{topic}", json.dumps(body).encode(), retain=False)

            def setpoints() -> list[int]:
                bodies = [home.body(f"device/{name}/setpoint") for name in ("one", "two")]
                return [int(str(body["power_w"])) for body in bodies]

            async def story() -> None:
                await clock.sleep(10)
                for name in ("one", "two"):
                    say(f"device/{name}/state", {"plugged": True})
                    say(f"device/{name}/request", {"mode": "boost"})
                await clock.sleep(120)
                seen.append(setpoints())
                for power in (4200, 4100, 1000):
                    say("site/limit", {"import_w": power})
                    await clock.sleep(5)
                    seen.append(setpoints())

            telling = asyncio.ensure_future(story())
            until = START + timedelta(minutes=3)
            await home.run(config.model_copy(update={"site": site_section}), until)
            await telling
            free, dimmed, as_told, less_than_six_amperes = seen
            assert free == [11_000, 11_000]
            # 4.2 kW for the first and 0.8 of it for the second, beside the 5 kW of the house.
            assert sum(dimmed) <= 7560
            assert min(dimmed) >= 1380
            assert sum(dimmed) > 7000
            # Any other number is taken at its word.
            assert sum(as_told) <= 4100
            assert min(as_told) >= 1380
            assert less_than_six_amperes == [0, 0]
            return home

    run_virtual(live, START)


@pytest.mark.parametrize(
    "way", ["by a person", "by itself", "while the other charges", "unmeasured"]
)
def test_what_a_car_takes_that_was_not_told_to_leaves_the_other_less(way: str) -> None:
    cars = [
        {"id": name, "type": "ev_charger", "max_power_w": 11_000, "phases": 3, "energy_kwh": 60}
        for name in ("one", "two")
    ]

    async def live(clock: SteppedClock) -> None:
        async with FlatPeakSandbox(clock) as sandbox:
            home = Home(clock, sandbox)
            config = home.config(cars)
            site = config.site.model_copy(update={"import_limit_w": 12_000, "base_load_w": 500})
            powers: list[int] = []

            def say(topic: str, body: object) -> None:
                home.broker.publish(f"{BASE}/{topic}", json.dumps(body).encode(), retain=False)

            def accept(*names: str) -> None:
                for name in names:
                    revision = home.body(f"device/{name}/schedule")["revision"]
                    say(f"device/{name}/ack", {"revision": revision, "status_type": "ACCEPTED"})

            def told() -> int:
                return int(str(home.body("device/two/setpoint")["power_w"]))

            async def state(name: str, power_w: int) -> None:
                told_w = {} if way == "unmeasured" else {"power_w": power_w}
                say(f"device/{name}/state", {"plugged": True, **told_w})
                await clock.sleep(10)

            async def story() -> None:
                await clock.sleep(5)
                for name in ("one", "two"):
                    await state(name, 0)
                    say(f"device/{name}/request", {"mode": "pause"})
                    await clock.sleep(20)
                    accept("one", "two")
                await clock.sleep(90)
                if way == "while the other charges":
                    say("device/two/request", {"mode": "boost"})
                    await clock.sleep(10)
                    assert told() == 11_000
                if way != "by itself":
                    revision = home.body("device/one/schedule")["revision"]
                    word = {"status_type": "ABORTED", "diagnostic": "user_opt_out"}
                    say("device/one/ack", {"revision": revision, **word})
                await state("one", 11_000)
                say("device/two/request", {"mode": "boost"})
                for _ in range(10):
                    await state("one", 11_000)
                    powers.append(told())
                assert "the limit leaves 0 W" in str(home.body("device/two/wish")["reason"])
                # It ends: what it took is free again, though not known of one that tells nothing.
                accept("one")
                await state("one", 0)
                await clock.sleep(80)
                powers.append(told())

            telling = asyncio.ensure_future(story())
            until = START + timedelta(minutes=8)
            await home.run(config.model_copy(update={"site": site}), until)
            await telling
            assert powers == [0] * 10 + [11_000]

    run_virtual(live, START)
