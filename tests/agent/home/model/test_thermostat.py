"""What only keeps the lowest comfort takes as much as is lost, when it is lost."""

from datetime import UTC, datetime, timedelta

import pytest

from agent.home.estimates.heat_loss import HeatStore
from agent.home.model.surroundings import Surroundings
from agent.home.model.thermostat import Thermostat

NOON = datetime(2026, 1, 16, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
HOUSE = HeatStore(capacity_kwh_per_c=10.0, loss_w_per_c=200.0, gains_w=500.0)


def around(outdoor_c: float = 0.0, heat_per_w: float = 3.0, drawn_w: float = 0.0) -> Surroundings:
    return Surroundings(lambda _when: outdoor_c, lambda _outdoor: heat_per_w, lambda _when: drawn_w)


def taken(thermostat: Thermostat) -> float:
    return sum(interval.energy_kwh for interval in thermostat.pop())


def test_it_takes_what_is_lost_and_drawn() -> None:
    thermostat = Thermostat(3000)
    for minutes in range(0, 24 * 60 + 1, 5):
        thermostat.advance(NOON + timedelta(minutes=minutes), HOUSE, around(drawn_w=300), 20)
    # 200 W a degree, less the gains, a third of it from the grid.
    assert taken(thermostat) == pytest.approx(24 * (200 * 20 - 500 + 300) / 3 / 1000, rel=0.01)
    assert thermostat.temperature_c == pytest.approx(20)


def test_it_lets_the_night_cool_and_heats_at_full_power_when_more_is_asked() -> None:
    thermostat = Thermostat(3000)
    thermostat.advance(NOON, HOUSE, around(), 20)
    for hour in range(1, 3):
        thermostat.advance(NOON + hour * HOUR, HOUSE, around(), 18)
    assert taken(thermostat) == 0
    assert 18 < thermostat.temperature_c < 20
    thermostat.advance(NOON + 2.5 * HOUR, HOUSE, around(), 23)
    assert taken(thermostat) == pytest.approx(1.5)


def test_what_never_needs_heat_takes_none() -> None:
    thermostat = Thermostat(3000)
    for hour in range(24):
        thermostat.advance(NOON + hour * HOUR, HOUSE, around(outdoor_c=21), 20)
    assert taken(thermostat) == 0


def test_after_a_long_absence_or_a_clock_set_back_it_begins_anew() -> None:
    thermostat = Thermostat(3000)
    thermostat.advance(NOON, HOUSE, around(), 20)
    for now in (NOON + 48 * HOUR, NOON - HOUR):
        thermostat.advance(now, HOUSE, around(), 21)
        assert taken(thermostat) == 0
        assert (thermostat.at, thermostat.temperature_c) == (now, 21)
