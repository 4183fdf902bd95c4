"""Judges what is announced and shown by Home Assistant's own rules; a script for its own Python.

Reads from standard input, as JSON, `said`: topic and payload of every message in their order, and
`prefix`. Writes, as JSON, `faults` (a sentence each), `judged` (how many entities), `skipped`
(platforms of single messages that this version does not know and does not subscribe to) and
`commands`: topic and payload of what it would send when a person uses each control.

No Home Assistant runs: its schemas, its table of units and classes and its templates are called.
The names with an underscore are its own business; a version without them ends this script.
"""

import asyncio
import datetime
import importlib
import json
import logging
import math
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from homeassistant.components.mqtt import discovery
from homeassistant.components.mqtt.const import ENTITY_PLATFORMS
from homeassistant.components.mqtt.models import (
    MqttCommandTemplate,
    MqttValueTemplate,
    PayloadSentinel,
)
from homeassistant.components.mqtt.schemas import (
    DEVICE_DISCOVERY_SCHEMA,
    MQTT_ORIGIN_INFO_SCHEMA,
)
from homeassistant.components.number import const as number_const
from homeassistant.components.sensor import const as sensor_const
from homeassistant.core import HomeAssistant
from homeassistant.helpers import frame
from homeassistant.util import dt as dt_util

MOST_STATE = 255
MOST_ATTRIBUTES_BYTES = 16_384
NONE = "None"
Config = dict[str, Any]
Rendered = Iterator[str]


