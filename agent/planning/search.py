"""The best plan of one demand whose runs depend on each other: best-first search with a proof.

States are (mode, point, seconds still needed, old edges decided); `agent.planning.relaxed` bounds
what each still costs, so the first complete plan that comes out of the heap is the best one.

The one free chain of edges that a split demand may have lies d seconds after points, all its edges
alike. While it lasts d is open; where it ends, at a point, d must leave a need that runs between
points can fill. `agent.planning.fill` knows which those are, so only few d have to be tried.
"""

import heapq
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from itertools import count

from agent.planning.fill import Fill
from agent.planning.relaxed import Model, Pass
from agent.planning.score import Piece

OFF, ON, BORN, ENDED, GOAL, DRIFT = range(6)
# States that a plan which need not be the best one looks at, and at least at each point.
BEAM_STATES = 8000
LEAST_BEAM = 3
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
    drift: "Drift | None" = None


@dataclass(frozen=True, slots=True)
class Drift:
    """A free chain that goes on: `edges` (starts and ends in turn) each d later, d in low..high.

    `on` after the last edge, whose minimum time is over at `ready` + d.
    """

    edges: tuple[int, ...]
    on: bool
    ready: int
    low: int
    high: int


@dataclass(slots=True)
class Found:
    """Pieces; a lower bound of all aims in one number; whether the pieces are proved best."""

    pieces: list[Piece]
    bound: int
    cost: int
    proved: bool


