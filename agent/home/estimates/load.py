"""What the house draws besides its devices, from the last three weeks. Pure.

By local time of day, weekdays and weekends apart; where too little is known of those, by time of
day, else the mean of all that is known.
"""

from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

from agent.energy.instants import from_unix
from agent.home.estimates.history import HOUR_S

SATURDAY = 5
# So many days are needed before weekends are told apart from weekdays.
DAYS_TOLD_APART = 2

Spans = Sequence[tuple[int, int, float]]


def expected_load(hours: Mapping[int, float], zone: ZoneInfo, start: int, end: int) -> Spans:
    """W by the hour over `[start, end)` (Unix seconds); empty where nothing was measured."""
    if not hours:
        return ()
    by_kind: dict[tuple[int, bool], list[float]] = {}
    by_hour: dict[int, list[float]] = {}
    for hour, power in hours.items():
        local, weekend = _local(hour, zone)
        by_kind.setdefault((local, weekend), []).append(power)
        by_hour.setdefault(local, []).append(power)
    overall = sum(hours.values()) / len(hours)
    out = []
    for hour in range(start // HOUR_S, -(-end // HOUR_S)):
        local, weekend = _local(hour, zone)
        known = by_kind.get((local, weekend), ())
        if len(known) < DAYS_TOLD_APART:
            known = by_hour.get(local, ())
        power = sum(known) / len(known) if known else overall
        out.append((hour * HOUR_S, (hour + 1) * HOUR_S, max(0.0, power)))
    return out


def _local(hour: int, zone: ZoneInfo) -> tuple[int, bool]:
    when = from_unix(hour * HOUR_S).astimezone(zone)
    return when.hour, when.weekday() >= SATURDAY
