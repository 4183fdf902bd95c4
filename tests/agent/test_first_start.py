"""The first start of an agent, in the middle of what its appliances need."""

from datetime import date, time, timedelta
from zoneinfo import ZoneInfo

from agent.clock import SteppedClock
from agent.energy.localtime import local_instant
from integrations.sandbox.household import DEVICES, build_appliances
from integrations.sandbox.server import FlatPeakSandbox
from tests.fakes.home import BASE, Home
from tests.fakes.memory_broker import MemoryLink
from tests.fakes.virtual_loop import run_virtual

BERLIN = ZoneInfo("Europe/Berlin")
DAY = date(2026, 1, 15)


def test_windows_that_began_before_the_agent_are_no_deadline_at_risk_and_the_rest_is_used() -> None:
    """The heat pump needs three hours from 10:00 to 15:30; of these an hour is left."""
    start = local_instant(DAY, time(14, 30), BERLIN)

    async def live(clock: SteppedClock) -> Home:
        async with FlatPeakSandbox(clock) as sandbox:
            home = Home(clock, sandbox)
            home.appliances = build_appliances(
                BASE, clock, BERLIN, lambda _name: MemoryLink(home.broker)
            )
            await home.run(home.config(DEVICES), start + timedelta(hours=2))
            return home

    home = run_virtual(live, start)
    assert [said for said in home.bodies("event") if said["type"] == "deadline_at_risk"] == []
    account = home.ledger.of("heat_pump")
    assert 1.9 <= float(account.energy_kwh) <= 2.1
    assert (account.deadlines, account.deadlines_met) == (1, 1)