class Search:
    def __init__(self, model: Model, passes: list[Pass], budget: int) -> None:
        self.model = model
        self.passes = passes
        self.load = model.load
        self.need = model.load.needs[0]
        self.points = model.points
        self.last = len(model.points) - 1
        self.costs = model.costs[0]
        self.barred = model.barred[0]
        self.loose = model.loose
        self.budget = budget
        self.best: dict[Key, int] = {}
        self.heap: list[tuple[int, int, Node]] = []
        self.buckets: list[list[Node]] | None = None
        self.count = count()
        self.expanded = 0
        need, load = self.need, self.load
        surplus = need.top - need.need
        self.lowest = -(load.min_on + load.grid + surplus) if need.hard else -surplus
        self.free = not model.steps and not need.contiguous
        self.fill = Fill(model)
        # A block without a cap runs to its end.
        self.block = need.contiguous and need.hard and need.cap is None

    # --- the two ways through the states

    def run(self) -> Found:
        self.roots()
        while self.heap:
            bound, _, node = heapq.heappop(self.heap)
            mode = node.key[0]
            if mode == GOAL:
                return Found(self.pieces(node), node.cost, node.cost, True)
            if mode != DRIFT and self.best.get(node.key, node.cost) < node.cost:
                continue
            self.expanded += 1
            if self.expanded > self.budget or len(self.heap) > 4 * self.budget:
                found = self.beam()
                return Found(found.pieces, bound, found.cost, False)
            self.expand(node)
        raise AssertionError("being off all the time is always a plan")

    def beam(self) -> Found:
        """Not the best but a good plan: only the most promising states at each point go on."""
        self.best = {}
        self.buckets = [[] for _ in range(self.last + 2)]
        self.roots()
        width = max(LEAST_BEAM, BEAM_STATES // (self.last + 1))
        goal: Node | None = None
        for bucket in self.buckets:
            bucket.sort(key=lambda node: node.bound)
            taken = 0
            while bucket and taken < width:
                node = bucket.pop(0)
                if node.key[0] == GOAL:
                    if goal is None or node.cost < goal.cost:
                        goal = node
                    continue
                if goal is not None and node.bound >= goal.cost:
                    break
                taken += 1
                self.expand(node)
        assert goal is not None
        return Found(self.pieces(goal), 0, goal.cost, False)

    # --- states

    def push(self, node: Node) -> None:
        key = node.key
        if key[0] < GOAL and not self.better(node):
            return
        if self.buckets is not None:
            self.buckets[self.last + 1 if key[0] == GOAL else key[1]].append(node)
            return
        heapq.heappush(self.heap, (node.bound, next(self.count), node))

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
        if self.load.old.cost:
            decided = self.model.settle(self.points[j], decided)
        tie = LOOSE if self.loose[j] else tie
        self.push(Node((mode, j, left, decided, spent, tie), cost, bound, parent, runs))

    def rest(self, mode: int, j: int, left: int) -> int:
        """What the rest costs at least from a state at point j."""
        crossed = self.points[j] >= self.need.deadline
        counted = left if self.need.hard else left + self.need.top - self.need.need
        bound = NOTHING
        for one in self.passes:
            costs = one.on if mode == ON else one.born if mode == BORN else one.off
            total = costs[j] + (one.after if crossed else one.before)[0] * counted
            if total > bound:
                bound = total
        return bound

    def roots(self) -> None:
        load, need, model = self.load, self.need, self.model
        old = load.old
        cost = model.weights.money * old.cost * (len(old.paid(True)) + len(old.paid(False)))
        start = Node((OFF, 0, need.need, (0, 0), False, LOOSE), 0, NOTHING, None, ())
        # What is due before now is missing already.
        extra, left = self.cross(-1 if need.deadline <= 0 else 0, 0, need.need)
        cost += extra
        if not load.going:
            self.wait(load.wait, left, cost, start)
        elif not load.forced:
            self.state(ON, 0, left, (0, 0), False, cost, start)
        else:
            self.going(left, cost, start)

    def wait(self, until: int, left: int, cost: int, start: Node) -> None:
        extra, left = self.cross(0, until, left)
        j = bisect_left(self.points, until)
        if j > self.last:
            self.goal(start, left, cost + extra, until)
        else:
            self.state(OFF, j, left, (0, 0), False, cost + extra, start)

    def going(self, left: int, cost: int, start: Node) -> None:
        """The run that must go on: a split demand counts what it may, a block begins anywhere."""
        model, forced = self.model, self.load.forced
        j = bisect_left(self.points, forced)
        cost += model.base_until(forced)
        if not self.need.contiguous:
            spans, extra, rest = self._counted(forced, left)
            extra += sum(model.extra_until(0, b) - model.extra_until(0, a) for a, b in spans)
            self.state(ON, j, rest, (0, 0), False, cost + extra, start, tuple(spans))
            return
        for begin in self.points[: j + 1]:
            end = min(forced, begin + self.need.need)
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
        need = self.need
        if a < need.earliest or not (need.hard or b <= need.deadline):
            return False
        return all(need.admits(cell) for _, _, cell in self.model.timeline.between(a, b))

    def _counted(self, forced: int, left: int) -> tuple[list[tuple[int, int]], int, int]:
        """The seconds of the forced run that count, what that adds to the cost, what is left."""
        need = self.need
        spans: list[tuple[int, int]] = []
        at = cost = 0
        edges = sorted({min(max(need.deadline, 0), forced), forced, min(need.earliest, forced)})
        for edge in edges:
            for a, b, cell in self.model.timeline.between(at, edge):
                free = need.admits(cell) and a >= need.earliest
                free = free and (need.hard or a < need.deadline)
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
        need = self.need
        if not need.hard or not (a < need.deadline <= b or (a < 0 and need.deadline <= 0)):
            return 0, left
        cost = self.model.weights.short * max(0, left)
        if need.allowance is not None:
            left = min(left, need.allowance)
        return cost, left

    def serve(self, a: int, b: int, left: int) -> tuple[int, int]:
        """Served from a to b: what surplus and the deadline add to the cost, and what is left."""
        need, model = self.need, self.model
        cost = 0
        if need.hard and a < need.deadline <= b:
            cost, rest = self.cross(a, b, left - (need.deadline - a))
            after = rest - (b - need.deadline)
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
        if self.load.old.cost:
            decided = self.model.settle(self.points[j + 1], decided)
        cost = node.cost + extra
        bound = max(node.bound, cost + self.rest(OFF, j + 1, left))
        return Node((OFF, j + 1, left, decided, spent, LOOSE), cost, bound, node, ())

    def start(self, node: Node) -> None:
        """Starts at this point, and between it and the next."""
        mode, j, left, decided, spent, tie = node.key
        model, load, points = self.model, self.load, self.points
        t = points[j]
        if not self.wants(left) or (self.need.contiguous and left != self.fresh(t)):
            return
        if mode == OFF and load.on_grid(t, 0) and (tie or self.loose[j] or model.back_on[j]):
            edge, changed = model.edge(t, True, decided)
            cost = node.cost + edge + model.start_cost(t)
            k = model.after_on[j]
            if not load.min_on:
                self.state(BORN, j, left, changed, spent, cost, node)
            elif k <= self.last and (load.grid or points[k] == t + load.min_on):
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
        """What a block that has not begun still needs at t."""
        need = self.need
        if need.allowance is not None and t >= need.deadline:
            return min(need.need, need.allowance)
        return need.need

    def on(self, node: Node) -> None:
        mode, j, left, decided, spent, tie = node.key
        model, load = self.model, self.load
        t = self.points[j]
        if j < self.last and (self.wants(left) or load.grid) and tie != OWED:
            self.run_on(node, j, j + 1, node.cost, left, decided, LOOSE)
        ends = mode == ON and load.on_grid(t, 0) and not (self.block and self.begun(left, t))
        if ends and (tie or self.loose[j] or model.back_off[j]):
            edge, changed = model.edge(t, False, decided)
            k = model.after_off[j]
            b = self.points[k] if k <= self.last else t + load.min_off
            extra, after = self.cross(t, b, left)
            cost = node.cost + edge + extra
            if k > self.last or (self.need.contiguous and left != self.fresh(t)):
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
        return left > 0 or (not self.need.hard and left > self.lowest)

    def begun(self, left: int, t: int) -> bool:
        return 0 < left < self.fresh(t)

    # --- the free chain

    def may_drift(self, node: Node, on: bool) -> None:
        """Keeps in mind that the chain may begin after this point; `on` before its first edge."""
        _, j, left, _, spent, _ = node.key
        if spent or not self.free or j == self.last:
            return
        # An edge between two points is worth no more than one at the better of them.
        crossed = self.points[j] >= self.need.deadline
        counted = left if self.need.hard else left + self.need.top - self.need.need
        bound = node.bound
        for one in self.passes:
            costs = one.ended if on else one.begun
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
        low = 1 if self.loose[j] or node.key[0] in (BORN, ENDED) else 0
        if on and (not self.wants(node.key[2]) or not self.may(t, t + max(1, high))):
            # It has enough already, or may get no more: right here or not at all.
            high = 0
        if high < low:
            return
        minimum = self.load.min_off if on else self.load.min_on
        self.open_drift(node, Drift((t,), not on, t + minimum, low, high))

    def open_drift(self, node: Node, drift: Drift) -> None:
        """Ends the chain at the points that follow, and keeps it for one more edge."""
        load = self.load
        first, last = drift.edges[-1] + drift.low, drift.ready + drift.high
        if drift.on and not self.may(first, min(last, self.model.end)):
            return
        if drift.on and last > self.model.end:
            return
        if len(drift.edges) % 2:
            self.close_drift(node, drift)
        if drift.ready == drift.edges[-1] or not load.min_on or not load.min_off:
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
        minimum = self.load.min_off if drift.on else self.load.min_on
        edges = (*drift.edges, drift.ready)
        following = Drift(edges, not drift.on, drift.ready + minimum, drift.low, drift.high)
        self.open_drift(origin, following)

    def close_drift(self, node: Node, drift: Drift) -> None:
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

    def fitting(self, node: Node, drift: Drift, j: int, low: int, high: int) -> list[int]:
        """The d in low..high after which the rest can be met from point j on."""
        b = self.points[j]
        left_low = self.replay(node, drift, low, b)[1]
        if low == high:
            return [low]
        left_high = self.replay(node, drift, high, b)[1]
        step = (left_high - left_low) // (high - low)
        if abs(step) != 1 or left_low + step * (high - low) != left_high:
            # The deadline lies between and lets the rest go: what fills the need before it counts.
            return sorted({low, high, *self.filling(node, drift, low, high)})
        mode = ON if drift.on else OFF
        lefts = self.fill.within(mode, j, min(left_low, left_high), max(left_low, left_high))
        return [low + (left - left_low) * step for left in lefts]

    def settle_drift(self, node: Node, drift: Drift, j: int, d: int) -> None:
        b = self.points[j]
        cost, left, decided, runs = self.replay(node, drift, d, b)
        if drift.on and not self.may(drift.edges[-1] + d, b):
            return
        self.state(ON if drift.on else OFF, j, left, decided, True, cost, node, runs)

    def finish_drift(self, node: Node, drift: Drift, low: int) -> None:
        """The chain was the last of the plan: it ends with the device off."""
        if drift.on:
            return
        for d in {low, drift.high, *self.filling(node, drift, low, drift.high)}:
            end = drift.ready + d
            cost, left, _, runs = self.replay(node, drift, d, end)
            self.goal(node, left, cost, end, runs)

    def filling(self, node: Node, drift: Drift, low: int, high: int) -> set[int]:
        """The d with which just enough is served by the chain's last edge, or by the deadline."""
        need, found = self.need, set()
        for due in (None, need.deadline):
            first, last = (self.lacking(node, drift, d, due) for d in (low, high))
            slope = (last - first) // (high - low) if high > low else 0
            if abs(slope) == 1:
                for rest in (0, need.need - need.top, 0 if need.hard else 1):
                    found.add(low + (rest - first) * slope)
        return {d for d in found if low <= d <= high}

    def lacking(self, node: Node, drift: Drift, d: int, due: int | None) -> int:
        """Seconds still needed after the chain's last edge, or at an instant before it."""
        until = drift.edges[-1] + d if due is None else min(due, drift.edges[-1] + d)
        on, at, left = node.key[0] in (ON, BORN), self.points[node.key[1]], node.key[2]
        for edge in drift.edges:
            stop = min(edge + d, until)
            left -= max(0, stop - at) if on else 0
            at, on = max(at, stop), not on
        return left

    def replay(
        self, node: Node, drift: Drift, d: int, until: int
    ) -> tuple[int, int, tuple[int, int], tuple[tuple[int, int], ...]]:
        """Cost, need left, old edges and runs at `until`, with the chain's edges d later."""
        model = self.model
        mode, j, left, decided, _, _ = node.key
        on = mode in (ON, BORN)
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

    def drift_bound(self, node: Node, drift: Drift) -> int | None:
        """What plans with this chain cost at least; None where there is none.

        Cost and need are linear in d, but for what is late or unknown, so the ends of its range
        tell; a deadline on the way may bend them, and then the parent's bound has to do.
        """
        model, need = self.model, self.need
        begin, until = self.points[node.key[1]], drift.ready + drift.high
        if until > model.end:
            return None if drift.on else node.bound
        if begin < need.deadline <= until:
            return node.bound
        bound: int | None = None
        w = model.weights
        width = (drift.high - drift.low) ** 2
        slack = w.instants * width * (1 + len(drift.edges))
        if need.hard and begin >= need.deadline:
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
        crossed = a >= self.need.deadline
        least = min((one.after if crossed else one.before)[0] for one in self.passes)
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
        need = self.need
        if left < self.lowest or (self.block and self.begun(left, t) and t < need.deadline):
            return
        if need.hard:
            if t < need.deadline:
                extra, left = self.cross(t, need.deadline, left)
                cost += extra
            cost += self.model.weights.never * max(0, left)
        self.push(Node((GOAL, 0, left, (0, 0), True, LOOSE), cost, cost, node, runs))

    def pieces(self, node: Node | None) -> list[Piece]:
        """Served spans as pieces, with the unserved parts of the run that must go on."""
        spans: list[tuple[int, int]] = []
        while node is not None:
            spans += node.runs
            node = node.parent
        forced = self.load.forced
        out: list[Piece] = []
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
