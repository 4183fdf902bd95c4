"""When to fetch rates, and which. Pure; `spread` is a random share from 0 to 1.

Times of day are local to the tariff's zone and found by the calendar, so days of 23 and 25 hours
need no care.
"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

# Never ask again sooner than this, once prices are known.
MIN_INTERVAL = timedelta(minutes=15)
# While nothing is known the first attempts follow each other faster.
MIN_INTERVAL_EMPTY = timedelta(minutes=1)
MAX_WAIT = timedelta(hours=24)
# By then a day's prices are in, FlatPeak says, where it does not say when.
FALLBACK = time(23)
# After `next_update`, so that many gateways do not come in one second.
JITTER = timedelta(minutes=2)
MIN_JITTER = timedelta(seconds=5)
RETRY_JITTER = 0.1

# Delays after a refresh that brought nothing new: as many as there are retries.
RETRIES = (timedelta(minutes=15), timedelta(minutes=30), timedelta(minutes=60))
MAX_FAILURE_WAIT = timedelta(minutes=60)

AHEAD = timedelta(hours=48)
BACK = timedelta(days=7)
MAX_WINDOW = timedelta(days=30)
DEFAULT_HISTORY = timedelta(days=30)

# Rare retries where only a person can help; FlatPeak's word for it -> wait.
REFUSED_WAITS = {
    "forbidden": timedelta(hours=6),
    "account_disabled": timedelta(hours=24),
    "not_found": timedelta(hours=24),
}
REFUSED_WAIT = timedelta(hours=1)

Window = tuple[datetime, datetime]


def next_refresh(
    now: datetime, next_update: datetime | None, zone: ZoneInfo, jitter: float
) -> datetime:
    """The next ordinary refresh.

    At `next_update` plus a little; where that is missing, not ahead of us or more than a day
    away, at the next 23:00 local. Never sooner than in 15 minutes.
    """
    if next_update is None or not is_ahead(now, next_update):
        next_update = next_local(now, FALLBACK, zone)
    later = MIN_JITTER + jitter * (JITTER - MIN_JITTER)
    return max(next_update + later, now + MIN_INTERVAL)


def is_ahead(now: datetime, next_update: datetime | None) -> bool:
    """Whether what was said of the next update can be waited for."""
    return next_update is not None and now < next_update <= now + MAX_WAIT


def retry_nothing_new(
    now: datetime, next_update: datetime | None, retries: int, jitter: float
) -> datetime | None:
    """When to ask again after a due refresh brought nothing new; None after three retries."""
    if retries >= len(RETRIES):
        return None
    retry = now + RETRIES[retries] * (1 + RETRY_JITTER * jitter)
    if next_update is not None and now < next_update < retry:
        retry = next_update + MIN_JITTER + jitter * (JITTER - MIN_JITTER)
    return max(retry, now + MIN_INTERVAL)


def retry_unavailable(
    now: datetime, told: datetime | None, failures: int, empty: bool, jitter: float
) -> datetime:
    """When to ask again after the `failures`th failure in a row, at least as late as told.

    `cold`: nothing is known yet, so the first attempts come faster.
    """
    shortest = MIN_INTERVAL_EMPTY if empty else MIN_INTERVAL
    longest = MIN_INTERVAL if empty else MAX_FAILURE_WAIT
    wait = min(shortest * (1 << min(failures - 1, 10)), longest) * (1 + RETRY_JITTER * jitter)
    if told is not None:
        wait = max(wait, min(told - now, MAX_WAIT))
    return now + wait


def retry_refused(now: datetime, code: str, jitter: float) -> datetime:
    """When to look whether a person has acted."""
    return now + REFUSED_WAITS.get(code, REFUSED_WAIT) * (1 + RETRY_JITTER * jitter)


def window(now: datetime, first_of_day: bool) -> Window:
    """What to ask: from the start of this hour to 48 hours on; once a day from a week back."""
    hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return hour - BACK if first_of_day else hour, hour + AHEAD


def backfill_window(asked_from: datetime, target: datetime) -> Window | None:
    """The next piece of history to ask, newest first; None where all was asked."""
    if asked_from <= target:
        return None
    return max(target, asked_from - MAX_WINDOW), asked_from


def lacks_tomorrow(known_until: datetime | None, now: datetime, zone: ZoneInfo) -> bool:
    """Whether prices for the local day after today are missing, in part or whole."""
    return known_until is None or known_until < midnight(now, zone, days=2)


def next_local(now: datetime, clock: time, zone: ZoneInfo) -> datetime:
    """The first instant after `now` at which clocks in the zone show `clock`."""
    today = now.astimezone(zone).date()
    for days in range(3):
        when = _local(today + timedelta(days=days), clock, zone)
        if when > now:
            return when
    raise AssertionError("a local time of day comes at least every second day")


def local_day(now: datetime, zone: ZoneInfo) -> date:
    return now.astimezone(zone).date()


def midnight(now: datetime, zone: ZoneInfo, days: int) -> datetime:
    """Where the local day begins that is `days` after the one of `now`."""
    return _local(now.astimezone(zone).date() + timedelta(days=days), time(0), zone)


def _local(day: date, clock: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, clock, tzinfo=zone).astimezone(UTC)
