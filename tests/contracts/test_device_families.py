"""What every device family owes.

By what such devices were recorded to say and are documented to obey: `tests/fixtures/devices`, one
file or more a family.
"""

import contextlib
import json
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from agent.config.devices import DeviceSection
from agent.energy.profile import DeviceProfile
from agent.energy.readings import Presence, Reading, Unreadable
from agent.energy.schedule import MODES, Schedule, ScheduleSlot, Setpoint
from agent.errors import Malformed
from agent.home.kinds import KINDS
from agent.ports import DeviceAdapter, Message, OutgoingMessage, UntimedReading
from integrations.registry import ADAPTERS, AgentConfig, device_adapter
from tests.contracts.test_registry import SECTIONS

BASE = "flatpeak/home"
FOLDER = Path(__file__).parents[1] / "fixtures" / "devices"
TARIFF = {"source": "fixed", "timezone": "Europe/Berlin", "currency": "EUR", "import": 0.3}
START = 1_768_521_600
POISONS = [
    b"",
    b"{",
    b"null",
    b"[]",
    b'"\\ud800"',
    b"\xff\xfe",
    b"[" * 900,
    b'{"at":"0001-01-01T00:00:00Z"}',
    b'{"revision":1e400}',
    b"NaN",
    b"1e999",
    b'{"output":[],"apower":"x","aenergy":7,"state":{},"ENERGY":{"Power":null},"POWER":1}',
    b"x" * 100_000,
]


@dataclass(frozen=True)
class Recorded:
    """One file. Topics with payloads, each text or JSON; `commands` by mode."""

    device: dict[str, Any]
    adapter: Any
    messages: list[list[Any]]
    readings: dict[str, Any]
    online: bool | None
    queries: list[list[Any]]
    commands: dict[str, list[list[Any]]]
    released: list[list[Any]] | None
    repeated: list[str] = field(default_factory=list)
    current: bool = False


NAMES = sorted(file.stem for file in FOLDER.glob("*.json"))
ALL = {name: Recorded(**json.loads((FOLDER / f"{name}.json").read_text())) for name in NAMES}
# These obey what stands on our own topics.
OURS = ("native", "home-assistant")
FOREIGN = [name for name in ALL if name not in OURS]
TOLD = [name for name in FOREIGN if ALL[name].device["type"] != "meter"]


SERVED = [
    (family, kind)
    for family, item in ADAPTERS.items()
    for kind in KINDS
    if not item.section.serves or kind in item.section.serves
]


def section_of(device: dict[str, Any], adapter: Any) -> DeviceSection:
    section = {"id": "one", **device, "adapter": adapter}
    config = AgentConfig.model_validate({"tariff": TARIFF, "devices": [section]})
    return config.devices[0]


def built(name: str) -> tuple[DeviceSection, DeviceAdapter]:
    section = section_of(ALL[name].device, ALL[name].adapter)
    return section, device_adapter(section, BASE)


def payload_of(body: Any) -> bytes:
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


def plain(messages: Any) -> list[list[Any]]:
    """Topics with payloads, JSON objects as values: the order of keys is nobody's business."""
    out = []
    for message in messages:
        text = message.payload
        out.append([message.topic, json.loads(text) if text.startswith("{") else text])
    return out


def setpoint(profile: DeviceProfile, mode: str) -> Setpoint:
    """What the dispatcher would say at full power."""
    wiring, phases, current = profile.phases, None, None
    if wiring is not None and mode == profile.on_mode:
        phases = wiring.counts[-1]
        current = wiring.current_a(profile.max_power_w, phases)
    power_w = profile.max_power_w if mode == profile.on_mode else 0
    return Setpoint(
        7,
        START,
        mode,
        power_w,
        START + 3600,
        profile.default,
        profile.offline,
        "cheapest",
        current,
        phases,
    )


def schedule(profile: DeviceProfile) -> Schedule:
    slot = ScheduleSlot(
        START, START + 60, profile.on_mode, profile.max_power_w, Decimal(1), None, "cheapest"
    )
    return Schedule(
        device="one",
        device_type=profile.type,
        revision=7,
        issued_at=START,
        valid_from=START - 300,
        valid_until=START + 90_000,
        currency="EUR",
        slots=(slot,),
        default=profile.default,
        offline=profile.offline,
    )


def heard(adapter: DeviceAdapter, messages: list[list[Any]]) -> list[Any]:
    return [
        item
        for topic, body in messages
        for item in adapter.decode(Message(topic, payload_of(body)))
    ]


def test_every_family_was_recorded() -> None:
    families = {
        item.adapter if isinstance(item.adapter, str) else item.adapter["family"]
        for item in ALL.values()
    }
    assert families == set(ADAPTERS)


