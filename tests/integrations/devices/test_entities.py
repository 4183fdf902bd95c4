"""What Home Assistant's `mqtt_statestream` tells of a device, and what is believed of it."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from agent.energy.readings import Reading, Unreadable
from agent.ports import DeviceAdapter, Message, UntimedReading
from integrations.registry import AgentConfig, device_adapter

TARIFF = {"source": "fixed", "timezone": "Europe/Berlin", "currency": "EUR", "import": 0.3}
CAR = {"id": "ev", "type": "ev_charger", "max_power_w": 11000, "phases": 3, "battery_kwh": 58}
GO_E = {"family": "go-e", "topic": "go-eCharger/1"}
SOC = "statestream/sensor/car/state"


def built(entities: dict[str, Any], **adapter: Any) -> DeviceAdapter:
    spoken_to = {"family": "home_assistant", **adapter, "entities": entities}
    config = AgentConfig.model_validate(
        {"tariff": TARIFF, "devices": [{**CAR, "adapter": spoken_to}]}
    )
    return device_adapter(config.devices[0], "flatpeak/home")


def hear(adapter: DeviceAdapter, topic: str, text: object, *, retain: bool = False) -> list[Any]:
    payload = text if isinstance(text, str) else json.dumps(text)
    return list(adapter.decode(Message(topic, payload.encode(), retain)))


@pytest.mark.parametrize("word", ["unknown", "unavailable", "None", "", "Unavailable"])
def test_a_state_that_is_not_known_tells_nothing(word: str) -> None:
    assert hear(built({"soc": "sensor.car"}), SOC, word) == []


@pytest.mark.parametrize(
    ("kind", "unit", "text", "expected"),
    [
        ("power", "W", "7400.5", ("power_w", 7400.5)),
        ("power", "kW", "-2", ("power_w", -2000.0)),
        ("energy", "Wh", "12500", ("energy_total_kwh", 12.5)),
        ("energy", "MWh", "1.2", ("energy_total_kwh", 1200.0)),
        ("session_energy", "MJ", "36", ("energy_kwh", 10.0)),
        ("temperature", "°C", "48.5", ("temperature_c", 48.5)),
        ("temperature", "°F", "122", ("temperature_c", 50.0)),
        ("temperature", "K", "323.15", ("temperature_c", 50.0)),
    ],
)
def test_units_are_converted_by_what_is_published(
    kind: str, unit: str, text: str, expected: tuple[str, float]
) -> None:
    adapter = built({kind: "sensor.it"})
    assert hear(adapter, "statestream/sensor/it/unit_of_measurement", json.dumps(unit)) == []
    (found,) = hear(adapter, "statestream/sensor/it/state", text)
    assert (found.kind, found.value) == (expected[0], pytest.approx(expected[1]))


def test_nothing_with_a_unit_is_believed_before_it_is_known() -> None:
    adapter = built({"energy": "sensor.meter"})
    (found,) = hear(adapter, "statestream/sensor/meter/state", "12.5", retain=True)
    assert isinstance(found, Unreadable)
    assert "no unit" in found.why
    topic = "statestream/sensor/meter/unit_of_measurement"
    (found,) = hear(adapter, topic, json.dumps("MWh"), retain=True)
    assert found == UntimedReading("energy_total_kwh", 12500.0)
    # Said again at each change, with the same unit: no reading of its own.
    assert hear(adapter, topic, json.dumps("MWh")) == []
    (found,) = hear(adapter, topic, json.dumps("EUR"))
    assert "expected Wh, kWh" in found.why


def test_the_broker_gives_each_unit_before_its_value() -> None:
    topics = list(built({"soc": "sensor.car", "power": "sensor.box"}).subscriptions)
    unit = topics.index("statestream/sensor/box/unit_of_measurement")
    assert unit < topics.index("statestream/sensor/box/state")
    # A state of charge needs none.
    assert "statestream/sensor/car/unit_of_measurement" not in topics


def test_a_unit_of_the_config_needs_no_attributes() -> None:
    adapter = built({"power": {"entity": "sensor.box", "unit": "kW"}}, statestream="ha/out")
    assert hear(adapter, "ha/out/sensor/box/state", "3.5") == [UntimedReading("power_w", 3500.0)]


def test_what_was_kept_is_as_old_as_home_assistant_says() -> None:
    adapter = built({"soc": "sensor.car"})
    at = datetime(2026, 1, 15, 10, tzinfo=UTC)
    updated = "statestream/sensor/car/last_updated"
    assert hear(adapter, updated, at.isoformat(), retain=True) == []
    assert hear(adapter, SOC, "45.0", retain=True) == [Reading("soc_percent", 45.0, at)]
    # The other way round too.
    adapter = built({"soc": "sensor.car"})
    assert hear(adapter, SOC, "45.0", retain=True) == [UntimedReading("soc_percent", 45.0)]
    assert hear(adapter, updated, at.isoformat(), retain=True) == [Reading("soc_percent", 45.0, at)]
    # What comes as it changes counts from then.
    assert hear(adapter, SOC, "46") == [UntimedReading("soc_percent", 46.0)]
    assert hear(adapter, updated, "2026-01-15T11:00:00+00:00") == []
    assert hear(adapter, updated, "yesterday", retain=True) == []


def test_words_that_mean_plugged_in() -> None:
    adapter = built({"plugged": {"entity": "sensor.box", "on": ["charging", "Awaiting start"]}})
    topic = "statestream/sensor/box/state"
    for word, plugged in (("charging", True), ("Awaiting start", True), ("disconnected", False)):
        assert hear(adapter, topic, word) == [UntimedReading("plugged", plugged)]
    adapter = built({"plugged": "binary_sensor.cable"})
    topic = "statestream/binary_sensor/cable/state"
    assert hear(adapter, topic, "on") == [UntimedReading("plugged", True)]
    (found,) = hear(adapter, topic, "awaiting_start")
    assert isinstance(found, Unreadable)


def test_the_charge_that_is_known_counts_when_the_car_comes() -> None:
    """The entity says nothing anew while its value stands, however long the car has been here."""
    adapter = built({"soc": "sensor.car"}, **GO_E)
    hear(adapter, SOC, "45")
    hear(adapter, "go-eCharger/1/car", "1")
    found = hear(adapter, "go-eCharger/1/car", "3")
    assert UntimedReading("plugged", True) in found
    assert UntimedReading("soc_percent", 45.0, current=True) in found
    # Once for each plug-in, and not where it is not known any more.
    again = hear(adapter, "go-eCharger/1/car", "2")
    assert "soc_percent" not in {item.kind for item in again}
    hear(adapter, SOC, "unavailable")
    hear(adapter, "go-eCharger/1/car", "1")
    found = hear(adapter, "go-eCharger/1/car", "3")
    assert "soc_percent" not in {item.kind for item in found}


def test_after_a_start_a_kept_charge_is_not_taken_for_that_of_now() -> None:
    adapter = built({"soc": "sensor.car"}, **GO_E)
    hear(adapter, SOC, "45", retain=True)
    found = hear(adapter, "go-eCharger/1/car", "3")
    assert "soc_percent" not in {item.kind for item in found}
    # One that came in this life is.
    adapter = built({"soc": "sensor.car"}, **GO_E)
    hear(adapter, SOC, "45")
    assert UntimedReading("soc_percent", 45.0, current=True) in hear(
        adapter, "go-eCharger/1/car", "3"
    )


def test_any_family_is_told_more_on_its_state() -> None:
    adapter = built({}, **GO_E)
    topic = "flatpeak/home/device/ev/state"
    assert topic in adapter.subscriptions
    assert hear(adapter, topic, {"soc_percent": 51}) == [UntimedReading("soc_percent", 51.0)]


@pytest.mark.parametrize(
    ("entities", "said"),
    [
        ({"soc": "car_soc"}, "expected an entity id such as sensor.car_soc"),
        ({"charge": "sensor.car"}, "unknown key"),
        ({"power": {"entity": "sensor.a", "unit": "PS"}}, "expected mW, W, kW, MW"),
        ({"soc": {"entity": "sensor.a", "unit": "%"}}, "expected none, it is left out"),
        ({"soc": {"entity": "sensor.a", "on": ["x"]}}, "only plugged has words"),
    ],
)
def test_what_is_wrong_in_the_config_is_named(entities: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        built(entities)
