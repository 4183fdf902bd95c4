"""Prices over time, in whole seconds from now and whole units of money.

Money is counted exactly: a price is an integer multiple of `1 / scale` of the currency per kWh,
with a scale that also carries the mean of the rates, so that sums never round.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from itertools import accumulate

from agent.energy.situation import Flexible, RateSpan, Situation
from agent.planning.units import places, scaled

# Beyond the last rate time goes on without a price; nothing is planned this far ahead.
FOREVER = 1 << 40
SUMS = ("_price_before", "_choice_before", "_unknown_before", "_instants_before")


@dataclass(frozen=True, slots=True)
class PriceSpan:
    """One price over `[start, end)`; `price` counts in the cost, `choice` decides.

    Unknown time costs the mean and has no price of its own (`given` is None).
    """

    start: int
    end: int
    price: int
    choice: int
    unknown: bool
    estimated: bool
    given: Decimal | None


class Timeline:
    """Spans from now on without a gap; neighbours of one price are one span."""

    def __init__(self, situation: Situation) -> None:
        self.now = situation.now
        rates = situation.import_rates
        ahead = rates[bisect_right(rates, self.now, key=lambda rate: rate.end) :]
        self.horizon = self._last_known(situation)
        scale = 10 ** _finest(situation)
        weighed = length = 0
        for rate in ahead:
            if rate.confidence > 0:
                seconds = rate.end - max(self.now, rate.start)
                weighed += scaled(rate.price, scale) * seconds
                length += seconds
        self.mean = Fraction(weighed, length * scale) if length else Fraction(0)
        thin = (self.mean * scale).denominator
        self.scale = scale * thin
        self._take(self._cells(ahead, situation.planner.estimate_margin_per_kwh))

    def _take(self, spans: list[PriceSpan]) -> None:
        """Takes the spans; sums of those before are none of theirs."""
        self.spans = spans
        self.starts = [cell.start for cell in spans]
        for sums in SUMS:
            self.__dict__.pop(sums, None)

    # Sums up to each span. A house whose time is cut into cells asks for none of them.

    @cached_property
    def _price_before(self) -> list[int]:
        paid = (one.price * (one.end - one.start) for one in self.spans[:-1])
        return list(accumulate(paid, initial=0))

    @cached_property
    def _choice_before(self) -> list[int]:
        if all(one.choice == one.price for one in self.spans):
            # Without margins both are one list.
            return self._price_before
        paid = (one.choice * (one.end - one.start) for one in self.spans[:-1])
        return list(accumulate(paid, initial=0))

    @cached_property
    def _unknown_before(self) -> list[int]:
        seconds = ((one.end - one.start) * one.unknown for one in self.spans[:-1])
        return list(accumulate(seconds, initial=0))

    @cached_property
    def _instants_before(self) -> list[int]:
        sums = (
            (one.start + one.end - 1) * (one.end - one.start) // 2 * one.unknown
            for one in self.spans[:-1]
        )
        return list(accumulate(sums, initial=0))

    def priced(self, price_of: Callable[[PriceSpan], int]) -> "Timeline":
        """The same time with other prices; spans that are alike then are one."""
        cells: list[PriceSpan] = []
        for cell in self.spans:
            price = price_of(cell)
            given = None if cell.unknown else Decimal(price)
            other = PriceSpan(cell.start, cell.end, price, price, cell.unknown, False, given)
            if cells and _alike(cells[-1], other):
                cells[-1] = replace(cells[-1], end=cell.end)
            else:
                cells.append(other)
        out = copy(self)
        out._take(cells)
        return out

    def _last_known(self, situation: Situation) -> int:
        """The end of the last rate that is known, now where that is past."""
        known = (rate for rate in reversed(situation.import_rates) if rate.confidence > 0)
        last = next(known, None)
        return 0 if last is None else max(0, last.end - self.now)

    @property
    def horizon_at(self) -> int:
        """The horizon as an instant: now where every known rate is past."""
        return self.now + self.horizon

    def _cells(self, rates: Sequence[RateSpan], margin: Decimal) -> list[PriceSpan]:
        mean = int(self.mean * self.scale)
        cells: list[PriceSpan] = []

        def add(start: int, end: int, rate: RateSpan | None) -> None:
            if rate is None or rate.confidence <= 0:
                cell = PriceSpan(start, end, mean, mean, True, False, None)
            else:
                price = scaled(rate.price, self.scale)
                doubt = 1 - rate.confidence
                choice = price + (scaled(margin * doubt, self.scale) if doubt and margin else 0)
                cell = PriceSpan(start, end, price, choice, False, doubt > 0, rate.price)
            last = cells[-1] if cells else None
            if last is not None and _alike(last, cell):
                cells[-1] = PriceSpan(
                    *(last.start, end, last.price, last.choice),
                    *(last.unknown, last.estimated, last.given),
                )
            elif end > start:
                cells.append(cell)

        at = 0
        for rate in rates:
            start = rate.start - self.now
            if start > at:
                add(at, start, None)
                at = start
            end = rate.end - self.now
            # Where nothing lies between, the end of one span is the start of the next.
            add(at, end, rate)
            at = end
        add(at, FOREVER, None)
        return cells

    def at(self, second: int) -> PriceSpan:
        return self.spans[bisect_right(self.starts, second) - 1]

    def between(self, start: int, end: int) -> Iterator[tuple[int, int, PriceSpan]]:
        """The parts of `[start, end)`, each with its span."""
        if end <= start:
            return
        index = bisect_right(self.starts, start) - 1
        while start < end:
            cell = self.spans[index]
            until = min(end, cell.end)
            yield start, until, cell
            start = until
            index += 1

    def edges(self, start: int, end: int) -> list[int]:
        """Where the price changes, in `[start, end]`."""
        low = bisect_right(self.starts, start - 1)
        high = bisect_right(self.starts, end)
        return self.starts[low:high]

    def choice_until(self, second: int) -> int:
        """Cost of one unit of power from now to `second`, as it counts for choosing."""
        index = bisect_right(self.starts, second) - 1
        cell = self.spans[index]
        return self._choice_before[index] + cell.choice * (second - cell.start)

    def price_until(self, second: int) -> int:
        index = bisect_right(self.starts, second) - 1
        cell = self.spans[index]
        return self._price_before[index] + cell.price * (second - cell.start)

    def unknown_until(self, second: int) -> int:
        """Seconds without a price from now to `second`."""
        index = bisect_right(self.starts, second) - 1
        cell = self.spans[index]
        return self._unknown_before[index] + (second - cell.start if cell.unknown else 0)

    def unknown_instants(self, start: int, end: int) -> int:
        """Sum of the unknown seconds in `[start, end)`, each by its distance from now."""
        return self._instants_until(end) - self._instants_until(start)

    def _instants_until(self, second: int) -> int:
        index = bisect_right(self.starts, second) - 1
        cell = self.spans[index]
        before = self._instants_before[index]
        if not cell.unknown:
            return before
        return before + (cell.start + second - 1) * (second - cell.start) // 2


def _alike(one: PriceSpan, other: PriceSpan) -> bool:
    return (one.given, one.choice, one.unknown, one.estimated) == (
        *(other.given, other.choice, other.unknown, other.estimated),
    )


def _finest(situation: Situation) -> int:
    """Decimal places in which every amount of money of the Situation is whole."""
    planner = situation.planner
    doubts = places({rate.confidence for rate in situation.import_rates})
    margin = places((planner.estimate_margin_per_kwh,)) + doubts
    prices = places(
        {rate.price for rates in (situation.import_rates, situation.export_rates) for rate in rates}
    )
    other = [planner.change_cost]
    for device in situation.devices:
        if isinstance(device, Flexible):
            other.append(device.start_cost)
            for demand in device.demands:
                other += [x for x in (demand.price_cap, demand.value_per_kwh) if x is not None]
    return max(prices, margin, places(other))
