"""The Python twin of `follower.c`: compact schedule and time in, what to do out.

Both accept the same payloads, byte for byte, and give the same answers: W (unit W), a mode's number
(unit M), or OWN, the device's own logic.
"""

import json
import re
from dataclasses import dataclass, field

from integrations.firmware.rules import FourRules, Source, Validity

OWN = -(2**31)
MAX_BYTES = 1280
MAX_PAIRS = 64
# 31 days: so that a Unix time is never taken for a length.
MAX_LENGTH_S = 2_678_400
LATEST = 2**32 - 1
# The document itself and FP_JSON_DEPTH levels in a key that is passed over.
MAX_DEPTH = 33
MODES = range(1, 5)
KEYS = frozenset("rsupedo")

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)


@dataclass(frozen=True, slots=True)
class CompactSchedule:
    """A compact schedule as the device holds it; a value of OWN stands for null."""

    revision: int
    start: int
    end: int
    unit: str
    pairs: tuple[tuple[int, int], ...]
    default: int
    offline_after_s: int
    offline: int


@dataclass(slots=True)
class Follower:
    """`safe` is the least the device can do while it waits after boot (EV 0, heat 2)."""

    safe: int = 0
    unit: str = "W"
    held: CompactSchedule | None = None
    _rules: FourRules = field(default_factory=FourRules)

    def take(self, payload: bytes, now: int, uptime: int) -> str:
        """ACCEPTED, REJECTED or REVOKED: the word for the acknowledgement."""
        self._rules.count(uptime)
        if not payload:
            self.held, self._rules.withdrawn = None, True
            return "REVOKED"
        new = parse(payload, self.unit)
        if new is None:
            return "REJECTED"
        held = self.held
        if held is not None and new.revision == held.revision:
            return "ACCEPTED"
        if held is not None and new.revision < held.revision:
            over = now != 0 and now >= held.end
            if not (over and new.start > held.start):
                return "REJECTED"
        self.held = new
        self._rules.arrive()
        return "ACCEPTED"

    @property
    def revision(self) -> int:
        """The revision to name in an acknowledgement, 0 where none is held."""
        return self.held.revision if self.held else 0

    def value(self, now: int, uptime: int) -> int:
        """What to do now."""
        return self._look(now, uptime)[1]

    def speaks(self, now: int, uptime: int) -> Source:
        """Whose word that is. A slot may say OWN too."""
        return self._look(now, uptime)[0]

    def next_change(self, now: int, uptime: int) -> int | None:
        """Seconds in which neither changes by itself; None: they never do."""
        return self._look(now, uptime)[2]

    def _look(self, now: int, uptime: int) -> tuple[Source, int, int | None]:
        self._rules.count(uptime)
        held = self.held
        validity = None if held is None else Validity(held.start, held.end, held.offline_after_s)
        source, left_s = self._rules.speaks(validity, now)
        if held is None:
            return source, self.safe if source is Source.BOOT else OWN, left_s
        if source is Source.SLOT:
            return _scheduled(held, now)
        values = {Source.DEFAULT: held.default, Source.OFFLINE: held.offline}
        return source, values.get(source, OWN), left_s


def _scheduled(held: CompactSchedule, now: int) -> tuple[Source, int, int]:
    source, value = Source.DEFAULT, held.default
    for offset, wanted in held.pairs:
        at = held.start + offset
        if at >= held.end:
            break
        if now < at:
            return source, value, at - now
        source, value = Source.SLOT, wanted
    return source, value, held.end - now


# --- reading ----------------------------------------------------------------------------------

# An object as its members in order, so that a key that comes twice is seen.
_Members = tuple[tuple[str, object], ...]


def _refuse_constant(text: str) -> object:
    """NaN and Infinity are no JSON."""
    raise ValueError(text)


def _read_object(payload: bytes) -> _Members | None:
    if len(payload) > MAX_BYTES:
        return None
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return None
    depth = 0
    for character in _STRING.sub("", text):
        depth += (character in "{[") - (character in "}]")
        if depth > MAX_DEPTH:
            return None
    try:
        members = json.loads(text, object_pairs_hook=tuple, parse_constant=_refuse_constant)
    except ValueError:
        return None
    return members if isinstance(members, tuple) else None


def _known(members: _Members, keys: frozenset[str]) -> dict[str, object] | None:
    """The members of these names; None unless each is there, once."""
    found = [(key, value) for key, value in members if key in keys]
    return dict(found) if len(found) == len(keys) == len(dict(found)) else None


def parse_time(payload: bytes) -> int | None:
    """The Unix time of a `time` message, None if it is none."""
    members = _read_object(payload)
    known = None if members is None else _known(members, frozenset("t"))
    return _unsigned(known["t"]) or None if known else None


def parse(payload: bytes, unit: str = "W") -> CompactSchedule | None:
    """The schedule, or None for anything that is not one in this unit: then nothing changes."""
    members = _read_object(payload)
    raw = None if members is None else _known(members, KEYS)
    if raw is None or raw["u"] != unit:
        return None
    revision, start, length = (_unsigned(raw[key]) for key in ("r", "s", "e"))
    if not revision or start is None or length is None:
        return None
    if length > MAX_LENGTH_S or start + length > LATEST:
        return None
    pairs = _pairs(raw["p"], unit)
    offline = _pair(raw["o"], unit)
    default = _value(raw["d"], unit)
    if pairs is None or offline is None or default is None:
        return None
    return CompactSchedule(revision, start, start + length, unit, pairs, default, *offline)


def _pairs(raw: object, unit: str) -> tuple[tuple[int, int], ...] | None:
    if not isinstance(raw, list) or len(raw) > MAX_PAIRS:
        return None
    out: list[tuple[int, int]] = []
    for item in raw:
        pair = _pair(item, unit)
        if pair is None or pair[0] > MAX_LENGTH_S or (out and pair[0] <= out[-1][0]):
            return None
        out.append(pair)
    return tuple(out)


def _pair(raw: object, unit: str) -> tuple[int, int] | None:
    """Seconds and a value."""
    if not isinstance(raw, list) or len(raw) != 2:
        return None
    seconds, value = _unsigned(raw[0]), _value(raw[1], unit)
    return None if seconds is None or value is None else (seconds, value)


def _unsigned(value: object) -> int | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= LATEST else None


def _value(value: object, unit: str) -> int | None:
    """A power or mode; OWN for null, None for what is neither."""
    if value is None:
        return OWN
    if not isinstance(value, int) or isinstance(value, bool) or not OWN < value < 2**31:
        return None
    return value if unit == "W" or value in MODES else None
