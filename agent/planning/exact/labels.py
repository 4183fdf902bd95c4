"""Partial plans from point to point, for `agent.planning.exact.priced_switching`."""

from dataclasses import dataclass, field

from agent.planning.engine import Deadline
from agent.planning.exact.edge_prices import Edge, EdgePrices, Rest
from agent.planning.exact.envelope import Stretch, Trail, lower_envelope, value_at
from agent.planning.incumbent import LASTING_S, OFF, ON
from agent.planning.segments import Run

# By seconds served: cost, and how it came about.
Exact = dict[int, tuple[int, Trail | None]]


@dataclass(slots=True)
class Labels:
    """Partial plans of one state: those that are fixed, and those with an edge that floats."""

    exact: Exact = field(default_factory=dict)
    floating: list[Stretch] = field(default_factory=list)


# On or off; until when an edge has to be waited for: above 0 of any kind, below 0 (negated) of an
# old one only, 0 of none.
State = tuple[bool, int]


class Sweep:
    """All partial plans that may end in a plan below the `ceiling`."""

    def __init__(
        self, prices: EdgePrices, rests: list[Rest], ceiling: int, deadline: Deadline
    ) -> None:
        self.prices, self.rests, self.ceiling, self.deadline = prices, rests, ceiling, deadline
        self.points = prices.points
        self.best: tuple[int, Trail | None] | None = None
        self.count = 0
        self.following: dict[State, Labels] = {}

    def run(self) -> bool:
        """Whether there was time for it."""
        device = self.prices.device
        since = device.on_since if device.running else device.off_since
        wait = 0
        if since is not None and since + LASTING_S > 0 and device.incumbent.cost:
            wait = -(since + LASTING_S)
        states = {(ON if device.running else OFF, wait): Labels({0: (0, None)})}
        for j in range(len(self.points) - 1):
            if self.deadline.over():
                return False
            self.following = {}
            for (mode, wait), labels in states.items():
                self._from(j, mode, wait, labels)
            for (_, wait), labels in self.following.items():
                # Of plans that wait for different instants none stands for another.
                if not wait:
                    _thin(labels)
            states = self.following
            self.count += sum(len(one.exact) + len(one.floating) for one in states.values())
        for (mode, wait), labels in states.items():
            for cost, trail in labels.exact.values():
                self._end(mode, wait, cost, trail)
        return True

    def runs(self) -> list[Run]:
        """Of the best plan."""
        assert self.best is not None
        edges: list[tuple[Trail, int]] = []
        trail, longer = self.best[1], 0
        while trail is not None:
            if trail.instant is None and trail.span is None:
                longer = trail.longer
            else:
                edges.append((trail, longer))
            trail = trail.before
        instants = [0] if self.prices.device.running else []
        for trail, longer in reversed(edges):
            if trail.span is None:
                instants.append(trail.instant or 0)
            else:
                instants.append(self._instant(trail.span, OFF if len(instants) % 2 else ON, longer))
        instants.append(self.points[-1])
        return [(a, b) for a, b in zip(instants[::2], instants[1::2], strict=False) if b > a]

    def _instant(self, span: int, kind: bool, longer: int) -> int:
        """Where an edge lies that makes a run longer by that much within the span."""
        return self.points[span + 1] - longer if kind == ON else self.points[span] + longer

    def _end(self, mode: bool, wait: int, cost: int, trail: Trail | None) -> None:
        if mode == ON:
            at, edge = self.points[-1], self.prices.edge[OFF][-1]
            if wait > at:
                return
            kept = edge.kept is not None and -wait <= at
            cost += edge.least if kept else edge.plain
        if cost <= self.ceiling and (self.best is None or cost < self.best[0]):
            self.best = (cost, trail)

    def _target(self, mode: bool, wait: int, j: int) -> Labels:
        """Where labels at point j are put."""
        if abs(wait) <= self.points[j]:
            wait = 0
        return self.following.setdefault((mode, wait), Labels())

    def _from(self, j: int, mode: bool, wait: int, labels: Labels) -> None:
        """What may follow labels at point j by the next one."""
        at, turns = self.points[j], not mode
        self._stay(j, mode, wait, labels)
        self._floats(j, turns, wait, labels.exact)
        edge = self.prices.edge[turns][j]
        room = self.ceiling - edge.least - self._rest(turns, j)
        turning = Labels(
            self._within(room, labels.exact),
            [one for one in labels.floating if self._fits(room, one)],
        )
        if not turning.exact and not turning.floating:
            return
        for cost, kept in _choices(edge):
            after = self._wait(j, turns, at, kept, inside=False)
            may = wait <= at and (not kept or -wait <= at)
            self._turn(j, turns, after, turning, cost, kept=kept, may=may)
            if may and self.prices.inside[mode][j] is not None:
                turned: Exact = {
                    served: (known + cost, Trail(trail, instant=at))
                    for served, (known, trail) in turning.exact.items()
                }
                self._floats(j, mode, after, turned)

    def _rest(self, mode: bool, j: int) -> int:
        """The best lower bound of the rest from point j, on or off."""
        return (self.rests[0].on if mode else self.rests[0].off)[j]

    def _within(self, room: int, exact: Exact) -> Exact:
        """Those whose cost, less what is still earned, leaves the ceiling alone."""
        earned = self.rests[0].earned
        return {
            served: label for served, label in exact.items() if label[0] + earned(served) <= room
        }

    def _fits(self, room: int, one: Stretch) -> bool:
        earned = self.rests[0].earned
        if one.cost + earned(one.low) <= room or one.at(one.high) + earned(one.high) <= room:
            return True
        # Where one demand is full and the next one is served the rest has a bend.
        bends = (s for s in self.prices.sums if one.low < s < one.high)
        return any(one.at(s) + earned(s) <= room for s in bends)

    def _floats(self, j: int, mode: bool, wait: int, exact: Exact) -> None:
        """An edge within span j into `mode`."""
        inside, rate = self.prices.inside[mode][j], self.prices.rate[j]
        if rate is None or inside is None or not exact:
            return
        # An edge in between is bounded by those at the ends of the span, the better of them.
        room, passed = self.ceiling - inside.least, 0
        if mode == OFF:
            worth = max(self.rests[0].worth[k] for k in self.prices.windows[j])
            passed = (rate - worth) * (self.points[j + 1] - self.points[j])
        near, far = room - self._rest(mode, j), room - passed - self._rest(mode, j + 1)
        exact = self._within(max(near, far), exact)
        if not exact:
            return
        for cost, kept in _choices(inside):
            earliest = max(self.points[j] + 1, wait, -wait if kept else 0)
            if earliest < self.points[j + 1]:
                self._float(j, mode, exact, (cost, kept), earliest)

    def _stay(self, j: int, mode: bool, wait: int, labels: Labels) -> None:
        length, price = self._step(j, mode)
        if length < 0:
            return
        target = self._target(mode, wait, j + 1)
        for served, (cost, trail) in labels.exact.items():
            self._put(j, mode, served + length, cost + price, trail, None, target)
        for one in labels.floating:
            self._put_stretch(j, mode, one.moved(length, price), target)

    def _turn(
        self, j: int, mode: bool, wait: int, labels: Labels, cost: int, *, kept: bool, may: bool
    ) -> None:
        """An edge at point j into `mode`, then on or off to the next point.

        `wait`: what is to be waited for after it; `may`: whether that before it is over.
        """
        length, price = self._step(j, mode)
        if length < 0:
            return
        at = self.points[j]
        target = self._target(mode, wait, j + 1)
        if may:
            for served, (known, trail) in labels.exact.items():
                self._put(j, mode, served + length, known + cost + price, trail, at, target)
        for one in labels.floating:
            last = one.trail
            turned: Stretch | None = one
            if last.span is not None and (kept or last.kept):
                turned = self._lasting(one, last.span, not mode, at)
            elif last.span is None and not may:
                turned = None
            if turned is None:
                continue
            moved = turned.moved(length, cost + price)
            after = moved._replace(trail=Trail(last, instant=at))
            self._put_stretch(j, mode, after, target)
            if turned is not one:
                # The edge before it is as near as may be.
                for served in {after.low, after.high}:
                    self._fix(j, mode, after, served, target)

    def _lasting(self, one: Stretch, span: int, kind: bool, at: int) -> Stretch | None:
        """Only plans whose edge that floats lies long enough before `at`."""
        most = at - LASTING_S
        low, high = one.low, one.high
        if kind == ON:
            low = max(low, one.base + self.points[span + 1] - most)
        else:
            high = min(high, one.base + most - self.points[span])
        if low > high:
            return None
        return one if (low, high) == (one.low, one.high) else one.cut(low, high)

    def _wait(self, j: int, mode: bool, at: int, kept: bool, *, inside: bool) -> int:
        """What is to be waited for after an edge into `mode`."""
        edges = self.prices.inside if inside else self.prices.edge
        edge = edges[mode][j]
        assert edge is not None
        return at + LASTING_S if kept else -(at + LASTING_S) if edge.before_old else 0

    def _float(
        self, j: int, mode: bool, exact: Exact, choice: tuple[int, bool], earliest: int
    ) -> None:
        """An edge within span j into `mode`, from `earliest` on."""
        price, kept = choice
        a, b = self.points[j], self.points[j + 1]
        rate = self.prices.rate[j]
        assert rate is not None
        # A start within the span moves towards its begin by each second that is on.
        slope = rate - 1 if mode == ON else rate
        least, most = (1, b - earliest) if mode == ON else (earliest - a, b - a - 1)
        target = self._target(mode, self._wait(j, mode, b - 1, kept, inside=True), j + 1)
        for served, (cost, trail) in exact.items():
            floats = Trail(trail, span=j, kept=kept)
            first = cost + price + least * slope
            stretch = Stretch(served + least, served + most, first, slope, served, floats)
            self._put_stretch(j, mode, stretch, target)
            if earliest > a + 1:
                nearest = stretch.high if mode == ON else stretch.low
                self._fix(j, mode, stretch, nearest, target)

    def _step(self, j: int, mode: bool) -> tuple[int, int]:
        """Seconds served in span j, and what they cost; seconds below 0: it may not be on."""
        if mode == OFF:
            return 0, 0
        rate = self.prices.rate[j]
        length = self.points[j + 1] - self.points[j]
        return (-1, 0) if rate is None else (length, rate * length)

    def _put(
        self,
        j: int,
        mode: bool,
        served: int,
        cost: int,
        trail: Trail | None,
        edge: int | None,
        target: Labels,
    ) -> None:
        """A label at the end of span j, if it may end in a plan below the ceiling."""
        if not self.prices.due[j + 1] <= served <= self.prices.open[j]:
            return
        known = target.exact.get(served)
        if known is not None and known[0] <= cost:
            return
        for one in self.rests:
            rest = (one.on if mode else one.off)[j + 1]
            if cost + rest + one.earned(served) > self.ceiling:
                return
        target.exact[served] = (cost, trail if edge is None else Trail(trail, instant=edge))

    def _fix(self, j: int, mode: bool, one: Stretch, served: int, target: Labels) -> None:
        """The edge that floats lies where so much is served."""
        last, longer = one.trail, served - one.base
        if last.span is not None:
            at = self._instant(last.span, mode, longer)
            wait = self._wait(last.span, mode, at, last.kept, inside=True)
            target = self._target(mode, wait, j + 1)
        self._put(j, mode, served, one.at(served), Trail(last, longer=longer), None, target)

    def _put_stretch(self, j: int, mode: bool, stretch: Stretch, target: Labels) -> None:
        """As `_put`; where the band binds the edge no longer floats."""
        low, high = stretch.low, stretch.high
        least, most = self.prices.due[j + 1], self.prices.open[j]
        if high < least or low > most:
            return
        if low <= least:
            self._fix(j, mode, stretch, least, target)
        if most <= high and most != least:
            self._fix(j, mode, stretch, most, target)
        low, high = max(low, least), min(high, most)
        if low >= high:
            return
        first, last = stretch.at(low), stretch.at(high)
        for one in self.rests:
            room = self.ceiling - (one.on if mode else one.off)[j + 1]
            if first + one.earned(low) <= room or last + one.earned(high) <= room:
                continue
            # Where one demand is full and the next one is served the rest has a bend.
            bends = (s for s in self.prices.sums if low < s < high)
            if all(stretch.at(s) + one.earned(s) > room for s in bends):
                return
        target.floating.append(stretch.cut(low, high))


def _choices(edge: Edge) -> list[tuple[int, bool]]:
    """(cost, whether it stands for an old edge)."""
    found = [(edge.plain, False)]
    if edge.kept is not None:
        found.append((edge.kept, True))
    return found


def _thin(labels: Labels) -> None:
    """Leaves out what is dearer than another that has served as much."""
    labels.floating = lower_envelope(labels.floating)
    if labels.floating:
        # As dear is not enough: of an exact label another edge may float.
        labels.exact = {
            served: label
            for served, label in labels.exact.items()
            if (least := value_at(labels.floating, served)) is None or label[0] <= least
        }
