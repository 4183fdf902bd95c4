"""Values into payloads and out of them, as device profiles describe it. Pure; no template language.

Written: text in which `{name}` stands for a value, or JSON in which an object `{"$value": name}`
does, with its type, scale and map. Read: a path into JSON, then a map or a scale.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator

from agent.config.base import Section
from agent.contracts.state import NUMBER
from agent.contracts.text import plain_number, wire_json
from agent.energy.sentences import sentence

Scalar = bool | int | float | str
Values = Mapping[str, Scalar | None]

PLACE = re.compile(r"\{(\w+)\}")


class Placeholder(Section):
    """A value in JSON. `map` goes by its text; `scale` and `offset` before `min` and `max`."""

    name: str = Field(alias="$value")
    type: Literal["int", "float", "text", "bool"] = "text"
    scale: float = 1.0
    offset: float = 0.0
    min: float | None = None
    max: float | None = None
    map: dict[str, Scalar] = Field(default_factory=dict)

    def of(self, values: Values) -> Scalar | None:
        """The value as it is written; None where it is not known, or the map has no word for it."""
        value = values.get(self.name)
        if value is not None and self.map:
            value = self.map.get(text_of(value))
        if value is None or self.type == "text":
            return None if value is None else text_of(value)
        if self.type == "bool":
            return bool(value)
        number = float(value) * self.scale + self.offset
        if self.min is not None:
            number = max(number, self.min)
        if self.max is not None:
            number = min(number, self.max)
        return round(number) if self.type == "int" else number


def _compiled(node: Any) -> Any:
    if isinstance(node, dict):
        if "$value" in node:
            return Placeholder.model_validate(node)
        return {str(key): _compiled(inner) for key, inner in node.items()}
    if isinstance(node, list):
        return [_compiled(inner) for inner in node]
    if node is None or isinstance(node, bool | int | float | str):
        return node
    raise ValueError("expected text or JSON")


# Text, a Placeholder, or JSON with such in it.
Payload = Annotated[Any, PlainValidator(_compiled)]


def names_in(node: Any) -> set[str]:
    """The values that a text or a payload needs."""
    if isinstance(node, Placeholder):
        return {node.name}
    if isinstance(node, str):
        return set(PLACE.findall(node))
    if isinstance(node, dict):
        return {name for inner in node.values() for name in names_in(inner)}
    return {name for inner in node for name in names_in(inner)} if isinstance(node, list) else set()


def fill(text: str, values: Values) -> str | None:
    """The text with its values; None where one of them is not known."""
    found = {name: values.get(name) for name in PLACE.findall(text)}
    if any(value is None for value in found.values()):
        return None
    return PLACE.sub(lambda place: text_of(found[place[1]]), text)


def render(payload: Any, values: Values) -> str | None:
    """A payload as it is sent; None where a value that it stands or falls with is not known.

    In an object only the key whose value is not known is left out.
    """
    if isinstance(payload, str):
        return fill(payload, values)
    out = _resolved(payload, values)
    if isinstance(payload, Placeholder):
        return None if out is None else text_of(out)
    return wire_json(out)


def _resolved(node: Any, values: Values) -> Any:
    if isinstance(node, Placeholder):
        return node.of(values)
    if isinstance(node, str):
        return fill(node, values)
    if isinstance(node, dict):
        resolved = {key: _resolved(inner, values) for key, inner in node.items()}
        return {
            key: value for key, value in resolved.items() if value is not None or node[key] is None
        }
    return [_resolved(inner, values) for inner in node] if isinstance(node, list) else node


def text_of(value: object) -> str:
    """A scalar as devices write it: true and false, whole numbers without a point."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return plain_number(float(value)) if isinstance(value, float) else str(value)
    return str(value)


def same(left: object, right: object) -> bool:
    """Do two scalars mean the same? `"16"`, 16 and 16.0 do."""
    texts = text_of(left), text_of(right)
    if all(NUMBER.fullmatch(text) for text in texts):
        return float(texts[0]) == float(texts[1])
    return texts[0] == texts[1]


class _Absent:
    """There is nothing at that path."""


ABSENT = _Absent()


def at_path(document: Any, path: str) -> Any:
    """What lies at a path such as `aenergy.total`, or `11` of a list; ABSENT where nothing does."""
    for part in path.split("."):
        if isinstance(document, dict) and part in document:
            document = document[part]
        elif isinstance(document, list) and part.isdecimal() and int(part) < len(document):
            document = document[int(part)]
        else:
            return ABSENT
    return document


def scalar_of(payload: bytes) -> Any:
    """A payload that is one value: JSON or bare text; None where it says nothing."""
    text = payload.decode("utf-8", "replace").strip()
    if text.startswith('"'):
        try:
            text = str(json.loads(text))
        except ValueError:
            text = text.strip('"')
    return None if text in ("", "null") else text


@dataclass(frozen=True, slots=True)
class Conversion:
    """From what a device says to our value.

    `map` by its text (`otherwise` for all other words, where `has_otherwise`), else times `scale`.
    """

    scale: float = 1.0
    map: Mapping[str, Scalar | None] | None = None
    has_otherwise: bool = False
    otherwise: Scalar | None = None

    def apply(self, raw: Any) -> Scalar | None:
        """None where it says nothing. Raises ValueError with what was expected."""
        if isinstance(raw, dict | list):
            raise ValueError(sentence("expected a single value"))
        if self.map is not None:
            word = text_of(raw)
            if word in self.map:
                return self.map[word]
            if self.has_otherwise:
                return self.otherwise
            raise ValueError(sentence("expected {words}", words=", ".join(self.map)))
        if self.scale == 1.0:
            return raw if isinstance(raw, bool | int | float) else text_of(raw)
        if isinstance(raw, bool) or not NUMBER.fullmatch(text_of(raw).strip()):
            raise ValueError(sentence("expected a number"))
        return float(raw) * self.scale
