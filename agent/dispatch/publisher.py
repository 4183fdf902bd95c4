"""Keeps the topics for people true: tariff, the price now, health, time."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from agent.clock import Clock, wait_for
from agent.clockmonitor import ClockMonitor
from agent.contracts.text import wire_json
from agent.dispatch.documents import (
    health_document,
    tariff_document,
    tariff_list,
    tariff_now,
)
from agent.dispatch.outbox import Outbox
from agent.energy.instants import to_unix_ceil, to_unix_floor
from agent.energy.rates import Direction, Rate, Rates
from agent.health import Health
from agent.latest import LatestValue
from agent.mqtt.topics import Topics
from agent.ports import OutgoingMessage

SHOWN_AHEAD = timedelta(hours=48)
TIME_EVERY_S = 60.0


class RatesProvider(Protocol):
    """What the publisher asks of the rate cache."""

    current: LatestValue[Mapping[Direction, Rates]]

    def planning_rates(
        self, direction: Direction, now: datetime, until: datetime
    ) -> Sequence[Rate]: ...


@dataclass(slots=True)
class Publisher:
    """`rates_changed` and `health_changed` are called by whoever changed them."""

    topics: Topics
    outbox: Outbox
    clock: Clock
    guard: ClockMonitor
    health: Health
    book: RatesProvider
    on_event: Callable[[str, str], None]
    _rates_wake: asyncio.Event = field(default_factory=asyncio.Event)
    _health_wake: asyncio.Event = field(default_factory=asyncio.Event)
    _was_stale: bool = False

    def rates_changed(self) -> None:
        self._rates_wake.set()

    def health_changed(self) -> None:
        self._health_wake.set()

    async def run_tariff(self) -> None:
        """`tariff/…` when the rates change, `tariff/now` at every change of the price."""
        while True:
            self._rates_wake.clear()
            again = await self._publish_tariff(self.clock.now())
            if not self._rates_wake.is_set():
                await wait_for(self._rates_wake, self.clock, again)

    async def _publish_tariff(self, now: datetime) -> datetime:
        shown: dict[Direction, Sequence[Rate]] = {Direction.IMPORT: (), Direction.EXPORT: ()}
        currency = ""
        for direction in shown:
            rates = self.book.current.value.get(direction)
            if rates is None or not rates.rates:
                continue
            currency = currency or rates.currency
            hour = now.replace(minute=0, second=0, microsecond=0)
            shown[direction] = self.book.planning_rates(direction, hour, now + SHOWN_AHEAD)
            name = direction.value
            await self.outbox.put(
                OutgoingMessage(self.topics.tariff(name), tariff_document(rates, shown[direction])),
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
        await self.outbox.put(
            OutgoingMessage(self.topics.tariff("now"), text, expires_at=to_unix_ceil(until))
        )
        return until

    async def run_health(self) -> None:
        while True:
            self._health_wake.clear()
            await self.outbox.put(OutgoingMessage(self.topics.health, health_document(self.health)))
            await self._health_wake.wait()

    async def run_time(self) -> None:
        while True:
            await self.send_time()
            await self.clock.sleep(TIME_EVERY_S)

    async def send_time(self) -> None:
        """The time for devices without a clock; not while our own is doubted."""
        if self.guard.trusted:
            seconds = to_unix_floor(self.clock.now())
            await self.outbox.post.publish(
                self.topics.time, wire_json({"t": seconds}), retain=False, qos=0
            )
