"""What the house draws besides its devices and what its roof gives: measured, expected, forecast.

Estimates come from the meters' last weeks, a forecast of others replaces them as far as it reaches.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import ClassVar

from agent.clock import Clock
from agent.config.site import SiteSection
from agent.control.site_meters import SiteMeters
from agent.energy.instants import to_unix_floor
from agent.energy.steps import Steps, combined, overlaid
from agent.health import Health
from agent.home.estimates.history import HOUR_S, HourlyMeans, day_text, take_day
from agent.home.estimates.load import expected_load
from agent.home.estimates.pv import ClearSky, Roof, expected_pv
from agent.home.kinds.meter import MeterRole
from agent.home.windows import SiteLocation
from agent.records.device_store import UNBELIEVABLE, DeviceStore

EXPECTED_AHEAD = timedelta(days=8)
# A restart forgets at most so many hours; the SD card is spared.
SAVED_EVERY_HOURS = 3
LOAD, PV = "load", "pv"
DAY_S = 86_400
# Between two values of a meter what the first of them said holds, but not for longer than this.
HOLDS_S = 900.0
SURPLUS_KEPT = timedelta(hours=1)
# A roof that gives no more gives nothing.
STANDBY_W = 20.0
# A battery that follows the house leaves a few watts to the grid.
IMPORTS_W = 50.0

Spans = Sequence[tuple[int, int, float]]


@dataclass(slots=True)
class HousePower:
    """`devices_w(now)` is what our devices take together now, less what they give: `given_w`.

    `roof_limited(now)`: it gives as much as it may, so what it could give is not measured.
    """

    PARTS: ClassVar[tuple[str, ...]] = (LOAD, PV)

    section: SiteSection
    clock: Clock
    health: Health
    store: DeviceStore
    meters: SiteMeters
    location: Callable[[], SiteLocation]
    devices_w: Callable[[datetime], float]
    given_w: Callable[[datetime], float]
    roof_limited: Callable[[datetime], bool] = lambda now: False
    _series: dict[str, HourlyMeans] = field(init=False)
    _forecasts: dict[str, Spans] = field(default_factory=dict, init=False)
    _sky: ClearSky | None = field(default=None, init=False)
    _last: dict[str, tuple[float, float]] = field(default_factory=dict, init=False)
    _unsaved_hours: int = field(default=0, init=False)
    _surplus: list[tuple[datetime, bool]] = field(default_factory=list, init=False)
    _known: dict[str, tuple[object, Steps | None]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._series = {name: HourlyMeans() for name in self.PARTS}
        self.meters.on_power = self._on_power
        site, roof = self.section, self.section.pv
        if roof is not None and site.latitude is not None and site.longitude is not None:
            place = site.latitude, site.longitude
            self._sky = ClearSky(Roof(float(roof.peak_w), roof.tilt_deg, roof.azimuth_deg, *place))
        for day, text in self.store.hourly_means():
            try:
                take_day(self._series, day, text)
            except UNBELIEVABLE:
                self.health.count("unreadable_rows")

    # --- what is expected -----------------------------------------------------------------------

    def base_load(self, *, limited: bool) -> Steps:
        """What everything else draws, W. `limited`: never less than the config says it may be."""
        return self._remembered(LOAD, limited, lambda: self._base_load(limited=limited)) or (
            Steps.constant(float(self.section.base_load_w))
        )

    def pv(self) -> Steps | None:
        """What the roof gives, W; None where there is none."""
        return self._remembered(PV, False, self._pv)

    def set_forecast(self, name: str, spans: Spans) -> None:
        """A forecast of others, of `load` or `pv`; empty: it is taken back."""
        self._forecasts[name] = [(a, b, max(0.0, watts)) for a, b, watts in spans]
        self._known.clear()

    def _base_load(self, *, limited: bool) -> Steps:
        configured = Steps.constant(float(self.section.base_load_w))
        start, end = self._reach()
        zone = self.location().zone
        expected = overlaid(configured, expected_load(self._series[LOAD].hours, zone, start, end))
        if limited:
            expected = combined([expected, configured], max)
        return overlaid(expected, self._forecasts.get(LOAD, ()))

    def _pv(self) -> Steps | None:
        start, end = self._reach()
        expected = expected_pv(self._series[PV].hours, self._sky, start, end)
        forecast = self._forecasts.get(PV, ())
        if not expected and not forecast:
            return None
        return overlaid(overlaid(Steps.constant(0.0), expected), forecast)

    def _reach(self) -> tuple[int, int]:
        start = to_unix_floor(self.clock.now()) // HOUR_S * HOUR_S
        return start, start + int(EXPECTED_AHEAD.total_seconds())

    def _remembered(
        self, name: str, limited: bool, make: Callable[[], Steps | None]
    ) -> Steps | None:
        """The same hour with the same measurements gives the same expectation."""
        key = self._reach()[0], limited, self.location().zone.key
        known = self._known.get(name)
        if known is None or known[0] != key:
            known = self._known[name] = key, make()
        return known[1]

    # --- what is measured -----------------------------------------------------------------------

    def surplus_spans(self, now: datetime) -> list[tuple[datetime, datetime]]:
        """When in the last hour the roof gave more than the house took, by the grid meter.

        What a battery gives is left out: without it that would have been taken from the grid.
        """
        out: list[tuple[datetime, datetime]] = []
        edges = [*self._surplus, (now, False)]
        for (start, surplus), (end, _) in pairwise(edges):
            end = min(end, start + timedelta(seconds=HOLDS_S))
            if surplus and start < end:
                out.append((start, end))
        return out

    def _on_power(self, role: MeterRole, at: datetime) -> None:
        now = self.clock.now()
        if role is MeterRole.PV:
            limited = self.roof_limited(now)
            self._count(PV, at, None if limited else self.meters.power_w(MeterRole.PV, now))
            return
        grid = self.meters.power_w(MeterRole.GRID, now)
        self._count(LOAD, at, None if grid is None else self._rest_w(grid, now))
        if grid is not None:
            self._note_surplus(at, surplus=grid + self.given_w(now) <= IMPORTS_W)

    def _rest_w(self, grid_w: float, now: datetime) -> float | None:
        """What is drawn by all that is none of our devices."""
        roof = self._roof_w(now)
        return None if roof is None else grid_w + roof - self.devices_w(now)

    def _roof_w(self, now: datetime) -> float | None:
        """What the roof gives now; None where nobody knows.

        Many an inverter says nothing from dusk to dawn: in the dark a silent one gives nothing.
        """
        if not self.meters.has(MeterRole.PV):
            expected = self.pv()
            return 0.0 if expected is None else expected.value(to_unix_floor(now))
        told = self.meters.power_w(MeterRole.PV, now)
        return 0.0 if told is None and self._is_dark(now) else told

    def _is_dark(self, now: datetime) -> bool:
        """By the sun; where nobody knows the place, by what the roof's meters told last."""
        if self._sky is not None:
            return self._sky.roof.clear_sky_w(now) <= 0
        return self.meters.last_told_w(MeterRole.PV) <= STANDBY_W

    def _count(self, name: str, at: datetime, power_w: float | None) -> None:
        """What was told last holds up to now, this from now on."""
        second, last = at.timestamp(), self._last.pop(name, None)
        if power_w is not None:
            self._last[name] = second, power_w
        if last is None or second - last[0] > HOLDS_S:
            return
        if self._series[name].add(last[0], second, last[1]):
            self._known.clear()
            self._unsaved_hours += 1

    def _note_surplus(self, at: datetime, *, surplus: bool) -> None:
        self._surplus.append((at, surplus))
        first = at - SURPLUS_KEPT
        while len(self._surplus) > 1 and self._surplus[1][0] < first:
            del self._surplus[0]

    def clock_jumped(self) -> None:
        """When what is known of now was told, nobody knows any more."""
        self.meters.forget()
        self._last.clear()
        self._surplus.clear()

    # --- what is kept ---------------------------------------------------------------------------

    def look(self, now: datetime) -> None:
        """From time to time: who is silent, and what is due to be stored."""
        self.meters.look(now)
        if self._unsaved_hours >= SAVED_EVERY_HOURS * len(self.PARTS):
            self.save()

    def save(self) -> None:
        """Store the days that are not stored yet."""
        if not self._unsaved_hours:
            return
        self._unsaved_hours = 0
        today = to_unix_floor(self.clock.now()) // DAY_S
        for day in (today - 1, today):
            if any(hour // 24 == day for one in self._series.values() for hour in one.hours):
                self.store.save_hourly_means(day, day_text(self._series, day))
