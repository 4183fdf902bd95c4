"""Time cut once for everybody: the cells of the site, the windows of a capacity charge.

In the coupled model a cell ends at every instant that the Situation names, where minimum times of
runs under way end, at the phases of a running program and, until a week after the horizon, at every
clock quarter hour (UTC) and the multiples of a `grid_s` of 300 or more, but not more of these than
there is time for (`device_grids.py`). Alone, where devices switch at any second, a cell is a span
in which no price, no base load and no running program changes.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

from agent.energy.situation import Flexible, PowerSpan, Program, Situation, Storage, Thermal
from agent.planning.device_grids import switching_instants
from agent.planning.timeline import Timeline
from agent.planning.units import Units

QUARTER_S = 900
# So long after the horizon cells are short; further on, where no price tells one instant from
# another, each is twice as long as the last. In the longest one the least unit of power
# is still less than two plans may differ by.
FINE_S = 7 * 24 * 3600
LONGEST_S = QUARTER_S << 13
# What cannot be served this long after horizon and deadlines is never served.
LATEST_S = 72 * 3600


@dataclass(frozen=True, slots=True)
class SiteCell:
    """One cell: powers in units of power, prices in units of price.

    `base` holds what programs under way draw; `import_limit` is the lower of all limits, but never
    below what the house alone takes; `window` is the index of the capacity window.
    """

    start: int
    end: int
    price: int
    choice: int
    export_price: int
    unknown: bool
    estimated: bool
    base: int
    pv: int
    import_limit: int | None
    window: int | None

    @property
    def length(self) -> int:
        return self.end - self.start

    @property
    def headroom(self) -> int | None:
        """What devices may draw together under the import limit; None without one."""
        if self.import_limit is None:
            return None
        return self.import_limit - self.base + self.pv


@dataclass(frozen=True, slots=True)
class CapacityWindow:
    """`imported`: energy of the window before now; `later`: it is of the next period."""

    length: int
    later: bool
    imported: int


class Grid:
    """`cells` from now to `LATEST_S` after `end`; `end` is where planned time ends at the earliest.

    `horizon_cells`: how many of them lie before the horizon; `limited`: whether there is any import
    limit. `merged`: some cells are several of the model's, so what is proved of these is not of it.
    """

    def __init__(
        self, situation: Situation, timeline: Timeline, units: Units, *, coupled: bool, end: int
    ) -> None:
        self.situation, self.timeline, self.units = situation, timeline, units
        self.coupled = coupled
        self.end = end
        self.merged = False
        self.windows: list[CapacityWindow] = []
        self._window_of: dict[int, int] = {}
        edges = self._edges(end + LATEST_S)
        now, site = situation.now, situation.site

        def powers(spans: Iterable[PowerSpan]) -> _Steps:
            return _Steps((s.start - now, s.end - now, units.power(s.power_w)) for s in spans)

        self._base, self._pv = powers(site.base_load), powers(site.pv)
        self._limits = powers(site.import_limits)
        self._base_now = powers(site.base_load).at(0) or 0
        self._exports = _Steps(
            (rate.start - now, rate.end - now, units.price(rate.price))
            for rate in situation.export_rates
            if rate.confidence > 0
        )
        self._running = running_programs(situation, units)
        self.limited = site.import_limit_w is not None or bool(site.import_limits)
        limit = situation.site.import_limit_w
        self._limit = None if limit is None else units.power(limit)
        top = situation.site.export_limit_w
        self.export_limit = None if top is None else units.power(top)
        self.cells = [self._cell(a, b) for a, b in pairwise(edges)]
        self.starts = [cell.start for cell in self.cells]
        self.ends = [cell.end for cell in self.cells]
        self.horizon_cells = bisect_left(self.starts, timeline.horizon)

    def index(self, second: int) -> int:
        """Index of the cell that holds a second."""
        return bisect_right(self.starts, second) - 1

    def boundary(self, second: int) -> int:
        """Index of the first cell that begins at `second` or later."""
        return bisect_left(self.starts, second)

    def _edges(self, last: int) -> list[int]:
        situation, now = self.situation, self.situation.now
        edges = {0, self.end, last, *self.timeline.edges(0, last)}
        for spans in (situation.site.base_load, situation.site.pv, situation.site.import_limits):
            edges |= {t - now for span in spans for t in (span.start, span.end)}
        edges |= {t - now for rate in situation.export_rates for t in (rate.start, rate.end)}
        for device in situation.devices:
            if isinstance(device, Program) and device.started_at is not None:
                at = device.started_at - now
                for part in device.profile:
                    at += part.duration_s
                    edges.add(at)
        if self.coupled:
            edges |= {t - now for t in _named(situation)}
            fine = min(last, self.timeline.horizon + FINE_S)
            edges |= set(range(-now % QUARTER_S, fine, QUARTER_S))
            edges |= self._ends_of_what_runs()
            length = QUARTER_S
            while fine + length < last:
                fine += length
                edges.add(fine)
                length = min(2 * length, LONGEST_S)
            fine = min(last, self.timeline.horizon + FINE_S)
            more, whole = switching_instants(situation, fine, len(edges))
            edges |= more
            self.merged = not whole
        return sorted(t for t in edges if 0 <= t <= last)

    def _ends_of_what_runs(self) -> set[int]:
        """Where minimum times of runs and pauses under way end."""
        now = self.situation.now
        edges: set[int] = set()
        for device in self.situation.devices:
            if isinstance(device, (Flexible, Thermal)):
                if device.on_since is not None:
                    edges.add(device.on_since + device.min_on_s - now)
                if device.off_since is not None:
                    edges.add(device.off_since + device.min_off_s - now)
            if isinstance(device, Flexible) and device.on_since is not None and device.grid_s:
                anchor = (device.demands[0].earliest or 0) - now if device.demands else -now
                until = max(0, device.on_since + device.min_on_s - now)
                edges.add(until + (anchor - until) % device.grid_s)
        return edges

    def _cell(self, start: int, end: int) -> SiteCell:
        rate = self.timeline.at(start)
        base, pv = self._base.at(start) or 0, self._pv.at(start) or 0
        if self._running:
            base += sum(p for a, b, p in self._running if a <= start < b)
        limit, other = self._limit, self._limits.at(start)
        if other is not None:
            limit = other if limit is None else min(limit, other)
        if limit is not None:
            limit = max(limit, base - pv)
        export = self._exports.at(start) or 0
        return SiteCell(
            *(start, end, rate.price, rate.choice, export, rate.unknown, rate.estimated),
            *(base, pv, limit, self._window(start)),
        )

    def _window(self, start: int) -> int | None:
        """The capacity window of a cell; windows are whole quarter hours from local midnight."""
        charge = self.situation.site.capacity_charge
        if charge is None:
            return None
        now = self.situation.now
        zone = ZoneInfo(self.situation.timezone)
        local = datetime.fromtimestamp(now + start, UTC).astimezone(zone)
        midnight = _at_midnight(local)
        begin = midnight + (now + start - midnight) // charge.window_s * charge.window_s
        following = _at_midnight(datetime.fromtimestamp(midnight + 100_800, UTC).astimezone(zone))
        end = min(begin + charge.window_s, following)
        if begin not in self._window_of:
            imported = 0
            if begin < now:
                given = charge.window_energy_kwh
                imported = (
                    self.units.energy(given)
                    if given is not None
                    else self._base_now * (now - begin)
                )
            later = charge.period_end is not None and begin >= charge.period_end
            self._window_of[begin] = len(self.windows)
            self.windows.append(CapacityWindow(end - begin, later, imported))
        return self._window_of[begin]


def _at_midnight(local: datetime) -> int:
    return round(local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0).timestamp())


def running_programs(situation: Situation, units: Units) -> list[tuple[int, int, int]]:
    """(start, end, power) of the programs under way: load, not a choice."""
    out = []
    for device in situation.devices:
        if isinstance(device, Program) and device.started_at is not None:
            at = device.started_at - situation.now
            for part in device.profile:
                out.append((at, at + part.duration_s, units.power(part.power_w)))
                at += part.duration_s
    return [(max(0, a), b, power) for a, b, power in out if b > 0]


def _named(situation: Situation) -> Iterable[int]:
    """Instants of the Situation beside those of rates and site."""
    planner, charge = situation.planner, situation.site.capacity_charge
    if planner.change_until is not None:
        yield planner.change_until
    for plan in planner.previous:
        for slot in plan.slots:
            yield from (slot.start, slot.end)
    if charge is not None and charge.period_end is not None:
        yield charge.period_end
    for rate in situation.import_rates:
        yield from (rate.start, rate.end)
    for device in situation.devices:
        if isinstance(device, Flexible):
            for demand in device.demands:
                yield from (t for t in (demand.earliest, demand.deadline) if t is not None)
        elif isinstance(device, Program):
            yield from (t for t in (device.earliest, device.deadline) if t is not None)
        elif isinstance(device, Storage):
            yield from (target.at for target in device.targets)
            for span in device.available or ():
                yield from (span.start, span.end)
        else:
            for spans in (device.draw, device.comfort, device.outdoor):
                yield from (t for piece in spans for t in (piece.start, piece.end))
            if device.hygiene is not None:
                yield device.hygiene.by


class _Steps:
    """A size over time: (start, end, size) in time order. It is asked from now on, in time order,
    and keeps no more than what is ahead."""

    def __init__(self, spans: Iterable[tuple[int, int, int]]) -> None:
        self._ahead = iter(spans)
        self._span = next(self._ahead, None)

    def at(self, second: int) -> int | None:
        """None in a hole."""
        while self._span is not None and self._span[1] <= second:
            self._span = next(self._ahead, None)
        if self._span is None or second < self._span[0]:
            return None
        return self._span[2]
