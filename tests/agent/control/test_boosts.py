"""What a boost gets below a limit that falls."""

from datetime import UTC, datetime, timedelta

import pytest

from agent.control.boosts import allocated
from agent.energy.instants import to_unix_floor
from agent.energy.profile import DeviceProfile
from agent.energy.steps import Steps
from agent.home.kinds import profile_of
from agent.home.planning_input import Override, PlanningInput
from integrations.registry import AgentConfig

NOW = datetime(2026, 1, 16, 20, tzinfo=UTC)
START = to_unix_floor(NOW)
HOUR = timedelta(hours=1)


def profiles() -> dict[str, DeviceProfile]:
    cars = [
        {"id": name, "type": "ev_charger", "max_power_w": watts, "phases": phases, "energy_kwh": 9}
        for name, watts, phases in (("ev", 11000, 3), ("ev2", 7400, 1))
    ]
    tariff = {"source": "fixed", "timezone": "Europe/Berlin", "currency": "EUR", "import": 0.3}
    config = AgentConfig.model_validate({"tariff": tariff, "devices": cars})
    return {item.id: profile_of(item, config) for item in config.appliances}


def given(headroom: Steps, now: datetime = NOW) -> dict[str, Override]:
    """Both cars are boosted for an hour."""
    asked = {
        name: PlanningInput(None, override=Override("boost", NOW + HOUR, "boost", watts))
        for name, watts in (("ev", 11000), ("ev2", 7400))
    }
    out = allocated(asked, profiles(), {}, headroom, now)
    return {name: item.override for name, item in out.items() if item.override is not None}


def falls_after(minutes: int) -> Steps:
    return Steps((0, START + 60 * minutes), (19_600.0, 3_800.0))


def test_until_the_limit_falls_a_boost_has_what_there_is_now() -> None:
    found = given(falls_after(50))
    assert found["ev"].power_w == 11000
    assert found["ev2"].power_w == 7400
    assert {item.until for item in found.values()} == {NOW + timedelta(minutes=50)}


def test_a_minute_before_it_falls_a_boost_goes_on_with_what_is_left_then() -> None:
    found = given(falls_after(50), NOW + timedelta(minutes=49))
    assert sum(item.power_w for item in found.values()) <= 3_800
    assert {item.until for item in found.values()} == {NOW + HOUR}


@pytest.mark.parametrize("power_w", [19_600, 30_000])
def test_below_a_limit_that_stays_a_boost_is_an_hour(power_w: float) -> None:
    found = given(Steps.constant(power_w))
    assert {item.until for item in found.values()} == {NOW + HOUR}
    assert found["ev"].power_w == 11000
