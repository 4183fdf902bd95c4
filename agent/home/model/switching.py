"""On or off, and since when: as a device tells, or, where it does not, as it was told. Pure."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from agent.home.model.arrived import Arrived
from agent.home.model.commanded import Commanded
from agent.home.model.own_switching import OwnSwitching

# One that takes less than this share of its full power is off.
ON_POWER_FRACTION = 0.05
# Clocks of devices may differ so much, either way.
SWITCHES_WITHIN = timedelta(minutes=4)


@dataclass(slots=True)
class Switching:
    """`was_seen_to_end`: `off_since` is the end of a run, not the first that was heard.

    `idle_since` is since when it tells that it is off; `own_since` since when it runs though it was
    not told to begin; `own` is what it switched by itself and is left alone for.
    """

    on_since: datetime | None = None
    off_since: datetime | None = None
    was_seen_to_end: bool = False
    idle_since: datetime | None = None
    own_since: datetime | None = None
    own: OwnSwitching = field(default_factory=OwnSwitching)

    def restore(
        self,
        on_since: datetime | None,
        off_since: datetime | None,
        own_since: datetime | None = None,
    ) -> None:
        """What an earlier life stored."""
        self.on_since, self.off_since, self.own_since = on_since, off_since, own_since
        self.was_seen_to_end = off_since is not None

    def begin_session(self) -> None:
        """Another car perhaps: how the last one behaved says nothing of it."""
        self.own.clear()
        self.idle_since = None

    def follow(self, commanded: Commanded | Arrived, now: datetime) -> None:
        """It is taken to have switched as it was told to."""
        for at, on in commanded.switchings(now):
            self._switch(at, on=on)

    def report(self, at: datetime, *, on: bool) -> None:
        """It tells that it is on or off."""
        self._switch(at, on=on)
        self.idle_since = None if on else self.idle_since or at

    def note_own(
        self,
        commanded: Commanded,
        at: datetime,
        least: timedelta,
        *,
        on: bool,
        clock_is_ahead: bool,
    ) -> None:
        """It tells that it is on or off: was it told to switch, or is that its own doing?

        `least` is how long it is to be left alone, 0: it is not; to be asked before `report`.
        """
        if on is (self.on_since is not None):
            return
        first, last = at - SWITCHES_WITHIN, at + SWITCHES_WITHIN
        if on:
            if not commanded.stays(first, last, on=False):
                return
            self.own_since = at
            # Heat begins runs of its own all the time, and what it is told carries them on.
            odd = clock_is_ahead or bool(self.own.refusals)
            if least and (odd or not commanded.free_outside):
                self.own.began(at)
        elif least and commanded.stays(first, last, on=True) and commanded.is_new(at):
            # One that goes off in the middle has what it needs, or protects itself.
            self.own.refused(at, least)

    def _switch(self, at: datetime, *, on: bool) -> None:
        if on and self.on_since is None:
            self.on_since, self.off_since = at, None
        elif not on and (self.on_since is not None or self.off_since is None):
            self.was_seen_to_end = self.on_since is not None
            self.on_since, self.off_since, self.own_since = None, at, None
            self.own.ended()
