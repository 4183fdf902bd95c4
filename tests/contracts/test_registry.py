"""What everything that is registered owes: tariff sources and kinds of devices."""

from typing import Any

import pytest

from agent.clock import SystemClock
from agent.config import config_model
from agent.config.devices import DeviceSection
from agent.energy.schedule import MODES
from agent.home.kinds import KINDS
from agent.home.model.device_model import DeviceModel
from agent.home.wishes import Wish
from integrations.registry import ADAPTERS, TARIFFS, AgentConfig, tariff_source
from tests.agent.home.test_kinds import EVENING, ask

SECTIONS: dict[str, dict[str, Any]] = {
    "ev_charger": {"max_power_w": 7400, "battery_kwh": 60},
    "heat_pump": {"power_w": 2000, "needs": [{"hours": 3}]},
    "water_heater": {"power_w": 2000, "needs": [{"energy_kwh": 3}]},
    "load": {"power_w": 900, "needs": [{"hours": 1}]},
    "battery": {"capacity_kwh": 10, "max_charge_w": 5000, "max_discharge_w": 4000},
    "house_heat_pump": {"power_w": 3000},
    "hot_water_tank": {"power_w": 2000, "litres": 200},
    "program": {"profile": [{"duration_s": 600, "power_w": 2000}]},
    "pv_inverter": {"max_power_w": 6000, "curtailable": True},
}
TARIFF_SETTINGS: dict[str, dict[str, Any]] = {
    "flatpeak": {"location_id": "loc_1", "account_id": "acc_1", "api_key": "sk_live_1"},
    "fixed": {"timezone": "Europe/Berlin", "currency": "EUR", "import": 0.3},
}


def section(kind: str) -> DeviceSection:
    found: DeviceSection = KINDS[kind].section.model_validate(
        {"id": "one", "type": kind, **SECTIONS[kind]}
    )
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_speaks_the_words_of_the_contract(kind: str) -> None:
    one = section(kind)
    profile = KINDS[kind].profile(one)
    words = MODES[profile.type]
    said = {profile.on_mode, profile.pause_mode, profile.default.mode, profile.offline.mode}
    assert said <= set(words)
    assert profile.id == "one"
    assert 0 <= profile.min_power_w <= profile.max_power_w
    assert KINDS[kind].describe(one)
    assert KINDS[kind].traits(one).max_power_w == profile.max_power_w


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_asks_for_nothing_of_a_device_that_nobody_knows_and_changes_nothing(
    kind: str,
) -> None:
    one = section(kind)
    model = DeviceModel("one", KINDS[kind].traits(one))
    wanted = ask(one, model, EVENING, Wish())
    assert wanted == ask(one, model, EVENING, Wish())


@pytest.mark.parametrize("source", TARIFFS)
async def test_a_tariff_source_is_built_from_its_settings_alone(source: str) -> None:
    config = AgentConfig.model_validate({"tariff": {"source": source, **TARIFF_SETTINGS[source]}})
    assert config.tariff.address
    made = tariff_source(config.tariff, SystemClock())
    assert made.identity
    assert made.directions
    for secret in ("sk_live_1",):
        assert secret not in repr(config) + made.identity
    await made.close()


def test_two_of_the_same_name_are_refused() -> None:
    kinds = [kind.section for kind in KINDS.values()]
    sources = [kind.section for kind in TARIFFS.values()]
    adapters = [kind.section for kind in ADAPTERS.values()]
    with pytest.raises(ValueError, match="'ev_charger' is the type of"):
        config_model(sources, [*kinds, KINDS["ev_charger"].section], adapters, {})


def test_every_kind_and_source_has_its_example_here() -> None:
    assert set(SECTIONS) == set(KINDS)
    assert set(TARIFF_SETTINGS) == set(TARIFFS)
