"""Prices of the next day as they are drawn and said."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from agent.energy.rates import Rate
from agent.web.api.house import price_until
from agent.web.pages.price_chart import PriceChart, price_chart
from agent.web.words import Words

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 1, 16, 3, 41, tzinfo=UTC)
HOUR = timedelta(hours=1)


def rates(*prices: str, sure: int = 99) -> list[Rate]:
    """An hour each from the present one on; `sure` of them are known, the others estimated."""
    start = NOW.replace(minute=0)
    return [
        Rate(start + number * HOUR, start + (number + 1) * HOUR, Decimal(price), confidence)
        for number, price in enumerate(prices)
        for confidence in (1.0 if number < sure else 0.6,)
    ]


def drawn(known: list[Rate], now: datetime = NOW, language: str = "de") -> PriceChart:
    chart = price_chart(known, now, Words(language, BERLIN), "EUR")
    assert chart is not None
    return chart


def test_one_price_has_no_lowest_and_no_end() -> None:
    flat = rates(*["1"] * 30)
    assert drawn(flat).summary == "Nächste 24 Stunden: durchgehend 100,0 ct/kWh."
    assert price_until(flat, NOW) is None


def test_a_price_holds_until_another_begins() -> None:
    assert price_until(rates("0.3", "0.3", "0.2", "0.3"), NOW) == NOW.replace(minute=0) + 2 * HOUR
    assert price_until(rates("0.3", "0.3"), NOW) is None
    assert price_until([], NOW) is None


def test_estimates_are_marked_in_words_and_bars() -> None:
    chart = drawn(rates("0.3", "0.2", "0.1", sure=2))
    assert chart.estimated
    assert "am niedrigsten 10,0 ct/kWh (geschätzt)" in chart.summary
    assert "am höchsten 30,0 ct/kWh (04:41)" in chart.summary
    assert [bar.estimated for bar in chart.bars] == [False, False, True]
    assert chart.bars[-1].title.endswith("(geschätzt)")
    assert not drawn(rates("0.3", "0.2")).estimated


def test_all_24_hours_are_drawn_and_told_also_the_last_part_of_an_hour() -> None:
    dear_at_the_end = rates(*["0.2"] * 24, "0.5", "0.9")
    chart = drawn(dear_at_the_end)
    last = chart.bars[-1]
    assert last.x + last.width == pytest.approx(960, abs=1.1)
    assert "am höchsten 50,0 ct/kWh" in chart.summary
    assert chart.rows[-1][0].endswith("04:41")


@pytest.mark.parametrize("minute", range(0, 1440, 97))
def test_no_label_is_cut_off_on_a_narrow_phone(minute: int) -> None:
    """A label of five digits is some 40 of 290 pixels wide."""
    now = NOW + timedelta(minutes=minute)
    labels = drawn([Rate(now, now + 30 * HOUR, Decimal("0.3"))], now).labels
    assert labels
    assert all(7 <= place <= 93 for place, _ in labels)
    assert all(later - earlier >= 14 for (earlier, _), (later, _) in pairwise(labels))
