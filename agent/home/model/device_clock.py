"""How far a device's clock is behind or ahead, by the times that it gives its readings. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

# Less is the way of a reading, or a clock that nobody set to the second.
BEHIND = timedelta(minutes=5)
AHEAD = timedelta(minutes=5)
# Two messages tell how the clock runs where they are this far apart.
APART = timedelta(seconds=10)
# It runs with ours where it differs by no more than a message takes.
DIFFERS_S, DIFFERS_SHARE = 5.0, 0.05
# What is dated earlier says little of now, whatever it is.
LONG_AGO = timedelta(days=1)
NONE = timedelta(0)


@dataclass(slots=True)
class DeviceClock:
    """`lag` is how far it is behind ours, `lead` how far ahead.

    Both are zero for one that is right, or is not known to be wrong.

    `dated_long_ago` is the time of what came last, where that is of another day and no lag.
    Messages that come as they are said, each dated late by the same, are of a clock that is slow,
    such as one that gives local time as UTC. Messages that were held back come all at once. So it
    is with a clock that is fast; a time ahead that does not run is of no clock.
    """

    lag: timedelta = NONE
    lead: timedelta = NONE
    dated_long_ago: datetime | None = None
    _last: tuple[datetime, datetime] | None = None

    def corrected(self, at: datetime, now: datetime) -> datetime:
        """When a reading dated `at` was taken that came now, not kept by the broker."""
        behind = now - at
        if -AHEAD <= behind < BEHIND:
            self.lag = self.lead = NONE
            self._last = self.dated_long_ago = None
            return min(at, now)
        runs = self._runs(at, now)
        if behind < NONE:
            self.lag, self.dated_long_ago = NONE, None
            if runs is not None:
                self.lead = -behind if runs else NONE
            return now
        self.lead = NONE
        if runs is not None:
            self.lag = behind if runs else NONE
        at = min(at + self.lag, now)
        self.dated_long_ago = at if now - at > LONG_AGO else None
        return at

    def _runs(self, at: datetime, now: datetime) -> bool | None:
        """Does it run as ours does? None where that cannot be told yet."""
        if self._last is None:
            self._last = at, now
            return None
        if now - self._last[1] < APART:
            return None
        said, came = at - self._last[0], now - self._last[1]
        differs_s = abs((said - came).total_seconds())
        self._last = at, now
        return differs_s <= max(DIFFERS_S, DIFFERS_SHARE * came.total_seconds())