class Complaints(logging.Handler):
    """What Home Assistant would have written to its log."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.name}: {record.getMessage()}")

    def taken(self) -> list[str]:
        lines, self.lines = self.lines, []
        return lines


class Judge:
    """Everything that is said, message by message, as a Home Assistant that hears it all."""

    def __init__(self, prefix: str, log: Complaints) -> None:
        self._prefix = f"{prefix}/"
        self._log = log
        # By topic of the discovery message, its entities as they are after the schemas.
        self.entities: dict[str, list[tuple[str, Config]]] = {}
        self.faults: dict[str, None] = {}
        self.skipped: set[str] = set()
        self.judged: set[str] = set()

    def hear(self, topic: str, payload: str) -> None:
        if topic.startswith(self._prefix) and topic.endswith("/config"):
            self._fault(topic, self._announcement(topic, payload))
            return
        for entities in self.entities.values():
            for platform, config in entities:
                name = f"{platform} {config['unique_id']}"
                self._fault(name, shown(platform, config, topic, payload))

    def _fault(self, name: str, faults: Iterable[str]) -> None:
        for text in (*faults, *self._log.taken()):
            self.faults[f"{name}: {text}"] = None

    def _announcement(self, topic: str, payload: str) -> Iterator[str]:
        found = discovery.TOPIC_MATCHER.match(topic.removeprefix(self._prefix))
        if found is None:
            yield "illegal discovery topic"
            return
        platform = found["component"]
        self.entities.pop(topic, None)
        if platform not in (*ENTITY_PLATFORMS, "device"):
            self.skipped.add(platform)
            return
        if not payload:
            return
        entities: list[tuple[str, Config]] = []
        try:
            message = discovery.MQTTDiscoveryPayload(json.loads(payload))
            discovery._replace_all_abbreviations(message)
            if platform == "device":
                DEVICE_DISCOVERY_SCHEMA(message)
                parts = dict(_parts(message))
            else:
                MQTT_ORIGIN_INFO_SCHEMA(message["origin"])
                parts = {found["object_id"]: (platform, message)}
        except Exception as error:  # noqa: BLE001 - whatever it raises, the device is lost
            yield f"the device is refused: {error}"
            return
        for key, (kind, config) in parts.items():
            module = importlib.import_module(f"homeassistant.components.mqtt.{kind}")
            try:
                entities.append((kind, module.DISCOVERY_SCHEMA(config)))
            except Exception as error:  # noqa: BLE001 - whatever it raises, the entity is lost
                yield f"{key}: the {kind} is refused: {error}"
                continue
            yield from (f"{key}: {text}" for text in _classes(kind, config))
            self.judged.add(config["unique_id"])
        self.entities[topic] = entities

    def commands(self) -> Iterator[tuple[str, str]]:
        for entities in self.entities.values():
            for platform, config in entities:
                if "command_topic" not in config:
                    continue
                template = MqttCommandTemplate(config.get("command_template")).async_render
                for value in used(platform, config):
                    yield config["command_topic"], str(template(value))
        if lines := self._log.taken():
            self._fault("a command", lines)


def _parts(message: Any) -> Iterator[tuple[str, tuple[str, Config]]]:
    """The components of a device message, with what they inherit; without those taken back."""
    for key, config in message["components"].items():
        platform = config.pop("platform")
        if not config:
            continue
        component = discovery.MQTTDiscoveryPayload(config)
        component["device"], component["origin"] = message["device"], message["origin"]
        discovery._merge_common_device_options(component, message)
        yield key, (platform, component)


def _classes(platform: str, config: Config) -> Iterator[str]:
    """What the schemas leave to the running entity."""
    name, unit = config.get("device_class"), config.get("unit_of_measurement")
    constants = {"sensor": sensor_const, "number": number_const}.get(platform)
    if constants is None:
        return
    units = constants.DEVICE_CLASS_UNITS.get(name)
    if units is not None and unit not in units:
        yield f"unit {unit} with {name}"
    if platform == "sensor" and (state_class := config.get("state_class")) is not None:
        allowed = sensor_const.DEVICE_CLASS_STATE_CLASSES.get(name)
        if allowed is not None and state_class not in allowed:
            yield f"state class {state_class} with {name}"
    if platform == "sensor" and config.get("entity_category") == "config":
        yield "a sensor is no setting"


# --- what an entity makes of a message -----------------------------------------------------------


def shown(platform: str, config: Config, topic: str, payload: str) -> Iterator[str]:
    """What is wrong with what it would show after that message; nothing where it is not its."""
    if config.get("state_topic") == topic and platform in STATES:
        value = _rendered(config.get("value_template"), payload)
        yield from STATES[platform](config, value)
    if config.get("json_attributes_topic") == topic:
        yield from _attributes(_rendered(config.get("json_attributes_template"), payload))
    for item in config.get("availability", ()):
        if item["topic"] == topic:
            said = _rendered(item.get("value_template"), payload)
            if said not in (item["payload_available"], item["payload_not_available"]):
                yield f"availability {said!r}"


def _rendered(template: Any, payload: str) -> str:
    value = MqttValueTemplate(template).async_render_with_possible_json_value(
        payload, PayloadSentinel.DEFAULT
    )
    return str(value)


def _attributes(text: str) -> Iterator[str]:
    if not isinstance(json.loads(text), dict):
        yield "attributes are no object"
    if len(text.encode()) > MOST_ATTRIBUTES_BYTES:
        yield f"{len(text.encode())} bytes of attributes"


def _sensor(config: Config, value: str) -> Rendered:
    name = config.get("device_class")
    numeric = config.get("unit_of_measurement") or config.get("state_class")
    if value == NONE:
        return
    if numeric:
        yield from _number(value)
    elif name == "timestamp":
        yield from _instant(value)
    elif config.get("options") is not None and value not in config["options"]:
        yield f"option {value!r}"
    elif len(value) > MOST_STATE:
        yield f"{len(value)} characters"


def _number(value: str) -> Rendered:
    try:
        finite = math.isfinite(float(value))
    except ValueError:
        finite = False
    if not finite:
        yield f"no number: {value!r}"


def _instant(value: str) -> Rendered:
    found = dt_util.parse_datetime(value)
    if found is None or found.tzinfo is None:
        yield f"no instant: {value!r}"


def _of_a_number(config: Config, value: str) -> Rendered:
    if value == config["payload_reset"]:
        return
    wrong = list(_number(value))
    yield from wrong
    if not wrong and not config["min"] <= float(value) <= config["max"]:
        yield f"{value} is not within {config['min']} to {config['max']}"


def _select(config: Config, value: str) -> Rendered:
    if value != NONE and value not in config["options"]:
        yield f"option {value!r}"


def _text(config: Config, value: str) -> Rendered:
    if not config["min"] <= len(value) <= config["max"]:
        yield f"{len(value)} characters"
    if not config["pattern"].match(value):
        yield f"{value!r} is not like {config['pattern'].pattern}"


def _two(on: str, off: str) -> Callable[[Config, str], Rendered]:
    def of(config: Config, value: str) -> Rendered:
        if value not in (config.get(on, "ON"), config.get(off, "OFF")):
            yield f"neither on nor off: {value!r}"

    return of


def _event(config: Config, value: str) -> Rendered:
    if value and json.loads(value)["event_type"] not in config["event_types"]:
        yield f"event {value!r}"


def _time(_config: Config, value: str) -> Rendered:
    if value != NONE and dt_util.parse_time(value) is None:
        yield f"no time of day: {value!r}"


def _datetime(_config: Config, value: str) -> Rendered:
    if value != NONE:
        yield from _instant(value)


STATES: dict[str, Callable[[Config, str], Rendered]] = {
    "sensor": _sensor,
    "binary_sensor": _two("payload_on", "payload_off"),
    "number": _of_a_number,
    "select": _select,
    "text": _text,
    "switch": _two("state_on", "state_off"),
    "event": _event,
    "time": _time,
    "datetime": _datetime,
}


# --- what a person can do with it ----------------------------------------------------------------


def used(platform: str, config: Config) -> list[Any]:
    """What Home Assistant hands to the command's template, from one end to the other."""
    if platform == "number":
        least, most, step = config["min"], config["max"], config["step"]
        values = (least, least + step, (least + most) / 2, most)
        return [int(value) if float(value).is_integer() else value for value in values]
    if platform == "select":
        return list(config["options"])
    if platform == "text":
        return ["", *(text for text in TEXTS if config["pattern"].match(text))]
    values_of: dict[str, list[Any]] = {
        "switch": [config.get("payload_on"), config.get("payload_off")],
        "button": [config.get("payload_press")],
        "time": [datetime.time(6, 45)],
        "datetime": ["2026-01-20T18:00:00+00:00"],
    }
    return values_of[platform]


TEXTS = ("06:45", "2026-01-20 18:00")


async def judge(prefix: str, said: Iterable[tuple[str, str]]) -> dict[str, object]:
    log = Complaints()
    logging.getLogger().addHandler(log)
    with tempfile.TemporaryDirectory() as folder:
        frame.async_setup(HomeAssistant(folder))
        found = Judge(prefix, log)
        for topic, payload in said:
            found.hear(topic, payload)
        commands = list(found.commands())
        return {
            "faults": list(found.faults),
            "judged": len(found.judged),
            "skipped": sorted(found.skipped),
            "commands": commands,
        }


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    json.dump(asyncio.run(judge(asked["prefix"], asked["said"])), sys.stdout)
