"""What a device said last: by which time, for how long it is believed, and what it is news to."""

from datetime import UTC, datetime, timedelta

from agent.energy.readings import Reading, Unreadable, UnreadableMessage
from agent.home.model.latest_readings import LatestReadings, differs

NOW = datetime(2026, 1, 16, 20, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def said(kind: str, value: float | bool | str, at: datetime = NOW) -> LatestReadings:
    """Told so at NOW, dated `at`."""
    readings = LatestReadings()
    readings.take(Reading(kind, value, at), NOW, retained=False)
    return readings


def test_a_reading_dated_ahead_counts_from_its_arrival() -> None:
    assert said("soc_percent", 40.0, NOW + timedelta(hours=3)).by_kind["soc_percent"].at == NOW
    ancient = datetime(2001, 1, 1, tzinfo=UTC)
    assert said("mode", "charge", ancient).by_kind["mode"].at == NOW


def test_what_is_older_than_what_is_known_changes_nothing() -> None:
    readings = said("plugged", True)
    older = Reading("plugged", False, NOW - MINUTE)
    assert readings.take(older, NOW, retained=True) is None
    assert readings.value("plugged", NOW) is True


def test_it_is_believed_for_as_long_as_its_kind_holds() -> None:
    readings = said("power_w", 7400.0)
    assert readings.value("power_w", NOW + MINUTE) == 7400
    assert readings.value("power_w", NOW + timedelta(days=1)) is None
    told = readings.get("power_w")
    assert told is not None
    assert told.at == NOW


def test_that_nothing_is_wrong_is_no_news_where_nothing_was() -> None:
    readings = LatestReadings()
    assert readings.take(Reading("error", "", NOW), NOW, retained=False) is None
    assert readings.take(Reading("error", "hot", NOW), NOW, retained=False) is not None
    assert readings.take(Reading("error", "", NOW), NOW, retained=False) is not None


def test_a_retained_repeat_keeps_its_time_and_another_counts_as_a_day_old() -> None:
    readings = said("soc_percent", 40.0, NOW - MINUTE)
    same = readings.untimed("soc_percent", 40.0, retained=True, now=NOW)
    other = readings.untimed("soc_percent", 55.0, retained=True, now=NOW)
    assert (same.at, other.at) == (NOW - MINUTE, NOW - timedelta(days=1))
    live = readings.untimed("soc_percent", 55.0, retained=False, now=NOW)
    assert live.at == NOW


def test_what_cannot_be_read_stands_as_it_first_came_until_a_good_one_comes() -> None:
    readings = LatestReadings()
    for why in ("is 101; expected 0 to 100", "is 102; expected 0 to 100"):
        readings.cannot_read(Unreadable("soc_percent", why))
    assert readings.unreadable == {"soc_percent": "is 101; expected 0 to 100"}
    readings.take(Reading("soc_percent", 50.0, NOW), NOW, retained=False)
    assert readings.unreadable == {}
    for over in (False, True):
        readings.cannot_read(UnreadableMessage("ev/state", over=over))
        assert ("ev/state" in readings.unreadable_topics) is not over


def test_a_plan_is_not_made_anew_for_a_hair() -> None:
    before = Reading("soc_percent", 40.0, NOW)
    assert differs(None, before)
    assert not differs(before, Reading("soc_percent", 40.4, NOW))
    assert differs(before, Reading("soc_percent", 40.5, NOW))
    assert differs(Reading("mode", "idle", NOW), Reading("mode", "charge", NOW))
