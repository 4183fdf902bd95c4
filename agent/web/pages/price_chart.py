"""Prices of the next day as bars, and the same as rows for who does not see them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from agent.energy.rates import Rate, merged
from agent.web.words import Words

SPAN = timedelta(hours=24)
WIDTH, HEIGHT, GAP = 960.0, 160.0, 1.0
# A bar of a price near zero is still to be seen.
LEAST_HEIGHT = 2.0
LABEL_EVERY_H = 6
# Percent of the width that half a label takes on a narrow phone.
LABEL_HALF = 7


@dataclass(frozen=True, slots=True)
class Bar:
    """In units of the drawing, `WIDTH` by `HEIGHT`, from above; `level` is low, middle or high."""

    x: float
    y: float
    width: float
    height: float
    level: str
    estimated: bool
    title: str


@dataclass(frozen=True, slots=True)
class PriceChart:
    bars: Sequence[Bar]
    labels: Sequence[tuple[float, str]]
    rows: Sequence[tuple[str, str, bool]]
    summary: str
    estimated: bool


def price_chart(
    rates: Sequence[Rate], now: datetime, words: Words, currency: str
) -> PriceChart | None:
    """None where no price is known."""
    until = now + SPAN
    shown = [rate for rate in merged(rates) if rate.end > now and rate.start < until]
    if not shown:
        return None
    prices = [float(rate.price) for rate in shown]
    least, most = min(prices), max(prices)
    low, high = min(0.0, least), max(0.0, most)
    scale = HEIGHT / ((high - low) or 1.0)
    zero = high * scale
    bars, rows = [], []
    for rate in shown:
        price = float(rate.price)
        start, end = max(rate.start, now), min(rate.end, until)
        x = (start - now) / SPAN * WIDTH
        width = max(GAP, (end - start) / SPAN * WIDTH - GAP)
        height = max(LEAST_HEIGHT, abs(price) * scale)
        span = f"{words.moment(start, now)}–{words.clock(end)}"  # noqa: RUF001 - a span of time
        text = words.price(rate.price, currency)
        estimated = rate.confidence < 1
        y = zero - height if price >= 0 else zero
        bars.append(
            Bar(
                round(x, 1),
                round(min(y, HEIGHT - LEAST_HEIGHT), 1),
                round(width, 1),
                round(height, 1),
                _level(price, least, most),
                estimated,
                f"{span}: {words.rate(rate, currency)}",
            )
        )
        rows.append((span, text, estimated))
    cheapest = min(shown, key=lambda rate: rate.price)
    dearest = max(shown, key=lambda rate: rate.price)
    if least == most:
        summary = words("home.chart_flat", price=words.rate(cheapest, currency))
    else:
        summary = words(
            "home.chart_summary",
            low=words.rate(cheapest, currency),
            low_at=words.moment(max(cheapest.start, now), now),
            high=words.rate(dearest, currency),
            high_at=words.moment(max(dearest.start, now), now),
        )
    estimated = any(bar.estimated for bar in bars)
    return PriceChart(bars, _labels(now, words), rows, summary, estimated)


def _level(price: float, least: float, most: float) -> str:
    if most == least:
        return "middle"
    part = (price - least) / (most - least)
    return "low" if part < 1 / 3 else "middle" if part < 2 / 3 else "high"


def _labels(now: datetime, words: Words) -> Sequence[tuple[float, str]]:
    """Round hours of the local day, in percent of the width."""
    local = now.astimezone(words.zone).replace(minute=0, second=0, microsecond=0)
    out = []
    for hours in range(1, 25):
        when = (local + timedelta(hours=hours)).astimezone(words.zone)
        place = (when - now) / SPAN * 100
        if when.hour % LABEL_EVERY_H == 0 and LABEL_HALF <= place <= 100 - LABEL_HALF:
            out.append((round(place, 1), f"{when:%H:%M}"))
    return out
