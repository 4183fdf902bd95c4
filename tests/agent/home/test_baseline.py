"""What energy costs at the prices that hold."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from agent.energy.rates import Rate
from agent.home.baseline import cost_at_once, cost_of

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
RATES = [
    Rate(NOON, NOON + HOUR, Decimal("0.30")),
    Rate(NOON + HOUR, NOON + 2 * HOUR, Decimal("0.10")),
]


def test_energy_costs_the_prices_of_its_span_and_unknown_time_their_mean() -> None:
    assert cost_of(Decimal(2), NOON, NOON + 2 * HOUR, RATES) == Decimal("0.40")
    assert cost_of(Decimal(3), NOON, NOON + 3 * HOUR, RATES) == Decimal("0.60")


def test_at_once_is_at_full_power() -> None:
    assert cost_at_once(Decimal(15), 10_000, NOON, RATES) == Decimal("3.50")
