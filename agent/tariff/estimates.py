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
from agent.tariff.normalise import clip, gaps

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


@dataclass(frozen=True, slots=True)
class PriceProfile:
    """What is known, by local time: quarter hour of the day -> local day -> price.

    A quarter hour that a day has twice (clocks went back) counts with its mean.
    """

    zone: ZoneInfo
    prices: Mapping[int, Mapping[date, Decimal]]
    days: int
    mean: Decimal | None


def build_profile(known: Sequence[Rate], zone: ZoneInfo, now: datetime) -> PriceProfile:
    """The profile of the recent past and of what is published ahead.

    Predictions count only where nothing was ever confirmed.
    """
    recent = [
        clipped
        for rate in known
        if (clipped := clip(rate, now - HISTORY, now + HISTORY)) is not None
    ]
    confirmed = [rate for rate in recent if rate.confidence >= 1]
    sums: dict[tuple[int, date], tuple[Decimal, int]] = {}
    for rate in confirmed or recent:
        for start, end in _steps(rate.start, rate.end):
            local = from_unix(start).astimezone(zone)
            key = _quarter(local), local.date()
            total, seconds = sums.get(key, (Decimal(0), 0))
            sums[key] = total + rate.price * (end - start), seconds + end - start
    prices: dict[int, dict[date, Decimal]] = {}
    for (quarter, day), (total, seconds) in sums.items():
        prices.setdefault(quarter, {})[day] = total / seconds
    total = sum((total for total, _ in sums.values()), Decimal(0))
    seconds = sum(seconds for _, seconds in sums.values())
    return PriceProfile(
        zone,
        prices,
        len({day for _, day in sums}),
        total / seconds if seconds else None,
    )


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
    by_day = profile.prices.get(_quarter(local), {})
    weekend = local.weekday() >= 5
    days = sorted(by_day, reverse=True)
    if profile.days >= APART_FROM_DAYS:
        alike = [day for day in days if (day.weekday() >= 5) == weekend]
        days = alike if len(alike) >= MIN_DAYS else days
    if len(days) >= MIN_DAYS:
        last = [by_day[day] for day in days[:DAYS]]
        return sum(last, Decimal(0)) / len(last), CONFIDENCE_SEEN_OFTEN
    if days:
        return by_day[today if today in by_day else days[0]], CONFIDENCE_SEEN_ONCE
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
