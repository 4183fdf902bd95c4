"""Prices for the hours nobody has published yet. Pure.

An estimate is the mean of the same local time on the last seven known days; of the same kind of
day (working day or weekend) once two weeks are known. With less than three known days it is
today's price at that local time, or the latest known day's; with none, the mean of all known
prices. Nothing known, nothing estimated. Confidence is always below 1.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from agent.energy.instants import from_unix, to_unix_ceil, to_unix_floor
from agent.energy.rates import Rate, merged
from agent.tariff.normalise import gaps

# Every zone's offset from UTC is a multiple of this, and so is every market's slot.
STEP_S = 900
DAYS = 7
APART_FROM_DAYS = 14
MIN_DAYS = 3
# History older than this says little about tomorrow.
HISTORY = timedelta(days=35)
CONFIDENCE_SEEN_OFTEN = 0.5
CONFIDENCE_SEEN_ONCE = 0.3
CONFIDENCE_MEAN_ONLY = 0.1
FIVE_DECIMALS = Decimal("0.00001")
# Prices are summed in whole units of this many decimals.
PRICE_DIGITS = 9


@dataclass(frozen=True, slots=True)
class OftenSeen:
    """A quarter hour of the local day that is known on enough days: its mean by kind of day."""

    working_day: Decimal
    weekend: Decimal


@dataclass(frozen=True, slots=True)
class PriceProfile:
    """What is known of each quarter hour of the local day; no more of it than estimates need.

    `quarters` has the prices themselves, by local day, where they are too few for a mean. A quarter
    hour that a day has twice (clocks went back) counts with its mean.
    """

    zone: ZoneInfo
    quarters: Mapping[int, OftenSeen | Mapping[date, Decimal]]
    mean: Decimal | None


def build_profile(known: Sequence[Rate], zone: ZoneInfo, now: datetime) -> PriceProfile:
    """The profile of the recent past and of what is published ahead.

    Predictions count only where nothing was ever confirmed.
    """
    first, last = now - HISTORY, now + HISTORY
    recent = [rate for rate in known if rate.start < last and rate.end > first]
    confirmed = [rate for rate in recent if rate.confidence >= 1]
    # Whole numbers for each quarter hour of each day: half a megabyte less than with decimals.
    sums: dict[int, dict[int, tuple[int, int]]] = {}
    for rate in confirmed or recent:
        price = int(rate.price.scaleb(PRICE_DIGITS).to_integral_value())
        for start, end in _steps(max(rate.start, first), min(rate.end, last)):
            local = from_unix(start).astimezone(zone)
            days = sums.setdefault(_quarter(local), {})
            total, seconds = days.get(local.toordinal(), (0, 0))
            days[local.toordinal()] = total + price * (end - start), seconds + end - start
    entries = [entry for days in sums.values() for entry in days.values()]
    total, seconds = sum(entry[0] for entry in entries), sum(entry[1] for entry in entries)
    apart = len({day for days in sums.values() for day in days}) >= APART_FROM_DAYS
    return PriceProfile(
        zone,
        {quarter: _seen(days, apart) for quarter, days in sums.items()},
        _price(total, seconds) if seconds else None,
    )


def _seen(sums: Mapping[int, tuple[int, int]], apart: bool) -> OftenSeen | Mapping[date, Decimal]:
    if len(sums) < MIN_DAYS:
        return {date.fromordinal(day): _price(*entry) for day, entry in sums.items()}
    newest = sorted(sums, reverse=True)
    weekend = [day for day in newest if date.fromordinal(day).weekday() >= 5]
    working = [day for day in newest if date.fromordinal(day).weekday() < 5]
    return OftenSeen(
        *(
            _mean([sums[day] for day in (alike if apart and len(alike) >= MIN_DAYS else newest)])
            for alike in (working, weekend)
        )
    )


def _mean(newest: Sequence[tuple[int, int]]) -> Decimal:
    prices = [_price(*entry) for entry in newest[:DAYS]]
    return sum(prices, Decimal(0)) / len(prices)


def _price(total: int, seconds: int) -> Decimal:
    return Decimal(total).scaleb(-PRICE_DIGITS) / seconds


def estimates(
    profile: PriceProfile, known: Iterable[Rate], start: datetime, end: datetime
) -> list[Rate]:
    """A rate for every hole in `[start, end)`; none where the profile knows nothing."""
    if profile.mean is None:
        return []
    today = start.astimezone(profile.zone).date()
    out = []
    for began, ended in gaps(known, start, end):
        for step_start, step_end in _steps(began, ended):
            local = from_unix(step_start).astimezone(profile.zone)
            price, confidence = _estimate(profile, local, today)
            rate = Rate(
                max(began, from_unix(step_start)),
                min(ended, from_unix(step_end)),
                price.quantize(FIVE_DECIMALS),
                confidence,
            )
            out.append(rate)
    return list(merged(out))


def _estimate(profile: PriceProfile, local: datetime, today: date) -> tuple[Decimal, float]:
    seen = profile.quarters.get(_quarter(local))
    if isinstance(seen, OftenSeen):
        price = seen.weekend if local.weekday() >= 5 else seen.working_day
        return price, CONFIDENCE_SEEN_OFTEN
    if seen:
        return seen[today if today in seen else max(seen)], CONFIDENCE_SEEN_ONCE
    assert profile.mean is not None
    return profile.mean, CONFIDENCE_MEAN_ONLY


def _quarter(local: datetime) -> int:
    return (local.hour * 60 + local.minute) // 15


def _steps(start: datetime, end: datetime) -> Iterable[tuple[int, int]]:
    """`[start, end)` cut at every quarter of an hour, in Unix seconds."""
    at, until = to_unix_floor(start.astimezone(UTC)), to_unix_ceil(end.astimezone(UTC))
    while at < until:
        following = min(until, at - at % STEP_S + STEP_S)
        yield at, following
        at = following
