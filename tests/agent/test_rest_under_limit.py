"""Under a limit a plan comes in two steps: whoever got the first gets the second, too."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from agent.clock import SteppedClock
from integrations.sandbox.server import FlatPeakSandbox
from tests.fakes.home import BASE, Home
from tests.fakes.virtual_loop import run_virtual

START = datetime(2026, 1, 15, 16, tzinfo=UTC)
LIMIT_W, WANTED_KWH = 8000, 40
READY = {"every_day": "07:00"}
HOUSE: list[dict[str, Any]] = [
    {"id": "ev", "type": "ev_charger", "max_power_w": 7400, "energy_kwh": 20, "ready_by": READY},
    {"id": "pool", "type": "load", "power_w": 6000, "needs": [{"energy_kwh": 30}]},
]


def test_a_car_that_once_refused_is_given_the_rest_when_the_others_have_made_room() -> None:
    """The pool never acknowledges; the car has refused a schedule, so that its plan holds still."""

    async def live(clock: SteppedClock) -> Home:
        async with FlatPeakSandbox(clock) as sandbox:
            home = Home(clock, sandbox)
            loop = asyncio.get_running_loop()

            def say(topic: str, body: object, *, retain: bool = True) -> None:
                home.broker.publish(f"{BASE}/{topic}", json.dumps(body), retain=retain)

            def refuse() -> None:
                revision = home.bodies("device/ev/schedule")[-1]["revision"]
                say("device/ev/ack", {"revision": revision, "status_type": "REJECTED"})

            say("device/ev/state", {"plugged": True})
            loop.call_later(60, refuse)
            pause = {"mode": "pause", "for_s": 20 * 3600}
            loop.call_later(120, lambda: say("device/pool/request", pause, retain=False))
            more = {"energy_kwh": WANTED_KWH}
            loop.call_later(121, lambda: say("device/ev/request", more, retain=False))
            site = {"import_limit_w": LIMIT_W, "base_load_w": 300}
            await home.run(home.config(HOUSE, site=site), START + timedelta(minutes=6))
            return home

    home = run_virtual(live, START)
    planned = [
        sum(slot["energy_kwh"] for slot in body["slots"])
        for body in home.bodies("device/ev/schedule")
        if body["goal"]["energy_kwh"] == WANTED_KWH
    ]
    assert planned[0] < WANTED_KWH - 1
    assert abs(planned[-1] - WANTED_KWH) < 0.1