@pytest.mark.parametrize("name", NAMES)
def test_what_it_says_is_read(name: str) -> None:
    recorded, (_, adapter) = ALL[name], built(name)
    assert {topic for topic, _ in recorded.messages} <= set(adapter.subscriptions)
    items = heard(adapter, recorded.messages)
    told = [item for item in items if isinstance(item, Reading | UntimedReading)]
    assert {item.kind: item.value for item in told} == recorded.readings
    presences = [item.online for item in items if isinstance(item, Presence)]
    assert presences == ([] if recorded.online is None else [recorded.online])
    assert not [item for item in items if isinstance(item, Unreadable)]
    untimed = [item for item in told if isinstance(item, UntimedReading)]
    assert all(item.current is recorded.current for item in untimed)


@pytest.mark.parametrize("name", NAMES)
def test_it_subscribes_to_exact_topics_and_reads_nonsense_as_nothing(name: str) -> None:
    _, adapter = built(name)
    assert adapter.subscriptions
    for topic in adapter.subscriptions:
        assert not set(topic) & set("+#")
        for payload in POISONS:
            with contextlib.suppress(Malformed):
                for item in adapter.decode(Message(topic, payload)):
                    # What nobody can believe is named, not taken.
                    value = getattr(item, "value", None)
                    assert not isinstance(value, float) or abs(value) < 1e10


@pytest.mark.parametrize("name", TOLD)
def test_each_mode_is_said_in_its_words(name: str) -> None:
    recorded, (section, adapter) = ALL[name], built(name)
    profile = KINDS[section.type].profile(section)
    for mode, expected in recorded.commands.items():
        # Some say only what differs from what was read.
        heard(adapter, recorded.messages)
        said = adapter.encode_setpoint(setpoint(profile, mode))
        assert plain(said) == expected, mode
        heard(adapter, recorded.messages)
        again = adapter.encode_setpoint(setpoint(profile, mode), repeated=True)
        assert plain(again) == (expected if mode in recorded.repeated else []), mode
    heard(adapter, recorded.messages)
    assert plain(adapter.queries()) == recorded.queries
    assert plain(adapter.withdraw()) == recorded.released


@pytest.mark.parametrize("name", FOREIGN)
def test_nothing_is_kept_on_topics_that_are_not_ours(name: str) -> None:
    section, adapter = built(name)
    said: list[OutgoingMessage] = [*adapter.queries(), *adapter.withdraw()]
    if section.type in KINDS:
        profile = KINDS[section.type].profile(section)
        said += adapter.encode_schedule(adapter.fit(schedule(profile)))
        for mode in MODES[profile.type]:
            said += adapter.encode_setpoint(setpoint(profile, mode))
    assert not any(message.retain for message in said)
    assert not adapter.holds_schedule


@pytest.mark.parametrize("family", ["sg-ready-shelly", "sg-ready-tasmota"])
def test_two_contacts_tell_a_temperature_only_where_an_entity_does(family: str) -> None:
    given = next(
        item.adapter
        for item in ALL.values()
        if isinstance(item.adapter, dict) and item.adapter["family"] == family
    )
    section = section_of({"type": "heat_pump", **SECTIONS["heat_pump"]}, given)
    assert not section.adapter.tells("temperature_c")
    measured = {**given, "entities": {"temperature": "sensor.flow"}}
    assert section_of({"type": "heat_pump", **SECTIONS["heat_pump"]}, measured).adapter.tells(
        "temperature_c"
    )
    native = section_of({"type": "heat_pump", **SECTIONS["heat_pump"]}, "native")
    assert native.adapter.tells("temperature_c")


@pytest.mark.parametrize(("family", "kind"), SERVED)
def test_whatever_a_kind_is_told_its_family_can_say(family: str, kind: str) -> None:
    adapter_given = next(
        item.adapter
        for item in ALL.values()
        if family in (item.adapter, isinstance(item.adapter, dict) and item.adapter["family"])
    )
    section = section_of({"type": kind, **SECTIONS[kind]}, adapter_given)
    adapter, profile = device_adapter(section, BASE), KINDS[kind].profile(section)
    for mode in MODES[profile.type]:
        said = adapter.encode_setpoint(setpoint(profile, mode))
        assert said, mode
        # What would switch something is not said while the clock is doubted.
        assert all(message.timed for message in said)
    forms = adapter.encode_schedule(adapter.fit(schedule(profile)))
    assert all(message.timed for message in forms)
    assert bool(forms) == adapter.holds_schedule
    released = adapter.withdraw()
    assert released
    assert not any(message.timed and message.payload for message in released)
    for message in (*said, *forms, *released, *adapter.queries()):
        message.payload.encode()
        assert len(message.topic.encode()) < 200
