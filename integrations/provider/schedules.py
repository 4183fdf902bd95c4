"""A weekly schedule as prices of each quarter of an hour, across changes of the clock.

A schedule is FlatPeak's: `[{months, days_and_hours: [{days, hours: [{valid_from, valid_to, rate:
[{value, to_kwh}]}]}]}]`, local times as HH:MM:SS; 00:00:00 as an end is the end of the day.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from integrations.provider.customers import Rate

# Every time of a schedule and every change of a clock falls on one.
QUARTER = timedelta(minutes=15)
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
ALL, WEEKDAY, WEEKEND = "All", "Weekday", "Weekend"
Schedule = Sequence[Mapping[str, Any]]


def price_at(schedule: Schedule, local: datetime) -> Decimal | None:
    """The price of that local time (the first rule that fits), or None where no rule does."""
    month, day = MONTHS[local.month - 1], local.isoweekday()
    kinds = {ALL, WEEKDAY if day <= 5 else WEEKEND, str(day)}
    clock = local.strftime("%H:%M:%S")
    for season in schedule:
        if not {ALL, month} & set(season["months"]):
            continue
        for part in season["days_and_hours"]:
            if not kinds & set(part["days"]):
                continue
            for hours in part["hours"]:
                end = hours["valid_to"]
                if hours["valid_from"] <= clock and (clock < end or end == "00:00:00"):
                    return Decimal(hours["rate"][0]["value"])
    return None


def quarters(start: datetime, end: datetime) -> Iterable[datetime]:
    """The beginnings of all quarters of an hour that touch `[start, end)`."""
    at = start.astimezone(UTC).replace(second=0, microsecond=0)
    at -= timedelta(minutes=at.minute % 15)
    while at < end:
        yield at
        at += QUARTER


def rates_over(
    start: datetime, end: datetime, price: Callable[[datetime], Decimal | None]
) -> list[Rate]:
    """What `price` says of each quarter (aware UTC), clipped to the window, equal ones merged."""
    out: list[Rate] = []
    for at in quarters(start, end):
        value = price(at)
        if value is None:
            continue
        begin, until = max(at, start), min(at + QUARTER, end)
        if out and out[-1].end == begin and out[-1].value == value:
            out[-1] = Rate(out[-1].start, until, value)
        else:
            out.append(Rate(begin, until, value))
    return out


def first_gap(schedule: Schedule) -> str | None:
    """A month, day and time that no rule covers, for whoever wrote the schedule."""
    for month in range(1, 13):
        for day in range(7):
            # The 5th to the 11th of a month hold every day of the week.
            date = datetime(2024, month, 5, tzinfo=UTC)
            date += timedelta(days=(day - date.weekday()) % 7)
            for quarter in range(96):
                local = date + quarter * QUARTER
                if price_at(schedule, local) is None:
                    return f"{MONTHS[month - 1]}, {DAYS[day]}, {local:%H:%M}"
    return None


Part = tuple[Sequence[str], Sequence[str], tuple[str, str]]


def slots(months: Sequence[str], days: Sequence[str], span: tuple[str, str]) -> set[int]:
    """The quarters of an hour of a year's twelve weeks of which such a row says the price."""
    named = {MONTHS.index(name) for name in months if name != ALL}
    in_months = range(12) if ALL in months else sorted(named)
    in_days = [
        day for day in range(7) if {ALL, WEEKDAY if day < 5 else WEEKEND, str(day + 1)} & set(days)
    ]
    start, end = (int(text[:2]) * 4 + int(text[3:5]) // 15 for text in span)
    return {
        (month * 7 + day) * 96 + quarter
        for month in in_months
        for day in in_days
        for quarter in range(start, end or 96)
    }


def is_always(months: Sequence[str], days: Sequence[str], span: tuple[str, str]) -> bool:
    return len(slots(months, days, span)) == 12 * 7 * 96


def first_overlap(parts: Sequence[Part]) -> tuple[Part, Part, str] | None:
    """Two of them that say the price of the same month, day and time, and when that is."""
    owner: dict[int, Part] = {}
    for part in parts:
        found = slots(*part)
        if both := found & owner.keys():
            slot = min(both)
            rest, quarter = divmod(slot, 96)
            month, day = divmod(rest, 7)
            when = f"{MONTHS[month]}, {DAYS[day]}, {quarter // 4:02}:{quarter % 4 * 15:02}"
            return owner[slot], part, when
        owner.update(dict.fromkeys(found, part))
    return None


def local_midnight(text: str, zone: str) -> datetime:
    """A date such as 2026-04-01 as the instant at which it begins there."""
    return datetime.fromisoformat(f"{text}T00:00:00").replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
