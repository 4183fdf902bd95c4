"""Somebody's price forecast: instead of our own estimate, never instead of a known price."""

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.clock import SteppedClock
from agent.energy.rates import Direction, Rate
from agent.tariff.normalise import gaps
from tests.fakes.tariff_house import TariffHouse
from tests.fakes.virtual_loop import run_virtual

MORNING = datetime(2026, 1, 16, 7, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
MIDNIGHT = datetime(2026, 1, 16, 23, tzinfo=UTC)
IMPORT = Direction.IMPORT
NINE = Decimal(9)


def spans(start: datetime, hours: int, price: Decimal = NINE, confidence: float = 1) -> list[Rate]:
    return [Rate(start + n * HOUR, start + (n + 1) * HOUR, price, confidence) for n in range(hours)]


def with_house(story: Callable[[TariffHouse], Coroutine[Any, Any, None]]) -> None:
    async def whole(clock: SteppedClock) -> None:
        async with TariffHouse(clock, directions=(IMPORT,)) as house:
            await clock.sleep(60)
            await story(house)

    run_virtual(whole, MORNING)


def plan_of(house: TariffHouse) -> list[Rate]:
    now = house.clock.now()
    plan = house.rate_cache.planning_rates(IMPORT, now, now + 48 * HOUR)
    assert gaps(plan, now, now + 48 * HOUR) == []
    return plan


def test_it_holds_beyond_what_is_known_as_far_as_it_reaches() -> None:
    async def story(house: TariffHouse) -> None:
        before = plan_of(house)
        house.rate_cache.set_forecast(IMPORT, spans(MORNING - HOUR, 30))
        after = plan_of(house)
        until = MORNING + 29 * HOUR
        for rate in after:
            forecast = MIDNIGHT <= rate.start < until
            assert (rate.price == NINE) is forecast
            assert (rate.confidence >= 1) is (rate.end <= MIDNIGHT)
        assert [rate for rate in before if rate.end <= MIDNIGHT] == [
            rate for rate in after if rate.end <= MIDNIGHT
        ]
        house.rate_cache.set_forecast(IMPORT, None)
        assert plan_of(house) == before
        # The price that is published then is known, and counts.
        house.rate_cache.set_forecast(IMPORT, spans(MORNING, 60))
        await house.clock.sleep_until(datetime(2026, 1, 16, 13, tzinfo=UTC))
        known_until = MIDNIGHT + 24 * HOUR
        assert all(rate.price != NINE for rate in plan_of(house) if rate.end <= known_until)

    with_house(story)


def test_it_outranks_a_price_that_was_taken_back() -> None:
    async def story(house: TariffHouse) -> None:
        await house.clock.sleep_until(datetime(2026, 1, 16, 14, tzinfo=UTC))
        house.sandbox.faults.on("rates_withdrawn")
        assert await house.rate_cache.refresh_now() is None
        house.rate_cache.set_forecast(IMPORT, spans(MIDNIGHT, 12))
        tomorrow = [rate for rate in plan_of(house) if rate.start >= MIDNIGHT]
        assert (tomorrow[0].price, tomorrow[0].end) == (NINE, MIDNIGHT + 12 * HOUR)
        assert 0 < tomorrow[0].confidence < 1

    with_house(story)


@pytest.mark.parametrize("confidence", [0.3, 1.0, 7.0, float("inf")])
def test_its_confidence_stays_below_that_of_a_price(confidence: float) -> None:
    async def story(house: TariffHouse) -> None:
        house.rate_cache.set_forecast(IMPORT, spans(MIDNIGHT, 12, NINE, confidence))
        (rate,) = (rate for rate in plan_of(house) if rate.price == NINE)
        assert rate.confidence == min(confidence, 0.6)

    with_house(story)


FORECASTS = st.lists(
    st.builds(
        Rate,
        st.integers(-1000, 1000).map(lambda n: MORNING + n * HOUR / 7),
        st.integers(-1000, 10**6).map(lambda n: MORNING + n * HOUR / 7),
        st.decimals(allow_nan=True, allow_infinity=True),
        st.floats(),
    ),
    max_size=8,
)


@settings(max_examples=50, deadline=None)
@given(FORECASTS)
def test_any_forecast_leaves_a_plan_without_holes_or_overlaps(forecast: list[Rate]) -> None:
    async def story(house: TariffHouse) -> None:
        house.rate_cache.set_forecast(IMPORT, forecast)
        plan = plan_of(house)
        assert all(a.end <= b.start for a, b in pairwise(plan))
        assert all(rate.price.is_finite() and 0 < rate.confidence <= 1 for rate in plan)

    with_house(story)
