"""The best plan of several demands on one device: best-first search on steps of one size.

As `agent.planning.search`, with the seconds that each demand still needs, and with a run that is
younger than its minimum on time, because demands may take turns within it.
"""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count

from agent.planning.relaxed import Model, Pass
from agent.planning.score import Piece
from agent.planning.search import BEAM_STATES, LEAST_BEAM, NOTHING, Found

OFF, ON, GOAL = range(3)
NOBODY = -1


@dataclass(frozen=True, slots=True)
class State:
    """`whom` was served last; `until` is the point up to which it must stay on (0: may stop).

    `ended`: a run has just ended at this very point, so none may start here.
    """

    mode: int
    j: int
    whom: int
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
    piece: Piece | None


class SearchSeveral:
    """With an `order` of demands, only plans that always serve the first of it that can be."""

    def __init__(
        self, model: Model, passes: list[Pass], budget: int, order: tuple[int, ...] | None = None
    ) -> None:
        self.model = model
        self.passes = passes
        self.load = model.load
        self.needs = model.load.needs
        self.points = model.points
        self.last = len(model.points) - 1
        self.forced = model.points.index(model.load.forced)
        self.budget = budget
        self.order = order
        self.best: dict[State, int] = {}
        self.heap: list[tuple[int, int, Node]] = []
        self.buckets: list[list[Node]] | None = None
        self.count = count()
        extra = self.load.min_on + self.load.grid
        self.lowest = [
            -(extra + need.top - need.need) if need.hard else need.need - need.top
            for need in self.needs
        ]

    def run(self) -> Found:
        self.roots()
        expanded = 0
        while self.heap:
            bound, _, node = heapq.heappop(self.heap)
            if node.state.mode == GOAL:
                return Found(self.pieces(node), node.cost, node.cost, True)
            if self.best.get(node.state, node.cost) < node.cost:
                continue
            expanded += 1
            if expanded > self.budget:
                found = self.beam()
                return Found(found.pieces, bound, found.cost, False)
            self.expand(node)
        raise AssertionError("being off all the time is always a plan")

    def beam(self) -> Found:
        """Not the best but a good plan: only the most promising states at each point go on."""
        self.best = {}
        self.buckets = [[] for _ in range(self.last + 2)]
        self.roots()
        width = max(LEAST_BEAM, 2 * BEAM_STATES // (self.last + 1))
        goal: Node | None = None
        for bucket in self.buckets:
            bucket.sort(key=lambda node: node.bound)
            taken = 0
            while bucket and taken < width:
                node = bucket.pop(0)
                if node.state.mode == GOAL:
                    if goal is None or node.cost < goal.cost:
                        goal = node
                    continue
                if goal is not None and node.bound >= goal.cost:
                    break
                taken += 1
                self.expand(node)
        assert goal is not None
        return Found(self.pieces(goal), 0, goal.cost, False)

    def roots(self) -> None:
        old = self.load.old
        cost = self.model.weights.money * old.cost * (len(old.paid(True)) + len(old.paid(False)))
        left = tuple(need.need for need in self.needs)
        extra, left = self.cross(-1, 0, left)
        cost += extra
        if self.load.going:
            self.put(State(ON, 0, NOBODY, self.forced, left, (0, 0)), cost, None, None)
            return
        j = self.model.after_wait()
        if j > self.last:
            self.goal(None, left, cost, 0)
            return
        more, left = self.cross(0, self.points[j], left)
        self.put(State(OFF, j, NOBODY, 0, left, (0, 0)), cost + more, None, None)

    def put(self, state: State, cost: int, parent: Node | None, piece: Piece | None) -> None:
        j = state.j
        bound = parent.bound if parent is not None else NOTHING
        t = self.points[j]
        if state.mode != GOAL:
            for one in self.passes:
                total = cost + (one.on[j] if state.mode == ON else one.off[j])
                for i, need in enumerate(self.needs):
                    worth = (one.after if t >= need.deadline else one.before)[i]
                    if worth:
                        total += worth * self.model.most(i, state.left[i])
                bound = max(bound, total)
            known = self.best.get(state)
            if known is not None and known <= cost:
                return
            self.best[state] = cost
        else:
            bound = cost
        node = Node(state, cost, bound, parent, piece)
        if self.buckets is not None:
            self.buckets[j if state.mode != GOAL else self.last + 1].append(node)
        else:
            heapq.heappush(self.heap, (bound, next(self.count), node))

    def cross(self, a: int, b: int, left: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
        """What is missing where (a, b] passes deadlines, and what may still come after them."""
        cost = 0
        out = list(left)
        for i, need in enumerate(self.needs):
            if need.hard and a < max(0, need.deadline) <= b:
                cost += self.model.weights.short * max(0, out[i])
                if need.allowance is not None:
                    out[i] = min(out[i], need.allowance)
        return cost, tuple(out)

    def fresh(self, i: int, left: int, t: int) -> bool:
        """Whether a block has not begun."""
        need = self.needs[i]
        if need.allowance is not None and t >= need.deadline:
            return left == min(need.need, need.allowance)
        return left == need.need

    def may_leave(self, i: int, left: tuple[int, ...]) -> bool:
        """Whether demand i may stop being served: a block that has no cap runs to its end."""
        if i == NOBODY:
            return True
        need = self.needs[i]
        return left[i] <= 0 or not (need.contiguous and need.hard and need.cap is None)

    def whom(self, state: State) -> Iterable[int]:
        """Demands that may come next."""
        if self.order is None:
            return range(len(self.needs))
        j, t = state.j, self.points[state.j]
        if not self.may_leave(state.whom, state.left):
            return (state.whom,)
        # What is late yields to what can still come in time.
        for i in sorted(self.order, key=lambda i: t >= self.needs[i].deadline):
            barred = self.model.barred[i]
            if state.left[i] <= 0 or barred[j + 1] > barred[j]:
                continue
            begun = self.needs[i].contiguous and not self.fresh(i, state.left[i], t)
            if not begun or state.whom == i:
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
        for i in self.whom(state):
            if not self.load.on_grid(t, i):
                continue
            edge, decided = self.model.edge(t, True, state.decided)
            cost = node.cost + edge + self.model.start_cost(t)
            self.serve(node, state, i, cost, young, decided)

    def on(self, node: Node, state: State) -> None:
        j, t = state.j, self.points[state.j]
        if j < self.last:
            for i in self.whom(state):
                self.serve(node, state, i, node.cost, state.until, state.decided)
            if t < self.load.forced:
                self.unserved(node, state)
        whom = state.whom
        stops = j >= state.until and self.may_leave(whom, state.left)
        if not stops or not self.load.on_grid(t, None if whom == NOBODY else whom):
            return
        edge, decided = self.model.edge(t, False, state.decided)
        k = self.model.after_off[j]
        b = self.points[k] if k <= self.last else t + self.load.min_off
        extra, left = self.cross(t, b, state.left)
        cost = node.cost + edge + extra
        if k > self.last:
            self.goal(node, left, cost, b)
            return
        decided = self.model.settle(b, decided)
        self.put(State(OFF, k, NOBODY, 0, left, decided, k == j), cost, node, None)

    def unserved(self, node: Node, state: State) -> None:
        """On without serving anybody, in the run that must go on."""
        if not self.may_leave(state.whom, state.left):
            return
        j, model = state.j, self.model
        a, b = self.points[j], self.points[j + 1]
        cost = node.cost + model.base[j + 1] - model.base[j]
        for i, need in enumerate(self.needs):
            barred = model.barred[i]
            if not need.contiguous and barred[j] == barred[j + 1] and state.left[i] > 0:
                # A split demand could have counted it.
                cost += model.weights.excess * (b - a)
                break
        extra, left = self.cross(a, b, state.left)
        decided = model.settle(b, state.decided)
        piece: Piece = (a, b, None)
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
        model, need, j = self.model, self.needs[i], state.j
        a, b = self.points[j], self.points[j + 1]
        if model.barred[i][j + 1] > model.barred[i][j]:
            return
        if state.whom != i:
            if not self.may_leave(state.whom, state.left):
                return
            if need.contiguous and not self.fresh(i, state.left[i], a):
                return
        rest = state.left[i] - (b - a)
        if rest < self.lowest[i]:
            return
        cost += model.costs[i][j + 1] - model.costs[i][j]
        cost += model.surplus(i, rest) - model.surplus(i, state.left[i])
        left = (*state.left[:i], rest, *state.left[i + 1 :])
        extra, left = self.cross(a, b, left)
        piece: Piece = (a, b, i)
        until = until if until > j + 1 else 0
        decided = model.settle(b, decided)
        self.put(State(ON, j + 1, i, until, left, decided), cost + extra, node, piece)

    def goal(self, node: Node | None, left: tuple[int, ...], cost: int, t: int) -> None:
        extra, left = self.cross(t, 1 << 60, left)
        cost += extra
        for i, need in enumerate(self.needs):
            if not need.hard:
                continue
            cost += self.model.weights.never * max(0, left[i])
            if left[i] > 0 and need.contiguous and need.cap is None and left[i] != need.need:
                return
        self.put(State(GOAL, 0, NOBODY, 0, left, (0, 0)), cost, node, None)

    def pieces(self, node: Node | None) -> list[Piece]:
        out: list[Piece] = []
        while node is not None:
            if node.piece is not None:
                a, b, i = node.piece
                if out and out[-1][0] == b and out[-1][2] == i:
                    out[-1] = (a, out[-1][1], i)
                else:
                    out.append((a, b, i))
            node = node.parent
        return out[::-1]
