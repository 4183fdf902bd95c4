"""The least of many costs that are linear over whole seconds served, stretch by stretch."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import pairwise
from operator import itemgetter
from typing import NamedTuple, Union


class Trail(NamedTuple):
    """The edges of a partial plan, the last first.

    One at `instant`; one that floats in span `span` (`kept`: for an old one); or (neither) by how
    many seconds the one that floated before makes a run longer.
    """

    before: Union["Trail", None]
    instant: int | None = None
    span: int | None = None
    kept: bool = False
    longer: int = 0


class Stretch(NamedTuple):
    """Partial plans that have served `low` to `high` seconds (both count), by an edge that floats.

    `cost` is that at `low`, `slope` what each second more costs; the edge makes a run longer by
    what is served above `base`.
    """

    low: int
    high: int
    cost: int
    slope: int
    base: int
    trail: Trail

    def at(self, served: int) -> int:
        return self.cost + self.slope * (served - self.low)

    def moved(self, seconds: int, cost: int) -> "Stretch":
        """After so many seconds more, at that cost."""
        low, high, before, slope, base, trail = self
        return Stretch(low + seconds, high + seconds, before + cost, slope, base + seconds, trail)

    def cut(self, low: int, high: int) -> "Stretch":
        return Stretch(low, high, self.at(low), self.slope, self.base, self.trail)


def lower_envelope(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Disjoint, in order; of those that cost the same at one place any."""
    queue = sorted(stretches, key=itemgetter(0))
    if len(queue) < 2:
        return queue
    marks = sorted({mark for one in queue for mark in (one[0], one[1] + 1)})
    out: list[Stretch] = []
    active: list[Stretch] = []
    at = 0
    for low, beyond in pairwise(marks):
        active = [one for one in active if one[1] >= low]
        while at < len(queue) and queue[at][0] == low:
            active.append(queue[at])
            at += 1
        if len(active) == 1:
            _append(out, active[0], low, beyond - 1)
        elif active:
            _least(out, active, low, beyond - 1)
    return out


def _least(out: list[Stretch], active: list[Stretch], low: int, high: int) -> None:
    """Appends what is least from `low` to `high`, where all that are active reach throughout."""
    first = min(active, key=lambda one: (one[2] + one[3] * (low - one[0]), one[3]))
    last = min(active, key=lambda one: (one[2] + one[3] * (high - one[0]), -one[3]))
    gain = first.at(high) - last.at(high)
    if gain <= 0 or low == high:
        _append(out, first, low, high)
        return
    # The last second for which the first is no dearer than the last.
    lead = last.at(low) - first.at(low)
    meet = min(high - 1, low + lead // (first.slope - last.slope))
    if len(active) == 2:
        _append(out, first, low, meet)
        _append(out, last, meet + 1, high)
        return
    _least(out, active, low, meet)
    _least(out, active, meet + 1, high)


def _append(out: list[Stretch], one: Stretch, low: int, high: int) -> None:
    if out:
        last = out[-1]
        same = last[5] is one[5] and last[3] == one[3] and last[4] == one[4]
        if same and last[1] + 1 == low and last.at(low) == one.at(low):
            out[-1] = Stretch(last[0], high, last[2], last[3], last[4], last[5])
            return
    out.append(one if one[0] == low and one[1] == high else one.cut(low, high))


def value_at(envelope: Sequence[Stretch], served: int) -> int | None:
    """The cost at one place; None where no stretch reaches."""
    k = bisect_left(envelope, (served + 1,)) - 1
    if k < 0 or envelope[k].high < served:
        return None
    return envelope[k].at(served)
