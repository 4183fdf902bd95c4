"""The best plan of one demand whose runs depend on each other: best-first search with a proof.

States are (mode, point, seconds still needed, old edges decided); the Lagrangian bounds
what each still costs, so the first complete plan that comes out of the heap is the best one.

The one free chain of edges that a split demand may have lies d seconds after points, all its edges
alike. While it lasts d is open; where it ends, at a point, d must leave a need that runs between
points can fill. `reachable` knows which those are, so only few d have to be tried.
"""

from bisect import bisect_left

from agent.planning.engine import Deadline
from agent.planning.exact.floating_chain import ChainExpander
from agent.planning.exact.forced_run import ForcedRun
from agent.planning.exact.lagrangian import Multipliers, RelaxedModel
from agent.planning.exact.objectives import ServedSpan
from agent.planning.exact.reachable import ReachableDurations
from agent.planning.exact.search import BEAM_STATES, Search
from agent.planning.exact.states import (
    DRIFT,
    ENDED,
    GOAL,
    LOOSE,
    NOTHING,
    OFF,
    ON,
    OWED,
    STARTED,
    TIGHT,
    Node,
)

# Points at which one look goes on waiting before the clock is asked again.
MOST_WAITS = 64


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
        demand, device = self.demand, self.device
        surplus = demand.max_s - demand.needed_s
        self.lowest = -(device.min_on_s + device.grid_s + surplus) if demand.hard else -surplus
        # Where points had to be left out a chain proves nothing, and its sets may be large.
        self.free = model.closed and not model.steps and not demand.contiguous
        self.reachable = ReachableDurations(model) if self.free else None
        self.chains = ChainExpander(self)
        # A block without a cap runs to its end.
        self.block = demand.contiguous and demand.hard and demand.cap is None

    def is_outdone(self, node: Node) -> bool:
        known = self.least_cost(node.layer, node.key)
        return node.key[0] != DRIFT and known is not None and known < node.cost

    def push(self, node: Node) -> None:
        key = node.key
        if key[0] < GOAL and not self.better(node):
            return
        self.add(node)

    def better(self, node: Node) -> bool:
        """Whether no state is known that can do all that this one can for as little."""
        key = node.key
        known = self.least_cost(key[1], key)
        if known is not None and known <= node.cost:
            return False
        if key[4]:
            # A state that still has its free chain.
            known = self.least_cost(key[1], (*key[:4], False, key[5]))
            if known is not None and known <= node.cost:
                return False
        self.reached(key[1], key, node.cost)
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
            ForcedRun(self).put(left, cost, start)

    def wait(self, until: int, left: int, cost: int, start: Node) -> None:
        extra, left = self.cross(0, until, left)
        j = bisect_left(self.points, until)
        if j > self.last:
            self.goal(start, left, cost + extra, until)
        else:
            self.state(OFF, j, left, (0, 0), False, cost + extra, start)

    def may(self, a: int, b: int) -> bool:
        """Whether the demand may be served from a to b."""
        demand = self.demand
        if a < demand.earliest or not (demand.hard or b <= demand.deadline):
            return False
        return all(demand.admits(cell) for _, _, cell in self.model.timeline.between(a, b))

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
            self.chains.go_on_drifting(node)
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
        for left in range(MOST_WAITS, -1, -1):
            self.start(node)
            waited = self.waited(node)
            if waited is None:
                return
            if self.buckets is not None or waited.bound > node.bound or not left:
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
        if not self.wants(left) or (self.demand.contiguous and (spent or left != self.fresh(t))):
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
            self.chains.may_drift(node, False)

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
        spent = node.key[4] or self.demand.contiguous
        self.state(ON, k, after, decided, spent, cost, node, ((a, b),), tie)

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
        ends = mode == ON and device.on_grid(t, 0) and not (self.block and self.has_begun(left, t))
        if ends and (tie or self.loose[j] or model.back_off[j]):
            edge, changed = model.edge(t, False, decided)
            k = model.after_off[j]
            b = self.points[k] if k <= self.last else t + device.min_off_s
            extra, after = self.cross(t, b, left)
            cost = node.cost + edge + extra
            if k > self.last or (self.demand.contiguous and (spent or left != self.fresh(t))):
                self.goal(node, after, cost, b)
            else:
                owed = tie != TIGHT and not self.loose[j]
                tie_off = OWED if owed else TIGHT if k > j else LOOSE
                mode_off = ENDED if k == j else OFF
                self.state(mode_off, k, after, changed, spent, cost, node, (), tie_off)
        if tie != OWED and (self.wants(left) or not self.loose[j]):
            self.chains.may_drift(node, True)

    def wants(self, left: int) -> bool:
        """Whether more may be served; a soft demand may take its surplus too where that pays."""
        return left > 0 or (not self.demand.hard and left > self.lowest)

    def has_begun(self, left: int, t: int) -> bool:
        return 0 < left < self.fresh(t)

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
        if left < self.lowest or (self.block and self.has_begun(left, t) and t < demand.deadline):
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
