"""A wish as text for the store, and back.

`from_text` raises ValueError, KeyError, TypeError or ArithmeticError for a text that cannot be
believed. Texts of earlier versions, flat and without layers, are understood.
"""

import json
from datetime import datetime, time
from decimal import Decimal
from typing import Any

from agent.energy.instants import format_instant, parse_instant
from agent.home.wishes import ModeWish, Reckoned, Wish, WishValues

# Keys of the flat wish of earlier versions: where they stand now.
FLAT_MODE = {"mode": "name", "until": "until", "mode_open": "open_ended"}
FLAT_VALUES = {"energy_from_kwh": "counter_start_kwh"}
MODES = ("auto", "boost", "pause")
MAX_VALUE = Decimal(1_000_000)


def to_text(wish: Wish) -> str:
    out = {
        "mode": _given(
            {
                "name": wish.mode.name,
                "until": _text(wish.mode.until),
                "open_ended": wish.mode.open_ended or None,
            }
        ),
        "once": _values_text(wish.once),
        "kept": _values_text(wish.kept),
        "once_until": _text(wish.once_until),
        "pending": wish.pending or None,
        "loaded_at": _text(wish.loaded_at),
        "asked_at": _text(wish.asked_at),
        "id": wish.id,
        "reckoned": {
            key: [format_instant(how.since), how.clock.strftime("%H:%M") if how.clock else None]
            for key, how in wish.reckoned.items()
        }
        or None,
    }
    return json.dumps(_given(out), separators=(",", ":"))


def from_text(text: str) -> Wish:
    raw = json.loads(text)
    if not isinstance(raw, dict):
        raise TypeError("a wish is an object")
    if "once" not in raw and not isinstance(raw.get("mode"), dict):
        raw = _from_flat(raw)
    mode = raw.get("mode") or {}
    name = mode.get("name", "auto")
    if name not in MODES:
        raise ValueError(f"a mode {name!r}")
    found = raw.get("id")
    return Wish(
        mode=ModeWish(name, _instant(mode.get("until")), bool(mode.get("open_ended"))),
        once=_values(raw.get("once") or {}),
        kept=_values(raw.get("kept") or {}),
        once_until=_instant(raw.get("once_until")),
        pending=bool(raw.get("pending")),
        loaded_at=_instant(raw.get("loaded_at")),
        asked_at=_instant(raw.get("asked_at")),
        id=None if found is None else str(found),
        reckoned=_reckoned(raw.get("reckoned") or {}),
    )


def _from_flat(raw: dict[str, Any]) -> dict[str, Any]:
    values = {
        FLAT_VALUES.get(key, key): value
        for key, value in raw.items()
        if FLAT_VALUES.get(key, key) in WishValues.__dataclass_fields__
    }
    layer = "kept" if raw.get("keep") else "once"
    return {
        "mode": {new: raw[old] for old, new in FLAT_MODE.items() if old in raw},
        layer: values,
        "once_until": raw.get("values_until"),
        "loaded_at": raw.get("loaded_at"),
        "id": raw.get("id"),
    }


def _values(raw: dict[str, Any]) -> WishValues:
    out: dict[str, Any] = {}
    for key in WishValues.__dataclass_fields__:
        value = raw.get(key)
        if value is None:
            continue
        if key in ("ready_by", "comfort_until"):
            out[key] = parse_instant(value)
        elif key == "ready_by_clock":
            out[key] = time.fromisoformat(value)
        else:
            number = Decimal(str(value))
            if not (number.is_finite() and abs(number) <= MAX_VALUE):
                raise ValueError(f"{key} {value!r}")
            out[key] = number
    return WishValues(**out)


def _values_text(values: WishValues) -> dict[str, Any] | None:
    out: dict[str, Any] = {}
    for key in WishValues.__dataclass_fields__:
        value = getattr(values, key)
        if isinstance(value, datetime):
            out[key] = format_instant(value)
        elif isinstance(value, time):
            out[key] = f"{value:%H:%M}"
        elif value is not None:
            out[key] = str(value)
    return out or None


def _reckoned(raw: object) -> dict[str, Reckoned]:
    if not isinstance(raw, dict):
        raise TypeError("what was reckoned is an object")
    return {
        str(key): Reckoned(
            parse_instant(since), None if clock is None else time.fromisoformat(clock)
        )
        for key, (since, clock) in raw.items()
    }


def _given(raw: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in raw.items() if value is not None}


def _text(when: datetime | None) -> str | None:
    return None if when is None else format_instant(when)


def _instant(text: str | None) -> datetime | None:
    return None if text is None else parse_instant(text)
