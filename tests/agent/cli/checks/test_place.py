"""Coordinates that only fit the time zone the other way round."""

import pytest

from agent.cli.checks.place import check_place
from integrations.registry import AgentConfig


@pytest.mark.parametrize(
    ("zone", "latitude", "longitude", "exchanged"),
    [
        ("Europe/Berlin", 52.5, 13.4, False),
        ("Europe/Berlin", 13.4, 52.5, True),
        ("Europe/London", 51.5, -0.1, False),
        ("Europe/London", -0.1, 51.5, True),
        ("Europe/Madrid", 40.4, -3.7, False),
        ("Atlantic/Canary", 28.1, -15.4, False),
        ("Australia/Sydney", -33.9, 151.2, False),
        # Far from everything, but no better the other way round.
        ("Asia/Shanghai", 39.5, 76.0, False),
        ("America/Argentina/Ushuaia", -54.8, -68.3, False),
    ],
)
def test_exchanged_coordinates_are_named(
    zone: str, latitude: float, longitude: float, exchanged: bool
) -> None:
    tariff = {"source": "fixed", "timezone": zone, "currency": "EUR", "import": 0.3}
    site = {"latitude": latitude, "longitude": longitude}
    found = list(check_place(AgentConfig.model_validate({"tariff": tariff, "site": site})))
    assert bool(found) == exchanged
    assert all("exchanged" in str(item) for item in found)
