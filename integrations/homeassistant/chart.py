"""Prices with the plan drawn below them on the same hours, as a picture (SVG). Pure.

Home Assistant's own cards draw what was, never what is to come; a picture they show as it is.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from html import escape
from zoneinfo import ZoneInfo

from agent.energy.instants import from_unix, to_unix_floor
from agent.energy.rates import Rate
from agent.energy.view import DeviceView
from integrations.homeassistant.appliance import words
from integrations.homeassistant.plan import coming_slots, runs

HOUR_S = 3600
SHOWN = timedelta(hours=36)
WIDTH, LEFT, RIGHT, TOP = 960, 118, 12, 26
PRICES, LANE, GAP = 190, 24, 6
# Hours between two clock times below the chart.
EVERY_HOURS = 3
COLOURS = ("#1e88e5", "#43a047", "#f4511e", "#8e24aa", "#00897b", "#c0a000", "#d81b60", "#6d4c41")
STYLE = (
    "text{font:13px sans-serif;fill:#808080}.g{stroke:#80808040}.z{stroke:#808080}"
    ".p{fill:#90a4ae}.e{fill:#90a4ae70}"
)


def price_chart(
    prices: Sequence[Rate], views: Sequence[DeviceView], now: datetime, zone: ZoneInfo, unit: str
) -> str:
    """From this hour on, as far as prices are known or estimated, 36 hours at most.

    What is only estimated is drawn paler. Empty where there are no prices.
    """
    first = to_unix_floor(now) // HOUR_S * HOUR_S
    last = first + int(SHOWN.total_seconds())
    shown = [
        rate
        for rate in prices
        if rate.confidence > 0 and rate.end.timestamp() > first and rate.start.timestamp() < last
    ]
    if not shown:
        return ""
    last = min(last, to_unix_floor(shown[-1].end))
    lanes = [(view, runs(coming_slots(view, now))) for view in views]
    lanes = [(view, spans) for view, spans in lanes if spans]
    frame = _Frame(first, last, shown)
    bottom = TOP + PRICES + GAP + len(lanes) * LANE
    body = [*_hours(frame, zone, bottom), *_price_bars(frame, shown, unit)]
    for index, (view, spans) in enumerate(lanes):
        top = TOP + PRICES + GAP + index * LANE
        colour = COLOURS[index % len(COLOURS)]
        body.append(_text(LEFT - 8, top + 16, words(view.id), "end"))
        for span in spans:
            start, end = max(span.start, first), min(span.end, last)
            if start < end:
                x, width = frame.x(start), frame.x(end) - frame.x(start)
                body.append(
                    f'<rect x="{x:.1f}" y="{top + 3}" width="{width:.1f}" height="{LANE - 6}"'
                    f' rx="3" fill="{colour}"><title>{escape(span.mode)}</title></rect>'
                )
    height = bottom + 24
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}"'
        f' height="{height}"><style>{STYLE}</style>{"".join(body)}</svg>'
    )


class _Frame:
    """Where an instant and a price lie. Prices below zero hang from the line of zero."""

    def __init__(self, first: int, last: int, shown: Sequence[Rate]) -> None:
        self.first, self.last = first, last
        values = [float(rate.price) for rate in shown]
        self.low, self.high = min(0.0, *values), max(0.0, *values)
        self._span = (self.high - self.low) or 1.0

    def x(self, second: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (second - self.first) / (self.last - self.first)

    def y(self, price: float) -> float:
        return TOP + PRICES * (self.high - price) / self._span


def _price_bars(frame: _Frame, shown: Sequence[Rate], unit: str) -> Iterator[str]:
    zero = frame.y(0)
    for sure, name in ((True, "p"), (False, "e")):
        path = []
        for rate in shown:
            if (rate.confidence >= 1) is sure:
                start = max(frame.first, to_unix_floor(rate.start))
                end = min(frame.last, to_unix_floor(rate.end))
                y = frame.y(float(rate.price))
                path.append(
                    f"M{frame.x(start):.1f} {zero:.1f}V{y:.1f}H{frame.x(end) - 0.6:.1f}V{zero:.1f}"
                )
        if path:
            yield f'<path class="{name}" d="{"".join(path)}"/>'
    yield f'<path class="z" d="M{LEFT} {zero:.1f}H{WIDTH - RIGHT}"/>'
    values = [float(rate.price) for rate in shown]
    for value in sorted({max(values), min(values)}):
        yield _text(LEFT - 8, frame.y(value) + 4, f"{value:.3f}", "end")
    yield _text(LEFT, 16, unit, "start")


def _hours(frame: _Frame, zone: ZoneInfo, bottom: int) -> Iterator[str]:
    for second in range(frame.first, frame.last, HOUR_S):
        local = from_unix(second).astimezone(zone)
        if local.hour % EVERY_HOURS or local.minute >= 30:
            continue
        x = frame.x(second)
        yield f'<path class="g" d="M{x:.1f} {TOP}V{bottom}"/>'
        yield _text(x, bottom + 17, f"{local:%a}" if local.hour == 0 else f"{local:%H:%M}")


def _text(x: float, y: float, text: str, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
