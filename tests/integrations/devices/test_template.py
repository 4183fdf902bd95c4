"""What a template device remembers: enough to spare a charger's flash, never to leave it wrong."""

from collections.abc import Sequence

from agent.energy.schedule import DefaultCommand, OfflineRule, Setpoint
from agent.ports import Decoded, DeviceAdapter, Forgotten, Message
from integrations.registry import AgentConfig, device_adapter

CAR = {
    "id": "ev",
    "type": "ev_charger",
    "max_power_w": 11_000,
    "phases": 3,
    "energy_kwh": 10,
    "adapter": {"family": "go-e", "topic": "go-eCharger/1"},
}
TARIFF = {"source": "fixed", "timezone": "Europe/Berlin", "currency": "EUR", "import": 0.3}


def charger() -> DeviceAdapter:
    config = AgentConfig.model_validate({"tariff": TARIFF, "devices": [CAR]})
    return device_adapter(config.devices[0], "flatpeak/home")


def told(adapter: DeviceAdapter, mode: str, current_a: int | None = None) -> dict[str, str]:
    idle, offline = DefaultCommand("idle", 0), OfflineRule(900, "idle", 0)
    point = Setpoint(1, 0, mode, 0, 60, idle, offline, "cheapest", current_a, 3)
    said = adapter.encode_setpoint(point)
    return {message.topic.removeprefix("go-eCharger/1/"): message.payload for message in said}


def says(adapter: DeviceAdapter, key: str, value: str) -> Sequence[Decoded]:
    return adapter.decode(Message(f"go-eCharger/1/{key}", value.encode()))


def test_what_it_is_already_is_not_written_again() -> None:
    adapter = charger()
    assert told(adapter, "charge", 16) == {"amp/set": "16", "frc/set": "2"}
    says(adapter, "amp", "16")
    says(adapter, "frc", "2")
    assert told(adapter, "charge", 16) == {}
    assert told(adapter, "charge", 10) == {"amp/set": "10"}


def test_a_command_that_follows_before_the_last_was_read_back_is_said() -> None:
    adapter = charger()
    says(adapter, "frc", "1")
    assert told(adapter, "charge", 16)["frc/set"] == "2"
    # It last said 1, but was told 2 since.
    assert told(adapter, "idle") == {"frc/set": "1"}


def test_neutral_by_itself_is_a_restart_and_by_a_command_it_is_not() -> None:
    adapter = charger()
    assert says(adapter, "frc", "0") == []
    told(adapter, "idle")
    # What it says before it has heard that is no news.
    assert says(adapter, "frc", "0") == []
    assert says(adapter, "frc", "1") == []
    assert says(adapter, "frc", "0") == [Forgotten()]
    assert says(adapter, "frc", "0") == []
    assert told(adapter, "idle") == {"frc/set": "1"}
    # A person forces it on, or off: that is somebody's choice.
    says(adapter, "frc", "1")
    assert says(adapter, "frc", "2") == []
    told(adapter, "release")
    assert says(adapter, "frc", "0") == []


def test_how_long_it_does_what_it_was_told_is_what_it_is_told_with_it() -> None:
    plug = {"id": "pump", "type": "load", "power_w": 800, "needs": [{"hours": 5}]}
    idle, offline = DefaultCommand("idle", 0), OfflineRule(1200, "idle", 0)
    points = [
        Setpoint(1, 0, mode, 0, 60, idle, offline, "cheapest", None, None)
        for mode in ("charge", "idle")
    ]

    def lasts(**adapter: object) -> list[int | None]:
        config = {"tariff": TARIFF, "devices": [{**plug, "adapter": {"topic": "t", **adapter}}]}
        device = AgentConfig.model_validate(config).devices[0]
        return [device_adapter(device, "flatpeak/home").lasts_s(point) for point in points]

    assert lasts(family="tasmota") == lasts(family="shelly") == [1200, None]
    assert lasts(family="zigbee2mqtt", on_time_s=1800) == [1800, None]
    assert lasts(family="zigbee2mqtt") == lasts(family="esphome", switch="relay") == [None, None]
