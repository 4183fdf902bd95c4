"""Instants: RFC 3339 text, aware UTC, and the whole Unix seconds that planning counts in."""

import math
from datetime import UTC, datetime, timedelta

# Instants outside are nobody's plan, reading or price: at the ends of what datetime can hold every
# sum of an instant and a span fails.
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)
FIRST_SECOND, LAST_SECOND = -62_135_596_800, 253_402_300_799


def parse_instant(text: str) -> datetime:
    """Aware UTC from RFC 3339 text.

    Raises ValueError where the offset is missing or the year lies outside 1970 to 2199.
    """
    if not text.isprintable():
        # Python reads up to a NUL and is content.
        raise ValueError(f"{text!r} has characters that no time has")
    when = datetime.fromisoformat(text)
    if when.tzinfo is None:
        raise ValueError(f"{text!r} has no offset; write it like 2026-01-16T10:00:00Z")
    return bounded(when)


def bounded(when: datetime) -> datetime:
    """The aware instant in UTC. Raises ValueError where the year lies outside 1970 to 2199."""
    # Compared before the offset is taken off: that overflows in the first and the last year.
    if 1970 <= when.year < 2200:
        when = when.astimezone(UTC)
        if EARLIEST <= when < LATEST:
            return when
    raise ValueError(f"{when.isoformat()} lies outside the years 1970 to 2199")


def format_instant(when: datetime) -> str:
    """`YYYY-MM-DDTHH:MM:SSZ`; a fraction of a second is cut off."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def format_early(seconds: int, now_fraction_us: int) -> str:
    """The instant that lies `early_us` microseconds before a whole Unix second."""
    if not now_fraction_us:
        return format_instant(from_unix(seconds))
    when = from_unix(seconds) - timedelta(microseconds=now_fraction_us)
    return when.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def from_unix(seconds: int) -> datetime:
    """Aware UTC. Raises ValueError beyond what datetime can hold."""
    if not FIRST_SECOND <= seconds <= LAST_SECOND:
        raise ValueError(f"{seconds} seconds lie outside the years 1 to 9999")
    return datetime.fromtimestamp(seconds, UTC)


def to_unix_floor(when: datetime) -> int:
    """The whole second that `when` lies in."""
    return math.floor(when.timestamp())


def to_unix_ceil(when: datetime) -> int:
    """The next whole second, or `when` itself where it is whole."""
    return -math.floor(-when.timestamp())
