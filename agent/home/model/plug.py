"""A plug contact: does a car come and go, or does its contact flicker? Pure."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

# A car that is plugged in again within this has not been anywhere.
SAME_STAY_WITHIN = timedelta(minutes=2)
# So many breaks of a stay within an hour are a loose contact, and no longer believed at once.
FLICKERS_FROM = 2
REMEMBERED = timedelta(hours=1)


@dataclass(slots=True)
class PlugContact:
    """`unplugged_at`: an unplugging that has yet to prove itself, by lasting."""

    unplugged_at: datetime | None = None
    _left_at: datetime | None = None
    _breaks: list[datetime] = field(default_factory=list)

    def unplug(self, at: datetime) -> bool:
        """It says that the car has gone; whether that is believed at once."""
        if self.flickers(at):
            self.unplugged_at = self.unplugged_at or at
            return False
        self._left_at = at
        return True

    def plug(self, at: datetime) -> bool:
        """It says that a car is there; whether the stay goes on that it had ended."""
        left, self.unplugged_at = self.unplugged_at or self._left_at, None
        self._left_at = None
        if left is None or at - left > SAME_STAY_WITHIN:
            return False
        self._breaks = [*self._breaks[-FLICKERS_FROM:], at]
        return True

    def has_left(self, now: datetime) -> bool:
        """Has a doubted unplugging lasted?"""
        return self.unplugged_at is not None and now - self.unplugged_at > SAME_STAY_WITHIN

    def leave(self) -> None:
        self.unplugged_at = self._left_at = None

    def flickers(self, now: datetime) -> bool:
        return sum(now - at <= REMEMBERED for at in self._breaks) >= FLICKERS_FROM
