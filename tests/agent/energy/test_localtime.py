"""Local clock times on the days on which the clock changes."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pytest

from agent.energy.localtime import local_instant, next_local_instant

BERLIN, LONDON, SYDNEY = map(ZoneInfo, ("Europe/Berlin", "Europe/London", "Australia/Sydney"))


@pytest.mark.parametrize(
    ("zone", "day", "clock", "utc"),
    [
        (BERLIN, date(2025, 1, 10), time(7), "2025-01-10T06:00"),
        # a skipped time is the end of the gap
        (BERLIN, date(2025, 3, 30), time(2, 30), "2025-03-30T01:00"),
        (LONDON, date(2025, 3, 30), time(1, 59), "2025-03-30T01:00"),
        (SYDNEY, date(2025, 10, 5), time(2), "2025-10-04T16:00"),
        # a time that exists twice is the first
        (BERLIN, date(2025, 10, 26), time(2, 30), "2025-10-26T00:30"),
        (SYDNEY, date(2025, 4, 6), time(2, 30), "2025-04-05T15:30"),
        (BERLIN, date(2025, 10, 26), time(3), "2025-10-26T02:00"),
    ],
)
def test_local_instant(zone: ZoneInfo, day: date, clock: time, utc: str) -> None:
    assert local_instant(day, clock, zone) == datetime.fromisoformat(utc).replace(tzinfo=UTC)


def test_the_next_23_00_comes_after_25_hours_on_the_long_day() -> None:
    saturday = datetime(2025, 10, 25, 21, tzinfo=UTC)  # 23:00 in Berlin
    assert next_local_instant(saturday, time(23), BERLIN) == datetime(2025, 10, 26, 22, tzinfo=UTC)
