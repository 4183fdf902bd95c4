"""Rates as received -> rates as kept. Pure.

Kept rates are in time order, on whole seconds, never overlapping, and have a confidence above 0; a
gap stays a gap. Where rates overlap, the rule is:

* in one answer the more confident holds; of equally confident ones the one that starts later, then
  the shorter, then the dearer (a plan should not rest on a price that may be too good);
* against what is known, the newer answer holds, except that a prediction never replaces a price
  that was confirmed;
* what an answer leaves open of the future it was asked for is no longer confirmed: known prices
  there become estimates, and unknown with the second such answer. One that has no price at all
  says nothing of the tariff: it makes no price unknown.
"""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from agent.energy.instants import from_unix, to_unix_floor
from agent.energy.rates import Rate, merged

# No currency's kWh costs this much; what does is an error in the answer.
MAX_PRICE = Decimal(1_000_000)
MAX_DECIMALS = 30

# The confidence of a price that the newest answer did not repeat: a mark that is kept on disk.
# Where a source says it of its own, its price goes with one answer instead of two.
WITHDRAWN = 0.05

Rank = tuple[float, ...]
Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Normalised:
    """What could be used of an answer, and how many of its rates could not."""

    rates: tuple[Rate, ...]
    dropped: int


def normalise(rates: Sequence[Rate], start: datetime, end: datetime) -> Normalised:
    """Sort, clip to the window that was asked for, drop the impossible, undo overlaps, merge.

    A rate of confidence 0 says "unknown": it is left out like a gap and not counted as dropped.
    """
    usable = [whole for rate in rates if (whole := _whole_seconds(rate)) is not None]
    dropped = len(rates) - len(usable)
    ranked = [
        (_rank(rate), clipped)
        for rate in usable
        if rate.confidence > 0 and (clipped := clip(rate, start, end)) is not None
    ]
    return Normalised(tuple(merged(_resolve(ranked))), dropped)


def overlay(known: Sequence[Rate], fetched: Sequence[Rate]) -> list[Rate]:
    """What is known after an answer: fetched over known, holes in it leave the known."""
    ranked: list[tuple[Rank, Rate]] = [((rate.confidence >= 1, 0.0), rate) for rate in known]
    ranked += [((rate.confidence >= 1, 1.0), rate) for rate in fetched]
    return list(merged(_resolve(ranked)))


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """The spans that an answer left open, in order; `final` where it had prices elsewhere."""

    spans: tuple[Span, ...] = ()
    final: bool = True


def withdraw(known: Sequence[Rate], withdrawal: Withdrawal) -> list[Rate]:
    """What is left of known rates that an answer did not repeat.

    They are estimates from then on; a final withdrawal takes what was withdrawn before.
    """
    if not withdrawal.spans:
        return list(known)
    out = list(known)
    for start, end in withdrawal.spans:
        kept = []
        for rate in out:
            inside = clip(rate, start, end)
            if inside is None:
                kept.append(rate)
                continue
            outside = (clip(rate, rate.start, start), clip(rate, end, rate.end))
            kept += [part for part in outside if part is not None]
            if inside.confidence != WITHDRAWN or not withdrawal.final:
                kept.append(replace(inside, confidence=WITHDRAWN))
        out = kept
    return list(merged(sorted(out, key=lambda rate: rate.start)))


def clip(rate: Rate, start: datetime, end: datetime) -> Rate | None:
    """The part of a rate within `[start, end)`; None where there is none."""
    if start <= rate.start and rate.end <= end:
        return rate
    begins, ends = max(rate.start, start), min(rate.end, end)
    return replace(rate, start=begins, end=ends) if begins < ends else None


def gaps(rates: Iterable[Rate], start: datetime, end: datetime) -> list[Span]:
    """The parts of `[start, end)` without a rate; the rates are in order."""
    out = []
    for rate in rates:
        if rate.end <= start:
            continue
        if rate.start >= end:
            break
        if rate.start > start:
            out.append((start, rate.start))
        start = rate.end
    if start < end:
        out.append((start, end))
    return out


def first_difference(old: Sequence[Rate], new: Sequence[Rate]) -> datetime | None:
    """The first instant at which two series of rates say something else; None where they never do.

    Both are in order. That the new one begins later, since what is old is let go, is no difference.
    """
    begin = new[0].start if new else None
    kept = [rate for rate in old if begin is None or rate.end > begin]
    for a, b in zip(kept, new, strict=False):
        if (a.price, a.confidence) != (b.price, b.confidence):
            return min(max(a.start, begin or a.start), b.start)
        if a.start != b.start and max(a.start, begin or a.start) != b.start:
            return min(a.start, b.start)
        if a.end != b.end:
            return min(a.end, b.end)
    if len(kept) == len(new):
        return None
    longer = kept if len(kept) > len(new) else new
    return longer[min(len(kept), len(new))].start


def is_price(value: Decimal) -> bool:
    """Whether a number can be what a kWh costs; of a length that sums do not choke on."""
    exponent = value.as_tuple().exponent
    return isinstance(exponent, int) and abs(value) <= MAX_PRICE and exponent >= -MAX_DECIMALS


def _whole_seconds(rate: Rate) -> Rate | None:
    if not is_price(rate.price):
        return None
    # Both ends are cut alike, so neighbours stay neighbours.
    start, end = to_unix_floor(rate.start), to_unix_floor(rate.end)
    if start >= end:
        return None
    return replace(rate, start=from_unix(start), end=from_unix(end))


def _rank(rate: Rate) -> Rank:
    length_s = (rate.end - rate.start).total_seconds()
    # Carbon last, so that the order of an answer never matters.
    return (
        rate.confidence,
        rate.start.timestamp(),
        -length_s,
        float(rate.price),
        -1.0 if rate.carbon_g_per_kwh is None else rate.carbon_g_per_kwh,
    )


def _resolve(ranked: Iterable[tuple[Rank, Rate]]) -> list[Rate]:
    """Pieces that do not overlap: at each instant the rate of the highest rank."""
    waiting = sorted(ranked, key=lambda entry: entry[1].start)
    out: list[Rate] = []
    holding: list[tuple[Rank, int]] = []
    number = 0
    at: datetime | None = None
    while number < len(waiting) or holding:
        if not holding:
            at = waiting[number][1].start
        while number < len(waiting) and waiting[number][1].start == at:
            rank = waiting[number][0]
            heapq.heappush(holding, (tuple(-part for part in rank), number))
            number += 1
        rate = waiting[holding[0][1]][1]
        assert at is not None
        if rate.end <= at:
            heapq.heappop(holding)
            continue
        until = rate.end
        if number < len(waiting):
            until = min(until, waiting[number][1].start)
        out.append(replace(rate, start=at, end=until))
        at = until
    return out
