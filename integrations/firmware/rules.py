"""The four rules of the wire contract's section 2: who speaks at a time, for whatever is held.

The Python twin of the C follower and the simulated devices that read JSON stand on this one.
`now` is Unix seconds, 0 while the clock is not set; `uptime` is seconds since boot, may wrap or
start again.
"""

from dataclasses import dataclass
from enum import IntEnum

CLOCK_SLACK_S = 300
BOOT_GRACE_S = 300
OWN_LOGIC_AFTER_S = 7 * 86_400
# An uptime this little behind the last one is a second caller, not a counter begun anew.
UPTIME_JITTER_S = 60
# 136 years: the C follower counts in 32 bit and stops there.
LONGEST_UP_S = 2**32 - 1


class Source(IntEnum):
    """Who speaks; the numbers are those of `fp_source` in follower.h."""

    OWN = 0
    BOOT = 1
    # In time: the slot, or the default where there is none.
    SLOT = 2
    DEFAULT = 3
    OFFLINE = 4


@dataclass(frozen=True, slots=True)
class Validity:
    """The times of what is held, Unix seconds; it is obeyed `grace_s` beyond its end."""

    start: int
    end: int
    offline_after_s: int
    grace_s: int = 0


@dataclass(slots=True)
class FourRules:
    """Since when the device is up, and since when it holds what it holds."""

    up_s: int = 0
    arrived: int = 0
    withdrawn: bool = False
    _uptime: int = 0

    def count(self, uptime: int) -> None:
        """Add what passed since the last call."""
        passed = uptime - self._uptime
        if passed < 0:
            if passed >= -UPTIME_JITTER_S:
                return
            passed = uptime
        self._uptime = uptime
        self.up_s = min(self.up_s + passed, LONGEST_UP_S)

    def arrive(self) -> None:
        """Something new is held from now on."""
        self.arrived, self.withdrawn = self.up_s, False

    def speaks(self, held: Validity | None, now: int) -> tuple[Source, int | None]:
        """Who, and for how many seconds at least (None: until something comes)."""
        if held is None:
            if not self.withdrawn and self.up_s < BOOT_GRACE_S:
                return Source.BOOT, BOOT_GRACE_S - self.up_s
            return Source.OWN, None
        begins_s = held.start - CLOCK_SLACK_S - now
        if now == 0:
            return _waited(held, self.up_s - self.arrived)
        if begins_s > 0:
            source, left_s = _waited(held, self.up_s - self.arrived)
            return source, begins_s if left_s is None else min(begins_s, left_s)
        left = held.end + held.grace_s - now
        if left > 0:
            return Source.SLOT, left
        return _waited(held, now - held.end)


def _waited(held: Validity, seconds: int) -> tuple[Source, int | None]:
    """The offline rule, so many seconds after it began to count."""
    after_s = min(held.offline_after_s, OWN_LOGIC_AFTER_S)
    if seconds < after_s:
        return Source.DEFAULT, after_s - seconds
    if seconds < OWN_LOGIC_AFTER_S:
        return Source.OFFLINE, OWN_LOGIC_AFTER_S - seconds
    return Source.OWN, None
