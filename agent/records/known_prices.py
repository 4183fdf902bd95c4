"""The prices that held over a while, ready to be asked for the mean of a span. Pure."""

import zlib
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from agent.energy.instants import to_unix_floor
from agent.energy.rates import Rate
from agent.energy.situation import ZERO


@dataclass(frozen=True, slots=True)
class MeanPrice:
    """Per kWh. `estimated`: some of it is not confirmed."""

    per_kwh: Decimal
    estimated: bool


class _Series:
    """One direction: spans in order, Unix seconds; what is unknown (confidence 0) is left out."""

    def __init__(self, rates: Sequence[Rate]) -> None:
        known = [rate for rate in rates if rate.confidence > 0]
        self.starts = [to_unix_floor(rate.start) for rate in known]
        self.ends = [to_unix_floor(rate.end) for rate in known]
        self.prices = [rate.price for rate in known]
        self.firm = [rate.confidence >= 1 for rate in known]

    def mean(self, start: int, end: int) -> tuple[Decimal, int, bool]:
        """Sum of price times seconds, the seconds that have one, and whether all are confirmed."""
        weighted, seconds, firm = ZERO, 0, True
        place = max(0, bisect_right(self.starts, start) - 1)
        while place < len(self.starts) and self.starts[place] < end:
            inside = min(end, self.ends[place]) - max(start, self.starts[place])
            if inside > 0:
                weighted += self.prices[place] * inside
                seconds += inside
                firm = firm and self.firm[place]
            place += 1
        return weighted, seconds, firm


class KnownPrices:
    """Of both directions, as far as they were given. `fingerprint` differs where any price does."""

    def __init__(self, imported: Sequence[Rate], exported: Sequence[Rate]) -> None:
        self._imported, self._exported = _Series(imported), _Series(exported)
        self.fingerprint = 0
        for one in (self._imported, self._exported):
            text = repr(
                list(zip(one.starts, one.ends, map(str, one.prices), one.firm, strict=True))
            )
            self.fingerprint = zlib.crc32(text.encode(), self.fingerprint)
        self._means: dict[tuple[int, int], MeanPrice | None] = {}

    def imported(self, start: int, end: int) -> MeanPrice | None:
        """The mean over `[start, end)`; None where not all of it is known."""
        if (start, end) not in self._means:
            weighted, seconds, firm = self._imported.mean(start, end)
            known = seconds == end - start > 0
            self._means[start, end] = MeanPrice(weighted / seconds, not firm) if known else None
        return self._means[start, end]

    def surplus(self, start: int, end: int) -> MeanPrice:
        """What the roof gave cost what was not paid for its export; nothing where nothing is."""
        weighted, _, firm = self._exported.mean(start, end)
        return MeanPrice(weighted / (end - start), not firm)

    def partly(self, start: int, end: int) -> MeanPrice | None:
        """The mean import price of what is known of `[start, end)`; None where nothing is."""
        weighted, seconds, firm = self._imported.mean(start, end)
        if not seconds:
            return None
        return MeanPrice(weighted / seconds, not firm or seconds < end - start)

    def edges(self, start: int, end: int) -> list[int]:
        """Where a price ends or begins within `(start, end)`, in order."""
        out: set[int] = set()
        for one in (self._imported, self._exported):
            place = max(0, bisect_right(one.starts, start) - 1)
            while place < len(one.starts) and one.starts[place] < end:
                out |= {one.starts[place], one.ends[place]}
                place += 1
        return sorted(edge for edge in out if start < edge < end)

    def spans(self, start: int, end: int) -> list[tuple[int, int, Decimal]]:
        """The import prices of `[start, end)`, in order of time."""
        one = self._imported
        return [
            (max(start, begin), min(end, until), price)
            for begin, until, price in zip(one.starts, one.ends, one.prices, strict=True)
            if begin < end and until > start
        ]
