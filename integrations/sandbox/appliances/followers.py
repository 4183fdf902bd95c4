"""Three ways to follow: by `schedule`, by `schedule/compact`, by `setpoint`.

Each is the device's side of the wire contract's section 2; who speaks when is decided by the
firmware kit's four rules for all three. `now` is Unix seconds, 0 while the device has no clock;
`uptime` is seconds since it booted.
"""

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Protocol

from integrations.firmware.follower import LATEST, OWN, Follower
from integrations.firmware.rules import FourRules, Source, Validity

MAX_SCHEDULE_BYTES = 8192
MAX_SETPOINT_BYTES = 512
SETPOINT_GRACE_S = 30


@dataclass(frozen=True, slots=True)
class Command:
    """What to do: a mode and a power in W; mode `own` is the device's own logic."""

    mode: str
    power_w: int


OWN_LOGIC = Command("own", 0)


class DeviceFollower(Protocol):
    """What an appliance obeys; `topic_suffix` is the topic below the device that is followed."""

    @property
    def topic_suffix(self) -> str: ...

    @property
    def revision(self) -> int:
        """The revision held, 0 for none."""
        ...

    def accept(self, payload: bytes, now: int, uptime: int) -> str | None:
        """The word for the acknowledgement, None where nothing is to be acknowledged."""
        ...

    def command(self, now: int, uptime: int) -> Command: ...

    def next_change(self, now: int, uptime: int) -> int | None:
        """Seconds for which the command stays, None: until something comes."""
        ...


@dataclass(frozen=True, slots=True)
class _Document:
    """A schedule or setpoint as it is held; slots are (start, end, command)."""

    revision: int
    validity: Validity
    slots: tuple[tuple[int, int, Command], ...]
    default: Command
    offline: Command


@dataclass(slots=True)
class _JsonFollower(ABC):
    """Holds one JSON document; `safe` is done for the first minutes without one."""

    topic_suffix: ClassVar[str]
    max_bytes: ClassVar[int]

    safe: Command
    _held: _Document | None = None
    _rules: FourRules = field(default_factory=FourRules)

    @abstractmethod
    def _read(self, raw: dict[str, Any]) -> _Document:
        """Raises KeyError, TypeError or ValueError for what is no document of this form."""

    @abstractmethod
    def _acknowledge(self, new: _Document, now: int) -> str | None:
        """The word for a document that could be read; holds it, if it is to be held."""

    @property
    def revision(self) -> int:
        return self._held.revision if self._held else 0

    def accept(self, payload: bytes, now: int, uptime: int) -> str | None:
        self._rules.count(uptime)
        if not payload:
            self._held, self._rules.withdrawn = None, True
            return "REVOKED"
        if len(payload) > self.max_bytes:
            return "REJECTED"
        try:
            new = self._read(json.loads(payload))
        except (KeyError, TypeError, ValueError, RecursionError):
            return "REJECTED"
        return self._acknowledge(new, now)

    def _hold(self, new: _Document) -> None:
        if new != self._held:
            self._held = new
            self._rules.arrive()

    def command(self, now: int, uptime: int) -> Command:
        return self._look(now, uptime)[0]

    def next_change(self, now: int, uptime: int) -> int | None:
        return self._look(now, uptime)[1]

    def _look(self, now: int, uptime: int) -> tuple[Command, int | None]:
        self._rules.count(uptime)
        held = self._held
        source, left_s = self._rules.speaks(held.validity if held else None, now)
        if held is None:
            return self.safe if source is Source.BOOT else OWN_LOGIC, left_s
        if source is Source.SLOT and left_s is not None:
            edges = [edge for start, end, _ in held.slots for edge in (start, end) if edge > now]
            current = (command for start, end, command in held.slots if start <= now < end)
            until_s = min([left_s, *(edge - now for edge in edges)])
            return next(current, held.default), until_s
        commands = {Source.DEFAULT: held.default, Source.OFFLINE: held.offline}
        return commands.get(source, OWN_LOGIC), left_s


class ScheduleFollower(_JsonFollower):
    """Follows the full schedule."""

    __slots__ = ()
    topic_suffix = "schedule"
    max_bytes = MAX_SCHEDULE_BYTES

    def _read(self, raw: dict[str, Any]) -> _Document:
        if raw["schema"] != "schedule/1":
            raise ValueError(raw["schema"])
        slots = tuple(
            (_unix(slot["start"]), _unix(slot["end"]), _command(slot)) for slot in raw["slots"]
        )
        return _document(raw, _unix(raw["valid_from"]), _unix(raw["valid_until"]), slots)

    def _acknowledge(self, new: _Document, now: int) -> str | None:
        held = self._held
        if held is not None and new.revision == held.revision:
            return "ACCEPTED"
        if held is not None and new.revision < held.revision:
            over = now != 0 and now >= held.validity.end
            if not (over and new.validity.start > held.validity.start):
                return "REJECTED"
        self._hold(new)
        return "ACCEPTED"


class SetpointFollower(_JsonFollower):
    """Follows the one line to obey now: by arrival, whatever its revision."""

    __slots__ = ()
    topic_suffix = "setpoint"
    max_bytes = MAX_SETPOINT_BYTES

    def _read(self, raw: dict[str, Any]) -> _Document:
        start, end = _unix(raw["at"]), _unix(raw["until"])
        return _document(raw, start, end, ((0, LATEST, _command(raw)),), SETPOINT_GRACE_S)

    def _acknowledge(self, new: _Document, now: int) -> str | None:
        """A revision is acknowledged once, not at each of its switchings."""
        known = new.revision == self.revision
        self._hold(new)
        return None if known else "ACCEPTED"


@dataclass(slots=True)
class CompactFollower:
    """Follows the compact schedule by the firmware's own follower (C, or its Python twin)."""

    topic_suffix: ClassVar[str] = "schedule/compact"

    follower: Follower
    modes: tuple[str, ...] = ()

    @property
    def revision(self) -> int:
        return self.follower.revision

    def accept(self, payload: bytes, now: int, uptime: int) -> str | None:
        return self.follower.take(payload, now, uptime)

    def command(self, now: int, uptime: int) -> Command:
        value = self.follower.value(now, uptime)
        if value == OWN:
            return OWN_LOGIC
        if self.modes:
            return Command(self.modes[value - 1], 0)
        if value < 0:
            return Command("discharge", value)
        return Command("charge" if value > 0 else "idle", value)

    def next_change(self, now: int, uptime: int) -> int | None:
        return self.follower.next_change(now, uptime)


def _document(
    raw: dict[str, Any],
    start: int,
    end: int,
    slots: tuple[tuple[int, int, Command], ...],
    grace_s: int = 0,
) -> _Document:
    revision, offline = _whole(raw["revision"]), raw["offline"]
    if not 0 < revision <= LATEST:
        raise ValueError(revision)
    validity = Validity(start, end, _whole(offline["after_s"]), grace_s)
    return _Document(revision, validity, slots, _command(raw["default"]), _command(offline))


def _command(raw: dict[str, Any]) -> Command:
    mode = raw["mode"]
    if not isinstance(mode, str):
        raise TypeError(mode)
    return Command(mode, _whole(raw["power_w"]))


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(value)
    return value


def _unix(text: str) -> int:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return int(moment.timestamp())
