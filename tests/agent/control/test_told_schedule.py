"""People read the words of the plan in force, of what a device was told to do."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from agent.clock import SteppedClock
from agent.control.told_schedule import in_words_of
from agent.energy.plan import Engine, Plan, Status
from agent.energy.schedule import DefaultCommand, DeviceType, OfflineRule, Schedule, ScheduleSlot
from agent.energy.situation import Situation
from agent.planning import make_plan
from integrations.sandbox.server import FlatPeakSandbox
from tests.fakes.home import BASE, Home
from tests.fakes.virtual_loop import run_virtual

START = datetime(2026, 1, 15, 18, 0, tzinfo=UTC)
ASK = b'{"refresh":true}'
# All of its window, so that prices move nothing.
NEED = {"energy_kwh": 8, "window": {"start": "20:00", "end": "22:00"}}
LOAD = {"id": "pump", "type": "load", "power_w": 4000, "needs": [NEED]}
PLAN = Plan(
    made_at=1000,
    status=Status.OPTIMAL,
    engine=Engine.EXACT,
    cost=Decimal(0),
    baseline_cost=Decimal(0),
    objective=Decimal(0),
    bound=Decimal(0),
    gap=Decimal(0),
    currency="EUR",
    horizon=9000,
    took_ms=1,
)


def slot(start: int, end: int, price: str | None, reason: str, mode: str = "charge") -> Any:
    known = None if price is None else Decimal(price)
    return ScheduleSlot(start, end, mode, 4000, Decimal(1), known, reason)


def held(*slots: ScheduleSlot) -> Schedule:
    return Schedule(
        device="pump",
        device_type=DeviceType.FLEXIBLE,
        revision=1000,
        issued_at=1000,
        valid_from=700,
        valid_until=9000,
        currency="",
        slots=slots,
        default=DefaultCommand("idle", 0),
        offline=OfflineRule(900, "idle", 0),
    )


def test_times_are_those_that_were_told_words_those_of_the_plan() -> None:
    told = held(slot(1000, 4600, None, "unknown"), slot(7000, 8000, None, "unknown"))
    planned = [
        slot(1010, 2800, "0.1", "cheapest"),
        slot(2800, 4600, "0.3", "limit"),
        slot(7000, 8000, "0.2", "cheapest", "release"),
    ]
    shown = in_words_of(told, PLAN, planned)
    first, last = shown.slots
    assert (first.start, first.end, first.reason) == (1000, 4600, "limit")
    assert first.price is not None
    assert abs(first.price - Decimal("0.2")) < Decimal("0.001")
    assert last == told.slots[1]
    assert (shown.currency, shown.revision) == ("EUR", 1000)


def test_what_a_person_asked_for_stays_theirs_and_has_its_price() -> None:
    shown = in_words_of(
        held(slot(1000, 4600, None, "boost")), PLAN, [slot(1000, 4600, "0.1", "cheapest")]
    )
    assert (shown.slots[0].reason, shown.slots[0].price) == ("boost", Decimal("0.1"))


def test_prices_that_come_move_nothing_and_are_in_the_words() -> None:
    """The schedule that the device holds stays; Home Assistant is shown what the plan says."""

    async def live(clock: SteppedClock) -> Home:
        async def plan(situation: Situation) -> Plan:
            if clock.now() < START + timedelta(minutes=5):
                situation = replace(situation, import_rates=(), currency="")
            return make_plan(situation)

        async with FlatPeakSandbox(clock) as sandbox:
            home = Home(clock, sandbox, plan=plan)
            asyncio.get_running_loop().call_later(
                400, lambda: home.broker.publish(f"{BASE}/site/request", ASK, retain=False)
            )
            await home.run(home.config([LOAD], homeassistant={}), START + timedelta(minutes=20))
            return home

    home = run_virtual(live, START)
    schedules = home.bodies("device/pump/schedule")
    assert len(schedules) == 1
    assert schedules[0]["slots"][0]["reason"] == "unknown"
    windows = [body["windows"][0] for body in home.bodies("ha/device/pump/plan") if body["windows"]]
    assert (windows[0]["price"], windows[0]["reason"]) == (None, "unknown")
    assert windows[-1]["price"] > 0
    assert windows[-1]["reason"] != "unknown"
