"""How the weather that is expected decides when and how much a house is heated."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from math import exp

import pytest

from agent.energy.plan import DevicePlan
from agent.energy.situation import ComfortSpan, TemperatureSpan, Thermal
from tests.agent.planning.joint.homes import HOUR, NOW, home, joint_plan

CAPACITY_KWH_PER_C, LOSS_KW_PER_C = 4.0, 0.2
COP = ((Decimal(-10), Decimal(2)), (Decimal(10), Decimal(4)))


def weather(degrees: Sequence[float]) -> tuple[TemperatureSpan, ...]:
    """One temperature an hour."""
    return tuple(
        TemperatureSpan(NOW + k * HOUR, NOW + (k + 1) * HOUR, Decimal(str(one)))
        for k, one in enumerate(degrees)
    )


def heated(degrees: Sequence[float], prices: Sequence[float], celsius: float = 20) -> DevicePlan:
    """A house with a pump of 0 to 4 kW, to be kept between 20 and 22 degrees."""
    pump = Thermal(
        "pump",
        Decimal(4000),
        Decimal(str(celsius)),
        Decimal(str(CAPACITY_KWH_PER_C)),
        loss_w_per_c=Decimal(str(1000 * LOSS_KW_PER_C)),
        comfort=(ComfortSpan(NOW, NOW + len(prices) * HOUR, Decimal(20), Decimal(22)),),
        outdoor=weather(degrees),
        cop=COP,
    )
    return joint_plan(home(prices, pump)).devices[0]


def warmest(plan: DevicePlan) -> float:
    """At the end of any slot."""
    return max(float(one.temperature_c or 0) for one in plan.slots)


def test_it_heats_while_it_is_warm_outdoors_for_the_cold_hours_after() -> None:
    """At one price a kWh of electricity is twice as much heat at 10 degrees as at -10."""
    plan = heated([10, 10, 10, -10, -10, -10], [0.3] * 6)
    assert warmest(plan) > 21.9
    for steady in (10, -10):
        assert warmest(heated([steady] * 6, [0.3] * 6)) < 20.1


def test_a_night_that_is_dear_to_heat_in_outweighs_a_price_that_is_a_little_lower() -> None:
    """Heat costs price / COP: 0.30 / 4 by day, 0.20 / 2 by night."""
    assert warmest(heated([10, 10, -10, -10], [0.30, 0.30, 0.20, 0.20])) > 21.5
    assert warmest(heated([10, 10, -10, -10], [0.30, 0.30, 0.10, 0.10])) < 20.1


def test_a_colder_forecast_is_more_heat_and_a_warm_one_none() -> None:
    prices = [0.3] * 6
    cold, mild = heated([-10] * 6, prices), heated([5] * 6, prices)
    assert float(cold.energy_kwh) > float(mild.energy_kwh) > 0
    # As warm outdoors as it shall be indoors: nothing is lost.
    assert heated([20] * 6, prices).energy_kwh == 0
    # What is lost in six hours, at the COP of that weather.
    lost = 6 * LOSS_KW_PER_C * (20 - 5)
    assert float(mild.energy_kwh) == pytest.approx(lost / 3.5, rel=0.01)


def test_temperatures_follow_the_forecast_hour_by_hour() -> None:
    """Each slot ends at what the house does by itself and by what is heated in that weather."""
    degrees = [8.0, 3.0, -4.0, -9.0, 0.0, 6.0]
    plan = heated(degrees, [0.2, 0.4, 0.2, 0.4, 0.2, 0.4], celsius=21)
    power = dict.fromkeys(range(NOW, NOW + 6 * HOUR, 900), 0.0)
    for one in plan.slots:
        power |= {at: float(one.power_w) for at in power if one.start <= at < one.end}
    said = {one.end: one.temperature_c for one in plan.slots}
    assert len(said) >= 3
    temperature, keep = 21.0, exp(-0.25 * LOSS_KW_PER_C / CAPACITY_KWH_PER_C)
    for at, power_w in power.items():
        outdoor = degrees[(at - NOW) // HOUR]
        cop = 3 + outdoor / 10
        settles = outdoor + cop * power_w / 1000 / LOSS_KW_PER_C
        temperature = settles + (temperature - settles) * keep
        if at + 900 in said:
            assert float(said[at + 900] or 0) == pytest.approx(temperature, abs=0.02)


def test_a_forecast_that_ends_early_goes_on_as_it_ended() -> None:
    prices = [0.3] * 6
    short, whole = heated([5, 0], prices), heated([5, 0, 0, 0, 0, 0], prices)
    assert float(short.energy_kwh) == pytest.approx(float(whole.energy_kwh), abs=1e-3)
    assert replace(short, slots=()) == replace(whole, slots=())
