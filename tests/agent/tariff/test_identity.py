"""Whose rates these are, and what is said where they are another's."""

import logging
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from agent.clock import SystemClock
from agent.energy.rates import Direction, Rate
from agent.health import Health
from agent.store import Store
from agent.tariff.identity import TariffIdentity
from agent.tariff.normalise import Withdrawal
from agent.tariff.rate_store import RateStore

NOW = datetime(2026, 1, 15, tzinfo=UTC)


@pytest.mark.parametrize("has_rates", [False, True])
def test_rates_of_another_tariff_are_only_said_to_go_where_there_were_some(
    caplog: pytest.LogCaptureFixture, has_rates: bool
) -> None:
    store = RateStore(Store.in_memory(), Health(SystemClock()))
    identity = TariffIdentity(store, "flatpeak:", "Europe/Berlin", "")
    if has_rates:
        rate = Rate(NOW, NOW + timedelta(hours=1), Decimal("0.3"), 1.0)
        store.put(Direction.IMPORT, [rate], Withdrawal())
    with caplog.at_level(logging.INFO):
        assert identity.change("flatpeak:loc_1")
    assert ("belong to another tariff" in caplog.text) == has_rates
    assert not store.newest(Direction.IMPORT, timedelta(days=9))
