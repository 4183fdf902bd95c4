"""Sentences of the agent's own: English text that still knows how it was made. Pure.

They are stored, published and compared as the text they are. Pages that speak another language look
the template up in its catalogue (`agent/web/sentences/`), and show the English where there is none.
"""

import string
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from agent.energy.instants import format_instant


class Sentence(str):
    """`template` with `values` in its places; or `parts`, joined by `"; "`."""

    __slots__ = ("parts", "template", "values")
    template: str
    values: Mapping[str, object]
    parts: Sequence[str]


class DeviceNames(str):
    """Ids of devices, one after the other: pages write them as they name devices."""

    __slots__ = ("ids",)
    ids: Sequence[str]


def device_names(ids: Iterable[str]) -> DeviceNames:
    found = tuple(ids)
    made = DeviceNames(", ".join(found))
    made.ids = found
    return made


def sentence(template: str, **values: object) -> Sentence:
    """Such as `sentence("{missing:.1f} kWh will be missing at {at:%H:%M}", ...)`.

    `values` may be sentences themselves. Numbers, dates (of the place) and aware instants are given
    as such, with how exact they are in the template: each language writes them in its own way.
    """
    made = Sentence(_ENGLISH.vformat(template, (), values) if values else template)
    made.template, made.values, made.parts = template, values, ()
    return made


class _English(string.Formatter):
    def format_field(self, value: object, format_spec: str) -> str:
        if isinstance(value, datetime) and not format_spec:
            return format_instant(value)
        return format(value, format_spec)


_ENGLISH = _English()


def joined(parts: Iterable[str]) -> Sentence:
    found = tuple(part for part in parts if part)
    made = Sentence("; ".join(found))
    made.template, made.values, made.parts = "", {}, found
    return made
