"""The Situation as a whole document: written. The running agent needs no more of this folder."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from decimal import Decimal
from typing import Any

from agent.energy.instants import format_early, format_instant, from_unix
from agent.energy.situation import Situation

SCHEMA = "situation/1"
INSTANTS = frozenset(
    (
        *("now", "start", "end", "change_until", "period_end", "earliest", "deadline"),
        *("on_since", "off_since", "started_at", "at", "by"),
    )
)


def situation_document(situation: Situation) -> dict[str, Any]:
    """The JSON document of a Situation; reading it gives the same Situation.

    Numbers are ints and floats: a decimal of more than 17 digits loses its tail.
    """
    document: dict[str, Any] = {"schema": SCHEMA, **_plain(situation)}
    document["now"] = format_early(situation.now, document.pop("now_fraction_us"))
    for device, plain in zip(situation.devices, document["devices"], strict=True):
        plain["kind"] = device.kind
    return document


def _plain(value: object, key: str = "") -> Any:
    if is_dataclass(value):
        pairs = ((field.name, getattr(value, field.name)) for field in fields(value))
        return {name: _plain(item, name) for name, item in pairs if item is not None}
    if isinstance(value, Mapping):
        return {name: _plain(item, name) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, int) and key in INSTANTS:
        return format_instant(from_unix(value))
    return value
