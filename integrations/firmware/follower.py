"""The Python twin of `follower.c`: compact schedule and time in, what to do out.

The rules are the four of the wire contract's section 2. `now` is Unix seconds, 0 while the clock is
not set; `uptime` is seconds since boot. Answers are W (unit W) or a mode's number (unit M), or OWN:
the device's own logic.
"""

import json
from dataclasses import dataclass

OWN = -(2**31)
MAX_BYTES = 1280
MAX_PAIRS = 64
# 31 days: so that a Unix time is never taken for a length.
MAX_LENGTH_S = 2_678_400
CLOCK_SLACK_S = 300
BOOT_GRACE_S = 300
OWN_LOGIC_AFTER_S = 7 * 86_400
LATEST = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Compact:
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
    held: Compact | None = None
    arrived_at: int = 0
    withdrawn: bool = False

    def take(self, payload: bytes, now: int, uptime: int) -> str:
        """ACCEPTED, REJECTED or REVOKED: the word for the acknowledgement."""
        if not payload:
            self.held, self.withdrawn = None, True
            return "REVOKED"
        new = parse(payload)
        if new is None:
            return "REJECTED"
        held = self.held
        if held is not None and new.revision == held.revision:
            return "ACCEPTED"
        if held is not None and new.revision < held.revision:
            over = now != 0 and now >= held.end
            if not (over and new.start > held.start):
                return "REJECTED"
        self.held, self.withdrawn, self.arrived_at = new, False, uptime
        return "ACCEPTED"

    @property
    def revision(self) -> int:
        """The revision to name in an acknowledgement, 0 where none is held."""
        return self.held.revision if self.held else 0

    def value(self, now: int, uptime: int) -> int:
        """What to do now."""
        held = self.held
        if held is None:
            return self.safe if not self.withdrawn and uptime < BOOT_GRACE_S else OWN
        if now == 0 or now + CLOCK_SLACK_S < held.start:
            return _waited(held, uptime - self.arrived_at)
        if now < held.end:
            return _planned(held, now)
        return _waited(held, now - held.end)


def _waited(held: Compact, seconds: int) -> int:
    if seconds < held.offline_after_s:
        return held.default
    if seconds < held.offline_after_s + OWN_LOGIC_AFTER_S:
        return held.offline
    return OWN


def _planned(held: Compact, now: int) -> int:
    value = held.default
    for offset, power in held.pairs:
        if now < held.start + offset:
            break
        value = power
    return value


def parse(payload: bytes) -> Compact | None:
    """The schedule, or None for anything that is not one: then nothing changes."""
    if len(payload) > MAX_BYTES:
        return None
    try:
        raw = json.loads(payload)
    except ValueError:
        return None
    if not isinstance(raw, dict) or raw.get("u") not in ("W", "M"):
        return None
    numbers = [raw.get(key) for key in ("r", "s", "e")]
    pairs, o = raw.get("p"), raw.get("o")
    if not (all(map(_unsigned, numbers)) and "d" in raw):
        return None
    r, s, e = (int(number) for number in numbers if number is not None)
    if not isinstance(pairs, list) or len(pairs) > MAX_PAIRS:
        return None
    if not (isinstance(o, list) and len(o) == 2 and _unsigned(o[0])):
        return None
    out, before = [], -1
    for pair in pairs:
        if not (isinstance(pair, list) and len(pair) == 2 and _unsigned(pair[0])):
            return None
        value = _value(pair[1])
        if value is None or pair[0] <= before:
            return None
        before = pair[0]
        out.append((pair[0], value))
    default, offline = _value(raw["d"]), _value(o[1])
    if default is None or offline is None or e > MAX_LENGTH_S or s + e > LATEST:
        return None
    return Compact(r, s, s + e, raw["u"], tuple(out), default, o[0], offline)


def _unsigned(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LATEST


def _value(value: object) -> int | None:
    """A power or mode; OWN for null, None for what is neither."""
    if value is None:
        return OWN
    if isinstance(value, int) and not isinstance(value, bool) and OWN < value < 2**31:
        return value
    return None
