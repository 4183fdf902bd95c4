"""What the house draws: the last weeks by time of day, weekdays and weekends apart."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from agent.energy.instants import to_unix_floor
from agent.home.estimates.history import HOUR_S, KEPT_HOURS, HourlyMeans, day_text, take_day
from agent.home.estimates.load import expected_load

BERLIN = ZoneInfo("Europe/Berlin")
# A Monday, two weeks after the clocks went back.
MONDAY = datetime(2026, 11, 9, tzinfo=UTC)
START = to_unix_floor(MONDAY)


def house(when: datetime) -> float:
    """Breakfast at seven on weekdays, at nine on weekends, by the local clock."""
    local = when.astimezone(BERLIN)
    breakfast = 7 if local.weekday() < 5 else 9
    return 2000.0 if local.hour == breakfast else 300.0


def measured(days: int) -> HourlyMeans:
    means = HourlyMeans()
    at = MONDAY - timedelta(days=days)
    while at < MONDAY + timedelta(minutes=1):
        second = at.timestamp()
        means.add(second, second + 60, house(at))
        at += timedelta(minutes=1)
    return means


def test_three_weeks_tell_weekdays_from_weekends_over_a_clock_change() -> None:
    hours = measured(21).hours
    assert len(hours) == KEPT_HOURS
    expected = expected_load(hours, BERLIN, START, START + 7 * 24 * HOUR_S)
    for start, _, power in expected:
        when = datetime.fromtimestamp(start, UTC)
        # The week before the clock change had its breakfast at another hour of UTC.
        assert power == pytest.approx(house(when)), when


def test_one_weekend_day_is_not_yet_a_kind_of_its_own() -> None:
    saturday = START + 5 * 24 * HOUR_S
    sunday = START // HOUR_S - 24
    hours = {hour: w for hour, w in measured(5).hours.items() if not sunday - 24 <= hour < sunday}
    expected = expected_load(hours, BERLIN, saturday, saturday + 24 * HOUR_S)
    at_seven = {start: power for start, _, power in expected}[saturday + 6 * HOUR_S]
    assert 300 < at_seven < 2000


def test_nothing_measured_is_nothing_expected() -> None:
    assert expected_load({}, BERLIN, START, START + HOUR_S) == ()


def test_an_hour_that_was_hardly_measured_does_not_count() -> None:
    means = HourlyMeans()
    means.add(START, START + 1200, 5000.0)
    assert not means.add(START + HOUR_S, START + HOUR_S + 60, 400.0)
    assert means.hours == {}


def test_a_value_is_split_over_the_hours_it_held_in() -> None:
    means = HourlyMeans()
    assert means.add(START, START + 3 * HOUR_S, 500.0)
    assert list(means.hours.values()) == [500.0, 500.0, 500.0]


def test_what_was_stored_is_read_again_and_nonsense_is_refused() -> None:
    means = measured(2)
    day = START // 86_400 - 1
    text = day_text({"load": means}, day)
    assert len(text) < 300
    again = HourlyMeans()
    take_day({"load": again}, day, text)
    assert again.hours == {hour: w for hour, w in means.hours.items() if hour // 24 == day}
    for bad in ('{"load":[1e99]}', '{"load":["x"]}', "[]", "{"):
        with pytest.raises((ValueError, TypeError, AttributeError)):
            take_day({"load": HourlyMeans()}, day, bad)
