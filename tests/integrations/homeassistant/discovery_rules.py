"""What Home Assistant 2025.4 and later ask of a discovery message, as far as it is written down.

From its MQTT schemas and `components/sensor/const.py`: what is wrong at the top costs the whole
device, what is wrong in a component that entity, a wrong pair of classes its statistics.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

MOST_BYTES = 16_384
TOPIC = re.compile(r"^homeassistant/(?P<platform>[a-z_]+)(/[A-Za-z0-9_-]+){1,2}/config$")
TOP = {
    "device",
    "origin",
    "components",
    "availability",
    "availability_mode",
    "qos",
    "state_topic",
    "command_topic",
}
DEVICE = {
    "identifiers",
    "name",
    "manufacturer",
    "model",
    "sw_version",
    "serial_number",
    "via_device",
}
# What a component needs and may have besides what all have.
PLATFORMS: dict[str, tuple[set[str], set[str]]] = {
    "sensor": (
        {"value_template"},
        {
            "device_class",
            "state_class",
            "unit_of_measurement",
            "suggested_display_precision",
            "options",
            "expire_after",
        },
    ),
    "binary_sensor": ({"value_template", "device_class"}, {"expire_after"}),
    "number": (
        {"value_template", "command_template", "min", "max", "step"},
        {"mode", "unit_of_measurement", "device_class", "command_topic"},
    ),
    "select": ({"value_template", "command_template", "options"}, set()),
    "text": ({"value_template", "pattern"}, {"command_template", "command_topic"}),
    "switch": ({"value_template", "payload_on", "payload_off", "state_on", "state_off"}, set()),
    "button": ({"payload_press"}, {"command_topic"}),
    "image": ({"image_topic", "content_type"}, set()),
    "event": ({"state_topic", "event_types", "value_template"}, set()),
}
# With 2026.5: on topics of their own.
LATER: dict[str, tuple[set[str], set[str]]] = {
    "time": ({"value_template", "command_template"}, set()),
    "datetime": ({"value_template", "command_topic"}, {"command_template"}),
}
COMMON = {
    "platform",
    "unique_id",
    "name",
    "default_entity_id",
    "entity_category",
    "availability",
    "json_attributes_topic",
    "json_attributes_template",
    "enabled_by_default",
}
# Device class: units (None: none at all) and state classes that go with it.
CLASSES: dict[str, tuple[set[str | None], set[str | None]]] = {
    "power": ({"W", "kW"}, {"measurement"}),
    "energy": ({"kWh", "Wh", "MWh"}, {"total_increasing", "total"}),
    "battery": ({"%"}, {"measurement"}),
    "temperature": ({"°C"}, {"measurement"}),
    "monetary": ({"EUR", "GBP", "SEK", "AUD"}, {"total", None}),
    "timestamp": ({None}, {None}),
    "enum": ({None}, {None}),
    "duration": ({"s", "min", "h"}, {"measurement", None}),
}
UNITS_WITHOUT_CLASS = re.compile(r"^([A-Z]{3}/kWh|%|gCO2eq/kWh|kWh)$")
BINARY_CLASSES = {"problem", "plug", "running", "connectivity"}
PATH = re.compile(r"value_json((?:\.[a-z_0-9]+)+)")


def faults(retained: Mapping[str, bytes]) -> Iterator[str]:
    """Everything that is wrong with the messages below `homeassistant/`."""
    seen: set[str] = set()
    entity_ids: set[str] = set()
    for topic, payload in retained.items():
        if not topic.startswith("homeassistant/"):
            continue
        body = json.loads(payload)
        found = TOPIC.match(topic)
        if found is None:
            yield f"{topic}: illegal discovery topic"
            continue
        if len(payload) >= MOST_BYTES:
            yield f"{topic}: {len(payload)} bytes"
        yield from (f"{topic}: {text}" for text in _shared(body))
        if found["platform"] == "device":
            yield from (f"{topic}: key {key}" for key in set(body) - TOP)
            items = [(key, item) for key, item in body["components"].items()]
            known = PLATFORMS
        else:
            single = {k: v for k, v in body.items() if k not in TOP - {"command_topic"}}
            items = [(topic, {**single, "platform": found["platform"]})]
            known = LATER
        for key, item in items:
            yield from (f"{topic} {key}: {text}" for text in component(item, known))
            for value, others in ((item.get("unique_id"), seen), (_entity(item), entity_ids)):
                if value in others:
                    yield f"{topic} {key}: {value} is used twice"
                others.add(str(value))


def _entity(item: Mapping[str, Any]) -> object:
    return item.get("default_entity_id")


def _shared(body: Mapping[str, Any]) -> Iterator[str]:
    if not body.get("origin", {}).get("name"):
        yield "no origin"
    device = body.get("device", {})
    if not device.get("identifiers"):
        yield "no identifiers"
    yield from (f"device key {key}" for key in set(device) - DEVICE)
    if body.get("availability_mode") != "all" or len(body.get("availability", [])) != 2:
        yield "availability is the agent's last will and its state, both"
    if body.get("qos") != 1:
        yield "qos"
    if "~" in json.dumps(body):
        yield "~"


def component(item: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[str]:
    platform = item.get("platform", "")
    if platform not in known:
        yield f"platform {platform} loses the whole device"
        return
    required, optional = known[platform]
    for key in (required | {"unique_id", "name", "default_entity_id"}) - set(item):
        yield f"{key} is missing"
    for key in set(item) - required - optional - COMMON - {"state_topic", "command_topic"}:
        yield f"{key} is unknown to a {platform}"
    if any(value is None for value in item.values()):
        yield "null"
    name, prefix, _ = str(item.get("default_entity_id")).partition(".")
    if name != platform or not prefix:
        yield f"default_entity_id {item.get('default_entity_id')}"
    category = item.get("entity_category")
    if category not in (None, "diagnostic", "config"):
        yield f"entity_category {category}"
    if category == "config" and platform in ("sensor", "binary_sensor"):
        yield "config kills a sensor"
    if platform == "sensor":
        yield from _sensor(item)
    if platform == "binary_sensor" and item.get("device_class") not in BINARY_CLASSES:
        yield f"device_class {item.get('device_class')}"
    if platform == "number" and not (item["step"] >= 0.001 and item["min"] < item["max"]):
        yield "step below 0.001, or min not below max"
    if platform == "select" and len(item["options"]) < 2:
        yield "options"
    if platform == "event" and len(item["event_types"]) != len(set(item["event_types"])):
        yield "event_types"


def _sensor(item: Mapping[str, Any]) -> Iterator[str]:
    name, unit = item.get("device_class"), item.get("unit_of_measurement")
    state_class = item.get("state_class")
    if name is None:
        if unit is not None and not UNITS_WITHOUT_CLASS.match(unit):
            yield f"unit {unit}"
        if state_class not in (None, "measurement") or (state_class and unit is None):
            yield f"state_class {state_class} with unit {unit}"
        return
    if name not in CLASSES:
        yield f"device_class {name}"
        return
    units, state_classes = CLASSES[name]
    if unit not in units:
        yield f"unit {unit} with {name}"
    if state_class not in state_classes:
        yield f"state_class {state_class} with {name}"
    if (name == "enum") != bool(item.get("options")):
        yield "options"
    if item.get("expire_after", 0) <= 0:
        yield "a state that never expires"


def missing_values(retained: Mapping[str, bytes]) -> Iterator[str]:
    """Templates of states that ask for what their document does not have: each is a warning."""
    for topic, payload in retained.items():
        if not topic.startswith("homeassistant/"):
            continue
        body = json.loads(payload)
        items = body["components"].values() if "components" in body else [body]
        for item in items:
            where = item.get("state_topic", body.get("state_topic"))
            for key in ("value_template", "json_attributes_template"):
                if item.get("platform") == "event" or key not in item:
                    continue
                document = json.loads(retained[where])
                for path in PATH.findall(item[key]):
                    if not _has(document, path.strip(".").split(".")):
                        yield f"{topic} {item['unique_id']}: {path}"


def _has(document: object, path: list[str]) -> bool:
    for key in path:
        if not isinstance(document, dict) or key not in document:
            return False
        document = document[key]
    return True
