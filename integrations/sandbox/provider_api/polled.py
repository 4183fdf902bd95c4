"""The prices of a tariff as its provider answered, answer by answer. Pure.

Schedules are in the form providers are asked for: months, days and hours by local time, price key
`value`; `00:00:00` as an end is the end of the day. Of several tiers the lowest counts.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal, DecimalException
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from agent.energy.instants import EARLIEST, LATEST, parse_instant
from integrations.sandbox.series import PriceSlot

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DAY = timedelta(days=1)
AFTER_CONTRACT, EXTRAPOLATED = 0.8, 0.6


@dataclass(frozen=True, slots=True)
class _Schedule:
    """What repeats over `[start, end)`; beyond `end`, where nothing follows, it is likely."""

    data: Sequence[Mapping[str, Any]]
    zone: ZoneInfo
    start: datetime
    end: datetime


@dataclass(slots=True)
class PolledSeries:
    """Grows with every answer: earlier rates are kept, a later answer about them wins."""

    structure: str = "DYNAMIC"
    market: bool = False
    updates: tuple[datetime, datetime] = (datetime.min.replace(tzinfo=UTC),) * 2
    start: datetime | None = None
    end: datetime | None = None
    currency: str = ""
    name: str = ""
    tiered: bool = False
    _schedules: list[_Schedule] = field(default_factory=list)
    _rates: dict[datetime, PriceSlot] = field(default_factory=dict)

    def take(self, document: Mapping[str, Any], now: datetime) -> None:
        """Raises ValueError where the answer is not understood; nothing is taken then."""
        try:
            zone = ZoneInfo(str(document.get("timezone") or "UTC"))
            data = list(document.get("data") or [])
            rates = sorted(map(_rate, document.get("rates") or []), key=lambda it: it.start)
            start, end = (
                _date(document, "contract_start_date"),
                _date(document, "contract_end_date"),
            )
            schedule = _Schedule(
                data,
                zone,
                _date(document, "schedule_valid_from") or start or EARLIEST,
                _date(document, "schedule_valid_to") or end or LATEST,
            )
            scheduled = _scheduled(schedule, now, now + 7 * DAY)
        except (
            KeyError,
            TypeError,
            AttributeError,
            ValueError,
            OSError,
            DecimalException,
        ) as error:
            raise ValueError(f"the provider's tariff: {type(error).__name__}") from error
        # A contract that is over has no price any more, and what was known of it is kept.
        is_over = end is not None and end <= now
        if not rates and not scheduled and not is_over:
            raise ValueError("the provider's tariff has no price")
        self.start, self.end = start, end
        self.name = str(document.get("display_name") or "")[:200]
        self.currency = str(document.get("currency_code") or "")[:3]
        self.structure = str(document.get("structure_type") or "DYNAMIC")
        self.tiered = _has_tiers(data)
        # What held before this schedule's time held.
        self._schedules = [
            replace(known, end=min(known.end, schedule.start))
            for known in self._schedules
            if known.start < schedule.start
        ]
        self._schedules.append(schedule)
        if rates:
            kept = _outside(self._rates.values(), rates[0].start, rates[-1].end)
            self._rates = {it.start: it for it in [*kept, *rates]}

    def missing_from(self, earliest: datetime, now: datetime) -> datetime | None:
        """The first instant of `[earliest, now)`, within the contract, that has no price."""
        at = max(earliest, self.start) if self.start else earliest
        until = min(now, self.end) if self.end else now
        for slot in self.slots(at, until) if at < until else ():
            if slot.start > at:
                break
            at = slot.end
        return at if at < until else None

    def slots(self, start: datetime, end: datetime) -> list[PriceSlot]:
        start = max(start, self.start) if self.start else start
        out: list[PriceSlot] = []
        at = start
        for rate in sorted(self._rates.values(), key=lambda it: it.start):
            if rate.end <= at or rate.start >= end:
                continue
            out += self._from_schedules(at, rate.start)
            out.append(PriceSlot(max(at, rate.start), min(end, rate.end), rate.price))
            at = min(end, rate.end)
        return out + (self._from_schedules(at, end) or self._from_last_day(at, end))

    def _from_schedules(self, start: datetime, end: datetime) -> list[PriceSlot]:
        """What the schedules say; after the last one's end, or the contract's, it is likely."""
        out = []
        for number, schedule in enumerate(self._schedules, start=1):
            is_last = number == len(self._schedules)
            until = end if is_last else min(end, schedule.end)
            sure_until = min(schedule.end, self.end) if self.end else schedule.end
            for slot in _scheduled(schedule, max(start, schedule.start), until):
                cuts = [slot.start, slot.end]
                if slot.start < sure_until < slot.end:
                    cuts.insert(1, sure_until)
                for begun, ended in pairwise(cuts):
                    confidence = AFTER_CONTRACT if begun >= sure_until else 1.0
                    out.append(PriceSlot(begun, ended, slot.price, confidence))
        return out

    def _from_last_day(self, start: datetime, end: datetime) -> list[PriceSlot]:
        """Of a contract that is over and has no schedule: its last day again and again."""
        if self.end is None or not self._rates:
            return []
        last = max(rate.end for rate in self._rates.values())
        day = [rate for rate in self._rates.values() if rate.start >= last - DAY]
        start, out, shift = max(start, self.end, last), [], DAY
        while last - DAY + shift < end:
            for rate in sorted(day, key=lambda it: it.start):
                begun, ended = max(start, rate.start + shift), min(end, rate.end + shift)
                if begun < ended:
                    out.append(PriceSlot(begun, ended, rate.price, EXTRAPOLATED))
            shift += DAY
        return out


def _outside(rates: Iterable[PriceSlot], start: datetime, end: datetime) -> Iterator[PriceSlot]:
    """What of the rates lies before `start` or after `end`."""
    for rate in rates:
        if rate.start < start:
            yield replace(rate, end=min(rate.end, start))
        if rate.end > end:
            yield replace(rate, start=max(rate.start, end))


def _scheduled(schedule: _Schedule, start: datetime, end: datetime) -> list[PriceSlot]:
    out: list[PriceSlot] = []
    if not schedule.data or end <= start:
        return out
    zone = schedule.zone
    day = start.astimezone(zone).date()
    while day <= end.astimezone(zone).date():
        for part in schedule.data:
            if not {"All", MONTHS[day.month - 1]} & set(part["months"]):
                continue
            for days in part["days_and_hours"]:
                if not _day_names(day.weekday()) & {str(name) for name in days["days"]}:
                    continue
                for hours in days["hours"]:
                    begin = datetime.combine(day, time.fromisoformat(hours["valid_from"]), zone)
                    until = time.fromisoformat(hours["valid_to"])
                    last = day if until != time(0) else day + DAY
                    finish = datetime.combine(last, until, zone)
                    low = min(hours["rate"], key=lambda it: it.get("to_kwh") or float("inf"))
                    slot = PriceSlot(
                        max(start, begin.astimezone(UTC)),
                        min(end, finish.astimezone(UTC)),
                        Decimal(str(low["value"])),
                    )
                    if slot.start < slot.end:
                        out.append(slot)
        day += DAY
    return sorted(out, key=lambda slot: slot.start)


def _day_names(weekday: int) -> set[str]:
    return {"All", str(weekday + 1), "Weekday" if weekday < 5 else "Weekend"}


def _has_tiers(schedule: Sequence[Mapping[str, Any]]) -> bool:
    return any(
        len(hours["rate"]) > 1
        for part in schedule
        for days in part["days_and_hours"]
        for hours in days["hours"]
    )


def _rate(item: Mapping[str, Any]) -> PriceSlot:
    start, end = parse_instant(item["valid_from"]), parse_instant(item["valid_to"])
    price = Decimal(str(item["value"]))
    if end <= start or not price.is_finite():
        raise ValueError("rate")
    return PriceSlot(start, end, price)


def _date(document: Mapping[str, Any], name: str) -> datetime | None:
    value = document.get(name)
    return None if value is None else parse_instant(value)
