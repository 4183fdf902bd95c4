"""Windows of the local day as instants; sun times come from astral."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from astral import Observer
from astral.sun import sunrise, sunset

from agent.config.devices import EVERY_DAY, ReadyBy, Window
from agent.energy.localtime import local_instant


@dataclass(frozen=True, slots=True)
class SiteLocation:
    """Where local times are meant: the zone, and the coordinates for sun times (degrees)."""

    zone: ZoneInfo
    latitude: float | None = None
    longitude: float | None = None


def occurrences(
    window: Window, place: SiteLocation, after: datetime, until: datetime
) -> Iterator[tuple[datetime, datetime]]:
    """The spans of the window that end after `after` and begin before `until`, in order."""
    day = after.astimezone(place.zone).date() - timedelta(days=2)
    last = until.astimezone(place.zone).date()
    while day <= last:
        if EVERY_DAY[day.weekday()] in window.days:
            start = resolve_edge(window.start, day, place)
            end = resolve_edge(window.end, day, place)
            if end is not None and start is not None and end <= start:
                end = resolve_edge(window.end, day + timedelta(days=1), place)
            if start is not None and end is not None and end > after and start < until:
                yield start, end
        day += timedelta(days=1)


def resolve_edge(edge: str, day: date, place: SiteLocation) -> datetime | None:
    """Aware UTC of `"22:30"` or `"sunset-00:30"` on that date.

    None where the sun neither rises nor sets that day: the window is left out then.
    """
    if not edge.startswith("sun"):
        hours, minutes = edge.split(":")
        return local_instant(day, time(int(hours), int(minutes)), place.zone)
    name, offset = edge[:6].rstrip("+-"), edge[6:]
    if edge.startswith("sunrise"):
        name, offset = "sunrise", edge[7:]
    observer = Observer(place.latitude or 0.0, place.longitude or 0.0)
    event = sunrise if name == "sunrise" else sunset
    try:
        when = event(observer, date=day, tzinfo=place.zone).astimezone(UTC)
    except ValueError:
        return None
    if offset:
        hours, minutes = offset[1:].split(":")
        shift = timedelta(hours=int(hours), minutes=int(minutes))
        when += shift if offset[0] == "+" else -shift
    return when.replace(microsecond=0)


def next_ready_by(ready_by: ReadyBy, after: datetime, zone: ZoneInfo) -> datetime | None:
    """The first deadline after `after`; None where none lies within eight days."""
    day = after.astimezone(zone).date()
    for offset in range(-1, 9):
        date_ = day + timedelta(days=offset)
        clock = ready_by.on(date_)
        if clock is not None and (when := local_instant(date_, clock, zone)) > after:
            return when
    return None
