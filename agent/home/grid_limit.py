"""What the house may draw: the owner's own limit, and what the grid allows for a time. Pure.

The rules are those of the wire contract's section 2a.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from agent.contracts.text import UNREADABLE, finite
from agent.energy.instants import parse_instant, to_unix_ceil, to_unix_floor
from agent.energy.steps import Steps, combined
from agent.errors import Malformed
from agent.home.controllable import DIM_W, allowed_w
from agent.home.heard_limits import HeardLimits

MAX_WINDOWS = 200
# All the windows there may be, each on lines of its own.
MAX_BYTES = 32_768
MAX_W = 1_000_000
# Unlimited, as a number that adds and compares.
UNLIMITED_W = 1e9
FOR_EVER = 2**33


@dataclass(frozen=True, slots=True)
class LimitWindow:
    """The house may import at most `import_w` over `[start, end)`, Unix seconds."""

    start: int
    end: int
    import_w: float


@dataclass(frozen=True, slots=True)
class GridLimit:
    """`windows` in order; `failsafe_w` holds after the last of them, where one is expected.

    `told_failsafe_w` is the message's own, None where the config's counts.
    """

    windows: tuple[LimitWindow, ...] = ()
    failsafe_w: float | None = None
    told_failsafe_w: float | None = None

    def steps(self, dim_allowance_w: float = DIM_W) -> Steps:
        """The limit at each instant; UNLIMITED_W where there is none.

        `dim_allowance_w` is what 4.2 kW a device leaves for all of them.
        """
        spans = [(window.start, window.end, window.import_w) for window in self.windows]
        if self.failsafe_w is not None:
            last = max((window.end for window in self.windows), default=0)
            spans.append((last, FOR_EVER, self.failsafe_w))
        allowed = [(a, b, allowed_w(watts, dim_allowance_w)) for a, b, watts in spans]
        return Steps.of_spans(allowed, UNLIMITED_W)


def read_limit(payload: bytes, topic: str, now: datetime, failsafe_w: float | None) -> GridLimit:
    """The limit that a message gives; an empty one lifts it, down to the failsafe.

    `failsafe_w` is the config's, None where no limit is expected. Raises Malformed with what was
    found and what would be right.
    """
    if len(payload) > MAX_BYTES:
        raise Malformed(f"{topic}: {len(payload)} bytes, at most {MAX_BYTES} are read")
    if not payload.strip():
        return GridLimit((), failsafe_w)
    try:
        raw = json.loads(payload)
    except UNREADABLE:
        raise Malformed(f"{topic}: is no JSON") from None
    if not isinstance(raw, dict):
        raise Malformed(f'{topic}: expected {{"import_w": 4200, "until": …}} or {{"windows": […]}}')
    told = None
    if raw.get("failsafe_w") is not None:
        told = _watts(raw["failsafe_w"], "failsafe_w", topic)
    if "windows" in raw:
        return _with_failsafe(_windows(raw["windows"], topic), failsafe_w, told)
    if "import_w" not in raw:
        raise Malformed(f"{topic}: neither import_w nor windows is given")
    start = to_unix_floor(now)
    end = FOR_EVER
    if raw.get("until") is not None:
        end = to_unix_ceil(_when(raw["until"], "until", topic))
    window = LimitWindow(start, end, _watts(raw["import_w"], "import_w", topic))
    return _with_failsafe((window,) if end > start else (), failsafe_w, told)


def _with_failsafe(
    windows: tuple[LimitWindow, ...], configured_w: float | None, told_w: float | None
) -> GridLimit:
    """The config says whether a limit is expected at all; how much then holds, a message may."""
    expected = configured_w is not None
    return GridLimit(windows, told_w if expected and told_w is not None else configured_w, told_w)


def _windows(raw: Any, topic: str) -> tuple[LimitWindow, ...]:
    if not isinstance(raw, list) or len(raw) > MAX_WINDOWS:
        raise Malformed(f"{topic}: windows: expected a list of at most {MAX_WINDOWS}")
    out: list[LimitWindow] = []
    for index, item in enumerate(raw):
        if not isinstance(item, dict):
            raise Malformed(f"{topic}: windows[{index}]: expected {{start, end, import_w}}")
        start = to_unix_floor(_when(item.get("start"), f"windows[{index}].start", topic))
        end = to_unix_ceil(_when(item.get("end"), f"windows[{index}].end", topic))
        if end <= start:
            raise Malformed(f"{topic}: windows[{index}]: end is not after start")
        power = _watts(item.get("import_w"), f"windows[{index}].import_w", topic)
        out.append(LimitWindow(start, end, power))
    return tuple(sorted(out, key=lambda window: window.start))


def _watts(value: object, key: str, topic: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Malformed(f"{topic}: {key}: expected a number of W")
    number = finite(value)
    if number is None or not 0 <= number <= MAX_W:
        raise Malformed(f"{topic}: {key}: expected 0 to {MAX_W} W")
    return number


def _when(value: object, key: str, topic: str) -> datetime:
    try:
        if isinstance(value, str):
            return parse_instant(value)
    except (ValueError, OverflowError):
        pass
    raise Malformed(f"{topic}: {key}: expected an instant such as 2026-01-16T10:00:00Z")


def stored_text(limit: GridLimit, heard: HeardLimits) -> str:
    """What a message said, for the store; `from_stored` and `heard_before` read it back."""
    windows = [[window.start, window.end, window.import_w] for window in limit.windows]
    told = {
        "windows": windows,
        "told_failsafe_w": limit.told_failsafe_w,
        **heard.to_stored(),
    }
    return json.dumps(told, separators=(",", ":"))


def heard_before(text: str) -> HeardLimits:
    """Of a stored text that `from_stored` has read."""
    return HeardLimits.from_stored(json.loads(text))


def from_stored(text: str, failsafe_w: float | None) -> GridLimit:
    """`failsafe_w` is the config's, which may be another one by now.

    Raises ValueError, KeyError or TypeError for what cannot be believed.
    """
    raw = json.loads(text)
    windows = tuple(
        LimitWindow(int(start), int(end), float(power)) for start, end, power in raw["windows"]
    )
    told = raw.get("told_failsafe_w")
    told = None if told is None else float(told)
    powers = [window.import_w for window in windows] + ([] if told is None else [told])
    if any(w.end <= w.start for w in windows) or not all(0 <= p <= MAX_W for p in powers):
        raise ValueError("a limit that cannot be")
    return _with_failsafe(windows, failsafe_w, told)


def lower_of(one: GridLimit, other: GridLimit, now: int, dim_allowance_w: float) -> GridLimit:
    """The stricter of both at each instant from `now` on, under the same config."""
    both = combined(
        [one.steps(), other.steps()],
        lambda pair: min(pair, key=lambda watts: allowed_w(watts, dim_allowance_w)),
    )
    end = max((w.end for limit in (one, other) for w in limit.windows), default=now)
    windows = tuple(LimitWindow(a, b, power) for a, b, power in pieces(both, now, end))
    told = [limit.told_failsafe_w for limit in (one, other) if limit.told_failsafe_w is not None]
    configured = one.failsafe_w if one.told_failsafe_w is None else other.failsafe_w
    return _with_failsafe(windows, configured, min(told, default=None))


def pieces(limit: Steps, start: int, end: int) -> Sequence[tuple[int, int, float]]:
    """Where a limit holds within `[start, end)`."""
    edges = [start, *limit.between(start, end), end]
    return [
        (a, b, limit.value(a)) for a, b in pairwise(edges) if b > a and limit.value(a) < UNLIMITED_W
    ]
