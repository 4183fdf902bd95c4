"""The best plan of one demand whose runs depend on each other: best-first search with a proof.

States are (mode, point, seconds still needed, old edges decided); the Lagrangian bounds
what each still costs, so the first complete plan that comes out of the heap is the best one.

The one free chain of edges that a split demand may have lies d seconds after points, all its edges
alike. While it lasts d is open; where it ends, at a point, d must leave a need that runs between
points can fill. `reachable` knows which those are, so only few d have to be tried.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass

from agent.planning.engine import Deadline
from agent.planning.exact.lagrangian import Multipliers, RelaxedModel
from agent.planning.exact.objectives import ServedSpan
from agent.planning.exact.reachable import ReachableDurations
from agent.planning.exact.search import BEAM_STATES, Search

OFF, ON, STARTED, ENDED, GOAL, DRIFT = range(6)
# Below every bound.
NOTHING = -(1 << 2000)

# How an edge may come next: where it is named; also right here, as a minimum time is just over;
# only right here, as a chain that leads back from a named instant has begun.
LOOSE, TIGHT, OWED = range(3)

# (mode, point, seconds left, old edges decided, whether the free chain is used up, LOOSE or ..)
Key = tuple[int, int, int, tuple[int, int], bool, int]


@dataclass(slots=True)
class Node:
    key: Key
    cost: int
    bound: int
    parent: "Node | None"
    runs: tuple[tuple[int, int], ...]
    drift: "FloatingChain | None" = None

    @property
    def is_goal(self) -> bool:
        return self.key[0] == GOAL

    @property
    def layer(self) -> int:
        return self.key[1]


@dataclass(frozen=True, slots=True)
class FloatingChain:
    """A free chain that goes on: `edges` (starts and ends in turn) each d later, d in low..high.

    `on` after the last edge, whose minimum time is over at `ready` + d.
    """

    edges: tuple[int, ...]
    on: bool
    ready: int
    low: int
    high: int


class BestFirstSearch(Search[Node]):
    """States by instant; a floating chain hangs on the state that it began from."""

    def __init__(
        self, model: RelaxedModel, multipliers: list[Multipliers], budget: int, deadline: Deadline
    ) -> None:
        super().__init__(len(model.points), budget, deadline, BEAM_STATES)
        self.model = model
        self.multipliers = multipliers
        self.device = model.device
        self.demand = model.device.demands[0]
        self.points = model.points
        self.last = len(model.points) - 1
        self.costs = model.costs[0]
        self.barred = model.barred[0]
        self.loose = model.loose
        self.best: dict[Key, int] = {}
        demand, device = self.demand, self.device
        surplus = demand.max_s - demand.needed_s
        self.lowest = -(device.min_on_s + device.grid_s + surplus) if demand.hard else -surplus
        self.free = not model.steps and not demand.contiguous
        self.reachable = ReachableDurations(model)
        # A block without a cap runs to its end.
        self.block = demand.contiguous and demand.hard and demand.cap is None

    def is_outdone(self, node: Node) -> bool:
        return node.key[0] != DRIFT and self.best.get(node.key, node.cost) < node.cost

    def forget(self) -> None:
        self.best = {}

    # --- states

    def push(self, node: Node) -> None:
        key = node.key
        if key[0] < GOAL and not self.better(node):
            return
        self.add(node)

    def better(self, node: Node) -> bool:
        """Whether no state is known that can do all that this one can for as little."""
        key, best = node.key, self.best
        known = best.get(key)
        if known is not None and known <= node.cost:
            return False
        if key[4]:
            # A state that still has its free chain.
            known = best.get((*key[:4], False, key[5]))
            if known is not None and known <= node.cost:
                return False
        best[key] = node.cost
        return True

    def state(
        self,
        mode: int,
        j: int,
        left: int,
        decided: tuple[int, int],
        spent: bool,
        cost: int,
        parent: Node | None,
        runs: tuple[tuple[int, int], ...] = (),
        tie: int = LOOSE,
    ) -> None:
        """Put one state at point j on the heap, with its bound."""
        if j > self.last or left < self.lowest:
            return
        bound = cost + self.rest(mode, j, left)
        if parent is not None and parent.bound > bound:
            bound = parent.bound
        if self.device.incumbent.cost:
            decided = self.model.settle(self.points[j], decided)
        tie = LOOSE if self.loose[j] else tie
        self.push(Node((mode, j, left, decided, spent, tie), cost, bound, parent, runs))

    def rest(self, mode: int, j: int, left: int) -> int:
        """What the rest costs at least from a state at point j."""
        crossed = self.points[j] >= self.demand.deadline
        counted = left if self.demand.hard else left + self.demand.max_s - self.demand.needed_s
        bound = NOTHING
        for one in self.multipliers:
            costs = one.on if mode == ON else one.just_started if mode == STARTED else one.off
            total = costs[j] + (one.after if crossed else one.before)[0] * counted
            if total > bound:
                bound = total
        return bound

    def put_roots(self) -> None:
        device, demand, model = self.device, self.demand, self.model
        old = device.incumbent
        cost = model.weights.money * old.cost * (len(old.counted(True)) + len(old.counted(False)))
        start = Node((OFF, 0, demand.needed_s, (0, 0), False, LOOSE), 0, NOTHING, None, ())
        # What is due before now is missing already.
        extra, left = self.cross(-1 if demand.deadline <= 0 else 0, 0, demand.needed_s)
        cost += extra
        if not device.running:
            self.wait(device.blocked_s, left, cost, start)
        elif not device.mandatory_s:
            self.state(ON, 0, left, (0, 0), False, cost, start)
        else:
            self.go_on(left, cost, start)

    def wait(self, until: int, left: int, cost: int, start: Node) -> None:
        extra, left = self.cross(0, until, left)
        j = bisect_left(self.points, until)
        if j > self.last:
            self.goal(start, left, cost + extra, until)
        else:
            self.state(OFF, j, left, (0, 0), False, cost + extra, start)

    def go_on(self, left: int, cost: int, start: Node) -> None:
        """The run that must go on: a split demand counts what it may, a block begins anywhere."""
        model, forced = self.model, self.device.mandatory_s
        j = bisect_left(self.points, forced)
        cost += model.base_until(forced)
        if not self.demand.contiguous:
            spans, extra, rest = self._counted(forced, left)
            extra += sum(model.extra_until(0, b) - model.extra_until(0, a) for a, b in spans)
            self.state(ON, j, rest, (0, 0), False, cost + extra, start, tuple(spans))
            return
        for begin in self.points[: j + 1]:
            end = min(forced, begin + self.demand.needed_s)
            if begin < end and not self.may(begin, end):
                continue
            gap, before = self.cross(0, begin, left)
            extra, rest = self.serve(begin, end, before)
            extra += model.extra_until(0, end) - model.extra_until(0, begin)
            more, rest = self.cross(end, forced, rest)
            total = cost + gap + extra + more
            self.state(ON, j, rest, (0, 0), False, total, start, ((begin, end),))

    def may(self, a: int, b: int) -> bool:
        """Whether the demand may be served from a to b."""
        demand = self.demand
        if a < demand.earliest or not (demand.hard or b <= demand.deadline):
            return False
        return all(demand.admits(cell) for _, _, cell in self.model.timeline.between(a, b))

    def _counted(self, forced: int, left: int) -> tuple[list[tuple[int, int]], int, int]:
        """The seconds of the forced run that count, what that adds to the cost, what is left."""
        demand = self.demand
        spans: list[tuple[int, int]] = []
        at = cost = 0
        edges = sorted({min(max(demand.deadline, 0), forced), forced, min(demand.earliest, forced)})
        for edge in edges:
            for a, b, cell in self.model.timeline.between(at, edge):
                free = demand.admits(cell) and a >= demand.earliest
                free = free and (demand.hard or a < demand.deadline)
                take = min(b - a, max(0, left)) if free else 0
                if take:
                    cost += self.model.surplus(0, left - take) - self.model.surplus(0, left)
                    left -= take
                    spans.append((a, a + take))
                extra, left = self.cross(a, b, left)
                cost += extra
            at = max(at, edge)
        return spans, cost, left

    # --- steps

    def cross(self, a: int, b: int, left: int) -> tuple[int, int]:
        """What is missing where (a, b] passes the deadline, and what may still come after it."""
        demand = self.demand
        if not demand.hard or not (a < demand.deadline <= b or (a < 0 and demand.deadline <= 0)):
            return 0, left
        cost = self.model.weights.short * max(0, left)
        if demand.allowance_s is not None:
            left = min(left, demand.allowance_s)
        return cost, left

    def serve(self, a: int, b: int, left: int) -> tuple[int, int]:
        """Served from a to b: what surplus and the deadline add to the cost, and what is left."""
        demand, model = self.demand, self.model
        cost = 0
        if demand.hard and a < demand.deadline <= b:
            cost, rest = self.cross(a, b, left - (demand.deadline - a))
            after = rest - (b - demand.deadline)
        else:
            after = left - (b - a)
        if after <= 0:
            cost += model.surplus(0, after) - model.surplus(0, left)
        return cost, after

    def expand(self, node: Node) -> None:
        mode = node.key[0]
        if mode == DRIFT:
            self.go_on_drifting(node)
        elif mode in (OFF, ENDED):
            self.off(node)
        else:
            self.on(node)

    def off(self, node: Node) -> None:
        """Off at a point, and at those that follow while waiting does not raise the bound."""
        if node.key[5] == OWED:
            self.start(node)
            return
        self.goal(node, node.key[2], node.cost, self.points[node.key[1]])
        while True:
            self.start(node)
            waited = self.waited(node)
            if waited is None:
                return
            if self.buckets is not None or waited.bound > node.bound:
                self.push(waited)
                return
            if not self.better(waited):
                return
            node = waited

    def waited(self, node: Node) -> Node | None:
        """Still off at the next point."""
        _, j, left, decided, spent, _ = node.key
        if j == self.last:
            return None
        extra, left = self.cross(self.points[j], self.points[j + 1], left)
        if self.device.incumbent.cost:
            decided = self.model.settle(self.points[j + 1], decided)
        cost = node.cost + extra
        bound = max(node.bound, cost + self.rest(OFF, j + 1, left))
        return Node((OFF, j + 1, left, decided, spent, LOOSE), cost, bound, node, ())

    def start(self, node: Node) -> None:
        """Starts at this point, and between it and the next."""
        mode, j, left, decided, spent, tie = node.key
        model, device, points = self.model, self.device, self.points
        t = points[j]
        if not self.wants(left) or (self.demand.contiguous and left != self.fresh(t)):
            return
        if mode == OFF and device.on_grid(t, 0) and (tie or self.loose[j] or model.back_on[j]):
            edge, changed = model.edge(t, True, decided)
            cost = node.cost + edge + model.start_cost(t)
            k = model.after_on[j]
            if not device.min_on_s:
                self.state(STARTED, j, left, changed, spent, cost, node)
            elif k <= self.last and (device.grid_s or points[k] == t + device.min_on_s):
                owed = tie != TIGHT and not self.loose[j]
                self.run_on(node, j, k, cost, left, changed, OWED if owed else TIGHT)
        if tie != OWED:
            self.may_drift(node, False)

    def run_on(
        self,
        node: Node,
        j: int,
        k: int,
        cost: int,
        left: int,
        decided: tuple[int, int],
        tie: int,
    ) -> None:
        """Served from point j to point k."""
        if self.barred[k] > self.barred[j]:
            return
        a, b = self.points[j], self.points[k]
        extra, after = self.serve(a, b, left)
        cost += extra + self.costs[k] - self.costs[j]
        self.state(ON, k, after, decided, node.key[4], cost, node, ((a, b),), tie)

    def fresh(self, t: int) -> int:
        """What a block that has not next_start still demands at t."""
        demand = self.demand
        if demand.allowance_s is not None and t >= demand.deadline:
            return min(demand.needed_s, demand.allowance_s)
        return demand.needed_s

    def on(self, node: Node) -> None:
        mode, j, left, decided, spent, tie = node.key
        model, device = self.model, self.device
        t = self.points[j]
        if j < self.last and (self.wants(left) or device.grid_s) and tie != OWED:
            self.run_on(node, j, j + 1, node.cost, left, decided, LOOSE)
        ends = mode == ON and device.on_grid(t, 0) and not (self.block and self.next_start(left, t))
        if ends and (tie or self.loose[j] or model.back_off[j]):
            edge, changed = model.edge(t, False, decided)
            k = model.after_off[j]
            b = self.points[k] if k <= self.last else t + device.min_off_s
            extra, after = self.cross(t, b, left)
            cost = node.cost + edge + extra
            if k > self.last or (self.demand.contiguous and left != self.fresh(t)):
                self.goal(node, after, cost, b)
            else:
                owed = tie != TIGHT and not self.loose[j]
                tie_off = OWED if owed else TIGHT if k > j else LOOSE
                mode_off = ENDED if k == j else OFF
                self.state(mode_off, k, after, changed, spent, cost, node, (), tie_off)
        if tie != OWED and (self.wants(left) or not self.loose[j]):
            self.may_drift(node, True)

    def wants(self, left: int) -> bool:
        """Whether more may be served; a soft demand may take its surplus too where that pays."""
        return left > 0 or (not self.demand.hard and left > self.lowest)

    def next_start(self, left: int, t: int) -> bool:
        return 0 < left < self.fresh(t)

    # --- the free chain

    def may_drift(self, node: Node, on: bool) -> None:
        """Keeps in mind that the chain may begin after this point; `on` before its first edge."""
        _, j, left, _, spent, _ = node.key
        if spent or not self.free or j == self.last:
            return
        # An edge between two points is worth no more than one at the better of them.
        crossed = self.points[j] >= self.demand.deadline
        counted = left if self.demand.hard else left + self.demand.max_s - self.demand.needed_s
        bound = node.bound
        for one in self.multipliers:
            costs = one.ended if on else one.next_start
            least = min(costs[j], costs[j + 1])
            if on:
                least = min(least, one.on[j])
            total = node.cost + least + (one.after if crossed else one.before)[0] * counted
            bound = max(bound, total)
        self.push(Node((DRIFT, j, 0, (0, 0), True, int(on)), node.cost, bound, node, ()))

    def begin_drift(self, node: Node, j: int, on: bool) -> None:
        """The first edge of the chain, between point j and the next."""
        t = self.points[j]
        high = self.points[j + 1] - t - 1
        # A named point is no place for a free edge: there it would not be free.
        low = 1 if self.loose[j] or node.key[0] in (STARTED, ENDED) else 0
        if on and (not self.wants(node.key[2]) or not self.may(t, t + max(1, high))):
            # It has enough already, or may get no more: right here or not at all.
            high = 0
        if high < low:
            return
        minimum = self.device.min_off_s if on else self.device.min_on_s
        self.open_drift(node, FloatingChain((t,), not on, t + minimum, low, high))

    def open_drift(self, node: Node, drift: FloatingChain) -> None:
        """Ends the chain at the points that follow, and keeps it for one more edge."""
        device = self.device
        first, last = drift.edges[-1] + drift.low, drift.ready + drift.high
        if drift.on and not self.may(first, min(last, self.model.end)):
            return
        if drift.on and last > self.model.end:
            return
        if len(drift.edges) % 2:
            self.close_drift(node, drift)
        if drift.ready == drift.edges[-1] or not device.min_on_s or not device.min_off_s:
            return
        bound = self.drift_bound(node, drift)
        if bound is not None:
            key = (DRIFT, node.key[1], 0, (0, 0), True, LOOSE)
            self.push(Node(key, node.cost, bound, node, (), drift))

    def go_on_drifting(self, node: Node) -> None:
        drift, origin = node.drift, node.parent
        assert origin is not None
        if drift is None:
            self.begin_drift(origin, node.key[1], bool(node.key[5]))
            return
        minimum = self.device.min_off_s if drift.on else self.device.min_on_s
        edges = (*drift.edges, drift.ready)
        following = FloatingChain(edges, not drift.on, drift.ready + minimum, drift.low, drift.high)
        self.open_drift(origin, following)

    def close_drift(self, node: Node, drift: FloatingChain) -> None:
        """Back to a point, for every d that leaves what runs between points can fill."""
        low = drift.low
        points = self.points
        while low <= drift.high:
            # A minimum time may end at a point; a first second on or off has to follow an edge.
            held = drift.ready > drift.edges[-1]
            first = bisect_left if held else bisect_right
            j = first(points, drift.ready + low)
            if j > self.last:
                self.finish_drift(node, drift, low)
                return
            high = min(drift.high, points[j] - drift.ready)
            for d in self.fitting(node, drift, j, low, high):
                self.settle_drift(node, drift, j, d)
            low = high + 1

    def fitting(self, node: Node, drift: FloatingChain, j: int, low: int, high: int) -> list[int]:
        """The d in low..high after which the rest can be met from point j on."""
        b = self.points[j]
        left_low = self.replay(node, drift, low, b)[1]
        if low == high:
            return [low]
        left_high = self.replay(node, drift, high, b)[1]
        step = (left_high - left_low) // (high - low)
        if abs(step) != 1 or left_low + step * (high - low) != left_high:
            # The deadline lies between and lets the rest go: what fills the need before counts.
            return sorted({low, high, *self.filling(node, drift, low, high)})
        mode = ON if drift.on else OFF
        lefts = self.reachable.within(mode, j, min(left_low, left_high), max(left_low, left_high))
        return [low + (left - left_low) * step for left in lefts]

    def settle_drift(self, node: Node, drift: FloatingChain, j: int, d: int) -> None:
        b = self.points[j]
        cost, left, decided, runs = self.replay(node, drift, d, b)
        if drift.on and not self.may(drift.edges[-1] + d, b):
            return
        self.state(ON if drift.on else OFF, j, left, decided, True, cost, node, runs)

    def finish_drift(self, node: Node, drift: FloatingChain, low: int) -> None:
        """The chain was the last of the plan: it ends with the device off."""
        if drift.on:
            return
        for d in {low, drift.high, *self.filling(node, drift, low, drift.high)}:
            end = drift.ready + d
            cost, left, _, runs = self.replay(node, drift, d, end)
            self.goal(node, left, cost, end, runs)

    def filling(self, node: Node, drift: FloatingChain, low: int, high: int) -> set[int]:
        """The d with which just enough is served by the chain's last edge, or by the deadline."""
        demand, found = self.demand, set()
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
        on, at, left = node.key[0] in (ON, STARTED), self.points[node.key[1]], node.key[2]
        for edge in drift.edges:
            stop = min(edge + d, until)
            left -= max(0, stop - at) if on else 0
            at, on = max(at, stop), not on
        return left

    def replay(
        self, node: Node, drift: FloatingChain, d: int, until: int
    ) -> tuple[int, int, tuple[int, int], tuple[tuple[int, int], ...]]:
        """Cost, demand left, old edges and runs at `until`, with the chain's edges d later."""
        model = self.model
        mode, j, left, decided, _, _ = node.key
        on = mode in (ON, STARTED)
        t, cost = self.points[j], node.cost
        runs = []
        for edge in (*drift.edges, None):
            b = until if edge is None else edge + d
            if on:
                extra, left = self.serve(t, b, left)
                cost += extra + self.cost_of(t, b)
                runs.append((t, b))
            else:
                extra, left = self.cross(t, b, left)
                cost += extra
            if edge is None:
                break
            on = not on
            extra, decided = model.edge(b, on, decided)
            cost += extra + (model.start_cost(b) if on else 0)
            t = b
        return cost, left, decided, tuple(runs)

    def cost_of(self, a: int, b: int) -> int:
        model = self.model
        cost = model.base_until(b) - model.base_until(a)
        return cost + model.extra_until(0, b) - model.extra_until(0, a)

    def drift_bound(self, node: Node, drift: FloatingChain) -> int | None:
        """What plans with this chain cost at least; None where there is none.

        Cost and demand are linear in d, but for what is late or unknown, so the ends of its range
        tell; a deadline on the way may bend them, and then the parent's bound has to do.
        """
        model, demand = self.model, self.demand
        begin, until = self.points[node.key[1]], drift.ready + drift.high
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
            j = bisect_right(self.points, b) - 1
            total = cost + self.rest(ON if drift.on else OFF, j, left)
            if drift.on:
                # The bound holds from the point before; what it counts up to b is taken off.
                total -= self.most_earned(j, b)
            bound = total if bound is None else min(bound, total)
        assert bound is not None
        return max(node.bound, bound - slack)

    def most_earned(self, j: int, b: int) -> int:
        """At most what being on from point j to b costs less what it earns, in any pass."""
        a = self.points[j]
        cost = self.cost_of(a, b)
        crossed = a >= self.demand.deadline
        least = min((one.after if crossed else one.before)[0] for one in self.multipliers)
        return max(0, cost - least * (b - a))

    # --- the end

    def goal(
        self,
        node: Node,
        left: int,
        cost: int,
        t: int,
        runs: tuple[tuple[int, int], ...] = (),
    ) -> None:
        """No further run."""
        demand = self.demand
        if left < self.lowest or (self.block and self.next_start(left, t) and t < demand.deadline):
            return
        if demand.hard:
            if t < demand.deadline:
                extra, left = self.cross(t, demand.deadline, left)
                cost += extra
            cost += self.model.weights.never * max(0, left)
        self.push(Node((GOAL, 0, left, (0, 0), True, LOOSE), cost, cost, node, runs))

    def spans_of(self, node: Node | None) -> list[ServedSpan]:
        """Served spans as pieces, with the unserved parts of the run that must go on."""
        spans: list[tuple[int, int]] = []
        while node is not None:
            spans += node.runs
            node = node.parent
        forced = self.device.mandatory_s
        out: list[ServedSpan] = []
        at = 0
        for a, b in sorted(spans):
            if at < min(a, forced):
                out.append((at, min(a, forced), None))
            if out and out[-1][1] == a and out[-1][2] == 0:
                out[-1] = (out[-1][0], b, 0)
            elif b > a:
                out.append((a, b, 0))
            at = max(at, b)
        if at < forced:
            out.append((at, forced, None))
        return out
