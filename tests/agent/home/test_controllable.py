"""§14a EnWG: what a limit of 4.2 kW a device leaves for all of them together."""

import pytest

from agent.config.site import SiteSection
from agent.energy.profile import DeviceProfile
from agent.home.controllable import allowed_w, dim_allowance_w
from agent.home.kinds import KINDS

CAR: dict[str, object] = {"type": "ev_charger", "max_power_w": 11_000, "battery_kwh": 60}
BATTERY = {
    "type": "battery",
    "capacity_kwh": 10,
    "max_charge_w": 5000,
    "max_discharge_w": 5000,
}


def profiles(*devices: dict[str, object]) -> list[DeviceProfile]:
    out = []
    for number, device in enumerate(devices):
        kind = KINDS[str(device["type"])]
        section = kind.section.model_validate({"id": f"d{number}", **device})
        out.append(kind.profile(section))
    return out


def heat_pump(power_w: int) -> dict[str, object]:
    return {"type": "heat_pump", "power_w": power_w, "needs": [{"hours": 3}]}


@pytest.mark.parametrize(
    ("devices", "allowed"),
    [
        ([CAR], 4200),
        ([CAR, CAR], 4200 + 0.8 * 4200),
        ([CAR, CAR, BATTERY], 4200 + 2 * 0.75 * 4200),
        ([CAR] * 9, 4200 + 8 * 0.45 * 4200),
        ([CAR] * 30, 4200 + 29 * 0.45 * 4200),
        # Of 4.2 kW at most: not controllable.
        ([CAR, heat_pump(2000), {**CAR, "max_power_w": 3700}], 4200),
        ([CAR, heat_pump(9000)], 4200 + 0.8 * 4200),
        ([CAR, heat_pump(20_000)], 0.4 * 20_000 + 0.8 * 4200),
        ([], 4200),
    ],
)
def test_the_rule_for_energy_managers(devices: list[dict[str, object]], allowed: float) -> None:
    site = SiteSection.model_validate({"limit_scope": "controllable"})
    assert dim_allowance_w(site, profiles(*devices)) == pytest.approx(allowed)


def test_the_owner_names_the_devices_and_the_shares() -> None:
    site = SiteSection.model_validate(
        {
            "limit_scope": "controllable",
            "controllable_devices": ["d0", "d1", "d2"],
            "simultaneity_factors": [0.5],
        }
    )
    small = heat_pump(2000)
    assert dim_allowance_w(site, profiles(CAR, CAR, small, CAR)) == 4200 + 2 * 0.5 * 4200


def test_nothing_is_loosened_that_is_not_that_limit() -> None:
    two = profiles(CAR, CAR)
    house = SiteSection()
    assert dim_allowance_w(house, two) == 4200
    allowance_w = dim_allowance_w(SiteSection.model_validate({"limit_scope": "controllable"}), two)
    assert [allowed_w(watts, allowance_w) for watts in (0, 4199, 4200, 5000)] == [
        0,
        4199,
        7560,
        5000,
    ]
