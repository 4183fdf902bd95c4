"""The discovery messages of one device: its entities, what it is, and whether it is there. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent import __version__
from agent.contracts.text import wire_json
from agent.energy.readings import DeviceInfo
from integrations.homeassistant.entities import Entity
from integrations.homeassistant.names import HUB, LATER_PLATFORMS, Names

ORIGIN = {"name": "flatpeak-edge-agent", "sw_version": __version__}
QOS = 1


@dataclass(frozen=True, slots=True)
class Announcement:
    """A device with its entities as Home Assistant shall see it. `device` is an id or HUB."""

    device: str
    name: str
    model: str
    info: DeviceInfo
    entities: Sequence[Entity]


def messages(
    item: Announcement, names: Names, gone: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Payloads by topic, the device message first.

    `gone` are entities of earlier messages (key and platform) that are no more: each has to be
    taken back by name.
    """
    device = _device(item, names)
    own = [entity for entity in item.entities if entity.platform not in LATER_PLATFORMS]
    components: dict[str, Any] = {
        key: {"platform": platform} for key, platform in sorted((gone or {}).items())
    }
    components |= {
        entity.key: {"platform": entity.platform, **_entity(entity, item.device, names)}
        for entity in own
    }
    shared = {
        "device": device,
        "origin": ORIGIN,
        "availability": _availability(item.device, names),
        "availability_mode": "all",
        "qos": QOS,
    }
    topics = {
        "state_topic": names.state(item.device),
        "command_topic": names.request(item.device),
    }
    out = {names.config(item.device): wire_json({**shared, **topics, "components": components})}
    for entity in item.entities:
        if entity.platform in LATER_PLATFORMS:
            topic = names.later_config(entity.platform, item.device, entity.key)
            body = _entity(entity, item.device, names)
            out[topic] = wire_json({**shared, **topics, **body})
    return out


def components(item: Announcement) -> dict[str, str]:
    """Key and platform of what stands in the device message."""
    return {e.key: e.platform for e in item.entities if e.platform not in LATER_PLATFORMS}


def linked_availability(device: str, names: Names) -> dict[str, object]:
    """For what only the device itself can tell: nothing is shown while it is silent."""
    link = {
        "topic": names.state(device),
        "value_template": "{{ 'online' if value_json.linked else 'offline' }}",
    }
    return {"availability": [*_availability(device, names)[:1], link]}


def _availability(device: str, names: Names) -> list[dict[str, str]]:
    """The agent's last will, and its state, which the broker drops when it has become old."""
    return [
        {"topic": names.topics.status},
        {"topic": names.state(device), "value_template": "online"},
    ]


def _device(item: Announcement, names: Names) -> dict[str, object]:
    info = item.info
    found = {
        "identifiers": [names.identifier(item.device)],
        "name": item.name,
        "manufacturer": info.maker,
        "model": info.model or item.model,
        "sw_version": info.firmware,
        "serial_number": info.serial,
        "via_device": "" if item.device == HUB else names.identifier(HUB),
    }
    return {key: value for key, value in found.items() if value}


def _entity(entity: Entity, device: str, names: Names) -> dict[str, object]:
    return {
        "unique_id": names.unique_id(device, entity.key),
        "name": entity.name,
        "default_entity_id": names.entity_id(entity.platform, device, entity.key),
        **entity.options,
    }
