"""Three ways to obey: by `schedule`, by `schedule/compact`, by `setpoint`.

Each is the device's side of the wire contract's section 2, with the four rules for a schedule that
has run out, a clock that is not set, and an agent that is gone. Instants are Unix seconds.
"""

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from integrations.firmware.follower import OWN, Follower
from integrations.firmware.rules import OWN_LOGIC_AFTER_S

SETPOINT_GRACE_S = 30
BOOT_GRACE_S = 300


@dataclass(frozen=True, slots=True)
class Order:
    """What to do: a mode and a power in W; mode `own` is the device's own logic."""

    mode: str
    power_w: int


OWN_LOGIC = Order("own", 0)


class Mind(Protocol):
    """`form` is the topic below the device that is followed."""

    form: str

    def take(self, payload: bytes, now: int) -> str | None:
        """The word for the acknowledgement, None where this form is not acknowledged."""
        ...

    def order(self, now: int) -> Order: ...

    def next_edge(self, now: int) -> int | None: ...

    @property
    def revision(self) -> int: ...


def _unix(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def _without_orders(safe: Order, withdrawn: bool, uptime: int) -> Order:
    return safe if not withdrawn and uptime < BOOT_GRACE_S else OWN_LOGIC


def _waited(rule: dict[str, Any], offline: dict[str, Any], seconds: int) -> Order:
    if seconds < offline["after_s"]:
        return Order(rule["mode"], rule["power_w"])
    if seconds < offline["after_s"] + OWN_LOGIC_AFTER_S:
        return Order(offline["mode"], offline["power_w"])
    return OWN_LOGIC


@dataclass(slots=True)
class _DocumentMind:
    """Holds the JSON document of its form; `safe` is done for the first minutes without one."""

    safe: Order
    booted: int
    form: str = ""
    _held: dict[str, Any] | None = None
    _withdrawn: bool = False

    @property
    def revision(self) -> int:
        return int(self._held["revision"]) if self._held else 0

    def _hold(self, document: dict[str, Any] | None) -> None:
        self._held, self._withdrawn = document, document is None


@dataclass(slots=True)
class ScheduleMind(_DocumentMind):
    """Follows the full schedule."""

    form: str = "schedule"

    def take(self, payload: bytes, now: int) -> str | None:
        if not payload:
            self._hold(None)
            return "REVOKED"
        try:
            new = json.loads(payload)
            good = new["schema"] == "schedule/1" and isinstance(new["revision"], int)
        except (ValueError, KeyError, TypeError):
            return "REJECTED"
        if not good:
            return "REJECTED"
        held = self._held
        if held is not None and new["revision"] < held["revision"]:
            over = now >= _unix(held["valid_until"])
            if not (over and _unix(new["valid_from"]) > _unix(held["valid_from"])):
                return "REJECTED"
        self._hold(new)
        return "ACCEPTED"

    def order(self, now: int) -> Order:
        held = self._held
        if held is None:
            return _without_orders(self.safe, self._withdrawn, now - self.booted)
        over = now - _unix(held["valid_until"])
        if over >= 0:
            return _waited(held["default"], held["offline"], over)
        for slot in held["slots"]:
            if _unix(slot["start"]) <= now < _unix(slot["end"]):
                return Order(slot["mode"], slot["power_w"])
        return Order(held["default"]["mode"], held["default"]["power_w"])

    def next_edge(self, now: int) -> int | None:
        if self._held is None:
            return None
        edges = [_unix(slot[key]) for slot in self._held["slots"] for key in ("start", "end")]
        return min((edge for edge in edges if edge > now), default=None)


@dataclass(slots=True)
class SetpointMind(_DocumentMind):
    """Follows the one line to obey now, by arrival."""

    form: str = "setpoint"

    def take(self, payload: bytes, now: int) -> str | None:
        if not payload:
            self._hold(None)
            return "REVOKED"
        try:
            new = json.loads(payload)
            _unix(new["until"])
        except (ValueError, KeyError, TypeError):
            return "REJECTED"
        again = self._held is not None and self._held["revision"] == new["revision"]
        self._hold(new)
        return None if again else "ACCEPTED"

    def order(self, now: int) -> Order:
        held = self._held
        if held is None:
            return _without_orders(self.safe, self._withdrawn, now - self.booted)
        over = now - _unix(held["until"])
        if over < SETPOINT_GRACE_S:
            return Order(held["mode"], held["power_w"])
        return _waited(held["default"], held["offline"], over)

    def next_edge(self, now: int) -> int | None:
        return None


@dataclass(slots=True)
class CompactMind:
    """Follows the compact schedule by the firmware's own follower (C, or its Python twin)."""

    follower: Follower
    booted: int
    modes: tuple[str, ...] = ()
    form: str = "schedule/compact"
    _edges: tuple[int, ...] = field(default=())

    @property
    def revision(self) -> int:
        return self.follower.revision

    def take(self, payload: bytes, now: int) -> str | None:
        word = self.follower.take(payload, now, now - self.booted)
        if word == "ACCEPTED":
            raw = json.loads(payload)
            self._edges = (*(raw["s"] + offset for offset, _ in raw["p"]), raw["e"])
        return word

    def order(self, now: int) -> Order:
        value = self.follower.value(now, now - self.booted)
        if value == OWN:
            return OWN_LOGIC
        if self.modes:
            return Order(self.modes[value - 1], 0)
        return Order("charge" if value > 0 else "idle", value)

    def next_edge(self, now: int) -> int | None:
        return min((edge for edge in self._edges if edge > now), default=None)
