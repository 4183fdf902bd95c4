"""The parts of discovery messages: one function a platform, each entity with what it must have.

What is said of classes, units and keys holds for Home Assistant 2025.4 and later. A device message
hands its topics (`state_topic`, `command_topic`) and availability down to each entity.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# Entities whose state is not said anew in this time are unavailable: in a cluster of brokers a
# last will can stay away.
EXPIRES_S = 300
DIAGNOSTIC, CONFIG = "diagnostic", "config"


@dataclass(frozen=True, slots=True)
class Entity:
    """`key` names it within its device for ever; `options` are those of its platform."""

    platform: str
    key: str
    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


def sensor(key: str, name: str, value: str, **options: Any) -> Entity:
    """`value` is the path of its value within the state document, such as `plan.start`."""
    return Entity(
        "sensor",
        key,
        name,
        {"value_template": _of(value), "expire_after": EXPIRES_S, **options},
    )


def money(key: str, name: str, value: str, currency: str, **options: Any) -> Entity:
    """A sum of money; without a state class one that starts anew."""
    return sensor(
        key,
        name,
        value,
        device_class="monetary",
        unit_of_measurement=currency,
        suggested_display_precision=2,
        **options,
    )


def price(key: str, name: str, value: str, currency: str, **options: Any) -> Entity:
    """Main units per kWh, without a class: the class `monetary` has no statistics of a price."""
    return sensor(
        key,
        name,
        value,
        unit_of_measurement=f"{currency}/kWh",
        state_class="measurement",
        suggested_display_precision=4,
        **options,
    )


def timestamp(key: str, name: str, value: str, **options: Any) -> Entity:
    return sensor(key, name, value, device_class="timestamp", **options)


def energy(key: str, name: str, value: str, **options: Any) -> Entity:
    """A counter; one that falls has begun anew."""
    return sensor(
        key,
        name,
        value,
        device_class="energy",
        unit_of_measurement="kWh",
        state_class="total_increasing",
        suggested_display_precision=2,
        **options,
    )


def choice(key: str, name: str, value: str, options: Sequence[str], **more: Any) -> Entity:
    return sensor(key, name, value, device_class="enum", options=list(options), **more)


def binary(key: str, name: str, value: str, **options: Any) -> Entity:
    return Entity(
        "binary_sensor",
        key,
        name,
        {
            "value_template": f"{{{{ 'ON' if value_json.{value} else 'OFF' }}}}",
            "expire_after": EXPIRES_S,
            **options,
        },
    )


def problem(key: str, name: str, topic: str) -> Entity:
    """On while the problem stands; what it is and what to do are its attributes."""
    return Entity(
        "binary_sensor",
        key,
        name,
        {
            "value_template": f"{{{{ 'ON' if value_json.problems.{key} else 'OFF' }}}}",
            "json_attributes_topic": topic,
            "json_attributes_template": f"{{{{ (value_json.problems.{key} or {{}}) | tojson }}}}",
            "device_class": "problem",
            "entity_category": DIAGNOSTIC,
            "expire_after": EXPIRES_S,
        },
    )


def number(key: str, name: str, value: str, command: str, **options: Any) -> Entity:
    return Entity(
        "number",
        key,
        name,
        {"value_template": _of(value), "command_template": command, "mode": "box", **options},
    )


def select(key: str, name: str, value: str, command: str, options: Sequence[str]) -> Entity:
    return Entity(
        "select",
        key,
        name,
        {"value_template": _of(value), "command_template": command, "options": list(options)},
    )


def button(key: str, name: str, payload: str, **options: Any) -> Entity:
    return Entity("button", key, name, {"payload_press": payload, **options})


def text(key: str, name: str, value: str, pattern: str, **options: Any) -> Entity:
    """Empty where there is nothing: a text knows no other way to have none."""
    return Entity(
        "text",
        key,
        name,
        {
            "value_template": f"{{{{ value_json.{value} or '' }}}}",
            "pattern": f"^({pattern})?$",
            "entity_category": CONFIG,
            **options,
        },
    )


def event(topic: str, kinds: Sequence[str], device: str | None) -> Entity:
    """What has just happened, for automations; of one device, or of the house."""
    mine = "none" if device is None else f"'{device}'"
    return Entity(
        "event",
        "event",
        "Event",
        {
            "state_topic": topic,
            "event_types": [*kinds, "other"],
            "value_template": (
                f"{{% set kinds = {list(kinds)} %}}{{% if value_json.device == {mine} %}}"
                "{{ {'event_type': value_json.type if value_json.type in kinds else 'other',"
                " 'text': value_json.text, 'at': value_json.at} | tojson }}{% endif %}"
            ),
        },
    )


def picture(key: str, name: str, topic: str) -> Entity:
    """An SVG that stands on the topic as it is."""
    options = {"image_topic": topic, "content_type": "image/svg+xml"}
    return Entity("image", key, name, options)


def _of(value: str) -> str:
    return f"{{{{ value_json.{value} }}}}"
