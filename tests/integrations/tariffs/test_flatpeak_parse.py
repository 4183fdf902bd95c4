"""What is understood of an answer, from recorded ones and from nonsense."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.energy.rates import Direction, Rate
from agent.errors import Malformed
from integrations.tariffs.flatpeak_parse import parse_error, parse_rates

FIXTURES = Path(__file__).parents[2] / "fixtures" / "flatpeak"


def at(day: int, hour: int, minute: int = 0, month: int = 11) -> datetime:
    return datetime(2025, month, day, hour, minute, tzinfo=UTC)


def answer(*slots: Any, **more: Any) -> str:
    frame = {"currency_code": "EUR", "location_timezone": "Europe/Berlin", "data": list(slots)}
    return json.dumps({**frame, **more})


def slot(**tariff: Any) -> dict[str, Any]:
    return {
        "valid_from": "2025-11-04T22:00:00Z",
        "valid_to": "2025-11-04T23:00:00Z",
        "tariff": tariff,
    }


def test_the_documentations_clock_change_is_one_slot_of_three_hours() -> None:
    fetched = parse_rates((FIXTURES / "clock_change.json").read_text(), Direction.IMPORT)
    assert fetched.rates == [
        Rate(at(29, 23, month=3), at(30, 2, month=3), Decimal("0.02")),
    ]
    assert fetched.timezone == "Europe/Amsterdam"
    assert fetched.next_update == at(30, 11, month=3)


def test_prices_confidence_and_carbon_are_exactly_what_was_said() -> None:
    fetched = parse_rates((FIXTURES / "zero_with_carbon.json").read_text(), Direction.EXPORT)
    assert fetched.rates == [
        Rate(at(4, 22, 30), at(4, 23), Decimal("0.2417"), 1.0, 212.5),
        Rate(at(4, 23), at(5, 0), Decimal("-0.00125"), 0.6),
        Rate(at(5, 0), at(5, 1), Decimal("0"), 0.0),
    ]
    assert fetched.dropped == 1
    assert fetched.currency == "GBP"
    assert fetched.next_update == at(5, 12)


@pytest.mark.parametrize(
    "price",
    [{"tariff": {"rate": 0.1}}, {"tariff": {"cost": 0.1}}, {"price": {"value": 0.1}}],
    ids=["zero", "early zero", "anode and later"],
)
def test_the_price_keys_of_every_release_are_understood(price: dict[str, Any]) -> None:
    times = {"valid_from": "2025-11-04T22:00:00Z", "valid_to": "2025-11-04T23:00:00Z"}
    fetched = parse_rates(answer({**times, **price}), Direction.IMPORT)
    assert [(rate.price, rate.confidence) for rate in fetched.rates] == [(Decimal("0.1"), 1.0)]


@pytest.mark.parametrize(
    ("said", "understood"),
    [(1, 1.0), (0.6, 0.6), (0, 0.0), (1.5, 1.0), (-1, 0.0), (None, 1.0)],
)
def test_confidence_is_kept_within_0_and_1(said: object, understood: float) -> None:
    fetched = parse_rates(answer(slot(rate=0.1, confidence=said)), Direction.IMPORT)
    assert [rate.confidence for rate in fetched.rates] == [understood]


@pytest.mark.parametrize(
    "bad",
    [
        slot(rate=None),
        slot(rate=True),
        slot(rate="cheap"),
        slot(rate=[1]),
        slot(rate=1e300),
        slot(rate=1e-300),
        slot(rate=0.1, confidence="high"),
        {**slot(rate=0.1), "valid_from": "2025-11-04T22:00:00"},
        {**slot(rate=0.1), "valid_to": None},
        {**slot(rate=0.1), "valid_to": "0001-01-01T00:00:00+14:00"},
        {"tariff": {"rate": 0.1}},
        "slot",
        None,
    ],
)
def test_a_slot_that_makes_no_sense_is_counted_and_the_others_are_kept(bad: object) -> None:
    fetched = parse_rates(answer(bad, slot(rate="0.31")), Direction.IMPORT)
    assert [rate.price for rate in fetched.rates] == [Decimal("0.31")]
    assert fetched.dropped == 1


def test_numbers_that_break_parsers_break_nothing() -> None:
    digits = "9" * 10_000
    text = answer(slot(rate="RATE")).replace('"RATE"', digits)
    assert parse_rates(text, Direction.IMPORT).rates == []
    text = answer(slot(rate="RATE")).replace('"RATE"', "1e99999999999999999999")
    assert parse_rates(text, Direction.IMPORT).rates == []
    text = answer(slot(rate="RATE")).replace('"RATE"', "NaN")
    assert parse_rates(text, Direction.IMPORT).rates == []


@pytest.mark.parametrize("data", [{"data": None}, {}], ids=["null", "missing"])
def test_data_that_is_not_there_is_empty(data: dict[str, Any]) -> None:
    fetched = parse_rates(json.dumps({"currency_code": "EUR", **data}), Direction.IMPORT)
    assert fetched.rates == []
    assert fetched.timezone == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<!DOCTYPE html>",
        "[]",
        "null",
        '{"data": [{"valid',
        '{"data": 3}',
        "[" * 100_000,
        answer(direction="EXPORT"),
        answer(tariff_direction="LOCAL"),
    ],
)
def test_a_frame_that_is_not_understood_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        parse_rates(text, Direction.IMPORT)


def test_more_prices_than_can_be_meant_are_no_answer() -> None:
    """Each is an object that the gateway would have to hold."""
    a_month = answer(*[slot(rate=0.3)] * (30 * 24 * 12))
    assert len(parse_rates(a_month, Direction.IMPORT).rates) == 30 * 24 * 12
    with pytest.raises(Malformed, match="30000 prices; at most 10000"):
        parse_rates(answer(*[slot(rate=0.3)] * 30_000), Direction.IMPORT)


def test_prices_of_seconds_are_left_out() -> None:
    """Each change would be said to everybody."""
    second = {**slot(rate=0.3), "valid_to": "2025-11-04T22:00:01Z"}
    found = parse_rates(answer(second, slot(rate=0.4)), Direction.IMPORT)
    assert (len(found.rates), found.dropped) == (1, 1)


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ('{"message": "Bad credentials"}', "", "Bad credentials"),
        (
            '{"object": "error", "code": "no_price_data", "message": "None"}',
            "no_price_data",
            "None",
        ),
        ("<html>", "", ""),
        ('{"code": 7, "message": ["x"]}', "", ""),
    ],
)
def test_both_shapes_of_errors_are_understood(text: str, code: str, message: str) -> None:
    assert parse_error(text) == (code, message)


WORDS = st.text("0123456789eE+-.:TZ aé", max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2),
    max_leaves=3,
)
TARIFF = st.dictionaries(st.sampled_from(["rate", "cost", "value", "confidence"]), JSON)
SLOT = st.fixed_dictionaries(
    {
        "valid_from": JSON | st.datetimes().map(lambda when: f"{when.isoformat()}Z"),
        "valid_to": JSON | st.datetimes().map(lambda when: f"{when.isoformat()}+14:00"),
        "tariff": JSON | TARIFF,
        "price": JSON | TARIFF,
        "carbon": JSON,
    }
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.fixed_dictionaries(
        {
            "data": JSON | st.lists(SLOT | JSON, max_size=3),
            "currency_code": JSON,
            "next_update": JSON,
            "direction": JSON,
        }
    )
)
def test_any_json_is_rates_or_malformed(document: dict[str, Any]) -> None:
    try:
        fetched = parse_rates(json.dumps(document), Direction.IMPORT)
    except Malformed:
        return
    assert all(rate.price.is_finite() and 0 <= rate.confidence <= 1 for rate in fetched.rates)
