"""Price series: what a kWh costs when, for any window. Pure but for reading a price file once."""

import csv
import gzip
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, DecimalException
from itertools import pairwise
from pathlib import Path
from typing import Protocol, runtime_checkable
from zoneinfo import ZoneInfo

from agent.energy.instants import parse_instant

# Whole weeks, so weekdays fit, and nearly a year, so seasons do.
YEAR_OF_WEEKS = 364
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class PriceSlot:
    start: datetime
    end: datetime
    price: Decimal
    confidence: float = 1.0


class Series(Protocol):
    """Prices over a window, in order, clipped to it. A `market` publishes a day at a time.

    `structure` is FlatPeak's structure_type.
    """

    @property
    def market(self) -> bool: ...

    @property
    def structure(self) -> str: ...

    def slots(self, start: datetime, end: datetime) -> list[PriceSlot]: ...


@runtime_checkable
class Updated(Protocol):
    """A series that is fetched: when it last was and when it will be."""

    @property
    def updates(self) -> tuple[datetime, datetime]: ...


@dataclass(frozen=True, slots=True)
class PriceFile:
    """The rows of a price file (`start_utc,end_utc,rate`, gzipped or not), in order."""

    starts: Sequence[datetime]
    ends: Sequence[datetime]
    prices: Sequence[Decimal]

    @classmethod
    def read(cls, path: Path) -> "PriceFile":
        """Raises OSError, or ValueError where a row is not a price."""
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", encoding="utf-8", newline="") as text:
            rows = list(csv.DictReader(text))
        starts, ends, prices = [], [], []
        for number, row in enumerate(rows, start=2):
            try:
                if not row["rate"]:
                    continue
                starts.append(parse_instant(row["start_utc"]))
                ends.append(parse_instant(row["end_utc"]))
                prices.append(Decimal(row["rate"]))
            except (KeyError, TypeError, ValueError, DecimalException) as error:
                raise ValueError(
                    f"{path.name}, line {number}: expected start_utc,end_utc,rate, got {row}"
                ) from error
        return cls(starts, ends, prices)

    def row_at(self, when: datetime) -> int | None:
        row = bisect_right(self.starts, when) - 1
        return row if row >= 0 and when < self.ends[row] else None


@dataclass(frozen=True, slots=True)
class FileSeries:
    """A price file at its own dates."""

    file: PriceFile
    market: bool = True
    structure: str = "MARKET"

    def slots(self, start: datetime, end: datetime) -> list[PriceSlot]:
        file = self.file
        row = max(0, bisect_right(file.starts, start) - 1)
        out = []
        while row < len(file.starts) and file.starts[row] < end:
            if file.ends[row] > start:
                clipped = max(start, file.starts[row]), min(end, file.ends[row])
                out.append(PriceSlot(*clipped, file.prices[row]))
            row += 1
        return out


@dataclass(frozen=True, slots=True)
class RepeatedYear:
    """A price file's year on any date: same weekday, same season, same local time of day.

    Going by the local clock makes the 23- and 25-hour days of every year whole.
    """

    file: PriceFile
    zone: ZoneInfo
    step: timedelta = timedelta(hours=1)
    market: bool = True
    structure: str = "MARKET"

    def slots(self, start: datetime, end: datetime) -> list[PriceSlot]:
        first_day = self.file.starts[0].astimezone(self.zone).date()
        since_hour = (start - datetime(1970, 1, 1, tzinfo=UTC)) % self.step
        at = start - since_hour
        out = []
        while at < end:
            row = self.file.row_at(self._source(at, first_day))
            if row is not None:
                clipped = max(start, at), min(end, at + self.step)
                out.append(PriceSlot(*clipped, self.file.prices[row]))
            at += self.step
        return out

    def _source(self, at: datetime, first_day: date) -> datetime:
        local = at.astimezone(self.zone)
        day = first_day + timedelta(days=(local.date() - first_day).days % YEAR_OF_WEEKS)
        return local.replace(year=day.year, month=day.month, day=day.day).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Scaled:
    """Another series' prices times `factor`, plus `fixed` before it (per kWh)."""

    series: Series
    factor: Decimal
    fixed: Decimal = Decimal(0)

    @property
    def market(self) -> bool:
        return self.series.market

    @property
    def structure(self) -> str:
        return self.series.structure

    def slots(self, start: datetime, end: datetime) -> list[PriceSlot]:
        return [
            replace(slot, price=(slot.price + self.fixed) * self.factor)
            for slot in self.series.slots(start, end)
        ]


@dataclass(frozen=True, slots=True)
class Flat:
    """One price for all time: one slot for any window."""

    price: Decimal
    market: bool = False
    structure: str = "FIXED"

    def slots(self, start: datetime, end: datetime) -> list[PriceSlot]:
        return [PriceSlot(start, end, self.price)]


@dataclass(frozen=True, slots=True)
class TimeOfDay:
    """Prices by local time: `(from, price)` on working days and at weekends, from 00:00 on."""

    zone: ZoneInfo
    weekday: tuple[tuple[time, Decimal], ...]
    weekend: tuple[tuple[time, Decimal], ...]
    market: bool = False
    structure: str = "TIME_OF_DAY"

    def slots(self, start: datetime, end: datetime) -> list[PriceSlot]:
        day = start.astimezone(self.zone).date() - DAY
        last = end.astimezone(self.zone).date() + DAY
        changes: list[tuple[datetime, Decimal]] = []
        while day <= last:
            for clock, price in self.weekday if day.weekday() < 5 else self.weekend:
                local = datetime.combine(day, clock, tzinfo=self.zone)
                changes.append((local.astimezone(UTC), price))
            day += DAY
        out: list[PriceSlot] = []
        for (began, price), (ended, _) in pairwise(changes):
            if began < end and ended > start and began < ended:
                out.append(PriceSlot(max(start, began), min(end, ended), price))
        return out
