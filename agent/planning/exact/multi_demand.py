"""The best plan of several demands on one device: best-first search on steps of one size.

As the search of one demand, with the seconds that each demand still needs, and with a run that is
younger than its minimum on time, because demands may take turns within it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from agent.planning.engine import Deadline
from agent.planning.exact.lagrangian import Multipliers, RelaxedModel
from agent.planning.exact.objectives import ServedSpan
from agent.planning.exact.search import BEAM_STATES, Search
from agent.planning.exact.states import NOTHING

OFF, ON, GOAL = range(3)
NOBODY = -1


@dataclass(frozen=True, slots=True)
class State:
    """`last_served`: by what it did last; `until`: the point up to which it must stay on (0: none).

    `ended`: a run has just ended at this very point, so none may start here.
    """

    mode: int
    j: int
    last_served: int
    until: int
    left: tuple[int, ...]
    decided: tuple[int, int]
    ended: bool = False


@dataclass(slots=True)
class Node:
    state: State
    cost: int
    bound: int
    parent: "Node | None"
    piece: ServedSpan | None

    @property
    def is_goal(self) -> bool:
        return self.state.mode == GOAL

    @property
    def layer(self) -> int:
        return self.state.j


class MultiDemandSearch(Search[Node]):
    """With an `order` of demands, only plans that always serve the first of it that can be."""

    def __init__(
        self,
        model: RelaxedModel,
        multipliers: list[Multipliers],
        budget: int,
        deadline: Deadline,
        order: tuple[int, ...] | None = None,
    ) -> None:
        # Each state has as many successors as there are demands, and is as much longer.
        count = max(2, len(model.device.demands))
        super().__init__(len(model.points), 2 * budget // count, deadline, 4 * BEAM_STATES // count)
        self.model = model
        self.multipliers = multipliers
        self.device = model.device
        self.demands = model.device.demands
        self.points = model.points
        self.last = len(model.points) - 1
        self.mandatory = model.points.index(model.device.mandatory_s)
        self.order = order
        extra = self.device.min_on_s + self.device.grid_s
        self.lowest = [
            -(extra + demand.max_s - demand.needed_s)
            if demand.hard
            else demand.needed_s - demand.max_s
            for demand in self.demands
        ]

    def is_outdone(self, node: Node) -> bool:
        known = self.least_cost(node.layer, node.state)
        return known is not None and known < node.cost

    def put_roots(self) -> None:
        old = self.device.incumbent
        cost = (
            self.model.weights.money * old.cost * (len(old.counted(True)) + len(old.counted(False)))
        )
        left = tuple(demand.needed_s for demand in self.demands)
        extra, left = self.cross(-1, 0, left)
        cost += extra
        if self.device.running:
            self.put(State(ON, 0, NOBODY, self.mandatory, left, (0, 0)), cost, None, None)
            return
        j = self.model.after_wait()
        if j > self.last:
            self.goal(None, left, cost, 0)
            return
        more, left = self.cross(0, self.points[j], left)
        self.put(State(OFF, j, NOBODY, 0, left, (0, 0)), cost + more, None, None)

    def put(self, state: State, cost: int, parent: Node | None, piece: ServedSpan | None) -> None:
        j = state.j
        bound = parent.bound if parent is not None else NOTHING
        t = self.points[j]
        if state.mode != GOAL:
            for one in self.multipliers:
                total = cost + (one.on[j] if state.mode == ON else one.off[j])
                for i, demand in enumerate(self.demands):
                    worth = (one.after if t >= demand.deadline else one.before)[i]
                    if worth:
                        total += worth * self.model.most(i, state.left[i])
                bound = max(bound, total)
            known = self.least_cost(j, state)
            if known is not None and known <= cost:
                return
            self.reached(j, state, cost)
        else:
            bound = cost
        self.add(Node(state, cost, bound, parent, piece))

    def cross(self, a: int, b: int, left: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
        """What is missing where (a, b] passes deadlines, and what may still come after them."""
        cost = 0
        out = list(left)
        for i, demand in enumerate(self.demands):
            if demand.hard and a < max(0, demand.deadline) <= b:
                cost += self.model.weights.short * max(0, out[i])
                if demand.allowance_s is not None:
                    out[i] = min(out[i], demand.allowance_s)
        return cost, tuple(out)

    def fresh(self, i: int, left: int, t: int) -> bool:
        """Whether a block has not begun."""
        demand = self.demands[i]
        if demand.allowance_s is not None and t >= demand.deadline:
            return left == min(demand.needed_s, demand.allowance_s)
        return left == demand.needed_s

    def may_leave(self, i: int, left: tuple[int, ...]) -> bool:
        """Whether demand i may stop being served: a block that has no cap runs to its end."""
        if i == NOBODY:
            return True
        demand = self.demands[i]
        return left[i] <= 0 or not (demand.contiguous and demand.hard and demand.cap is None)

    def next_served(self, state: State) -> Iterable[int]:
        """Demands that may come next."""
        if self.order is None:
            return range(len(self.demands))
        j, t = state.j, self.points[state.j]
        if not self.may_leave(state.last_served, state.left):
            return (state.last_served,)
        # What is late yields to what can still come in time.
        for i in sorted(self.order, key=lambda i: t >= self.demands[i].deadline):
            barred = self.model.barred[i]
            if state.left[i] <= 0 or barred[j + 1] > barred[j]:
                continue
            started = self.demands[i].contiguous and not self.fresh(i, state.left[i], t)
            if not started or state.last_served == i:
                return (i,)
        # What is full may be served to end a minimum time.
        return self.order

    def expand(self, node: Node) -> None:
        state = node.state
        if state.mode == OFF:
            self.off(node, state)
        else:
            self.on(node, state)

    def off(self, node: Node, state: State) -> None:
        j, t = state.j, self.points[state.j]
        self.goal(node, state.left, node.cost, t)
        if j == self.last:
            return
        extra, left = self.cross(t, self.points[j + 1], state.left)
        decided = self.model.settle(self.points[j + 1], state.decided)
        self.put(State(OFF, j + 1, NOBODY, 0, left, decided), node.cost + extra, node, None)
        if state.ended:
            return
        young = self.model.after_on[j]
        if young > self.last:
            return
        for i in self.next_served(state):
            if not self.device.on_grid(t, i):
                continue
            edge, decided = self.model.edge(t, True, state.decided)
            cost = node.cost + edge + self.model.start_cost(t)
            self.serve(node, state, i, cost, young, decided)

    def on(self, node: Node, state: State) -> None:
        j, t = state.j, self.points[state.j]
        if j < self.last:
            for i in self.next_served(state):
                self.serve(node, state, i, node.cost, state.until, state.decided)
            if t < self.device.mandatory_s:
                self.unserved(node, state)
        last_served = state.last_served
        stops = j >= state.until and self.may_leave(last_served, state.left)
        if not stops or not self.device.on_grid(t, None if last_served == NOBODY else last_served):
            return
        edge, decided = self.model.edge(t, False, state.decided)
        k = self.model.after_off[j]
        b = self.points[k] if k <= self.last else t + self.device.min_off_s
        extra, left = self.cross(t, b, state.left)
        cost = node.cost + edge + extra
        if k > self.last:
            self.goal(node, left, cost, b)
            return
        decided = self.model.settle(b, decided)
        self.put(State(OFF, k, NOBODY, 0, left, decided, k == j), cost, node, None)

    def unserved(self, node: Node, state: State) -> None:
        """On without serving anybody, in the run that must go on."""
        if not self.may_leave(state.last_served, state.left):
            return
        j, model = state.j, self.model
        a, b = self.points[j], self.points[j + 1]
        cost = node.cost + model.base[j + 1] - model.base[j]
        for i, demand in enumerate(self.demands):
            barred = model.barred[i]
            if not demand.contiguous and barred[j] == barred[j + 1] and state.left[i] > 0:
                # A split demand could have counted it.
                cost += model.weights.excess * (b - a)
                break
        extra, left = self.cross(a, b, state.left)
        decided = model.settle(b, state.decided)
        piece: ServedSpan = (a, b, None)
        self.put(State(ON, j + 1, NOBODY, state.until, left, decided), cost + extra, node, piece)

    def serve(
        self,
        node: Node,
        state: State,
        i: int,
        cost: int,
        until: int,
        decided: tuple[int, int],
    ) -> None:
        """Demand i gets the span up to the next point."""
        model, demand, j = self.model, self.demands[i], state.j
        a, b = self.points[j], self.points[j + 1]
        if model.barred[i][j + 1] > model.barred[i][j]:
            return
        if state.last_served != i:
            if not self.may_leave(state.last_served, state.left):
                return
            if demand.contiguous and not self.fresh(i, state.left[i], a):
                return
        rest = state.left[i] - (b - a)
        if rest < self.lowest[i]:
            return
        cost += model.costs[i][j + 1] - model.costs[i][j]
        cost += model.surplus(i, rest) - model.surplus(i, state.left[i])
        left = (*state.left[:i], rest, *state.left[i + 1 :])
        extra, left = self.cross(a, b, left)
        piece: ServedSpan = (a, b, i)
        until = until if until > j + 1 else 0
        decided = model.settle(b, decided)
        self.put(State(ON, j + 1, i, until, left, decided), cost + extra, node, piece)

    def goal(self, node: Node | None, left: tuple[int, ...], cost: int, t: int) -> None:
        extra, left = self.cross(t, 1 << 60, left)
        cost += extra
        for i, demand in enumerate(self.demands):
            if not demand.hard:
                continue
            cost += self.model.weights.never * max(0, left[i])
            if (
                left[i] > 0
                and demand.contiguous
                and demand.cap is None
                and left[i] != demand.needed_s
            ):
                return
        self.put(State(GOAL, 0, NOBODY, 0, left, (0, 0)), cost, node, None)

    def spans_of(self, node: Node | None) -> list[ServedSpan]:
        out: list[ServedSpan] = []
        while node is not None:
            if node.piece is not None:
                a, b, i = node.piece
                if out and out[-1][0] == b and out[-1][2] == i:
                    out[-1] = (a, out[-1][1], i)
                else:
                    out.append((a, b, i))
            node = node.parent
        return out[::-1]
