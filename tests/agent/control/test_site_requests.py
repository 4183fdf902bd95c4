"""What a person asks of the whole house is answered, and holds until its end."""

import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agent.clock import SteppedClock
from agent.contracts.topics import Topics
from agent.control.site_requests import SiteRequests
from agent.dispatch.outbox import Outbox
from agent.energy.instants import format_instant
from agent.health import Health
from agent.ports import Message
from agent.records.device_store import DeviceStore
from agent.report.event_queue import EventQueue
from agent.store import Store
from tests.fakes.memory_broker import MemoryBroker, MemoryConnection
from tests.fakes.virtual_loop import run_virtual

NOW = datetime(2026, 1, 16, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass
class Asked:
    clock: SteppedClock
    called: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        async def nothing() -> None:
            return

        def ignore(message: Message) -> None:
            return

        self.health, topics = Health(self.clock), Topics("b")
        broker = MemoryBroker()
        connection = MemoryConnection(broker, "b/status", "a", self.health, tuple, ignore, nothing)
        self.outbox = Outbox(connection, self.clock, self.health)
        self.requests = SiteRequests(
            self.clock,
            self.health,
            topics,
            self.outbox,
            EventQueue(self.clock, self.health, "b/event", lambda message: None),
            DeviceStore(Store.in_memory(), self.health, self.clock),
            on_change=lambda: self.called.append("change"),
            on_refresh=lambda: self.called.append("refresh"),
        )

    def ask(self, **body: object) -> str | None:
        return self.requests.receive(json.dumps(body).encode())

    def wish(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.outbox.snapshot()["b/site/wish"].payload)
        return found


def live(test: Callable[[SteppedClock], Coroutine[Any, Any, None]]) -> None:
    run_virtual(test, NOW)


def test_somebody_is_away_until_then_and_everybody_hears_the_end() -> None:
    async def test(clock: SteppedClock) -> None:
        asked, until = Asked(clock), NOW + 5 * HOUR
        assert asked.ask(id="holiday", away_until=format_instant(until)) is None
        await clock.sleep(5)
        wish = asked.wish()
        assert (wish["id"], wish["accepted"], wish["away_until"]) == (
            "holiday",
            True,
            format_instant(until),
        )
        assert asked.called == ["change"]
        assert asked.requests.away_until(clock.now()) == until
        assert asked.requests.away_until(until) is None
        assert asked.wish()["away_until"] is None

    live(test)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"away_until": format_instant(NOW - HOUR)}, "not within the next year"),
        ({"away_until": format_instant(NOW + 400 * 24 * HOUR)}, "not within the next year"),
        ({"away_until": "soon"}, "away_until"),
        ({"id": "x"}, "asks for nothing"),
        ({"sleep": True}, "sleep"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(body: dict[str, object], why: str) -> None:
    async def test(clock: SteppedClock) -> None:
        asked = Asked(clock)
        refusal = asked.ask(**body)
        assert refusal is not None
        assert why in refusal
        assert asked.wish()["accepted"] is False
        assert why in asked.wish()["reason"]
        assert asked.called == []

    live(test)


def test_fresh_prices_are_fetched_and_nobody_is_away_by_that() -> None:
    async def test(clock: SteppedClock) -> None:
        asked = Asked(clock)
        assert asked.ask(refresh=True) is None
        assert asked.called == ["refresh"]
        assert asked.wish()["away_until"] is None

    live(test)


def test_a_flood_is_counted() -> None:
    async def test(clock: SteppedClock) -> None:
        asked = Asked(clock)
        for _ in range(50):
            asked.ask(refresh=True)
        assert asked.called == ["refresh"] * 30
        assert asked.health.counts["requests_dropped"] == 20

    live(test)
