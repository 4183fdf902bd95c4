"""The one free chain of edges that an interruptible demand may have between named instants.

Its edges, starts and ends in turn, all lie d seconds after points, each a minimum time after the
one before. While the chain lasts d is open; where it ends, at a point, d must leave a need that
runs between points can fill, so only few d have to be tried.
"""

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from agent.planning.exact.states import (
    DRIFT,
    ENDED,
    LOOSE,
    OFF,
    ON,
    STARTED,
    FloatingChain,
    Node,
)

if TYPE_CHECKING:
    from agent.planning.exact.best_first import BestFirstSearch


class ChainExpander:
    """Adds the states that a chain leads to; the search keeps them."""

    def __init__(self, search: "BestFirstSearch") -> None:
        self.search = search

    def may_drift(self, node: Node, on: bool) -> None:
        """Keeps in mind that the chain may begin after this point; `on` before its first edge."""
        _, j, left, _, spent, _ = node.key
        if spent or not self.search.free or j == self.search.last:
            return
        # An edge between two points is worth no more than one at the better of them.
        crossed = self.search.points[j] >= self.search.demand.deadline
        counted = (
            left
            if self.search.demand.hard
            else left + self.search.demand.max_s - self.search.demand.needed_s
        )
        bound = node.bound
        for one in self.search.multipliers:
            costs = one.ended if on else one.next_start
            least = min(costs[j], costs[j + 1])
            if on:
                least = min(least, one.on[j])
            total = node.cost + least + (one.after if crossed else one.before)[0] * counted
            bound = max(bound, total)
        self.search.push(Node((DRIFT, j, 0, (0, 0), True, int(on)), node.cost, bound, node, ()))

    def begin_drift(self, node: Node, j: int, on: bool) -> None:
        """The first edge of the chain, between point j and the next."""
        t = self.search.points[j]
        high = self.search.points[j + 1] - t - 1
        # A named point is no place for a free edge: there it would not be free.
        low = 1 if self.search.loose[j] or node.key[0] in (STARTED, ENDED) else 0
        if on and (not self.search.wants(node.key[2]) or not self.search.may(t, t + max(1, high))):
            # It has enough already, or may get no more: right here or not at all.
            high = 0
        if high < low:
            return
        minimum = self.search.device.min_off_s if on else self.search.device.min_on_s
        self.open_drift(node, FloatingChain((t,), not on, t + minimum, low, high))

    def open_drift(self, node: Node, drift: FloatingChain) -> None:
        """Ends the chain at the points that follow, and keeps it for one more edge."""
        device = self.search.device
        first, last = drift.edges[-1] + drift.low, drift.ready + drift.high
        if drift.on and not self.search.may(first, min(last, self.search.model.end)):
            return
        if drift.on and last > self.search.model.end:
            return
        if len(drift.edges) % 2:
            self.close_drift(node, drift)
        if drift.ready == drift.edges[-1] or not device.min_on_s or not device.min_off_s:
            return
        bound = self.drift_bound(node, drift)
        if bound is not None:
            key = (DRIFT, node.key[1], 0, (0, 0), True, LOOSE)
            self.search.push(Node(key, node.cost, bound, node, (), drift))

    def go_on_drifting(self, node: Node) -> None:
        drift, origin = node.drift, node.parent
        assert origin is not None
        if drift is None:
            self.begin_drift(origin, node.key[1], bool(node.key[5]))
            return
        minimum = self.search.device.min_off_s if drift.on else self.search.device.min_on_s
        edges = (*drift.edges, drift.ready)
        following = FloatingChain(edges, not drift.on, drift.ready + minimum, drift.low, drift.high)
        self.open_drift(origin, following)

    def close_drift(self, node: Node, drift: FloatingChain) -> None:
        """Back to a point, for every d that leaves what runs between points can fill."""
        low = drift.low
        points = self.search.points
        while low <= drift.high:
            # A minimum time may end at a point; a first second on or off has to follow an edge.
            held = drift.ready > drift.edges[-1]
            first = bisect_left if held else bisect_right
            j = first(points, drift.ready + low)
            if j > self.search.last:
                self.finish_drift(node, drift, low)
                return
            high = min(drift.high, points[j] - drift.ready)
            for d in self.fitting(node, drift, j, low, high):
                self.settle_drift(node, drift, j, d)
            low = high + 1

    def fitting(self, node: Node, drift: FloatingChain, j: int, low: int, high: int) -> list[int]:
        """The d in low..high after which the rest can be met from point j on."""
        b = self.search.points[j]
        left_low = self.replay(node, drift, low, b)[1]
        if low == high:
            return [low]
        left_high = self.replay(node, drift, high, b)[1]
        step = (left_high - left_low) // (high - low)
        if abs(step) != 1 or left_low + step * (high - low) != left_high:
            # The deadline lies between and lets the rest go: what fills the need before counts.
            return sorted({low, high, *self.filling(node, drift, low, high)})
        mode = ON if drift.on else OFF
        assert self.search.reachable is not None, "a chain is expanded only where it is free"
        lefts = self.search.reachable.within(
            mode, j, min(left_low, left_high), max(left_low, left_high)
        )
        return [low + (left - left_low) * step for left in lefts]

    def settle_drift(self, node: Node, drift: FloatingChain, j: int, d: int) -> None:
        b = self.search.points[j]
        cost, left, decided, runs = self.replay(node, drift, d, b)
        if drift.on and not self.search.may(drift.edges[-1] + d, b):
            return
        self.search.state(ON if drift.on else OFF, j, left, decided, True, cost, node, runs)

    def finish_drift(self, node: Node, drift: FloatingChain, low: int) -> None:
        """The chain was the last of the plan: it ends with the device off."""
        if drift.on:
            return
        for d in {low, drift.high, *self.filling(node, drift, low, drift.high)}:
            end = drift.ready + d
            cost, left, _, runs = self.replay(node, drift, d, end)
            self.search.goal(node, left, cost, end, runs)

    def filling(self, node: Node, drift: FloatingChain, low: int, high: int) -> set[int]:
        """The d with which just enough is served by the chain's last edge, or by the deadline."""
        demand, found = self.search.demand, set()
        for due in (None, demand.deadline):
            first, last = (self.lacking(node, drift, d, due) for d in (low, high))
            slope = (last - first) // (high - low) if high > low else 0
            if abs(slope) == 1:
                for rest in (0, demand.needed_s - demand.max_s, 0 if demand.hard else 1):
                    found.add(low + (rest - first) * slope)
        return {d for d in found if low <= d <= high}

    def lacking(self, node: Node, drift: FloatingChain, d: int, due: int | None) -> int:
        """Seconds still needed after the chain's last edge, or at an instant before it."""
        until = drift.edges[-1] + d if due is None else min(due, drift.edges[-1] + d)
        on, at, left = node.key[0] in (ON, STARTED), self.search.points[node.key[1]], node.key[2]
        for edge in drift.edges:
            stop = min(edge + d, until)
            left -= max(0, stop - at) if on else 0
            at, on = max(at, stop), not on
        return left

    def replay(
        self, node: Node, drift: FloatingChain, d: int, until: int
    ) -> tuple[int, int, tuple[int, int], tuple[tuple[int, int], ...]]:
        """Cost, demand left, old edges and runs at `until`, with the chain's edges d later."""
        model = self.search.model
        mode, j, left, decided, _, _ = node.key
        on = mode in (ON, STARTED)
        t, cost = self.search.points[j], node.cost
        runs = []
        for edge in (*drift.edges, None):
            b = until if edge is None else edge + d
            if on:
                extra, left = self.search.serve(t, b, left)
                cost += extra + self.cost_of(t, b)
                runs.append((t, b))
            else:
                extra, left = self.search.cross(t, b, left)
                cost += extra
            if edge is None:
                break
            on = not on
            extra, decided = model.edge(b, on, decided)
            cost += extra + (model.start_cost(b) if on else 0)
            t = b
        return cost, left, decided, tuple(runs)

    def cost_of(self, a: int, b: int) -> int:
        model = self.search.model
        cost = model.base_until(b) - model.base_until(a)
        return cost + model.extra_until(0, b) - model.extra_until(0, a)

    def drift_bound(self, node: Node, drift: FloatingChain) -> int | None:
        """What plans with this chain cost at least; None where there is none.

        Cost and demand are linear in d, but for what is late or unknown, so the ends of its range
        tell; a deadline on the way may bend them, and then the parent's bound has to do.
        """
        model, demand = self.search.model, self.search.demand
        begin, until = self.search.points[node.key[1]], drift.ready + drift.high
        if until > model.end:
            return None if drift.on else node.bound
        if begin < demand.deadline <= until:
            return node.bound
        bound: int | None = None
        w = model.weights
        width = (drift.high - drift.low) ** 2
        slack = w.instants * width * (1 + len(drift.edges))
        if demand.hard and begin >= demand.deadline:
            slack += w.late * width * (1 + len(drift.edges))
        for d in (drift.low, drift.high):
            b = drift.ready + d
            cost, left, _, _ = self.replay(node, drift, d, b)
            j = bisect_right(self.search.points, b) - 1
            total = cost + self.search.rest(ON if drift.on else OFF, j, left)
            if drift.on:
                # The bound holds from the point before; what it counts up to b is taken off.
                total -= self.most_earned(j, b)
            bound = total if bound is None else min(bound, total)
        assert bound is not None
        return max(node.bound, bound - slack)

    def most_earned(self, j: int, b: int) -> int:
        """At most what being on from point j to b costs less what it earns, in any pass."""
        a = self.search.points[j]
        cost = self.cost_of(a, b)
        crossed = a >= self.search.demand.deadline
        least = min((one.after if crossed else one.before)[0] for one in self.search.multipliers)
        return max(0, cost - least * (b - a))
