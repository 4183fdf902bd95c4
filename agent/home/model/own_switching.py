"""When a device switches otherwise than it was told, and how long it is left alone then. Pure.

A device whose clock is fast begins a slot before it is due, and what it is told then is over by its
clock: each new revision would end what the one before began, and no relay may click for that.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

# It is left alone for its least time, then each time twice as long, at most so long.
LONGEST = timedelta(hours=2)
# A run of its own lasts as long as the slot that it took for due; more than that is something else.
LONGEST_RUN = timedelta(hours=6)
# One that has done as told for so long is trusted again.
FORGOTTEN_AFTER = timedelta(hours=24)
# Once may be its own protection.
SAID_FROM = 2


@dataclass(slots=True)
class OwnSwitching:
    """`refusals`: how often it went off when it was told to run, none of them a day apart."""

    refusals: int = 0
    began_at: datetime | None = None
    refused_at: datetime | None = None
    lasts: timedelta = timedelta(0)

    def began(self, at: datetime) -> None:
        """It runs though it was not told to: what it is told meanwhile might end that."""
        self.began_at = at

    def ended(self) -> None:
        """It is off."""
        self.began_at = None

    def refused(self, at: datetime, least: timedelta) -> None:
        """It went off when it was told to run."""
        if self.refused_at is not None and at - self.refused_at >= FORGOTTEN_AFTER:
            self.refusals = 0
        self.refusals, self.refused_at = self.refusals + 1, at
        self.lasts = min(LONGEST, least * 2 ** min(self.refusals - 1, 8))

    def is_left_alone(self, now: datetime) -> bool:
        """Is it to be told nothing new for now?"""
        began, refused = self.began_at, self.refused_at
        runs = began is not None and now - began < LONGEST_RUN
        return runs or (refused is not None and now - refused < self.lasts)

    def is_odd(self, now: datetime) -> bool:
        """Did it lately switch otherwise than told more than once?"""
        at = self.refused_at
        return at is not None and now - at < FORGOTTEN_AFTER and self.refusals >= SAID_FROM

    def clear(self) -> None:
        """Another stay: another car perhaps."""
        self.refusals = 0
        self.began_at = self.refused_at = None
