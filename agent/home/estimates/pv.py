"""What a roof gives: a clear sky's curve, scaled by what it gave in the last two weeks. Pure.

The clear sky is that of Meinel and Meinel (1976) with the air mass of Kasten and Young (1989), a
tenth of the direct light diffuse, the ground reflecting a fifth. The scale, by hour of the day and
drawn to that of all hours, carries clouds, shade, dirt and the inverter.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from astral import Observer
from astral.sun import azimuth, elevation

from agent.energy.instants import from_unix
from agent.home.estimates.history import HOUR_S

SOLAR_CONSTANT_W = 1353.0
DIFFUSE_SHARE = 0.1
GROUND_REFLECTS = 0.2
STANDARD_SUN_W = 1000.0
# Of a roof that was not measured yet: the clear sky's share that middle Europe sees in a year.
USUAL_SHARE = 0.6
LOOKED_BACK_HOURS = 14 * 24
# So many days of an hour are worth as much as what all hours tell of it.
OWN_AFTER_DAYS = 1.0
# Below this the sun stands too low to tell a share from.
WORTH_A_SHARE = 0.03
MOST_SHARE = 1.5
SAMPLES_AN_HOUR = 4
REMEMBERED_HOURS = 2000

Spans = Sequence[tuple[int, int, float]]


@dataclass(frozen=True, slots=True)
class Roof:
    """`peak_w` under a standard sun; `tilt_deg` from the horizontal, `azimuth_deg` 180: south."""

    peak_w: float
    tilt_deg: float
    azimuth_deg: float
    latitude: float
    longitude: float

    def clear_sky_w(self, when: datetime) -> float:
        """What it would give then under a clear sky and without any loss."""
        observer = Observer(self.latitude, self.longitude)
        height = elevation(observer, when)
        if height <= 0:
            return 0.0
        thickness = math.sin(math.radians(height)) + 0.50572 * math.pow(height + 6.07995, -1.6364)
        direct = SOLAR_CONSTANT_W * math.pow(0.7, math.pow(thickness, -0.678))
        diffuse = DIFFUSE_SHARE * direct
        height_rad, tilt = math.radians(height), math.radians(self.tilt_deg)
        turned = math.radians(azimuth(observer, when) - self.azimuth_deg)
        facing = math.sin(height_rad) * math.cos(tilt)
        facing += math.cos(height_rad) * math.sin(tilt) * math.cos(turned)
        level = direct * math.sin(height_rad) + diffuse
        on_roof = direct * max(0.0, facing) + diffuse * (1 + math.cos(tilt)) / 2
        on_roof += GROUND_REFLECTS * level * (1 - math.cos(tilt)) / 2
        return self.peak_w * on_roof / STANDARD_SUN_W


@dataclass(slots=True)
class ClearSky:
    """The roof's clear-sky means by the hour, remembered: the sun is not asked twice."""

    roof: Roof
    _known: dict[int, float] = field(default_factory=dict, init=False)

    def mean_w(self, hour: int) -> float:
        known = self._known.get(hour)
        if known is None:
            step = HOUR_S // SAMPLES_AN_HOUR
            moments = (hour * HOUR_S + step // 2 + step * k for k in range(SAMPLES_AN_HOUR))
            known = sum(self.roof.clear_sky_w(from_unix(at)) for at in moments) / SAMPLES_AN_HOUR
            if len(self._known) >= REMEMBERED_HOURS:
                self._known.clear()
            self._known[hour] = known
        return known


def expected_pv(hours: Mapping[int, float], sky: ClearSky | None, start: int, end: int) -> Spans:
    """W by the hour over `[start, end)` (Unix seconds).

    Without a roof in the config (`sky` None) the mean of the last two weeks at that hour; empty
    where nothing is known at all.
    """
    first = start // HOUR_S - LOOKED_BACK_HOURS
    recent = {hour: power for hour, power in hours.items() if hour >= first}
    wanted = range(start // HOUR_S, -(-end // HOUR_S))
    if sky is not None:
        shares = _shares(recent, sky)
        overall = shares.get(None, USUAL_SHARE)
        powers = [
            min(sky.roof.peak_w, sky.mean_w(hour) * shares.get(hour % 24, overall))
            for hour in wanted
        ]
    elif recent:
        powers = [_mean([p for h, p in recent.items() if (h - hour) % 24 == 0]) for hour in wanted]
    else:
        return ()
    return [
        (hour * HOUR_S, (hour + 1) * HOUR_S, max(0.0, power))
        for hour, power in zip(wanted, powers, strict=True)
    ]


def _shares(recent: Mapping[int, float], sky: ClearSky) -> Mapping[int | None, float]:
    """Given by clear sky, by UTC hour of the day; None: of all hours."""
    given: dict[int | None, float] = {}
    clear: dict[int | None, float] = {}
    days: dict[int | None, int] = {}
    least = WORTH_A_SHARE * sky.roof.peak_w
    for hour, power in recent.items():
        if (mean := sky.mean_w(hour)) < least:
            continue
        for key in (None, hour % 24):
            given[key] = given.get(key, 0.0) + max(0.0, power)
            clear[key] = clear.get(key, 0.0) + mean
            days[key] = days.get(key, 0) + 1
    if not clear:
        return {}
    overall = given[None] / clear[None]
    return {
        key: min(
            MOST_SHARE,
            (given[key] / clear[key] * days[key] + overall * OWN_AFTER_DAYS)
            / (days[key] + OWN_AFTER_DAYS),
        )
        for key in clear
    }


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
