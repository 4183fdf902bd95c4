"""When to fetch rates, and which. Pure; `jitter` is a random share from 0 to 1.

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
# Known prices that end before the next update are asked for so long before they end.
RUNNING_OUT = timedelta(hours=1)
# After every instant that was told, so that many gateways do not come in one second.
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

# Rare retries where only a person can help; the source's word for it -> wait.
REFUSED_WAITS = {
    "forbidden": timedelta(hours=6),
    "account_disabled": timedelta(hours=24),
    "not_found": timedelta(hours=24),
}
REFUSED_WAIT = timedelta(hours=1)
# One such answer may be a slip of the other side: it is asked again before it is believed.
DOUBTED = ("account_disabled", "not_found")

Window = tuple[datetime, datetime]


def next_refresh(
    now: datetime,
    next_update: datetime | None,
    confirmed_until: datetime | None,
    zone: ZoneInfo,
    jitter: float,
) -> datetime:
    """The next scheduled refresh: at the update that is expected, or earlier at 23:00 local.

    At 23:00 where tomorrow's prices would be missing then. Never sooner than in 15 minutes.
    """
    due = expected_update(now, next_update, zone)
    evening = next_local(now, FALLBACK, zone)
    if lacks_tomorrow(confirmed_until, evening, zone):
        due = min(due, evening)
    return max(_jittered(due, jitter), now + MIN_INTERVAL)


def early_refresh(
    now: datetime,
    scheduled: datetime,
    confirmed_until: datetime | None,
    retries: int,
    jitter: float,
) -> datetime | None:
    """A refresh before known prices end, where they do before the scheduled one; it is a retry."""
    if confirmed_until is None or not now < confirmed_until < scheduled or retries >= len(RETRIES):
        return None
    return max(_jittered(confirmed_until - RUNNING_OUT, jitter), now + MIN_INTERVAL)


def expected_update(now: datetime, next_update: datetime | None, zone: ZoneInfo) -> datetime:
    """`next_update`; the next 23:00 local where that is missing, past or more than a day away."""
    if next_update is not None and now < next_update <= now + MAX_WAIT:
        return next_update
    return next_local(now, FALLBACK, zone)


def is_late(
    now: datetime,
    next_update: datetime | None,
    confirmed_until: datetime | None,
    zone: ZoneInfo,
    *,
    was_due: bool,
) -> bool:
    """Whether a refresh that brought nothing new should have brought tomorrow's prices.

    It should where an update was due, and where what is known ends before the next one, whatever
    the answer says of that.
    """
    if not lacks_tomorrow(confirmed_until, now, zone):
        return False
    expected = expected_update(now, next_update, zone)
    return was_due or confirmed_until is None or confirmed_until < expected


def retry_nothing_new(
    now: datetime, next_update: datetime | None, retries: int, jitter: float
) -> datetime | None:
    """When to ask again after a due refresh brought nothing new; None after three retries."""
    if retries >= len(RETRIES):
        return None
    retry = now + RETRIES[retries] * (1 + RETRY_JITTER * jitter)
    if next_update is not None and now < next_update < retry:
        retry = _jittered(next_update, jitter)
    return max(retry, now + MIN_INTERVAL)


def retry_unavailable(
    now: datetime, retry_at: datetime | None, failures: int, empty: bool, jitter: float
) -> datetime:
    """When to ask again after the `failures`th failure in a row, at least as late as told.

    `empty`: nothing is known yet, so the first attempts come faster.
    """
    shortest = MIN_INTERVAL_EMPTY if empty else MIN_INTERVAL
    longest = MIN_INTERVAL if empty else MAX_FAILURE_WAIT
    wait = min(shortest * (1 << min(failures - 1, 10)), longest) * (1 + RETRY_JITTER * jitter)
    if retry_at is not None:
        stated_wait = min(retry_at - now, MAX_WAIT)
        wait = max(
            wait, stated_wait + max(MIN_JITTER, jitter * max(JITTER, stated_wait * RETRY_JITTER))
        )
    return now + wait


def retry_refused(now: datetime, code: str, failures: int, jitter: float) -> datetime:
    """When to look whether a person has acted; after the first doubtful refusal soon."""
    wait = REFUSED_WAITS.get(code, REFUSED_WAIT)
    if code in DOUBTED and failures <= 1:
        wait = MIN_INTERVAL
    return now + wait * (1 + RETRY_JITTER * jitter)


def window(now: datetime, first_of_day: bool) -> Window:
    """What to ask: from the start of this hour to 48 hours on; once a day from a week back."""
    hour = this_hour(now)
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


def this_hour(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def local_day(now: datetime, zone: ZoneInfo) -> date:
    return now.astimezone(zone).date()


def midnight(now: datetime, zone: ZoneInfo, days: int) -> datetime:
    """Where the local day begins that is `days` after the one of `now`."""
    return _local(now.astimezone(zone).date() + timedelta(days=days), time(0), zone)


def _jittered(when: datetime, jitter: float) -> datetime:
    return when + MIN_JITTER + jitter * (JITTER - MIN_JITTER)


def _local(day: date, clock: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, clock, tzinfo=zone).astimezone(UTC)
