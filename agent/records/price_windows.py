"""The prices that held over local days and other spans, each asked of the rate cache once."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from agent.energy.instants import from_unix, to_unix_floor
from agent.energy.localtime import MIDNIGHT, local_instant
from agent.energy.rates import Direction
from agent.ports import RatesProvider
from agent.records.day_book import QUARTER_S, DayBook
from agent.records.known_prices import KnownPrices
from agent.records.ledger_rows import date_of, number_of

DAY = timedelta(days=1)
# A run of prices is asked for again and again while a day is booked.
MOST_HELD = 12


@dataclass(slots=True)
class PriceWindows:
    """`zone()` is the site's. `clear` is called when a price is another."""

    rates: RatesProvider
    zone: Callable[[], ZoneInfo]
    _held: dict[tuple[int, int], KnownPrices] = field(default_factory=dict, init=False)

    @property
    def currency(self) -> str:
        """Empty before any price came."""
        imported = self.rates.current.value.get(Direction.IMPORT)
        return "" if imported is None else imported.currency

    def day_of(self, when: datetime) -> int:
        """The local day, as 20260116."""
        return number_of(when.astimezone(self.zone()).date())

    def midnight(self, day: date) -> datetime:
        return local_instant(day, MIDNIGHT, self.zone())

    def clear(self) -> None:
        self._held.clear()

    def of_book(self, book: DayBook) -> KnownPrices:
        """All that its costs depend on."""
        day = date_of(book.day)
        start, end = (to_unix_floor(self.midnight(one)) for one in (day, day + DAY))
        return self._within(*book.window(start, end))

    def edges(self, start: float, end: float) -> list[int]:
        """Where a price changes within the quarters around a span."""
        zone = self.zone()
        first, last = (from_unix(int(at)).astimezone(zone).date() for at in (start, end))
        days = self.midnight(first), self.midnight(last + DAY)
        return self._within(*map(to_unix_floor, days)).edges(*_quarters(start, end))

    def around(self, start: float, end: float) -> KnownPrices:
        return self._within(*_quarters(start, end))

    def _within(self, start: int, end: int) -> KnownPrices:
        if (start, end) not in self._held:
            if len(self._held) >= MOST_HELD:
                self._held.clear()
            span = from_unix(start), from_unix(end)
            self._held[start, end] = KnownPrices(
                self.rates.known_rates(Direction.IMPORT, *span),
                self.rates.known_rates(Direction.EXPORT, *span),
            )
        return self._held[start, end]


def _quarters(start: float, end: float) -> tuple[int, int]:
    """Whole quarters around a span."""
    first = int(start // QUARTER_S) * QUARTER_S
    return first, max(first + QUARTER_S, -int(-end // QUARTER_S) * QUARTER_S)
