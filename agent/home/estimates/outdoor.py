"""How warm it will be outdoors: of others' forecast, of a thermometer, of the season. Pure.

The season's curve is a mean of the year by latitude, a yearly swing that peaks in late July (late
January in the south) and a daily one that peaks at three in the afternoon: within about 5 °C of
most days of the temperate zones, which is what a plan needs of a day that nobody has foretold.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from agent.energy.instants import from_unix, to_unix_floor
from agent.energy.sentences import Sentence, sentence
from agent.energy.steps import Steps, overlaid
from agent.home.estimates.history import HOUR_S
from agent.home.windows import SiteLocation

# Of a house that does not say where it stands: middle Europe.
USUAL_LATITUDE = 50.0
WARMEST_DAY, WARMEST_HOUR = 205, 15
DAILY_SWING_C = 4.0
# What a thermometer says is of now; in so many hours a third of its difference is left.
WEATHER_LASTS_HOURS = 48.0

Spans = Sequence[tuple[int, int, float]]


@dataclass(frozen=True, slots=True)
class OutdoorEstimate:
    """`steps` in °C; `source` says in words where they come from.

    `measured`: what holds now was measured or foretold, not only what is usual.
    """

    steps: Steps
    source: Sentence
    measured: bool = False


def expected_outdoor(
    place: SiteLocation,
    now: datetime,
    until: datetime,
    *,
    mean_c: float | None = None,
    present_c: float | None = None,
    forecast: Spans = (),
) -> OutdoorEstimate:
    """From this hour to `until`.

    `mean_c` stands for the season's mean day, `present_c` is what a thermometer says now,
    `forecast` (Unix seconds, in order) counts as far as it reaches.
    """
    first = to_unix_floor(now) // HOUR_S * HOUR_S
    hours = range(first, to_unix_floor(until) + HOUR_S, HOUR_S)
    usual = [season_c(place, from_unix(at + HOUR_S // 2), mean_c) for at in hours]
    if present_c is not None:
        differs = present_c - season_c(place, now, mean_c)
        usual = [
            temp + differs * math.exp(-index / WEATHER_LASTS_HOURS)
            for index, temp in enumerate(usual)
        ]
    steps = overlaid(Steps(tuple(hours), tuple(round(temp, 1) for temp in usual)), forecast)
    reaches = bool(forecast) and forecast[-1][1] > first
    source = sentence("what is usual for the season")
    if present_c is not None:
        source = sentence("the outdoor thermometer and a plain daily curve")
    elif mean_c is not None:
        source = sentence("a plain daily curve around {mean:g} °C", mean=mean_c)
    if reaches:
        source = sentence("a forecast, then {source}", source=source)
    second = to_unix_floor(now)
    foretold = any(start <= second < end for start, end, _ in forecast)
    return OutdoorEstimate(steps, source, measured=foretold or present_c is not None)


def season_c(place: SiteLocation, when: datetime, mean_c: float | None) -> float:
    """What is usual then and there."""
    local = when.astimezone(place.zone)
    hour = local.hour + local.minute / 60
    daily = DAILY_SWING_C * math.cos(2 * math.pi * (hour - WARMEST_HOUR) / 24)
    if mean_c is not None:
        return mean_c + daily
    latitude = USUAL_LATITUDE if place.latitude is None else place.latitude
    north = abs(latitude)
    yearly = min(27.0, 30.0 - 0.42 * north)
    day = local.timetuple().tm_yday - WARMEST_DAY
    swing = 0.2 * north * math.cos(2 * math.pi * day / 365.25)
    return yearly + (swing if latitude >= 0 else -swing) + daily
