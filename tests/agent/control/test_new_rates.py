"""Prices that are new are planned with at once; an answer that brings none is no reason to plan."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

from agent.clock import SteppedClock
from agent.energy.plan import Plan
from agent.energy.situation import Situation
from agent.planning import make_plan
from integrations.sandbox.server import FlatPeakSandbox
from tests.fakes.home import BASE, Home
from tests.fakes.virtual_loop import run_virtual

LIVED = timedelta(minutes=4)
ASKED_AFTER_S, AT_ONCE_S = 150, 2.0
LOAD = {"id": "pump", "type": "load", "power_w": 800, "needs": [{"hours": 2}]}


@pytest.mark.parametrize(
    ("start", "new"),
    [
        # the sandbox publishes tomorrow's prices at one in Berlin
        (datetime(2026, 1, 15, 11, 58, tzinfo=UTC), True),
        (datetime(2026, 1, 15, 22, 31, tzinfo=UTC), False),
    ],
)
def test_only_prices_that_are_new_cause_a_plan(start: datetime, new: bool) -> None:
    planned: list[float] = []

    async def plan(situation: Situation) -> Plan:
        planned.append(asyncio.get_running_loop().time())
        return make_plan(situation)

    async def live(clock: SteppedClock) -> Home:
        async with FlatPeakSandbox(clock) as sandbox:
            home = Home(clock, sandbox, plan=plan)
            ask = json.dumps({"refresh": True})
            asyncio.get_running_loop().call_later(
                ASKED_AFTER_S,
                lambda: home.broker.publish(f"{BASE}/site/request", ask, retain=False),
            )
            await home.run(home.config([LOAD]), start + LIVED)
            return home

    home = run_virtual(live, start)
    told = [said for said in home.broker.log if said.topic == f"{BASE}/tariff/import"]
    at = {json.loads(said.payload)["fetched_at"]: said.at for said in reversed(told)}
    _, again = sorted(at.values())
    assert any(abs(when - again) < AT_ONCE_S for when in planned) is new, (again, planned)
