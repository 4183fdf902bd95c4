"""What energy cost while the roof gave more than the house took."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from agent.energy.rates import Rate
from agent.home.baseline import cost_of, with_surplus

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
BOUGHT = [Rate(NOON + k * HOUR, NOON + (k + 1) * HOUR, Decimal("0.30")) for k in range(3)]
SOLD = [Rate(NOON, NOON + 2 * HOUR, Decimal("0.08"))]
SURPLUS = [(NOON + HOUR / 2, NOON + 1.5 * HOUR), (NOON + 2 * HOUR, NOON + 2.5 * HOUR)]


def test_surplus_costs_what_was_not_paid_for_it_and_nothing_where_nobody_pays() -> None:
    paid = with_surplus(BOUGHT, SOLD, SURPLUS)
    pieces = [(rate.start, rate.end, rate.price) for rate in paid]
    assert pieces == sorted(pieces)
    assert paid[0].start == NOON
    assert paid[-1].end == NOON + 3 * HOUR
    assert all(a.end == b.start for a, b in pairwise(paid))
    # Three half hours bought, an hour at the price of export, a half for nothing.
    expected = Decimal("0.30") * Decimal("1.5") + Decimal("0.08")
    assert cost_of(Decimal(3), NOON, NOON + 3 * HOUR, paid) == expected


def test_without_surplus_it_costs_what_import_costs() -> None:
    assert with_surplus(BOUGHT, SOLD, []) == BOUGHT
