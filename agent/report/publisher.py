"""Keeps the topics for people true: tariff, the price now, the ledger, health, time."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from agent.clock import Clock, wait_for
from agent.contracts.text import wire_json
from agent.contracts.topics import Topics
from agent.dispatch.outbox import DOCUMENTS, LARGE, Outbox
from agent.energy.instants import to_unix_ceil, to_unix_floor
from agent.energy.rates import Direction, Rate
from agent.health import Health
from agent.ports import OutgoingMessage, RatesProvider
from agent.records.bookkeeper import Bookkeeper
from agent.report.documents import (
    health_document,
    tariff_document,
    tariff_list,
    tariff_now,
)
from agent.report.ledger_document import ledger_values

SHOWN_AHEAD = timedelta(hours=48)
TIME_EVERY_S = 60.0
HEALTH_SETTLES_S = 0.2
# What goes on to change is said now and then.
HEALTH_EVERY_S = 2.0
# What is taken is booked all the time; nobody looks at what it cost that often.
LEDGER_EVERY = timedelta(minutes=5)


@dataclass(slots=True)
class Publisher:
    """`rates_changed`, `health_changed` and `ledger_changed` are called by whoever changed them."""

    topics: Topics
    outbox: Outbox
    clock: Clock
    clock_trusted: Callable[[], bool]
    health: Health
    book: RatesProvider
    bookkeeper: Bookkeeper
    on_event: Callable[[str, str], None]
    _rates_wake: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _ledger_wake: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _health_wake: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _was_stale: bool = field(default=False, init=False)

    def rates_changed(self) -> None:
        self._rates_wake.set()

    def ledger_changed(self) -> None:
        self._ledger_wake.set()

    def health_changed(self) -> None:
        self._health_wake.set()

    async def run_tariff(self) -> None:
        """`tariff/…` when the rates change, `tariff/now` at every change of the price."""
        while True:
            self._rates_wake.clear()
            again = self._publish_tariff(self.clock.now())
            if not self._rates_wake.is_set():
                await wait_for(self._rates_wake, self.clock, again)

    def _publish_tariff(self, now: datetime) -> datetime:
        shown: dict[Direction, Sequence[Rate]] = {Direction.IMPORT: (), Direction.EXPORT: ()}
        currency = ""
        for direction in shown:
            rates = self.book.current.value.get(direction)
            if rates is None:
                self._take_back(direction.value)
            if rates is None or not rates.rates:
                continue
            currency = currency or rates.currency
            hour = now.replace(minute=0, second=0, microsecond=0)
            shown[direction] = self.book.planning_rates(direction, hour, now + SHOWN_AHEAD)
            name = direction.value
            self.outbox.set(
                LARGE,
                OutgoingMessage(
                    self.topics.tariff(name), tariff_document(rates, shown[direction]), timed=True
                ),
                OutgoingMessage(self.topics.tariff(f"{name}/list"), tariff_list(shown[direction])),
            )
            if direction is Direction.IMPORT and rates.stale != self._was_stale:
                self._was_stale = rates.stale
                if rates.stale:
                    self.on_event("tariff_stale", "prices are overdue; planning on what is known")
        current = tariff_now(currency, shown[Direction.IMPORT], shown[Direction.EXPORT], now)
        if current is None:
            return now + timedelta(hours=1)
        text, until = current
        self.outbox.set(
            DOCUMENTS,
            OutgoingMessage(
                self.topics.tariff("now"), text, timed=True, expires_at=to_unix_ceil(until)
            ),
        )
        return until

    def _take_back(self, name: str) -> None:
        """What was published of a direction that has no prices any more."""
        for topic in (self.topics.tariff(name), self.topics.tariff(f"{name}/list")):
            if self.outbox.current(topic):
                self.outbox.set(LARGE, OutgoingMessage(topic, ""))

    async def run_ledger(self) -> None:
        """`ledger` where a figure is another, at most every few minutes; anew at midnight."""
        said: object = None
        while True:
            self._ledger_wake.clear()
            now = self.clock.now()
            midnight = self.bookkeeper.next_day(now)
            if self.clock_trusted():
                values = ledger_values(self.bookkeeper.figures(now))
                if values != said:
                    said = values
                    text = wire_json({"at": now, **values})
                    self.outbox.set(DOCUMENTS, OutgoingMessage(self.topics.ledger, text))
                await self.clock.sleep((min(now + LEDGER_EVERY, midnight) - now).total_seconds())
            await wait_for(self._ledger_wake, self.clock, midnight)

    async def run_health(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._health_wake.clear()
            document = health_document(self.health)
            self.outbox.set(DOCUMENTS, OutgoingMessage(self.topics.health, document))
            said_at = loop.time()
            await self._health_wake.wait()
            # What changes many times in a moment is said once.
            await asyncio.sleep(max(HEALTH_SETTLES_S, said_at + HEALTH_EVERY_S - loop.time()))

    async def run_time(self) -> None:
        while True:
            await self.send_time()
            await self.clock.sleep(TIME_EVERY_S)

    async def send_time(self) -> None:
        """The time for devices without a clock; not while our own is doubted."""
        if self.clock_trusted():
            seconds = to_unix_floor(self.clock.now())
            await self.outbox.publisher.publish(
                self.topics.time, wire_json({"t": seconds}), retain=False, qos=0
            )
