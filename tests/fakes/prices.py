"""Prices as the rate cache would know them, set by a test; and a bookkeeper that goes by them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from agent.clock import SystemClock
from agent.energy.rates import Direction, Rate, Rates
from agent.health import Health
from agent.home.model.meter import MeteredInterval
from agent.latest import LatestValue
from agent.records.bookkeeper import Bookkeeper
from agent.records.device_store import DeviceStore
from agent.records.ledger import Ledger
from agent.records.ledger_table import LedgerTable
from agent.store import Store
from agent.tariff.normalise import clip

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = timedelta(hours=1)


class PriceTable:
    """A RatesProvider without a source: known prices by direction, no estimates."""

    def __init__(self, currency: str = "EUR") -> None:
        self.known: dict[Direction, list[Rate]] = {direction: [] for direction in Direction}
        self.current: LatestValue[Mapping[Direction, Rates]] = LatestValue({})
        if currency:
            self.speak(currency)

    def speak(self, currency: str) -> None:
        self.current.set({Direction.IMPORT: Rates(Direction.IMPORT, currency, "Europe/Berlin", ())})

    def hours(
        self,
        start: datetime,
        *prices: str,
        direction: Direction = Direction.IMPORT,
        confidence: float = 1.0,
    ) -> None:
        """A price an hour, instead of what was known there."""
        new = [
            Rate(start + n * HOUR, start + (n + 1) * HOUR, Decimal(price), confidence)
            for n, price in enumerate(prices)
        ]
        rest = [r for r in self.known[direction] if r.end <= start or r.start >= new[-1].end]
        self.known[direction] = sorted([*rest, *new], key=lambda rate: rate.start)

    def known_rates(self, direction: Direction, start: datetime, end: datetime) -> Sequence[Rate]:
        found = (clip(rate, start, end) for rate in self.known[direction])
        return [rate for rate in found if rate is not None]

    def planning_rates(
        self, direction: Direction, now: datetime, until: datetime
    ) -> Sequence[Rate]:
        return self.known_rates(direction, now, until)

    def set_forecast(self, direction: Direction, spans: Sequence[Rate] | None) -> None: ...


@dataclass
class Books:
    """One life of the ledger on a store, for devices by id; a battery has its round trip."""

    store: Store
    prices: PriceTable
    devices: dict[str, Decimal | None]
    zone: ZoneInfo = BERLIN
    surplus: Sequence[tuple[datetime, datetime]] = ()
    currencies: list[tuple[str, str]] = field(default_factory=list)
    ledger: Ledger = field(default_factory=Ledger)
    keeper: Bookkeeper = field(init=False)
    writer: DeviceStore = field(init=False)

    def __post_init__(self) -> None:
        self.writer = DeviceStore(self.store, Health(SystemClock()), SystemClock())
        self.keeper = Bookkeeper(
            self.ledger,
            LedgerTable(self.store),
            self.prices,
            lambda: self.zone,
            lambda now: self.surplus,
            on_currency=lambda old, new: self.currencies.append((old, new)),
        )
        for device, round_trip in self.devices.items():
            self.keeper.register(device, round_trip)
        self.keeper.restore()

    def take(self, device: str, start: datetime, end: datetime, energy_kwh: float) -> None:
        self.keeper.book(device, [MeteredInterval(start, end, energy_kwh)], end)

    async def save(self, now: datetime) -> None:
        for device in self.devices:
            statements, stored = self.keeper.writes(device, now)
            answer = self.store.submit(*statements)
            answer.add_done_callback(stored)
            await answer
