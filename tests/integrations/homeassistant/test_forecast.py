"""The price lists that cards and add-ons read: local days, sizes, what is left out."""

import itertools
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from agent.energy.rates import Rate
from integrations.homeassistant.forecast import MOST_BYTES, outlook, price_lists

BERLIN, KOLKATA = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kolkata")


def rates(start: datetime, count: int, step_s: int, **more: Any) -> list[Rate]:
    step = timedelta(seconds=step_s)
    return [
        Rate(start + i * step, start + (i + 1) * step, Decimal(i % 97) / 1000 - 1, **more)
        for i in range(count)
    ]


def lists(known: Sequence[Rate], now: datetime, zone: ZoneInfo = BERLIN) -> dict[str, Any]:
    text = price_lists(known, now, zone, "EUR", now)
    assert len(text.encode()) <= MOST_BYTES
    found: dict[str, Any] = json.loads(text)
    return found


@pytest.mark.parametrize(
    ("day", "hours"),
    [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 1, 15), 24)],
)
def test_today_begins_at_local_midnight_and_has_all_its_hours(day: date, hours: int) -> None:
    start = datetime(day.year, day.month, day.day, tzinfo=BERLIN).astimezone(UTC)
    found = lists(rates(start - timedelta(hours=24), 96, 3600), start + timedelta(hours=12))
    today = found["raw_today"]
    assert len(today) == hours
    assert datetime.fromisoformat(today[0]["start"]) == start
    assert today[0]["start"].startswith(f"{day}T00:00:00+0")
    assert all(a["end"] == b["start"] for a, b in itertools.pairwise(today))
    assert found["tomorrow_valid"] is True
    assert found["raw_tomorrow"][0]["start"] == today[-1]["end"]


def test_two_days_of_quarters_of_an_hour_stay_below_the_limit() -> None:
    start = datetime(2026, 6, 1, tzinfo=BERLIN).astimezone(UTC)
    long = [Rate(r.start, r.end, r.price + Decimal("0.00012345")) for r in rates(start, 192, 900)]
    found = lists(long, start + timedelta(hours=12))
    assert [len(found[key]) for key in ("raw_today", "raw_tomorrow")] == [96, 96]
    assert set(found["raw_today"][0]) == {"start", "value"}
    text = outlook([Rate(r.start, r.end, r.price, 0.55, 123.4) for r in long], start, BERLIN)
    assert len(text.encode()) <= MOST_BYTES


def test_one_price_for_all_is_cut_into_hours_and_half_hours_where_a_zone_needs_them() -> None:
    start = datetime(2026, 1, 15, tzinfo=BERLIN).astimezone(UTC)
    flat = [Rate(start - timedelta(days=9), start + timedelta(days=9), Decimal("0.3"))]
    assert [entry["value"] for entry in lists(flat, start)["raw_today"]] == [0.3] * 24
    whole_hours_of_utc = rates(datetime(2026, 1, 14, tzinfo=UTC), 96, 3600)
    found = lists(whole_hours_of_utc, datetime(2026, 1, 15, 12, tzinfo=UTC), KOLKATA)
    assert len(found["raw_today"]) == 48
    assert found["raw_today"][0]["start"] == "2026-01-15T00:00:00+05:30"


def test_estimates_are_no_prices_but_stand_in_the_outlook() -> None:
    start = datetime(2026, 1, 15, tzinfo=BERLIN).astimezone(UTC)
    known = rates(start, 24, 3600)
    guessed = rates(start + timedelta(hours=24), 24, 3600, confidence=0.4)
    found = lists([*known, *guessed], start)
    assert (len(found["raw_today"]), found["raw_tomorrow"]) == (24, [])
    assert found["tomorrow_valid"] is False
    entries = json.loads(outlook([*known, *guessed], start, BERLIN))["forecast"]
    assert [entry["confidence"] for entry in entries] == [1] * 24 + [0.4] * 24
    assert "carbon" not in entries[0]
