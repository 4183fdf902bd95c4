"""Estimates: each step of the rule, the days on which clocks change, and real prices."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from agent.energy.rates import Rate
from agent.tariff.estimates import build_profile, estimates
from agent.tariff.normalise import gaps
from integrations.sandbox.locations import built_in

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
FRIDAY = datetime(2026, 1, 16, tzinfo=BERLIN)


def utc(local: datetime) -> datetime:
    return local.astimezone(UTC)


def day_of(day: date, night: str, daytime: str) -> list[Rate]:
    """A local day, dear from 06:00 on."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=BERLIN)
    six = midnight.replace(hour=6)
    following = midnight + DAY
    return [
        Rate(utc(midnight), utc(six), Decimal(night)),
        Rate(utc(six), utc(following), Decimal(daytime)),
    ]


def days_before(day: date, prices: list[tuple[str, str]]) -> list[Rate]:
    """Whole days up to `day`, it included; the last entry is that day's."""
    first = day - (len(prices) - 1) * DAY
    return [
        rate
        for number, (night, daytime) in enumerate(prices)
        for rate in day_of(first + number * DAY, night, daytime)
    ]


def guess(known: list[Rate], when: datetime, zone: ZoneInfo = BERLIN) -> tuple[str, float]:
    now = utc(FRIDAY) + 12 * HOUR
    profile = build_profile(known, zone, now)
    (rate,) = estimates(profile, known, utc(when), utc(when) + HOUR)
    return f"{rate.price.normalize():f}", rate.confidence


def test_nothing_known_nothing_estimated() -> None:
    profile = build_profile([], BERLIN, utc(FRIDAY))
    assert estimates(profile, [], utc(FRIDAY), utc(FRIDAY) + DAY) == []


def test_a_price_never_seen_at_that_time_is_the_mean() -> None:
    known = [
        Rate(utc(FRIDAY), utc(FRIDAY) + HOUR, Decimal("0.1")),
        Rate(utc(FRIDAY) + HOUR, utc(FRIDAY) + 4 * HOUR, Decimal("0.3")),
    ]
    assert guess(known, FRIDAY + timedelta(days=1, hours=12)) == ("0.25", 0.1)


def test_with_little_history_it_is_todays_price_at_the_same_local_time() -> None:
    known = days_before(FRIDAY.date(), [("0.1", "0.2"), ("0.3", "0.4")])
    assert guess(known, FRIDAY + timedelta(days=1, hours=2)) == ("0.3", 0.3)
    assert guess(known, FRIDAY + timedelta(days=1, hours=12)) == ("0.4", 0.3)


def test_else_it_is_the_mean_of_the_last_seven_known_days() -> None:
    prices = [("9", "9")] + [(f"0.{n}", "0.5") for n in range(1, 8)]
    known = days_before(FRIDAY.date(), prices)
    assert guess(known, FRIDAY + timedelta(days=1, hours=2)) == ("0.4", 0.5)


def test_a_missing_day_is_not_a_known_day() -> None:
    prices = [(f"0.{n}", "0.5") for n in range(1, 9)]
    known = days_before(FRIDAY.date(), prices)
    del known[6:8]  # the day of 0.4
    mean = Decimal("0.1") + Decimal("0.2") + Decimal("0.3") + Decimal("2.6")
    assert guess(known, FRIDAY + timedelta(days=1, hours=2)) == (
        f"{(mean / 7).quantize(Decimal('0.00001')).normalize():f}",
        0.5,
    )


def test_after_two_weeks_weekends_are_apart() -> None:
    known = [
        rate
        for number in range(21)
        for day in [FRIDAY.date() - number * DAY]
        for rate in day_of(day, "0.1", "0.2" if day.weekday() < 5 else "0.1")
    ]
    known.sort(key=lambda rate: rate.start)
    saturday = FRIDAY + timedelta(days=1, hours=12)
    assert guess(known, saturday) == ("0.1", 0.5)
    assert guess(known, saturday + 2 * DAY) == ("0.2", 0.5)
    assert guess(known[-2 * 13 :], saturday) != ("0.1", 0.5)


