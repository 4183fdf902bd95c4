"""Requests in a flood: what they may cause."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from agent.clock import SteppedClock
from integrations.sandbox.server import FlatPeakSandbox
from tests.fakes.home import BASE, Home
from tests.fakes.virtual_loop import run_virtual

START = datetime(2026, 1, 15, 15, tzinfo=UTC)
EV = {"id": "ev", "type": "ev_charger", "max_power_w": 7400, "phases": 1, "energy_kwh": 20}
TIMES, SECONDS = 1000, 20


def flooded(say: Callable[[Home, int], None]) -> Home:
    """Fifty a second for twenty seconds."""

    async def run(clock: SteppedClock) -> Home:
        async with FlatPeakSandbox(clock) as sandbox:
            home = Home(clock, sandbox)
            loop = asyncio.get_running_loop()
            for number in range(TIMES):
                loop.call_later(60 + number * SECONDS / TIMES, say, home, number)
            await home.run(home.config([EV]), START + timedelta(minutes=3))
            return home

    return run_virtual(run, START)


def answers(home: Home, topic: str) -> int:
    return sum(said.topic == f"{BASE}/{topic}" for said in home.broker.log)


def test_a_flood_of_absences_is_answered_as_often_as_a_person_would_ask() -> None:
    def away(home: Home, number: int) -> None:
        until = START + timedelta(days=1, seconds=number)
        body = json.dumps({"away_until": until.isoformat()}).encode()
        home.broker.publish(f"{BASE}/site/request", body, retain=False)

    home = flooded(away)
    assert 30 <= answers(home, "site/wish") <= 30 + SECONDS + 2


def test_a_flood_of_names_that_no_device_has_is_one_event_a_minute() -> None:
    def ask(home: Home, number: int) -> None:
        topic = f"{BASE}/device/name{number}/request"
        home.broker.publish(topic, b'{"mode":"boost"}', retain=False)

    home = flooded(ask)
    refused = [body for body in home.bodies("event") if body["type"] == "request_refused"]
    assert len(refused) == 1
    assert "name0: there is no such device; known: ev" in refused[0]["text"]


def test_a_device_that_comes_and_goes_all_the_time_is_told_the_time_now_and_then() -> None:
    def flap(home: Home, number: int) -> None:
        word = b"offline" if number % 2 else b"online"
        home.broker.publish(f"{BASE}/device/ev/status", word, retain=True)

    home = flooded(flap)
    assert answers(home, "time") <= 3 + SECONDS // 5 + 3
