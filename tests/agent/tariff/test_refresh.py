"""When to ask, and for what: mostly around 23:00 and the days on which clocks change."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.tariff.refresh import (
    JITTER,
    MAX_WAIT,
    MIN_INTERVAL,
    backfill_window,
    early_refresh,
    is_late,
    lacks_tomorrow,
    next_refresh,
    retry_nothing_new,
    retry_refused,
    retry_unavailable,
    window,
)

BERLIN = ZoneInfo("Europe/Berlin")
SYDNEY = ZoneInfo("Australia/Sydney")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
NOON = datetime(2026, 1, 16, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
# Prices are known as far as anybody asks.
WHOLE = NOON + timedelta(days=365)
INSTANTS = st.integers(0, 2 * 365 * 86400).map(lambda second: NOON + timedelta(seconds=second))
SPREAD = st.floats(0, 1)


def test_it_follows_next_update_and_a_little() -> None:
    assert next_refresh(NOON, NOON + 3 * HOUR, WHOLE, BERLIN, 0) == NOON + 3 * HOUR + MINUTE / 12
    assert next_refresh(NOON, NOON + 3 * HOUR, WHOLE, BERLIN, 1) == NOON + 3 * HOUR + JITTER
    assert next_refresh(NOON, NOON + MINUTE, WHOLE, BERLIN, 0) == NOON + MIN_INTERVAL


@pytest.mark.parametrize(
    "told",
    [None, NOON, NOON - HOUR, NOON + timedelta(days=10), NOON + timedelta(days=1, seconds=1)],
)
def test_what_cannot_be_waited_for_means_23_local(told: datetime | None) -> None:
    refresh = next_refresh(NOON, told, WHOLE, BERLIN, 0)
    assert refresh == datetime(2026, 1, 16, 22, 0, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "now", "expected"),
    [
        # The evening before a day of 25 hours, and that day itself.
        (BERLIN, "2026-10-24T21:30:00Z", "2026-10-25T22:00:05Z"),
        (BERLIN, "2026-10-25T00:30:00Z", "2026-10-25T22:00:05Z"),
        # A day of 23 hours.
        (BERLIN, "2026-03-28T22:30:00Z", "2026-03-29T21:00:05Z"),
        # The southern hemisphere: 25 hours in April, 23 in October.
        (SYDNEY, "2026-04-04T12:30:00Z", "2026-04-05T13:00:05Z"),
        (SYDNEY, "2026-10-03T13:30:00Z", "2026-10-04T12:00:05Z"),
        # Half an hour of summer time.
        (LORD_HOWE, "2026-04-05T00:00:00Z", "2026-04-05T12:30:05Z"),
        # Just before 23:00: not sooner than in a quarter of an hour.
        (BERLIN, "2026-01-16T21:50:00Z", "2026-01-16T22:05:00Z"),
    ],
)
def test_23_local_on_days_of_every_length(zone: ZoneInfo, now: str, expected: str) -> None:
    refresh = next_refresh(datetime.fromisoformat(now), None, WHOLE, zone, 0)
    assert refresh == datetime.fromisoformat(expected)


@given(
    INSTANTS,
    st.none() | INSTANTS,
    st.none() | INSTANTS,
    st.sampled_from([BERLIN, SYDNEY, LORD_HOWE]),
    SPREAD,
)
def test_a_refresh_is_never_sooner_than_allowed_nor_later_than_a_day(
    now: datetime,
    told: datetime | None,
    until: datetime | None,
    zone: ZoneInfo,
    jitter: float,
) -> None:
    refresh = next_refresh(now, told, until, zone, jitter)
    assert now + MIN_INTERVAL <= refresh <= now + MAX_WAIT + HOUR + JITTER


@given(INSTANTS, st.none() | INSTANTS, SPREAD)
def test_three_retries_each_later_than_the_one_before(
    now: datetime, told: datetime | None, jitter: float
) -> None:
    waits = [retry_nothing_new(now, told, retries, jitter) for retries in range(4)]
    assert waits[3] is None
    known = [wait for wait in waits if wait is not None]
    assert len(known) == 3
    assert min(known) >= now + MIN_INTERVAL
    assert known == sorted(known)


def test_a_retry_does_not_overtake_the_next_update() -> None:
    told = NOON + 40 * MINUTE
    assert retry_nothing_new(NOON, told, 2, 0) == told + timedelta(seconds=5)


@given(st.integers(1, 10_000), st.booleans(), SPREAD)
def test_failures_are_retried_ever_later_up_to_an_hour(
    failures: int, empty: bool, jitter: float
) -> None:
    wait = retry_unavailable(NOON, None, failures, empty, jitter) - NOON
    assert (MINUTE if empty else MIN_INTERVAL) <= wait <= 66 * MINUTE


def test_what_was_told_is_waited_for_but_not_for_years() -> None:
    told = NOON + 2 * HOUR
    assert retry_unavailable(NOON, told, 1, False, 0) == told + timedelta(seconds=5)
    assert retry_unavailable(NOON, NOON + MINUTE, 1, False, 0) == NOON + MIN_INTERVAL
    years = NOON + timedelta(days=3650)
    assert retry_unavailable(NOON, years, 1, False, 0) == NOON + MAX_WAIT + timedelta(seconds=5)


@pytest.mark.parametrize(
    ("code", "hours"),
    [("forbidden", 6), ("account_disabled", 24), ("not_found", 24), ("no_tariff_connected", 1)],
)
def test_what_only_a_person_can_mend_is_looked_at_rarely(code: str, hours: int) -> None:
    assert retry_refused(NOON, code, 2, 0) == NOON + hours * HOUR


def test_windows() -> None:
    now = NOON + timedelta(minutes=25, microseconds=7)
    assert window(now, False) == (NOON, NOON + 48 * HOUR)
    assert window(now, True) == (NOON - timedelta(days=7), NOON + 48 * HOUR)


def test_history_comes_in_pieces_of_a_month_newest_first() -> None:
    target = NOON - timedelta(days=70)
    pieces, asked_from = [], NOON
    while piece := backfill_window(asked_from, target):
        pieces.append(piece)
        asked_from = piece[0]
    assert [(end - start).days for start, end in pieces] == [30, 30, 10]
    assert pieces[-1][0] == target


def test_tomorrow_is_a_local_day() -> None:
    end_of_tomorrow = datetime(2026, 3, 29, 22, tzinfo=UTC)  # of the day of 23 hours
    now = datetime(2026, 3, 28, 12, tzinfo=UTC)
    assert not lacks_tomorrow(end_of_tomorrow, now, BERLIN)
    assert lacks_tomorrow(end_of_tomorrow - MINUTE, now, BERLIN)
    assert lacks_tomorrow(None, now, BERLIN)
    assert now.astimezone(BERLIN).date() == date(2026, 3, 28)


EVENING = datetime(2026, 1, 16, 22, tzinfo=UTC)
MIDNIGHT = EVENING + HOUR


def test_where_tomorrow_is_missing_at_23_that_is_a_refresh_of_its_own() -> None:
    noon_tomorrow = NOON + timedelta(days=1) - MINUTE
    five_s = timedelta(seconds=5)
    assert next_refresh(NOON, noon_tomorrow, MIDNIGHT, BERLIN, 0) == EVENING + five_s
    assert next_refresh(NOON, noon_tomorrow, None, BERLIN, 0) == EVENING + five_s
    tomorrow = MIDNIGHT + timedelta(days=1)
    assert next_refresh(NOON, noon_tomorrow, tomorrow, BERLIN, 0) == noon_tomorrow + five_s
    assert next_refresh(NOON, NOON + HOUR, MIDNIGHT, BERLIN, 0) == NOON + HOUR + five_s


def test_prices_that_end_before_the_next_refresh_are_asked_for_an_hour_earlier() -> None:
    scheduled, until = NOON + 10 * HOUR, NOON + 6 * HOUR
    five_s = timedelta(seconds=5)
    assert early_refresh(NOON, scheduled, until, 0, 0) == NOON + 5 * HOUR + five_s
    assert early_refresh(NOON, scheduled, NOON + MINUTE, 0, 0) == NOON + MIN_INTERVAL
    assert early_refresh(NOON, scheduled, until, 3, 0) is None
    assert early_refresh(NOON, scheduled, scheduled, 0, 0) is None
    assert early_refresh(NOON, scheduled, NOON, 0, 0) is None
    assert early_refresh(NOON, scheduled, None, 0, 0) is None


@pytest.mark.parametrize(
    ("next_update", "until", "was_due", "late"),
    [
        # Nothing was announced for now, and what is known reaches to what is.
        (NOON + HOUR, MIDNIGHT, False, False),
        # It was announced for now.
        (NOON + HOUR, MIDNIGHT, True, True),
        # The answer names tomorrow's publication, and has nothing to bridge the time until then.
        (NOON + 23 * HOUR, MIDNIGHT, False, True),
        (None, MIDNIGHT, False, False),
        (None, EVENING - HOUR, False, True),
        (NOON + HOUR, None, False, True),
        # Tomorrow is there.
        (NOON - HOUR, MIDNIGHT + 24 * HOUR, True, False),
    ],
)
def test_a_refresh_is_judged_by_what_came(
    next_update: datetime | None, until: datetime | None, was_due: bool, late: bool
) -> None:
    assert is_late(NOON, next_update, until, BERLIN, was_due=was_due) is late


def test_a_first_404_is_doubted() -> None:
    for code in ("not_found", "account_disabled"):
        assert retry_refused(NOON, code, 1, 0) == NOON + MIN_INTERVAL
    assert retry_refused(NOON, "forbidden", 1, 0) == NOON + 6 * HOUR
