"""Somebody sets the gateway's clock while the agent runs."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

from agent.clock import SteppedClock
from agent.energy.instants import parse_instant
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
