"""What a battery saved: what it gave, at the price of then, less what that was charged for."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from agent.energy.rates import Rate
from agent.home.model.meter import MeteredInterval
from agent.records.ledger import Ledger

NIGHT = datetime(2026, 1, 16, 0, tzinfo=UTC)
EVENING = NIGHT + timedelta(hours=18)
HOUR = timedelta(hours=1)
RATES = [
    Rate(NIGHT, EVENING, Decimal("0.10")),
    Rate(EVENING, EVENING + 6 * HOUR, Decimal("0.40")),
]


def test_a_battery_has_saved_nothing_until_it_gives() -> None:
    ledger = Ledger()
    account = ledger.of("battery")
    charged = [MeteredInterval(NIGHT, NIGHT + HOUR, 5.0)]
    ledger.book_storage("battery", charged, RATES, Decimal("0.8"))
    assert (account.energy_kwh, account.cost, account.baseline_cost) == (
        Decimal(5),
        Decimal("0.5"),
        Decimal("0.5"),
    )
    given = [MeteredInterval(EVENING, EVENING + HOUR, -2.0)]
    ledger.book_storage("battery", given, RATES, Decimal("0.8"))
    assert (account.energy_kwh, account.cost) == (Decimal(5), Decimal("0.5"))
    # 2 kWh at 0.40, less the 2.5 kWh that went in for them at 0.10.
    assert account.baseline_cost - account.cost == Decimal("0.55")


def test_what_was_in_it_before_anybody_counted_is_no_gain() -> None:
    ledger = Ledger()
    given = [MeteredInterval(EVENING, EVENING + HOUR, -2.0)]
    ledger.book_storage("battery", given, RATES, Decimal("0.8"))
    account = ledger.of("battery")
    assert account.cost == account.energy_kwh == 0
    assert float(account.baseline_cost) == pytest.approx(0.0)
