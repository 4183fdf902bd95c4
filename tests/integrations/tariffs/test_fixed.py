"""The fixed tariff against a clock on the wall that is read every second."""

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.energy.rates import Direction, Rate
from agent.errors import Malformed
from integrations.tariffs.fixed import FixedTariff, PriceRule, fixed_rates

BERLIN = ZoneInfo("Europe/Berlin")
SYDNEY = ZoneInfo("Australia/Sydney")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
NEW_YORK = ZoneInfo("America/New_York")
CHANGES = [
    (BERLIN, datetime(2026, 3, 29, 1, tzinfo=UTC)),
    (BERLIN, datetime(2026, 10, 25, 1, tzinfo=UTC)),
    (SYDNEY, datetime(2026, 4, 4, 16, tzinfo=UTC)),
    (SYDNEY, datetime(2026, 10, 3, 16, tzinfo=UTC)),
    (LORD_HOWE, datetime(2026, 4, 4, 15, tzinfo=UTC)),
    (LORD_HOWE, datetime(2026, 10, 3, 15, 30, tzinfo=UTC)),
    (NEW_YORK, datetime(2026, 3, 8, 7, tzinfo=UTC)),
]
WEEKDAYS = frozenset(range(5))


def rule(price: str, start: str = "00:00", end: str = "00:00", **more: frozenset[int]) -> PriceRule:
    return PriceRule(
        Decimal(price), start=time.fromisoformat(start), end=time.fromisoformat(end), **more
    )


def local_spans(rates: list[Rate], zone: ZoneInfo) -> list[str]:
    return [
        f"{rate.start.astimezone(zone):%H:%M%z}-{rate.end.astimezone(zone):%H:%M%z} {rate.price}"
        for rate in rates
    ]


def day(zone: ZoneInfo, year: int, month: int, number: int) -> tuple[datetime, datetime]:
    midnight = datetime(year, month, number, tzinfo=zone)
    return midnight, midnight + timedelta(days=1)


def test_where_clocks_go_forward_the_skipped_times_never_come() -> None:
    rules = [rule("1", "01:00", "02:30"), rule("2", "02:30", "04:00"), rule("3")]
    assert local_spans(fixed_rates(rules, BERLIN, *day(BERLIN, 2026, 3, 29)), BERLIN) == [
        "00:00+0100-01:00+0100 3",
        "01:00+0100-03:00+0200 1",
        "03:00+0200-04:00+0200 2",
        "04:00+0200-00:00+0200 3",
    ]


def test_where_clocks_go_back_an_hour_has_its_prices_twice() -> None:
    rules = [rule("1", "01:00", "02:30"), rule("2")]
    assert local_spans(fixed_rates(rules, BERLIN, *day(BERLIN, 2026, 10, 25)), BERLIN) == [
        "00:00+0200-01:00+0200 2",
        "01:00+0200-02:30+0200 1",
        "02:30+0200-02:00+0100 2",
        "02:00+0100-02:30+0100 1",
        "02:30+0100-00:00+0100 2",
    ]


def test_the_southern_hemisphere_changes_its_clocks_the_other_way() -> None:
    rules = [rule("1", "22:30", "06:00"), rule("2")]
    rates = fixed_rates(rules, SYDNEY, *day(SYDNEY, 2026, 4, 5))
    assert rates[0].end - rates[0].start == timedelta(hours=7)
    rates = fixed_rates(rules, SYDNEY, *day(SYDNEY, 2026, 10, 4))
    assert rates[0].end - rates[0].start == timedelta(hours=5)


def test_weekday_and_month_are_those_of_the_calendar_day() -> None:
    rules = [
        rule("1", "22:00", "06:00", days=frozenset({0})),
        rule("2", months=frozenset({2})),
        rule("3"),
    ]
    start = datetime(2026, 1, 31, 12, tzinfo=BERLIN)  # a Saturday
    assert local_spans(fixed_rates(rules, BERLIN, start, start + timedelta(days=3)), BERLIN) == [
        "12:00+0100-00:00+0100 3",
        "00:00+0100-00:00+0100 2",
        "00:00+0100-06:00+0100 1",
        "06:00+0100-22:00+0100 2",
        "22:00+0100-00:00+0100 1",
        "00:00+0100-12:00+0100 2",
    ]


CLOCK = st.builds(time, st.integers(0, 4), st.sampled_from([0, 1, 29, 30, 59]))
RULE = st.builds(
    PriceRule,
    st.sampled_from([Decimal("0.1"), Decimal("0.2"), Decimal("-0.3")]),
    days=st.sampled_from([WEEKDAYS, frozenset({5}), frozenset({6}), frozenset(range(7))]),
    months=st.sampled_from([frozenset({3, 10}), frozenset(range(1, 13))]),
    start=CLOCK,
    end=CLOCK,
)


def price_on_the_wall(rules: list[PriceRule], when: datetime, zone: ZoneInfo) -> Decimal | None:
    """Written anew from the documentation, by minutes."""
    local = when.astimezone(zone)
    minute = local.hour * 60 + local.minute
    for rule in rules:
        start = rule.start.hour * 60 + rule.start.minute
        end = rule.end.hour * 60 + rule.end.minute
        spans = [(start, end)] if start < end else [(start, 1440), (0, end)]
        if start == end:
            spans = [(0, 1440)]
        if (
            local.weekday() in rule.days
            and local.month in rule.months
            and any(begin <= minute < finish for begin, finish in spans)
        ):
            return rule.price
    return None


@settings(deadline=None, max_examples=40)
@given(st.lists(RULE, min_size=1, max_size=4), st.sampled_from(CHANGES), st.integers(0, 3599))
def test_every_second_around_a_clock_change(
    rules: list[PriceRule], change: tuple[ZoneInfo, datetime], shift: int
) -> None:
    zone, when = change
    start = when - timedelta(seconds=2 * 3600 + shift)
    end = when + timedelta(seconds=2 * 3600 + shift // 2)
    rates = fixed_rates(rules, zone, start, end)
    assert all(a.end <= b.start for a, b in pairwise(rates))
    number = 0
    for second in range(int((end - start).total_seconds())):
        at = start + timedelta(seconds=second)
        while number < len(rates) and rates[number].end <= at:
            number += 1
        found = rates[number].price if number < len(rates) and rates[number].start <= at else None
        assert found == price_on_the_wall(rules, at, zone)


async def test_it_is_a_tariff_source() -> None:
    rules = {Direction.IMPORT: [rule("0.3")], Direction.EXPORT: []}
    tariff = FixedTariff("Europe/Berlin", "EUR", rules)
    start, end = day(BERLIN, 2026, 1, 16)
    fetched = await tariff.fetch(Direction.IMPORT, start, end)
    assert tariff.directions == (Direction.IMPORT,)
    assert (fetched.currency, fetched.timezone) == ("EUR", "Europe/Berlin")
    assert list(fetched.rates) == [Rate(start, end, Decimal("0.3"))]
    with pytest.raises(Malformed):
        await tariff.fetch(Direction.EXPORT, start, end)
    await tariff.close()
    same = FixedTariff("Europe/Berlin", "EUR", rules)
    other = FixedTariff("Europe/Berlin", "EUR", {Direction.IMPORT: [rule("0.31")]})
    assert same.identity == tariff.identity != other.identity
