"""What devices say, key by key: one that cannot be read is skipped and named, the others count.

The rules are those of the wire contract's section 1a ("unreadable").
"""

import json
import math
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from agent.contracts.text import UNREADABLE
from agent.energy.instants import parse_instant
from agent.energy.readings import (
    Acknowledgement,
    AckStatus,
    DeviceInfo,
    Unreadable,
    Value,
)
from agent.energy.sentences import sentence
from agent.energy.text import clean_text
from agent.errors import Malformed

MAX_TEXT = 200
SHOWN_CHARACTERS = 40
MAX_REVISION = 2**32 - 1
AN_INSTANT = "2026-01-16T10:00:00Z"
SWITCHED = "switched"
YES, NO = ("true", "on", "yes", "1"), ("false", "off", "no", "0")
# A float needs up to 17 decimals, and a sum of decimal fractions more, to be written exactly.
NUMBER = re.compile(r"[+-]?\d{1,15}(\.\d{1,64})?([eE][+-]?\d{1,2})?")
# What devices send as the number or the word of their error where there is none.
NO_ERROR = ("0", "0.0", "false", "none", "ok")


def _number(least: float, most: float) -> Callable[[object], float]:
    def read(value: object) -> float:
        if isinstance(value, str) and NUMBER.fullmatch(value.strip()):
            value = float(value)
        # A bool is an int in Python, but no quantity.
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(sentence("expected a number"))
        if not (math.isfinite(value) and least <= value <= most):
            raise ValueError(sentence("expected {least:g} to {most:g}", least=least, most=most))
        return float(value)

    return read


def _truth(value: object) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower() if isinstance(value, str | int) else ""
    if text in YES:
        return True
    if text in NO:
        return False
    raise ValueError(sentence("expected true or false"))


def _text(value: object) -> str:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return clean_text(str(value), MAX_TEXT)
    raise ValueError(sentence("expected text"))


def _error(value: object) -> str:
    """Empty where the device says that there is none."""
    if value is False:
        return ""
    text = _text(value)
    return "" if text.strip().lower() in NO_ERROR else text


KEYS: dict[str, Callable[[object], Value]] = {
    "plugged": _truth,
    "soc_percent": _number(0, 100),
    "power_w": _number(-1_000_000, 1_000_000),
    "energy_kwh": _number(0, 10_000_000),
    "energy_total_kwh": _number(0, 1_000_000_000),
    "temperature_c": _number(-100, 200),
    "mode": _text,
    "error": _error,
    "following": _text,
}
# Keys of which an empty text means that there is nothing to tell.
MAY_BE_EMPTY = ("error", "mode", "following")


class ReadState:
    """A state as read: `values` by key, `unreadable` keys, `unknown` keys, `at` where believed.

    `cleared`: keys that are told to be nothing now, such as an error that is over.
    """

    def __init__(self, payload: bytes, topic: str) -> None:
        raw = _object(payload, topic)
        self.values: dict[str, Value] = {}
        self.unreadable: list[Unreadable] = []
        self.cleared: list[str] = []
        self.unknown = tuple(
            clean_text(key, SHOWN_CHARACTERS) for key in list(raw)[:8] if key not in (*KEYS, "at")
        )
        self.at: datetime | None = None
        for key, read in KEYS.items():
            if key in raw:
                self._take(key, raw[key], read)
        if raw.get("at") is not None:
            self._take_at(raw["at"])

    def _take(self, key: str, value: object, read: Callable[[object], Value]) -> None:
        if value is None or (value == "" and key in MAY_BE_EMPTY):
            if key in MAY_BE_EMPTY:
                self.cleared.append(key)
            return
        try:
            self.values[key] = read(value)
        except (ValueError, OverflowError) as error:
            self.unreadable.append(unreadable(key, shown(value), error))

    def _take_at(self, value: object) -> None:
        # One that cannot be believed counts as the arrival time; the model judges its span.
        try:
            self.at = parse_instant(value) if isinstance(value, str) else None
        except (ValueError, OverflowError):
            self.at = None
        if self.at is None:
            right = sentence("expected an instant such as {example}", example=AN_INSTANT)
            self.unreadable.append(unreadable("at", shown(value), ValueError(right)))


def read_ack(payload: bytes, topic: str) -> Acknowledgement:
    """Raises Malformed."""
    raw = _object(payload, topic)
    revision, status = raw.get("revision", 0), raw.get("status_type")
    if isinstance(revision, bool) or not isinstance(revision, int):
        raise Malformed(f"{topic}: revision is {shown(revision)}; expected a whole number")
    if not 0 <= revision <= MAX_REVISION:
        raise Malformed(f"{topic}: revision {shown(revision)} has more than 32 bits")
    try:
        word = AckStatus(str(status).upper())
    except ValueError:
        words = ", ".join(AckStatus)
        raise Malformed(f"{topic}: status_type is {shown(status)}; expected {words}") from None
    diagnostic = raw.get("diagnostic")
    return Acknowledgement(
        revision, word, clean_text(diagnostic, MAX_TEXT) if isinstance(diagnostic, str) else ""
    )


def read_info(payload: bytes, topic: str) -> DeviceInfo:
    """What can be read of it. Raises Malformed where it is no object."""
    raw = _object(payload, topic)
    texts: dict[str, Any] = {
        key: clean_text(str(raw[key]), 64)
        for key in ("maker", "model", "firmware", "serial", "follows")
        if isinstance(raw.get(key), str | int | float)
    }
    numbers: dict[str, Any] = {}
    power = _number(0, 1_000_000)
    for key in ("min_power_w", "max_power_w", "phases"):
        try:
            numbers[key] = None if raw.get(key) is None else power(raw[key])
        except (ValueError, OverflowError):
            continue
    if numbers.get("phases") is not None:
        numbers["phases"] = int(numbers["phases"])
    elif str(raw.get("phases")).strip().lower() == SWITCHED:
        numbers["phases"] = SWITCHED
    numbers |= texts
    return DeviceInfo(**numbers)


def read_presence(payload: bytes, topic: str) -> bool:
    """Is the device online? Raises Malformed."""
    words: Sequence[bytes] = (b"online", b"offline")
    word = payload.strip().strip(b'"').lower()
    if word not in words:
        found = shown(payload[:SHOWN_CHARACTERS].decode("utf-8", "replace"))
        raise Malformed(f"{topic}: is {found}; expected online or offline")
    return word == b"online"


def _object(payload: bytes, topic: str) -> dict[str, Any]:
    try:
        raw = json.loads(payload)
    except UNREADABLE as error:
        what = "is no JSON" if isinstance(error, ValueError) else "is nested too deeply"
        raise Malformed(f"{topic}: {what}", payload[:200].decode("utf-8", "replace")) from None
    if not isinstance(raw, dict):
        raise Malformed(f"{topic}: is no object", payload[:200].decode("utf-8", "replace"))
    return raw


def unreadable(kind: str, found: str, error: Exception) -> Unreadable:
    """A value that a reader has refused: its error is a sentence of what is expected."""
    right = error.args[0] if error.args else ""
    right = right if isinstance(right, str) else str(error)
    return Unreadable(kind, sentence("is {found}; {right}", found=found, right=right))


def shown(value: object) -> str:
    """What was found, for people."""
    if isinstance(value, list):
        return sentence("a list")
    if isinstance(value, dict):
        return sentence("an object")
    return clean_text(json.dumps(value, default=str), SHOWN_CHARACTERS)
