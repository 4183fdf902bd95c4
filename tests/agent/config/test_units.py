"""The unit that a key is in, as messages say it."""

import pytest

from agent.config.units import in_unit


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("estimate_margin_per_kwh", "-0.1", "it is in currency per kWh"),
        ("capacity_kwh_per_c", 0, "it is in kWh per degree"),
        ("battery_kwh", "58 kWh", "it is in kWh: 58 kWh are 58"),
        ("min_c", "20 °C", "it is in degrees Celsius: 20 °C are 20"),
        ("power_w", 0.8, "it is in W: 0.8 kW are 800"),
        ("name", "x", ""),
    ],
)
def test_a_key_says_its_unit(key: str, value: object, said: str) -> None:
    assert in_unit(key, value) == said
