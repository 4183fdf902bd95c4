"""The prices of a tariff as its provider answered, answer by answer. Pure.

Schedules are in the form providers are asked for: months, days and hours by local time, price key
`value`; `00:00:00` as an end is the end of the day. Of several tiers the lowest counts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal, DecimalException
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from agent.energy.instants import parse_instant
from integrations.sandbox.series import PriceSlot

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DAY = timedelta(days=1)
AFTER_CONTRACT = 0.8


@dataclass(slots=True)
class PolledSeries:
    """Grows with every answer: earlier rates are kept, a later answer about them wins."""

    structure: str = "DYNAMIC"
    market: bool = False
    updates: tuple[datetime, datetime] = (datetime.min.replace(tzinfo=UTC),) * 2
    start: datetime | None = None
    end: datetime | None = None
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    currency: str = ""
    name: str = ""
    tiered: bool = False
    _schedule: Sequence[Mapping[str, Any]] = ()
    _rates: dict[datetime, PriceSlot] = field(default_factory=dict)

    def take(self, document: Mapping[str, Any]) -> None:
        """Raises ValueError where the answer is not understood; nothing is taken then."""
        try:
            zone = ZoneInfo(str(document.get("timezone") or "UTC"))
            schedule = list(document.get("data") or [])
            rates = [_rate(item) for item in document.get("rates") or []]
            start, end = (
                _date(document, "contract_start_date"),
                _date(document, "contract_end_date"),
            )
            now = datetime(2026, 1, 1, tzinfo=UTC)
            scheduled = list(_scheduled(schedule, zone, now, now + 7 * DAY))
        except (
            KeyError,
            TypeError,
            AttributeError,
            ValueError,
            OSError,
            DecimalException,
        ) as error:
            raise ValueError(f"the provider's tariff: {type(error).__name__}") from error
        if not rates and not scheduled:
            raise ValueError("the provider's tariff has no price")
        self.zone, self._schedule = zone, schedule
        self.start, self.end = start, end
        self.name = str(document.get("display_name") or "")[:200]
        self.currency = str(document.get("currency_code") or "")[:3]
        self.structure = str(document.get("structure_type") or "DYNAMIC")
        self.tiered = _has_tiers(schedule)
        if rates:
            first, last = rates[0].start, rates[-1].end
            kept = [it for it in self._rates.values() if it.end <= first or it.start >= last]
            self._rates = {it.start: it for it in [*kept, *rates]}

    def slots(self, start: datetime, end: datetime) -> list[PriceSlot]:
        start = max(start, self.start) if self.start else start
        out: list[PriceSlot] = []
        at = start
        for rate in sorted(self._rates.values(), key=lambda it: it.start):
            if rate.end <= at or rate.start >= end:
                continue
            out += self._from_schedule(at, rate.start)
            out.append(PriceSlot(max(at, rate.start), min(end, rate.end), rate.price))
            at = min(end, rate.end)
        return out + self._from_schedule(at, end)

    def _from_schedule(self, start: datetime, end: datetime) -> list[PriceSlot]:
        """What the schedule says; after the contract's end it is only likely."""
        out = []
        for slot in _scheduled(self._schedule, self.zone, start, end):
            cuts = [slot.start, slot.end]
            if self.end is not None and slot.start < self.end < slot.end:
                cuts.insert(1, self.end)
            for begun, ended in pairwise(cuts):
                over = self.end is not None and begun >= self.end
                out.append(PriceSlot(begun, ended, slot.price, AFTER_CONTRACT if over else 1.0))
        return out


def _scheduled(
    schedule: Sequence[Mapping[str, Any]], zone: ZoneInfo, start: datetime, end: datetime
) -> list[PriceSlot]:
    out: list[PriceSlot] = []
    if not schedule or end <= start:
        return out
    day = start.astimezone(zone).date()
    while day <= end.astimezone(zone).date():
        for part in schedule:
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
