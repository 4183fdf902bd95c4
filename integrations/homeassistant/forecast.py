"""Prices as the lists that cards and add-ons of Home Assistant read. Pure.

`raw_today` and `raw_tomorrow` with `start`, `end`, `value` are the layout of the Nord Pool
component, which EV Smart Charging, cheapest_energy_hours, Predbat and chart cards read too. They
begin at local midnight, also on days of 23 or 25 hours, and hold confirmed prices only: nobody who
reads them asks for a confidence. Estimates stand in the outlook, beside theirs.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from agent.contracts.text import wire_json
from agent.energy.localtime import local_instant
from agent.energy.rates import Rate

# Home Assistant's recorder drops all attributes of an entity above 16,384 bytes; it adds some.
MOST_BYTES = 15_000
STEPS_S = (3600, 1800, 900)
FIVE_DIGITS = Decimal("0.00001")
Entries = list[dict[str, object]]


def day_bounds(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Local midnight and the next one, in UTC."""
    return (
        local_instant(day, time(0), zone),
        local_instant(day + timedelta(days=1), time(0), zone),
    )


def price_lists(
    rates: Sequence[Rate], now: datetime, zone: ZoneInfo, currency: str, updated: datetime | None
) -> str:
    """Today's and tomorrow's confirmed prices as attributes, below the limit of the recorder."""
    known = [rate for rate in rates if rate.confidence >= 1]
    today = now.astimezone(zone).date()
    tomorrow = today + timedelta(days=1)
    first, last = day_bounds(today, zone)[0], day_bounds(tomorrow, zone)[1]
    step = _step(known, first, last)

    def build(step_s: int, *, with_end: bool) -> str:
        lists = [
            [
                _entry(start, end, value, zone, with_end=with_end)
                for start, end, value in _cells(known, *day_bounds(day, zone), step_s, _price)
            ]
            for day in (today, tomorrow)
        ]
        whole = _covers(known, *day_bounds(tomorrow, zone))
        document = {
            "raw_today": lists[0],
            "raw_tomorrow": lists[1],
            "tomorrow_valid": whole,
            "currency": currency,
            "unit": f"{currency}/kWh",
            "updated": updated,
        }
        return wire_json(document)

    return _fitting(
        lambda: build(step, with_end=True),
        lambda: build(step, with_end=False),
        lambda: build(STEPS_S[0], with_end=True),
    )


def outlook(rates: Sequence[Rate], now: datetime, zone: ZoneInfo) -> str:
    """All that is known or estimated of today and tomorrow, with confidence and carbon."""
    today = now.astimezone(zone).date()
    first, last = day_bounds(today, zone)[0], day_bounds(today + timedelta(days=1), zone)[1]

    def build(step_s: int) -> str:
        prices = _cells(rates, first, last, step_s, _price)
        sure = dict(_starts(rates, first, last, step_s, lambda rate: rate.confidence))
        carbon = dict(_starts(rates, first, last, step_s, lambda rate: rate.carbon_g_per_kwh))
        entries: Entries = []
        for start, _, value in prices:
            entry: dict[str, object] = {
                "start": _local(start, zone),
                "value": value,
                "confidence": _rounded(sure.get(start), 2),
            }
            if carbon.get(start) is not None:
                entry["carbon"] = _rounded(carbon[start], 0)
            entries.append(entry)
        return wire_json({"forecast": entries})

    step = _step(rates, first, last)
    return _fitting(lambda: build(step), lambda: build(STEPS_S[0]))


def _fitting(*attempts: Callable[[], str]) -> str:
    """The first that is not too large, the last where all are."""
    text = ""
    for attempt in attempts:
        text = attempt()
        if len(text.encode()) <= MOST_BYTES:
            break
    return text


def _price(rate: Rate) -> float:
    return float(rate.price)


def _step(rates: Sequence[Rate], first: datetime, last: datetime) -> int:
    """The longest step at whose edges prices change, in seconds; a quarter of an hour at least."""
    # Counted from local midnight: a zone may lie half an hour off.
    edges = {
        (edge - first).total_seconds()
        for rate in rates
        for edge in (rate.start, rate.end)
        if first < edge < last
    }
    return next((s for s in STEPS_S if all(edge % s == 0 for edge in edges)), STEPS_S[-1])


def _cells(
    rates: Sequence[Rate],
    first: datetime,
    last: datetime,
    step_s: int,
    value: Callable[[Rate], float | None],
) -> list[tuple[datetime, datetime, Decimal]]:
    """Steps of `[first, last)` with the mean of what is known of them; others are left out.

    Rates are in order and do not overlap.
    """
    sums: dict[datetime, tuple[float, float]] = {}
    step = timedelta(seconds=step_s)
    for rate in rates:
        known, at, end = value(rate), max(first, rate.start), min(last, rate.end)
        while known is not None and at < end:
            start = first + step * ((at - first) // step)
            length = (min(end, start + step) - at).total_seconds()
            total, weight = sums.get(start, (0.0, 0.0))
            sums[start] = total + known * length, weight + length
            at = start + step
    return [
        (start, min(last, start + step), Decimal(repr(total / weight)).quantize(FIVE_DIGITS))
        for start, (total, weight) in sorted(sums.items())
    ]


def _starts(
    rates: Sequence[Rate],
    first: datetime,
    last: datetime,
    step_s: int,
    value: Callable[[Rate], float | None],
) -> list[tuple[datetime, Decimal]]:
    return [(start, mean) for start, _, mean in _cells(rates, first, last, step_s, value)]


def _covers(rates: Sequence[Rate], first: datetime, last: datetime) -> bool:
    at = first
    for rate in sorted(rates, key=lambda rate: rate.start):
        if rate.start <= at < rate.end:
            at = rate.end
    return at >= last


def _entry(
    start: datetime, end: datetime, value: Decimal, zone: ZoneInfo, *, with_end: bool
) -> dict[str, object]:
    entry: dict[str, object] = {"start": _local(start, zone)}
    if with_end:
        entry["end"] = _local(end, zone)
    return {**entry, "value": value}


def _local(when: datetime, zone: ZoneInfo) -> str:
    return when.astimezone(UTC).astimezone(zone).isoformat()


def _rounded(value: Decimal | None, places: int) -> Decimal | None:
    return None if value is None else round(value, places)
