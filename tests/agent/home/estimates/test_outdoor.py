"""How warm it will be: of a forecast as far as it reaches, of a thermometer, of the season."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from agent.energy.instants import to_unix_floor
from agent.home.estimates.outdoor import expected_outdoor, season_c
from agent.home.windows import SiteLocation

BERLIN = SiteLocation(ZoneInfo("Europe/Berlin"), 52.5, 13.4)
SYDNEY = SiteLocation(ZoneInfo("Australia/Sydney"), -33.9, 151.2)
NOWHERE = SiteLocation(ZoneInfo("UTC"))
NOW = datetime(2026, 1, 16, 11, 20, tzinfo=UTC)
TWO_DAYS = NOW + timedelta(days=2)


def at(when: datetime) -> int:
    return to_unix_floor(when)


def test_seasons_are_where_they_are() -> None:
    january, july = datetime(2026, 1, 20, 9, tzinfo=UTC), datetime(2026, 7, 20, 9, tzinfo=UTC)
    assert season_c(BERLIN, january, None) < 3 < 15 < season_c(BERLIN, july, None)
    assert season_c(SYDNEY, july, None) < season_c(SYDNEY, january, None)
    assert season_c(NOWHERE, january, None) == pytest.approx(season_c(BERLIN, january, None), abs=5)
    night, noon = NOW.replace(hour=3), NOW.replace(hour=14)
    assert season_c(BERLIN, night, 4.0) < 4.0 < season_c(BERLIN, noon, 4.0)


def test_a_thermometer_counts_for_now_and_less_and_less_for_later() -> None:
    usual = expected_outdoor(BERLIN, NOW, TWO_DAYS)
    cold = expected_outdoor(BERLIN, NOW, TWO_DAYS, present_c=-15.0)
    assert cold.measured
    assert not usual.measured
    assert cold.steps.value(at(NOW)) == pytest.approx(-15.0, abs=0.5)
    gaps = [
        usual.steps.value(at(NOW) + 3600 * hour) - cold.steps.value(at(NOW) + 3600 * hour)
        for hour in (0, 12, 24, 47)
    ]
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] > 0
    assert "thermometer" in cold.source


def test_a_forecast_counts_as_far_as_it_reaches() -> None:
    forecast = [(at(NOW), at(NOW) + 7200, -8.0)]
    found = expected_outdoor(BERLIN, NOW, TWO_DAYS, mean_c=6.0, forecast=forecast)
    assert found.steps.value(at(NOW) + 3600) == -8.0
    assert found.steps.value(at(NOW) + 8000) > 0
    assert found.measured
    assert "forecast" in found.source
    later = [(at(NOW) + 7200, at(NOW) + 9000, -8.0)]
    assert not expected_outdoor(BERLIN, NOW, TWO_DAYS, forecast=later).measured
