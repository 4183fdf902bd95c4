"""A deadline at risk is told once, and anew when it gets worse."""

import json
from datetime import UTC, datetime
from decimal import Decimal

from agent.clock import SteppedClock
from agent.control.deadlines import DeadlineWatch
from agent.energy.plan import DevicePlan, Engine, Plan, Status
from agent.energy.schedule import Goal
from agent.health import Health
from agent.home.planning_input import PlanningInput
from agent.ports import OutgoingMessage
from agent.report.event_queue import EventQueue
from tests.fakes.virtual_loop import run_virtual

START = datetime(2026, 1, 16, 20, tzinfo=UTC)
ZERO = Decimal(0)
SEVEN = 1_768_633_200


def plan_missing(kwh: float) -> Plan:
    status, engine, short = Status.RULE, Engine.RULE, Decimal(str(kwh))
    part = DevicePlan("ev", status, engine, ZERO, ZERO, 1, not kwh, short)
    return Plan(0, status, engine, ZERO, ZERO, ZERO, ZERO, ZERO, "EUR", 0, 0, (part,))


def told(*shortfalls: float, stalled_from: int = 99, need: float = 9.7) -> list[str]:
    """What is said of one device whose plans miss so many kWh, five minutes apart."""

    async def run(clock: SteppedClock) -> list[OutgoingMessage]:
        said = list[OutgoingMessage]()
        watch = DeadlineWatch(EventQueue(clock, Health(clock), "event", said.append))
        for index, missing in enumerate(shortfalls):
            await clock.sleep(300)
            wanted = PlanningInput(None, Goal(Decimal(str(need)), None, SEVEN))
            watch.look(
                {"ev": wanted}, plan_missing(missing), ["ev"] if index >= stalled_from else []
            )
        return said

    said = run_virtual(run, START)
    return [json.loads(message.payload)["text"].split()[0] for message in said]


def test_what_stays_as_it_was_told_is_not_told_again() -> None:
    assert told(5, 5, 5.2, 0, 5) == ["5.0"]


def test_a_tenth_or_a_kwh_more_is_told_anew() -> None:
    assert told(6, 6.5, 6.7, 7.4, 30, 30.9, 31) == ["6.0", "6.7", "7.4", "30.0", "31.0"]


def test_a_tenth_of_nearly_nothing_is_nothing() -> None:
    assert told(0.1, 0.2, 0.3, 0.4, 0.5, 0.6) == ["0.1", "0.6"]


def test_of_one_that_takes_nothing_all_that_it_needs_will_be_missing_and_is_told_once() -> None:
    assert told(0, 0.9, 1.8, 2.7, 5, 9.7, stalled_from=0) == ["9.7"]