def test_predictions_do_not_count_where_something_was_confirmed() -> None:
    known = days_before(FRIDAY.date(), [("0.1", "0.2")] * 4)
    tomorrow = utc(FRIDAY) + DAY
    predicted = Rate(tomorrow, tomorrow + DAY, Decimal("5"), 0.6)
    assert guess([*known, predicted], FRIDAY + timedelta(days=2, hours=2)) == ("0.1", 0.5)
    assert guess([predicted], FRIDAY + timedelta(days=2, hours=2)) == ("5", 0.3)


@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 10, 25)])
def test_local_time_counts_on_the_days_on_which_clocks_change(day: date) -> None:
    known = days_before(day - DAY, [("0.1", "0.2")] * 7)
    midnight = datetime(day.year, day.month, day.day, tzinfo=BERLIN)
    start, end = utc(midnight), utc(midnight + DAY)
    filled = estimates(build_profile(known, BERLIN, start), known, start, end)
    assert [(rate.start, rate.price) for rate in filled] == [
        (start, Decimal("0.1")),
        (utc(midnight.replace(hour=6)), Decimal("0.2")),
    ]
    assert filled[-1].end == end


def test_only_holes_are_filled() -> None:
    known = days_before(FRIDAY.date(), [("0.1", "0.2")] * 7)
    start = utc(FRIDAY)
    holed = [*known[:-1], Rate(start + 10 * HOUR, start + 11 * HOUR, Decimal("0.9"))]
    profile = build_profile(known, BERLIN, start)
    filled = estimates(profile, holed, start, start + DAY)
    assert [(rate.start - start, rate.end - start) for rate in filled] == [
        (6 * HOUR, 10 * HOUR),
        (11 * HOUR, 24 * HOUR),
    ]


@pytest.mark.parametrize("number", [0, 1], ids=["DE-LU", "SE3"])
def test_on_real_prices_they_find_the_cheap_hours(number: int) -> None:
    """Four hours of the day after tomorrow, chosen by estimates, over half a year.

    They must cost clearly less than four average hours: at least half of what perfect knowledge
    would save.
    """
    place = built_in()[number]
    series, zone = place.series["IMPORT"], place.zone
    paid = perfect = average = 0.0
    for week in range(26):
        day = datetime(2026, 2, 3, tzinfo=zone) + timedelta(days=7 * week + week % 7)
        start, end = utc(day), utc(day + DAY)
        known = [
            Rate(slot.start, slot.end, slot.price)
            for slot in series.slots(start - timedelta(days=30), start)
        ]
        truth = {slot.start: float(slot.price) for slot in series.slots(start, end)}
        filled = estimates(build_profile(known, zone, start - 12 * HOUR), known, start, end)
        assert gaps(filled, start, end) == []
        guessed = {
            when: next(float(r.price) for r in filled if r.start <= when < r.end) for when in truth
        }
        chosen = sorted(truth, key=lambda when: guessed[when])[:4]
        paid += sum(truth[when] for when in chosen)
        perfect += sum(sorted(truth.values())[:4])
        average += 4 * sum(truth.values()) / len(truth)
    assert perfect <= paid < average
    assert average - paid > 0.5 * (average - perfect)


def test_many_days_cost_little_time() -> None:
    place = built_in()[2]
    start = utc(FRIDAY)
    known = [
        Rate(slot.start, slot.end, slot.price)
        for slot in place.series["IMPORT"].slots(start - timedelta(days=35), start)
    ]
    assert len(known) == 35 * 96
    filled = estimates(
        build_profile(known, BERLIN, start), known, start, start + timedelta(days=31)
    )
    assert gaps(filled, start, start + timedelta(days=31)) == []
