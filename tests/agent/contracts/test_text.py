"""Numbers on the wire: unrounded, without exponents."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.contracts.text import wire_json


def test_small_prices_have_no_exponent() -> None:
    assert (
        wire_json({"price": Decimal("1E-7"), "cost": 1e-05}) == '{"price":0.0000001,"cost":0.00001}'
    )


def test_money_is_unrounded_and_times_are_zulu() -> None:
    when = datetime(2026, 1, 16, 10, tzinfo=UTC)
    assert wire_json([Decimal("0.07120"), when]) == '[0.0712,"2026-01-16T10:00:00Z"]'


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), Decimal("NaN"), object()])
def test_what_has_no_json_is_an_error(bad: object) -> None:
    with pytest.raises(ValueError, match="no JSON"):
        wire_json(bad)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.text()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False, places=7),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(values)
def test_it_is_json_and_means_the_same(value: object) -> None:
    text = wire_json(value)
    assert json.loads(text, parse_float=Decimal) == value
