"""What a device is taken to draw at an instant: as it told lately, else as it was told to. Pure."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

from agent.home.model.arrived import Arrived
from agent.home.model.commanded import Commanded

# Values that stop coming for so long are no longer counted on.
REPORTS_WITHIN = timedelta(minutes=15)


@dataclass(slots=True)
class DrawnPower:
    """`told` is the power that it told last, W, and since when it holds.

    `takes_nothing`: it said so and has said nothing else since, so its silence is no sign that it
    does what it was told. `rests`: the same of one that needs nothing more of what it was told.
    `arrived` is what has reached one that is told each command as its time comes; None for one that
    holds what it is to do.
    """

    max_power_w: float
    told: tuple[float, datetime] | None = None
    takes_nothing: bool = False
    rests: bool = False
    commanded: Commanded = field(default_factory=Commanded)
    arrived: Arrived | None = None

    def reports(self, now: datetime) -> bool:
        """Does it tell what it takes, and did so lately?"""
        return self.told is not None and now - self.told[1] <= REPORTS_WITHIN

    def commanded_w(self, when: datetime) -> float:
        """What it was told to take then."""
        return self.commanded.power_w(when)

    def followed_w(self, when: datetime) -> float:
        """What it is taken to do then of what it was told, where it does not tell its power."""
        return self.commanded_w(when) if self.arrived is None else self.arrived.power_w(when)

    def power_w(self, when: datetime) -> float:
        """What it is taken to draw then."""
        commanded = min(self.followed_w(when), self.max_power_w)
        if self.told is None or when < self.told[1] or when - self.told[1] > REPORTS_WITHIN:
            return 0.0 if self.takes_nothing or self.rests else commanded
        told, told_at = self.told
        free = self.commanded.free_outside and commanded <= 0
        overruled = self.commanded.overrules(told_at, when)
        return _at_most(told, commanded) if overruled and not free else told

    def most_w(self, when: datetime) -> float:
        """The most it may take then: on its own logic all that it can."""
        commanded = max(self.commanded_w(when), self.followed_w(when))
        commanded = min(commanded, self.max_power_w)
        away = self.arrived is not None and self.arrived.is_absent(when)
        if away or (self.commanded.free_outside and commanded <= 0):
            return self.max_power_w
        return max(commanded, self.power_w(when))

    def may_w(self, when: datetime) -> float:
        """What may go through a counter then: all it can where the device may run at all."""
        may_run = self.commanded_w(when) > 0 or self.most_w(when) >= self.max_power_w
        return self.max_power_w if may_run else max(0.0, self.power_w(when))

    def pieces(self, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
        """`[start, end)` cut where the power that counts may change."""
        edges = {start, end, *self.commanded.instants()}
        if self.arrived is not None:
            edges |= self.arrived.instants()
        if self.told is not None:
            edges |= {self.told[1], self.told[1] + REPORTS_WITHIN + timedelta(microseconds=1)}
        inside = sorted(edge for edge in edges if start <= edge <= end)
        return list(pairwise(inside))

    def energy_kwh(self, start: datetime, end: datetime) -> float:
        """What it is taken to draw over `[start, end)`."""
        pieces = self.pieces(start, end)
        return sum(
            self.power_w(begin) * hours_between(begin, until) / 1000 for begin, until in pieces
        )


def hours_between(start: datetime, end: datetime) -> float:
    return (end - start).total_seconds() / 3600


def _at_most(told_w: float, commanded_w: float) -> float:
    """Never more than was asked, in the direction that was asked."""
    if commanded_w < 0:
        return min(0.0, max(told_w, commanded_w))
    return max(0.0, min(told_w, commanded_w))
