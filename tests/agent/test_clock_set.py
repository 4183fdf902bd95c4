"""Somebody sets the gateway's clock while the agent runs."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

from agent.clock import SteppedClock
from agent.energy.instants import parse_instant
from integrations.sandbox.broker import free_port
from integrations.sandbox.server import FlatPeakSandbox
from tests.fakes.home import BASE, Home
from tests.fakes.virtual_loop import run_virtual

START = datetime(2026, 1, 15, 15, tzinfo=UTC)
HOUR = timedelta(hours=1)
EV = {"id": "ev", "type": "ev_charger", "max_power_w": 11_000, "phases": 3, "energy_kwh": 10}


class SetClock(SteppedClock):
    """`ahead` is by how much it has been set."""

    ahead = timedelta()

    def now(self) -> datetime:
        return super().now() + self.ahead


def test_a_boost_for_an_hour_lasts_an_hour_though_the_clock_was_wrong_when_it_was_asked() -> None:
    async def live(stepped: SteppedClock) -> Home:
        clock = SetClock(START)
        async with FlatPeakSandbox(clock) as sandbox:
            home = Home(clock, sandbox, trusted_clock=False)

            def ask(**request: object) -> None:
                topic = f"{BASE}/device/ev/request"
                home.broker.publish(topic, json.dumps(request).encode(), retain=False)

            def until() -> timedelta:
                return parse_instant(str(home.body("device/ev/wish")["until"])) - START

            async def person() -> None:
                await clock.sleep(120)
                ask(mode="boost", for_s=3600)
                await clock.sleep(10)
                before = until()
                clock.ahead = 5 * HOUR
                await clock.sleep(60)
                assert until() == before + 5 * HOUR
                # Back again, and asked before anybody has looked at the clock.
                clock.ahead = -5 * HOUR
                ask(mode="boost", for_s=3600)
                await clock.sleep(60)
                assert abs(until() - (before - 5 * HOUR)) < timedelta(minutes=3)

            running = asyncio.ensure_future(home.run(home.config([EV]), START + 1000 * HOUR))
            await person()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            return home

    run_virtual(live, START)


PROGRAM = {
    "id": "dishwasher",
    "type": "program",
    "profile": [{"duration_s": 3600, "power_w": 1000}],
}


def test_while_the_clock_is_not_confirmed_every_wish_says_that_it_waits() -> None:
    requests: list[tuple[str, dict[str, object]]] = [
        ("dishwasher", {"start": True}),
        ("ev", {"energy_kwh": 5}),
        ("ev", {"mode": "pause", "for_s": 36_000}),
        ("ev", {"mode": "auto"}),
        ("ev", {"energy_kwh": 6}),
    ]

    async def live(clock: SteppedClock) -> tuple[list[str], list[str]]:
        async with FlatPeakSandbox(clock) as sandbox:
            home = Home(clock, sandbox, trusted_clock=False)
            answers: list[str] = []

            async def person() -> None:
                for device, request in requests:
                    await clock.sleep(20)
                    topic = f"{BASE}/device/{device}/request"
                    home.broker.publish(topic, json.dumps(request).encode(), retain=False)
                    await clock.sleep(5)
                    answers.append(str(home.body(f"device/{device}/wish")["reason"]))

            asking = asyncio.ensure_future(person())
            # No answer confirms it, so that the agent goes on with it after ten minutes.
            nobody = {"base_url": f"http://127.0.0.1:{free_port()}"}
            config = home.config([EV, PROGRAM], tariff=nobody)
            await home.run(config, START + timedelta(minutes=13))
            await asking
            return answers, [
                str(home.body(f"device/{of}/wish")["reason"]) for of in ("ev", "dishwasher")
            ]

    answers, later = run_virtual(live, START)
    assert all("waits until the gateway's clock is confirmed" in text for text in answers), answers
    assert later == ["", ""]
