"""What a profile file holds: how a family of devices is spoken to, as data.

The files lie in `profiles/`, one a family. Their facts come from the vendors' documents named in
`source`; what could only be assumed stands in `about`.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib.resources import files
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, create_model, model_validator

from agent.config.base import KeyFault, Name, Section, refuse
from agent.contracts.state import KEYS
from integrations.devices.entities import EntitiesSection
from integrations.devices.payloads import Conversion, Payload, Scalar, fill, names_in
from integrations.devices.topic_text import TopicText

# What a setpoint and the agent give besides a profile's own parameters.
# `watchdog_s`: so long without a word of ours means that the agent is gone. `switch_phases`: the
# phases to go to, known only of a charger that the config lets switch.
VALUES = frozenset(
    {"mode", "power_w", "current_a", "phases", "switch_phases", "watchdog_s", "base", "device"}
)
# A device that goes back by itself is given so many refreshes before it does.
MISSED_REFRESHES = 3
MOST_SECONDS = 64_800
TYPES: Mapping[str, Any] = {
    "topic": TopicText,
    # Some makers count from 0, some from 1.
    "index": Annotated[int, Field(ge=0, le=99)],
    "count": Annotated[int, Field(ge=1, le=100)],
}


class Parameter(Section):
    """What the owner tells of a device. Without a default it must be given; null: may be."""

    about: str
    type: Literal["topic", "seconds", "index", "count", "word"] = "topic"
    words: tuple[str, ...] = ()
    default: Scalar | None = None

    @property
    def required(self) -> bool:
        return "default" not in self.model_fields_set

    def field(self, refresh_s: int) -> Any:
        """As a field of a section of the config; `refresh_s` 0 for a family never told again.

        Seconds after which a device goes back by itself outlast what is missed.
        """
        kind: Any
        if self.type == "word":
            kind = Literal[self.words]
        elif self.type == "seconds":
            kind = Annotated[int, Field(ge=MISSED_REFRESHES * refresh_s, le=MOST_SECONDS)]
        else:
            kind = TYPES[self.type]
        if self.required:
            return kind, ...
        return (kind | None if self.default is None else kind), self.default


class Condition(Section):
    """True where what was read last under that name is that value; not known is not equal."""

    read: str
    equals: Payload


class Step(Section):
    """One message. Left out where a condition says so or a value in its topic is not known."""

    topic: str
    payload: Payload
    when: Condition | None = None
    unless: Condition | None = None


class Read(Section):
    """One value that the device tells: a key of our own `state`, or a name for conditions.

    `path` into JSON, empty where the payload is the value; `ignore`: words that say nothing;
    `absent`: what it means that nothing lies at the path.
    """

    name: str
    topic: str
    path: str = ""
    ignore: tuple[str, ...] = ()
    scale: float = 1.0
    map: dict[str, Scalar | None] | None = None
    otherwise: Scalar | None = None
    absent: Scalar | None = None

    @cached_property
    def conversion(self) -> Conversion:
        return Conversion(
            self.scale, self.map, "otherwise" in self.model_fields_set, self.otherwise
        )


class PresenceTopic(Section):
    """Where the device, or the broker in its place, says whether it is there."""

    topic: str
    path: str = ""
    online: str = "online"
    offline: str = "offline"


def _steps(value: tuple[Step, ...]) -> tuple[Step, ...]:
    for step in value:
        if any(mark in step.topic for mark in "+#"):
            raise ValueError("a command goes to one topic")
    return value


Steps = Annotated[tuple[Step, ...], AfterValidator(_steps)]


class Profile(Section):
    """How a family is spoken to. `modes` are those of the wire contract for what it `serves`.

    `controls` is what a device switches, by the parameter that names it, written alike in every
    family that can name it: no two devices switch the same. `release` names the mode that leaves
    the device to itself. `neutral` is how it stands after a restart and where nobody has chosen
    anything: back there, it is told again. Every `refresh_s` seconds it is asked by `queries`, and
    told again where its mode is one of `repeat`. `retained_is_current`: the family takes back what
    is no longer true, so what the broker kept is true now. `harmless` changes nothing on any topic
    that commands go to; null where nobody promises that of anything.
    One told a mode of `repeat` is back on its own `lasts` seconds after it heard it last; null:
    never. `runs` is true where it is switched as a command to run would have it.
    """

    family: Name
    about: str
    source: str
    serves: tuple[str, ...] = Field(min_length=1)
    parameters: dict[str, Parameter]
    presence: PresenceTopic | None = None
    reads: tuple[Read, ...] = ()
    queries: Steps = ()
    harmless: Payload | None = None
    controls: dict[str, str] = Field(default_factory=dict)
    modes: dict[str, Steps] = Field(default_factory=dict)
    release: str | None = None
    neutral: Condition | None = None
    refresh_s: int | None = Field(default=None, ge=5, le=3600)
    repeat: tuple[str, ...] = ()
    lasts: Payload | None = None
    runs: Condition | None = None
    retained_is_current: bool = False
    without_agent: str = ""

    @model_validator(mode="after")
    def _whole(self) -> "Profile":
        known = VALUES | set(self.parameters)
        if unknown := set(self._needed()) - known:
            raise ValueError(f"no such value: {', '.join(sorted(unknown))}")
        read = {item.name for item in self.reads}
        asked = {item.read for step in self._all_steps() for item in _conditions(step)}
        asked |= {item.read for item in (self.neutral, self.runs) if item is not None}
        if asked - read:
            raise ValueError(f"no such reading: {', '.join(sorted(asked - read))}")
        if idle := read - asked - set(KEYS):
            raise ValueError(f"is read and never used: {', '.join(sorted(idle))}")
        words = {*self.repeat, *([self.release] if self.modes else [])}
        if unknown := {str(word) for word in words} - set(self.modes):
            raise ValueError(f"no such mode: {', '.join(sorted(unknown))}")
        if unknown := set(self.controls) - set(self.parameters):
            raise ValueError(f"controls: no such parameter: {', '.join(sorted(unknown))}")
        if bool(self.modes) != bool(self.controls):
            raise ValueError("controls goes with modes: what is switched, and how")
        return self

    def _all_steps(self) -> Iterator[Step]:
        yield from self.queries
        for steps in self.modes.values():
            yield from steps

    def _needed(self) -> Iterator[str]:
        places: list[Any] = [item.topic for item in self.reads]
        places += [item.path for item in self.reads]
        if self.presence is not None:
            places.append(self.presence.topic)
        places += self.controls.values()
        for step in self._all_steps():
            places += [step.topic, step.payload, *(item.equals for item in _conditions(step))]
        places += [item.equals for item in (self.neutral, self.runs) if item is not None]
        places += [item for item in (self.lasts, self.harmless) if item is not None]
        for place in places:
            yield from names_in(place)

    def section(self) -> type["ProfileSection"]:
        """What the config may say of a device of this family."""
        word: Any = Literal[self.family]
        fields: dict[str, Any] = {"family": (word, ...)}
        fields |= {
            name: parameter.field(self.refresh_s or 0)
            for name, parameter in self.parameters.items()
        }
        model: type[ProfileSection] = create_model(
            "".join(part.title() for part in self.family.split("-")) + "Adapter",
            __base__=ProfileSection,
            __module__=__name__,
            **fields,
        )
        model.serves = frozenset(self.serves)
        model.without_agent = self.without_agent
        model.switched = self.controls
        model.reads = frozenset(item.name for item in self.reads)
        return model


class ProfileSection(EntitiesSection):
    """A device of a family; `switched` is the profile's `controls`, `reads` what it tells."""

    switched: ClassVar[Mapping[str, str]] = {}
    reads: ClassVar[frozenset[str]] = frozenset()

    def controls(self) -> Mapping[str, str]:
        values = {name: getattr(self, name) for name in type(self).model_fields}
        places = {key: fill(template, values) for key, template in self.switched.items()}
        return {key: place for key, place in places.items() if place is not None}

    def tells(self, kind: str) -> bool:
        return kind in self.reads or self.tells_by_entity(kind)

    @model_validator(mode="after")
    def _switches_each_once(self) -> "ProfileSection":
        first: dict[str, str] = {}
        refuse(
            KeyFault((key,), f"expected another than {other}: both are {place}", getattr(self, key))
            for key, place in self.controls().items()
            if (other := first.setdefault(place, key)) != key
        )
        return self


def _conditions(step: Step) -> list[Condition]:
    return [item for item in (step.when, step.unless) if item is not None]


def load_profiles() -> list[Profile]:
    """All that came with the package, by name."""
    folder = files("integrations.devices").joinpath("profiles")
    found = {file.name: file for file in folder.iterdir() if file.name.endswith(".json")}
    return [
        Profile.model_validate(json.loads(found[name].read_text("utf-8"))) for name in sorted(found)
    ]
