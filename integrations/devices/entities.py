"""What Home Assistant knows of a device: values of its entities, as `mqtt_statestream` tells them.

Below its base topic that integration publishes, retained, `<domain>/<object id>/state` as bare text
at each change, then `last_updated` where `publish_timestamps` is set and each attribute as JSON
where `publish_attributes` is (homeassistant/components/mqtt_statestream). Of a power, an energy or
a temperature nothing is believed before its unit is known.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from agent.config.base import Section, matching
from agent.config.devices import AdapterSection
from agent.contracts.state import KEYS, NUMBER, shown, unreadable
from agent.energy.readings import Reading, Value
from agent.energy.sentences import sentence
from agent.energy.text import clean_text
from agent.ports import Decoded, Message, UntimedReading
from integrations.devices.topic_text import TopicText

MAX_BYTES = 1024
MAX_UNIT = 12
ENTITY = r"[a-z0-9_]+\.[a-z0-9_]+"
# What the config calls them, without units: those are Home Assistant's.
KINDS: Mapping[str, str] = {
    "soc": "soc_percent",
    "plugged": "plugged",
    "power": "power_w",
    "energy": "energy_total_kwh",
    "session_energy": "energy_kwh",
    "temperature": "temperature_c",
}
POWER = {"mW": (1e-3, 0.0), "W": (1.0, 0.0), "kW": (1e3, 0.0), "MW": (1e6, 0.0)}
ENERGY = {
    "Wh": (1e-3, 0.0),
    "kWh": (1.0, 0.0),
    "MWh": (1e3, 0.0),
    "MJ": (1 / 3.6, 0.0),
    "GJ": (1e3 / 3.6, 0.0),
}
# Factor and what is added then, by kind and unit.
UNITS: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "power_w": POWER,
    "energy_kwh": ENERGY,
    "energy_total_kwh": ENERGY,
    "temperature_c": {"°C": (1.0, 0.0), "°F": (5 / 9, -160 / 9), "K": (1.0, -273.15)},
}
# Words of Home Assistant for a state that is not known now.
NOT_KNOWN = ("unknown", "unavailable", "none", "")
STATE, UNIT, UPDATED = "state", "unit_of_measurement", "last_updated"

EntityId = Annotated[
    str, Field(max_length=100), matching(ENTITY, "an entity id such as sensor.car_soc")
]


class EntitySource(Section):
    """`unit` where its attributes are not published; `on`: its words that mean plugged in."""

    entity: EntityId
    unit: str | None = None
    on: tuple[str, ...] = ()


def _alone(value: object) -> object:
    """`soc: sensor.car_soc` is short for an entity of which nothing else is told."""
    return {"entity": value} if isinstance(value, str) else value


Source = Annotated[EntitySource, BeforeValidator(_alone)]


class Entities(Section):
    """`energy` is a meter that only grows, `session_energy` counts from the plug-in."""

    soc: Source | None = None
    plugged: Source | None = None
    power: Source | None = None
    energy: Source | None = None
    session_energy: Source | None = None
    temperature: Source | None = None

    @model_validator(mode="after")
    def _units_are_known(self) -> "Entities":
        for name, kind in KINDS.items():
            source: EntitySource | None = getattr(self, name)
            if source is None:
                continue
            if source.unit is not None and source.unit not in UNITS.get(kind, ()):
                known = ", ".join(UNITS.get(kind, ())) or "none, it is left out"
                raise ValueError(f"{name}.unit is {shown(source.unit)}; expected {known}")
            if source.on and kind != "plugged":
                raise ValueError(f"{name}.on: only plugged has words")
        return self


class EntitiesSection(AdapterSection):
    """What every adapter's section has: readings of the device that Home Assistant gives besides.

    `statestream` is `base_topic` of Home Assistant's `mqtt_statestream`.
    """

    entities: Entities = Entities()
    statestream: TopicText = "statestream"

    def tells_by_entity(self, kind: str) -> bool:
        """Does Home Assistant tell such a reading of it?"""
        return any(kind == told and getattr(self.entities, name) for name, told in KINDS.items())


@dataclass(slots=True)
class _Entity:
    """One value.

    `raw` is what was said last, None where it is not known now; `seen_changing`: in this life of
    the agent, not only kept by the broker.
    """

    kind: str
    unit: str | None
    on: tuple[str, ...]
    raw: str | None = None
    at: datetime | None = None
    seen_changing: bool = False

    def reading(self, *, retained: bool) -> Decoded | None:
        """What is believed of it; a retained one by its own time, where that was told."""
        if self.raw is None:
            return None
        try:
            value = self._value(self.raw)
        except (ValueError, OverflowError) as error:
            return unreadable(self.kind, shown(self.raw), error)
        if retained and self.at is not None:
            return Reading(self.kind, value, self.at)
        return UntimedReading(self.kind, value)

    def _value(self, raw: str) -> Value:
        """Raises ValueError with what was expected."""
        if self.on:
            return raw in self.on
        units = UNITS.get(self.kind)
        if units is None:
            return KEYS[self.kind](raw)
        if self.unit is None:
            raise ValueError(
                sentence("no unit: set publish_attributes in mqtt_statestream, or give unit")
            )
        if self.unit not in units:
            raise ValueError(
                sentence(
                    "in {unit}; expected {units}", unit=shown(self.unit), units=", ".join(units)
                )
            )
        if not NUMBER.fullmatch(raw):
            raise ValueError(sentence("expected a number"))
        factor, added = units[self.unit]
        return KEYS[self.kind](float(raw) * factor + added)


class EntityReader:
    """Turns what `mqtt_statestream` says into readings. Remembers state, unit and time of each."""

    def __init__(self, section: EntitiesSection) -> None:
        self._parts: dict[str, list[tuple[str, _Entity]]] = defaultdict(list)
        entities = list(_entities(section.entities))
        # The broker gives what it kept in this order: no value comes before its unit.
        for part in (UNIT, UPDATED, STATE):
            for source, entity in entities:
                if part != UNIT or (entity.kind in UNITS and source.unit is None):
                    path = source.entity.replace(".", "/")
                    topic = f"{section.statestream}/{path}/{part}"
                    self._parts[topic].append((part, entity))

    @property
    def subscriptions(self) -> Sequence[str]:
        return tuple(self._parts)

    def decode(self, message: Message) -> Sequence[Decoded]:
        if message.topic not in self._parts or len(message.payload) > MAX_BYTES:
            return ()
        text = message.payload.decode("utf-8", "replace").strip()
        found = [
            _taken(part, entity, text, retained=message.retain)
            for part, entity in self._parts[message.topic]
        ]
        return [item for item in found if item is not None]

    def value_of(self, kind: str, *, seen_changing: bool) -> Value | None:
        """What holds now, as Home Assistant knows it; None where it does not."""
        for parts in self._parts.values():
            for part, entity in parts:
                if part == STATE and entity.kind == kind and entity.seen_changing >= seen_changing:
                    found = entity.reading(retained=False)
                    return found.value if isinstance(found, UntimedReading) else None
        return None


def _entities(entities: Entities) -> Iterator[tuple[EntitySource, _Entity]]:
    for name, kind in KINDS.items():
        source: EntitySource | None = getattr(entities, name)
        if source is not None:
            yield source, _Entity(kind, source.unit, source.on)


def _taken(part: str, entity: _Entity, text: str, *, retained: bool) -> Decoded | None:
    if part == STATE:
        entity.raw = None if text.lower() in NOT_KNOWN else text
        entity.seen_changing |= not retained
        return entity.reading(retained=retained)
    if part == UNIT:
        unit = _json_text(text)
        news, entity.unit = unit != entity.unit, unit
        return entity.reading(retained=retained) if news else None
    entity.at = _instant(text)
    # At a change it comes just after the state, which has counted already.
    return entity.reading(retained=True) if retained and entity.at is not None else None


def _json_text(text: str) -> str | None:
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return clean_text(found, MAX_UNIT) if isinstance(found, str) else None


def _instant(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
