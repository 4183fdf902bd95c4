"""Windows of the local day, with sun times, over clock changes."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from agent.config.devices import ReadyBy, Window
from agent.config.heat import ComfortBand
from agent.home.windows import SiteLocation, next_ready_by, occurrences, resolve_edge

BERLIN = SiteLocation(ZoneInfo("Europe/Berlin"), 52.5, 13.4)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_window_over_midnight_belongs_to_the_day_it_begins_on() -> None:
    friday_nights = Window.model_validate({"start": "22:00", "end": "06:00", "days": ["fri"]})
    found = list(occurrences(friday_nights, BERLIN, at("2026-01-12T00:00"), at("2026-01-19T00:00")))
    assert found == [(at("2026-01-16T21:00"), at("2026-01-17T05:00"))]


def test_the_whole_day_has_23_or_25_hours_when_the_clock_changes() -> None:
    day = Window()
    for midnight, hours in ((at("2025-03-29T23:00"), 23), (at("2025-10-25T22:00"), 25)):
        start, end = next(occurrences(day, BERLIN, midnight, midnight + timedelta(hours=1)))
        assert start == midnight
        assert end - start == timedelta(hours=hours)


def test_sun_times_move_with_the_sun() -> None:
    winter = resolve_edge("sunset-00:30", date(2026, 12, 21), BERLIN)
    summer = resolve_edge("sunset-00:30", date(2026, 6, 21), BERLIN)
    assert winter is not None
    assert summer is not None
    # almanac: sunset in Berlin 15:54 CET on 21 December, 21:33 CEST on 21 June
    assert abs(winter - at("2026-12-21T14:24")) < timedelta(minutes=3)
    assert abs(summer - at("2026-06-21T19:03")) < timedelta(minutes=3)
    rise = resolve_edge("sunrise+01:00", date(2026, 12, 21), BERLIN)
    assert rise is not None
    assert abs(rise - at("2026-12-21T08:15")) < timedelta(minutes=3)


def test_where_the_sun_does_not_set_the_window_is_left_out() -> None:
    north = SiteLocation(ZoneInfo("Europe/Oslo"), 70.0, 20.0)
    assert resolve_edge("sunset-00:30", date(2026, 6, 21), north) is None
    night = Window(start="sunset-00:30", end="23:59")
    assert not list(occurrences(night, north, at("2026-06-20T00:00"), at("2026-06-22T00:00")))


def test_ready_by_takes_weekdays_and_exceptions() -> None:
    ready = ReadyBy.model_validate(
        {"every_day": "07:00", "sat": "09:00", "sun": None, "exceptions": {"2026-01-20": "05:00"}}
    )
    zone = BERLIN.zone
    assert next_ready_by(ready, at("2026-01-16T20:00"), zone) == at("2026-01-17T08:00")
    assert next_ready_by(ready, at("2026-01-17T08:00"), zone) == at("2026-01-19T06:00")
    assert next_ready_by(ready, at("2026-01-19T07:00"), zone) == at("2026-01-20T04:00")
    assert next_ready_by(ReadyBy(), at("2026-01-16T20:00"), zone) is None


def test_a_skipped_ready_by_is_the_end_of_the_gap() -> None:
    ready = ReadyBy(every_day=time(2, 30))
    assert next_ready_by(ready, at("2025-03-29T12:00"), BERLIN.zone) == at("2025-03-30T01:00")


def test_what_ends_with_the_day_may_say_so() -> None:
    assert Window(start="20:00", end="24:00") == Window(start="20:00", end="00:00")
    comfort = {"start": "20:00", "min_c": 20, "max_c": 22}
    [(begin, end), *_] = ComfortBand.model_validate({**comfort, "end": "24:00"}).minutes()
    assert (begin, end) == (20 * 60, 24 * 60)


@pytest.mark.parametrize("edge", ["24:00", "7:00", "noon", "sunset-1", "sunrise+00:99", ""])
def test_other_edges_are_refused(edge: str) -> None:
    with pytest.raises(ValueError, match="clock time"):
        Window(start=edge)
