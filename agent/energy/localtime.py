"""Local clock times on a date, also on the days on which the clock changes."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

MIDNIGHT = time(0)


def local_instant(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """Aware UTC of that clock time on that local date.

    A time that a clock change skips means the end of the gap, one that exists twice the first.
    """
    naive = datetime.combine(day, clock)
    early = naive.replace(tzinfo=zone, fold=0)
    when = early.astimezone(UTC)
    if when.astimezone(zone).replace(tzinfo=None) == naive:
        return when
    # In a gap: with fold 1 the offset after it is used, which gives an instant before it.
    low = naive.replace(tzinfo=zone, fold=1).astimezone(UTC)
    high = when
    before = low.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high


def next_local_instant(after: datetime, clock: time, zone: ZoneInfo) -> datetime:
    """The first time after `after` that the local clock shows `clock`."""
    day = after.astimezone(zone).date()
    for offset in range(-1, 3):
        when = local_instant(day + timedelta(days=offset), clock, zone)
        if when > after:
            return when
    raise AssertionError("a clock time comes every day")
