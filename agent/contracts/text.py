"""JSON as the wire wants it: no spaces, money unrounded, no exponents."""

import json
import math
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import Enum

from agent.energy.instants import format_instant

# What json.loads and a look into its result may raise; deep nesting is a RecursionError.
UNREADABLE = (ValueError, AttributeError, RecursionError)


def read_member(payload: bytes, key: str) -> object:
    """One member of a JSON object; None where there is none or the payload cannot be read."""
    try:
        return json.loads(payload).get(key)
    except UNREADABLE:
        return None


def finite(value: object) -> float | None:
    """A number from JSON; None for a bool, NaN, and a whole one too long for a float."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def wire_json(value: object) -> str:
    """JSON text of plain values, Decimals and aware datetimes; it can always be encoded.

    Raises ValueError for NaN, and for what has no JSON.
    """
    parts: list[str] = []
    _write(value, parts)
    return "".join(parts)


def plain_number(value: Decimal | float) -> str:
    """Digits without exponent and without trailing zeros behind the point."""
    number = value if isinstance(value, Decimal) else Decimal(repr(value))
    if not number.is_finite():
        raise ValueError(f"{value} has no JSON")
    text = format(number, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def _write(value: object, parts: list[str]) -> None:
    if value is None or isinstance(value, bool):
        parts.append(json.dumps(value))
    elif isinstance(value, Enum):
        _write(value.value, parts)
    elif isinstance(value, str):
        parts.append(_string(value))
    elif isinstance(value, int):
        parts.append(str(value))
    elif isinstance(value, Decimal) or (isinstance(value, float) and math.isfinite(value)):
        parts.append(plain_number(value))
    elif isinstance(value, datetime):
        parts.append(f'"{format_instant(value)}"')
    elif isinstance(value, Mapping):
        parts.append("{")
        for index, (key, item) in enumerate(value.items()):
            parts.append(f"{',' if index else ''}{_string(str(key))}:")
            _write(item, parts)
        parts.append("}")
    elif isinstance(value, list | tuple):
        parts.append("[")
        for index, item in enumerate(value):
            if index:
                parts.append(",")
            _write(item, parts)
        parts.append("]")
    else:
        raise ValueError(f"{value!r} has no JSON")


def _string(value: str) -> str:
    # Half a surrogate pair has no UTF-8: nothing that goes out may fail at the socket.
    return json.dumps(value.encode("utf-8", "replace").decode(), ensure_ascii=False)
