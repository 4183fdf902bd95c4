"""What the poller makes of a provider's answers, one after the other."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agent.energy.instants import format_instant
from integrations.sandbox.provider_api.polled import PolledSeries

NOW = datetime(2026, 1, 16, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)


def rate(start: datetime, end: datetime, value: float) -> dict[str, Any]:
    return {"valid_from": format_instant(start), "valid_to": format_instant(end), "value": value}


def known(series: PolledSeries, start: datetime, end: datetime) -> list[tuple[datetime, float]]:
    return [(slot.start, float(slot.price)) for slot in series.slots(start, end)]


def test_a_later_answer_replaces_what_it_is_about_and_nothing_else() -> None:
    series = PolledSeries()
    series.take({"rates": [rate(NOW, NOW + 10 * HOUR, 0.2)]}, NOW)
    series.take({"rates": [rate(NOW + 2 * HOUR, NOW + 4 * HOUR, 0.3)]}, NOW)
    assert known(series, NOW, NOW + 10 * HOUR) == [
        (NOW, 0.2),
        (NOW + 2 * HOUR, 0.3),
        (NOW + 4 * HOUR, 0.2),
    ]


def test_what_is_missing_is_asked_for_within_the_contract() -> None:
    series = PolledSeries(start=NOW - 3 * HOUR)
    early = NOW - 30 * HOUR
    assert series.missing_from(early, NOW) == NOW - 3 * HOUR
    document: dict[str, Any] = {"contract_start_date": format_instant(NOW - 3 * HOUR)}
    series.take({**document, "rates": [rate(NOW - 3 * HOUR, NOW + HOUR, 0.2)]}, NOW)
    assert series.missing_from(early, NOW) is None
    later = NOW + 5 * HOUR
    assert series.missing_from(early, later) == NOW + HOUR
    series.take({**document, "rates": [rate(NOW + 2 * HOUR, later, 0.2)]}, later)
    assert series.missing_from(early, later) == NOW + HOUR
    document["contract_end_date"] = format_instant(NOW + HOUR)
    series.take(document, later)
    assert series.missing_from(early, later) is None


def test_after_a_dynamic_contract_its_last_day_is_what_is_likely() -> None:
    series, day = PolledSeries(), timedelta(days=1)
    rates = [rate(NOW + n * HOUR, NOW + (n + 1) * HOUR, n / 100) for n in range(30)]
    end = NOW + 30 * HOUR
    series.take({"contract_end_date": format_instant(end), "rates": rates}, NOW)
    after = series.slots(end, end + 2 * day)
    assert [slot.start for slot in after] == [end + n * HOUR for n in range(48)]
    assert [float(slot.price) for slot in after] == [n / 100 for n in range(6, 30)] * 2
    assert {slot.confidence for slot in after} == {0.6}
    # While it runs, what is not known is not made up.
    series.take({"rates": rates}, NOW)
    assert series.slots(end, end + day) == []


@pytest.mark.parametrize(
    "document", [{}, {"rates": [{}]}, {"rates": [rate(NOW, NOW, 0.2)]}, {"data": [{"months": 1}]}]
)
def test_an_answer_that_is_not_understood_changes_nothing(document: dict[str, Any]) -> None:
    series = PolledSeries()
    series.take({"rates": [rate(NOW, NOW + HOUR, 0.2)]}, NOW)
    with pytest.raises(ValueError, match="provider's tariff"):
        series.take(document, NOW)
    assert known(series, NOW, NOW + HOUR) == [(NOW, 0.2)]
