"""A night with evcc in place of firmware of ours: what its car and its battery see of it."""

import asyncio
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from agent.clock import SteppedClock
from agent.ports import Message
from integrations.registry import AgentConfig
from integrations.sandbox.server import FlatPeakSandbox
from tests.fakes.evcc import TOPIC, Evcc
from tests.fakes.home import BASE, Home
from tests.fakes.virtual_loop import run_virtual

START = datetime(2026, 1, 15, 17, tzinfo=UTC)
CAR: dict[str, Any] = {
    "id": "ev",
    "type": "ev_charger",
    "max_power_w": 11_000,
    "phases": 3,
    "battery_kwh": 58,
    "ready_by": {"every_day": "07:00"},
    "adapter": {"family": "evcc", "loadpoint": 1},
}
BATTERY: dict[str, Any] = {
    "id": "battery",
    "type": "battery",
    "capacity_kwh": 10,
    "max_charge_w": 5000,
    "max_discharge_w": 5000,
    "adapter": "evcc-battery",
}


def night(
    device: dict[str, Any], hours: int, asked: str = "", misses: Collection[str] = ()
) -> tuple[Home, Evcc]:
    """From 18:00 local time until the agent stops; `asked` is a person's request after a minute."""
    made: list[Evcc] = []

    async def run(clock: SteppedClock) -> Home:
        async with FlatPeakSandbox(clock) as sandbox:
            home = Home(clock, sandbox)
            evcc = Evcc(home.broker, clock, misses=set(misses))
            made.append(evcc)
            # It was there first: all that the agent knows of it at its start was kept for it.
            evcc.begin()
            jobs = [asyncio.create_task(evcc.run()), asyncio.create_task(ask(home))]
            await home.run(home.config([device]), START + timedelta(hours=hours))
            for job in jobs:
                job.cancel()
            return home

    async def ask(home: Home) -> None:
        await home.clock.sleep(60)
        if asked:
            topic = f"{BASE}/device/{device['id']}/request"
            home.broker.publish(topic, asked, retain=False)

    return run_virtual(run, START), made[0]


def test_a_car_at_evcc_is_charged_by_the_morning_and_let_go_when_the_agent_stops() -> None:
    home, evcc = night(CAR, 14)
    # Its meter counts in steps of half a minute.
    assert 79.5 <= evcc.soc < 90
    assert {"now", "off"} <= set(evcc.modes)
    assert (evcc.modes[-1], evcc.mode) == ("pv", "pv")
    account = home.ledger.of("ev")
    assert abs(float(account.energy_kwh) - evcc.session_kwh) < 0.5
    # What is kept below evcc's root is evcc's own.
    assert not [topic for topic in home.broker.retained if topic.endswith("/set")]
    own = [topic for topic in home.broker.retained if topic.startswith(f"{BASE}/device/ev/")]
    assert own == [f"{BASE}/device/ev/wish"]
    # The car's current is as it should be: evcc's settings are left alone.
    assert not home.broker.bodies(f"{TOPIC}/maxCurrent/set")


def test_a_command_that_is_lost_is_given_again() -> None:
    """One that is off is charged all the same, one that charges is stopped before it is full."""
    home, evcc = night(CAR, 13, misses=("now", "off"))
    assert not evcc.misses
    assert 79.5 <= evcc.soc < 85
    assert abs(float(home.ledger.of("ev").energy_kwh) - evcc.session_kwh) < 0.5


def test_a_charger_that_has_forgotten_what_it_was_told_is_told_again_at_once() -> None:
    """A go-e that restarts is neutral: it would charge through the dear evening."""
    topic = "go-eCharger/1"
    car = {**CAR, "adapter": {"family": "go-e", "topic": topic}}
    said: list[tuple[float, bytes]] = []

    async def charger(home: Home) -> None:
        def tell(frc: str) -> None:
            for key, value in (("car", "4"), ("nrg", "[0,0,0,0,0,0,0,0,0,0,0,0]"), ("frc", frc)):
                home.broker.publish(f"{topic}/{key}", value, retain=False)

        def receive(message: Message) -> None:
            said.append(((home.clock.now() - START).total_seconds(), message.payload))
            tell(message.payload.decode())

        home.broker.subscribe([f"{topic}/frc/set"], receive)
        for minutes, frc in ((1, "0"), (30, "0"), (50, "2")):
            await home.clock.sleep_until(START + timedelta(minutes=minutes))
            tell(frc)

    async def run(clock: SteppedClock) -> None:
        async with FlatPeakSandbox(clock) as sandbox:
            home = Home(clock, sandbox)
            job = asyncio.create_task(charger(home))
            await home.run(home.config([car]), START + timedelta(hours=1))
            job.cancel()

    run_virtual(run, START)
    again = [payload for second, payload in said if 1800 <= second < 1810]
    assert again == [b"1"]
    # Forced on it is somebody's choice; at the end it is let go.
    assert [payload for second, payload in said if second >= 1810] == [b"0"]


def test_a_battery_mode_never_lapses_while_the_agent_lives() -> None:
    home, evcc = night(BATTERY, 2, '{"mode":"boost","for_s":3600}')
    said = [body for body in home.broker.bodies("evcc/site/batteryMode/set") if body]
    assert said.count(b"charge") >= 60
    assert evcc.lapses == 0
    # Left to itself it is left to evcc: that is said once, not all the time.
    assert said.count(b"normal") <= 6
    assert evcc.battery_mode == "normal"


def test_a_device_that_changes_its_family_leaves_no_schedule_behind() -> None:
    native = {**CAR, "adapter": "native"}

    async def run(clock: SteppedClock) -> Home:
        async with FlatPeakSandbox(clock) as sandbox:
            home = Home(clock, sandbox)
            home.broker.publish(f"{BASE}/device/ev/state", '{"plugged":true}', retain=True)
            await home.run(home.config([native]), START + timedelta(minutes=10))
            assert f"{BASE}/device/ev/schedule" in home.broker.retained
            await home.run(home.config([CAR]), START + timedelta(minutes=20))
            return home

    home = run_virtual(run, START)
    left = {topic for topic in home.broker.retained if topic.startswith(f"{BASE}/device/ev/")}
    assert left == {f"{BASE}/device/ev/state", f"{BASE}/device/ev/wish"}


def test_export_prices_end_with_the_export_tariff() -> None:
    fixed = {"source": "fixed", "timezone": "Europe/Berlin", "currency": "EUR"}
    both = {**fixed, "import": [{"price": 0.3}], "export": [{"price": 0.08}]}
    alone = {**fixed, "import": [{"price": 0.3}]}

    async def run(clock: SteppedClock) -> Home:
        async with FlatPeakSandbox(clock) as sandbox:
            home = Home(clock, sandbox)
            for minutes, tariff in ((5, both), (10, alone)):
                config = AgentConfig.model_validate({"tariff": tariff, "devices": []})
                await home.run(config, START + timedelta(minutes=minutes))
                told = f"{BASE}/tariff/export" in home.broker.retained
                assert told is (tariff is both)
            return home

    home = run_virtual(run, START)
    assert not [topic for topic in home.broker.retained if "tariff/export" in topic]
    assert f"{BASE}/tariff/import/list" in home.broker.retained
