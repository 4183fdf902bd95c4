"""Instants: RFC 3339 text, aware UTC, and the whole Unix seconds that planning counts in."""

import math
from datetime import UTC, datetime, timedelta


def parse_instant(text: str) -> datetime:
    """Aware UTC from RFC 3339 text. Raises ValueError where the offset is missing."""
    when = datetime.fromisoformat(text)
    if when.tzinfo is None:
        raise ValueError(f"{text!r} has no offset; write it like 2026-01-16T10:00:00Z")
    return when.astimezone(UTC)


def format_instant(when: datetime) -> str:
    """`YYYY-MM-DDTHH:MM:SSZ`; a fraction of a second is cut off."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def format_early(seconds: int, early_us: int) -> str:
    """The instant that lies `early_us` microseconds before a whole Unix second."""
    if not early_us:
        return format_instant(from_unix(seconds))
    when = from_unix(seconds) - timedelta(microseconds=early_us)
    return when.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def from_unix(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def to_unix_floor(when: datetime) -> int:
    """The whole second that `when` lies in."""
    return math.floor(when.timestamp())


def to_unix_ceil(when: datetime) -> int:
    """The next whole second, or `when` itself where it is whole."""
    return -math.floor(-when.timestamp())
