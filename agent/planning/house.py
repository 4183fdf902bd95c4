"""The whole house over time: what it draws, what that costs, and what room a limit leaves.

Floats: this is the arithmetic of the rule engine, which proves nothing.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from agent.energy.situation import PowerSpan, Situation
from agent.planning.timeline import Timeline

KWH = 3_600_000.0
QUARTER_S = 900
# What cannot be served this long after horizon and deadlines is never served.
LATEST_S = 72 * 3600

# (start, end, W), in seconds from now
Draw = tuple[int, int, float]


@dataclass(frozen=True, slots=True)
class Span:
    """One cell of the house: `base_w` is base load less PV."""

    start: int
    end: int
    base_w: float
    pv_w: float
    price: float
    choice: float
    export_price: float
    unknown: bool
    limit_w: float


@dataclass(frozen=True, slots=True)
class Balance:
    start: int
    end: int
    import_w: float
    export_w: float
    curtailed_w: float


class House:
    """Cells of a quarter hour at most from now to `end`."""

    def __init__(self, situation: Situation, timeline: Timeline, end: int) -> None:
        self.situation = situation
        self.timeline = timeline
        self.end = end
        now = situation.now
        site = situation.site
        self.limited = site.import_limit_w is not None or bool(site.import_limits)
        self.export_limit_w = None if site.export_limit_w is None else float(site.export_limit_w)
        edges = {0, end, *timeline.edges(0, end)}
        edges |= set(range(-now % QUARTER_S, end, QUARTER_S))
        for spans in (site.base_load, site.pv, site.import_limits, situation.export_rates):
            edges |= {t - now for span in spans for t in (span.start, span.end)}
        self.edges = sorted(t for t in edges if 0 <= t <= end)
        self.spans = [self.span(a, b) for a, b in zip(self.edges, self.edges[1:], strict=False)]

    def span(self, start: int, end: int) -> Span:
        """The cell `[start, end)`, within which nothing of the Situation changes."""
        when = self.situation.now + start
        cell = self.timeline.at(start)
        scale = self.timeline.scale
        pv = _power_at(self.situation.site.pv, when)
        export = next((r for r in self.situation.export_rates if r.start <= when < r.end), None)
        return Span(
            start,
            end,
            _power_at(self.situation.site.base_load, when) - pv,
            pv,
            cell.price / scale,
            cell.choice / scale,
            float(export.price) if export is not None and export.confidence > 0 else 0.0,
            cell.unknown,
            self._limit_at(when),
        )

    def room_w(self, span: Span, drawn_w: float) -> float:
        """What devices may still draw beside `drawn_w` of others."""
        if not self.limited:
            return float("inf")
        # Where the house alone breaks the limit, devices may not add to it.
        return max(0.0, max(span.limit_w, span.base_w) - span.base_w - drawn_w)

    def _limit_at(self, when: int) -> float:
        """The lower of the limit that always holds and the one that holds then."""
        site = self.situation.site
        limit = float("inf") if site.import_limit_w is None else float(site.import_limit_w)
        for piece in site.import_limits:
            if piece.start <= when < piece.end:
                limit = min(limit, float(piece.power_w))
        return limit

    def balances(self, draws: Iterable[Draw], until: int, *, idle: bool = False) -> list[Balance]:
        """Import and export by cell up to `until`; an idle house curtails only what it must."""
        loads = list(draws)
        edges = sorted({*self.edges, until, *(t for a, b, _ in loads for t in (a, b))})
        powers = total_draw(loads, edges)
        out: list[Balance] = []
        for start, end, power in zip(edges, edges[1:], powers, strict=False):
            if start >= until:
                break
            span = self.span(start, end)
            net = span.base_w + power
            curtailed = 0.0
            if net < 0 and self.export_limit_w is not None and -net > self.export_limit_w:
                curtailed = min(span.pv_w, -net - self.export_limit_w)
            if (
                self.situation.site.pv_curtailable
                and not idle
                and span.export_price < 0
                and net < 0
            ):
                curtailed = min(span.pv_w, -net)
            net += curtailed
            out.append(Balance(start, end, max(0.0, net), max(0.0, -net), curtailed))
        return out

    def energy_cost(self, balances: Sequence[Balance], *, choosing: bool = False) -> float:
        """Import less export, with the capacity charge."""
        cost = 0.0
        for one in balances:
            span = self.span(one.start, one.end)
            price = span.choice if choosing else span.price
            hours = (one.end - one.start) / KWH
            cost += hours * (one.import_w * price - one.export_w * span.export_price)
        return cost + self._capacity_cost(balances)

    def _capacity_cost(self, balances: Sequence[Balance]) -> float:
        charge = self.situation.site.capacity_charge
        if charge is None:
            return 0.0
        now, window_s = self.situation.now, charge.window_s
        zone = ZoneInfo(self.situation.timezone)
        offset = datetime.fromtimestamp(now, UTC).astimezone(zone).utcoffset()
        shift = int(offset.total_seconds()) if offset is not None else 0
        energy: dict[int, float] = {}
        for one in balances:
            at = one.start
            while at < one.end:
                window = (now + at + shift) // window_s
                until = min(one.end, (window + 1) * window_s - shift - now)
                energy[window] = energy.get(window, 0.0) + one.import_w * (until - at)
                at = until
        first = (now + shift) // window_s
        begun = now + shift - first * window_s
        if charge.window_energy_kwh is not None:
            energy[first] = energy.get(first, 0.0) + float(charge.window_energy_kwh) * KWH
        elif begun and self.spans:
            energy[first] = energy.get(first, 0.0) + max(0.0, self.spans[0].base_w) * begun
        floors = [float(charge.peak_so_far_w), float(charge.next_floor_w)]
        peaks = list(floors)
        for window, joules in energy.items():
            later = charge.period_end is not None
            later = later and window * window_s - shift >= (charge.period_end or 0)
            peaks[later] = max(peaks[later], joules / window_s)
        rise = sum(peak - floor for peak, floor in zip(peaks, floors, strict=True))
        return float(charge.per_kw) * rise / 1000


def _power_at(spans: Sequence[PowerSpan], when: int) -> float:
    index = bisect_right(spans, when, key=lambda span: span.start) - 1
    if index >= 0 and spans[index].end > when:
        return float(spans[index].power_w)
    return 0.0


def total_draw(draws: Iterable[Draw], edges: Sequence[int]) -> list[float]:
    """Sum of the draws in each span between neighbouring edges, which hold all their ends."""
    steps: dict[int, float] = {}
    for start, end, power in draws:
        steps[start] = steps.get(start, 0.0) + power
        steps[end] = steps.get(end, 0.0) - power
    out, power = [], 0.0
    for edge in edges[:-1]:
        power += steps.get(edge, 0.0)
        out.append(power if abs(power) > 1e-9 else 0.0)
    return out
