"""The best plan of one demand whose runs depend on each other: best-first search with a proof.

States are (mode, instant, seconds still needed, old edges decided); `agent.planning.relaxed` bounds
what each still costs, so the first complete plan that comes out of the heap is the best one. The
one free chain of edges that a split demand may have is carried as an unknown shift: its state holds
the range of the shift and cost and need as functions of it, until the end fixes the shift.
"""

import heapq
from bisect import bisect_left, bisect_right
from dataclasses import dataclass

from agent.planning.relaxed import Model, Pass
from agent.planning.score import Piece

OFF, ON, BORN, ENDED, DRIFT, GOAL = range(6)
BEAM = 24
# Below every bound.
NOTHING = -(1 << 2000)


@dataclass(frozen=True, slots=True)
class Shift:
    """An unknown shift d in [low, high]: a cost of `linear` d + `square` d², `used` x d seconds."""

    used: int
    linear: int
    square: int
    low: int
    high: int

    def least(self, linear: int) -> int:
        """The least that `linear` d + `square` d² can be, or less."""
        if self.square >= 0:
            return min(linear * self.low, linear * self.high)
        low, high = self.low, self.high
        return min(linear * low + self.square * low * low, linear * high + self.square * high**2)

    def at(self, d: int) -> int:
        return self.linear * d + self.square * d * d


Key = tuple[int, int, int, tuple[int, int], Shift | None]
# Serving from a to b, each an instant plus so many shifts.
Run = tuple[int, int, int, int]


@dataclass(slots=True)
class Node:
    key: Key
    cost: int
    bound: int
    parent: "Node | None"
    run: Run | None
    shift: int = 0


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
        self.budget = budget
        self.sound = True
        self.best: dict[Key, int] = {}
        self.heap: list[tuple[int, int, Node]] = []
        self.buckets: list[list[Node]] | None = None
        self.count = 0
        need, load = self.need, self.load
        self.lowest = (
            -(load.min_on + load.grid + need.top - need.need) if need.hard else need.need - need.top
        )
        # A shift is worth following only where the edges are not all on one lattice.
        self.free = not model.steps and not need.contiguous
        self.block = need.contiguous and need.hard and need.cap is None

    # --- the two ways through the states

    def run(self) -> Found:
        self.roots()
        expanded = 0
        while self.heap:
            bound, _, node = heapq.heappop(self.heap)
            if node.key[0] == GOAL:
                return Found(self.pieces(node), node.cost, node.cost, self.sound)
            if self.best.get(node.key, node.cost) < node.cost:
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
        goal: Node | None = None
        for bucket in self.buckets:
            bucket.sort(key=lambda node: node.bound)
            taken = 0
            while bucket and taken < BEAM:
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
        if key[0] != GOAL:
            known = self.best.get(key)
            if known is not None and known <= node.cost:
                return
            self.best[key] = node.cost
        if self.buckets is not None:
            self.buckets[self._bucket(key)].append(node)
            return
        self.count += 1
        heapq.heappush(self.heap, (node.bound, self.count, node))

    def _bucket(self, key: Key) -> int:
        if key[0] == GOAL:
            return self.last + 1
        if key[0] == DRIFT:
            return min(self.last, max(0, bisect_right(self.points, key[1]) - 1))
        return key[1]

    def state(
        self,
        mode: int,
        j: int,
        left: int,
        decided: tuple[int, int],
        shift: Shift | None,
        cost: int,
        parent: Node | None,
        run: Run | None = None,
    ) -> None:
        """Put one state at point j on the heap, with its bound."""
        if j > self.last:
            return
        if (
            left if shift is None else left - min(shift.used * shift.low, shift.used * shift.high)
        ) < self.lowest:
            return
        crossed = self.points[j] >= self.need.deadline
        bound = NOTHING
        for one in self.passes:
            rest = one.on[j] if mode == ON else one.born[j] if mode == BORN else one.off[j]
            worth = (one.after if crossed else one.before)[0]
            counted = left if self.need.hard else left + self.need.top - self.need.need
            if shift is None:
                total = rest + worth * counted
            else:
                total = rest + worth * counted + shift.least(shift.linear - worth * shift.used)
            if total > bound:
                bound = total
        bound += cost
        if parent is not None and parent.bound > bound:
            bound = parent.bound
        decided = self.model.settle(self.points[j], decided)
        self.push(Node((mode, j, left, decided, shift), cost, bound, parent, run))

    def roots(self) -> None:
        load, need, model = self.load, self.need, self.model
        old = load.old
        cost = model.weights.money * old.cost * (len(old.paid(True)) + len(old.paid(False)))
        start = Node((OFF, 0, need.need, (0, 0), None), 0, NOTHING, None, None)
        # What is due before now is missing already.
        extra, left = self.cross(-1 if need.deadline <= 0 else 0, 0, need.need)
        cost += extra
        if not load.going:
            self.wait(load.wait, left, cost, start)
        elif not load.forced:
            self.state(ON, 0, left, (0, 0), None, cost, start)
        else:
            self.going(left, cost, start)

    def wait(self, until: int, left: int, cost: int, start: Node) -> None:
        extra, left = self.cross(0, until, left)
        j = bisect_left(self.points, until)
        if j > self.last:
            self.goal(start, left, cost + extra, None, until)
        else:
            self.state(OFF, j, left, (0, 0), None, cost + extra, start)

    def going(self, left: int, cost: int, start: Node) -> None:
        """The run that must go on: a split demand counts what it may, a block begins anywhere."""
        model, forced = self.model, self.load.forced
        j = bisect_left(self.points, forced)
        whole = model.base_until(forced)
        if not self.need.contiguous:
            spans, extra, rest = self._counted(forced, left)
            late = sum(model.extra_until(0, b) - model.extra_until(0, a) for a, b in spans)
            extra += late
            node = start
            for a, b in spans:
                node = Node(start.key, 0, NOTHING, node, (a, 0, b, 0))
            self.state(ON, j, rest, (0, 0), None, cost + whole + extra, node)
            return
        for k in range(j + 1):
            begin = self.points[k]
            end = forced
            if begin + self.need.need < forced:
                end = begin + self.need.need
            if begin > forced or (begin < forced and not self._may(begin, end)):
                continue
            gap, before = self.cross(0, begin, left)
            extra, rest = self.serve(begin, end, before)
            extra += model.extra_until(0, end) - model.extra_until(0, begin)
            more, rest = self.cross(end, forced, rest)
            node = Node(start.key, 0, NOTHING, start, (begin, 0, end, 0)) if end > begin else start
            self.state(ON, j, rest, (0, 0), None, cost + whole + gap + extra + more, node)

    def _may(self, a: int, b: int) -> bool:
        need = self.need
        return (
            a >= need.earliest
            and (need.hard or b <= need.deadline)
            and all(need.admits(cell) for _, _, cell in self.model.timeline.between(a, b))
        )

    def _counted(self, forced: int, left: int) -> tuple[list[tuple[int, int]], int, int]:
        """The seconds of the forced run that count, what that adds to the cost, what is left."""
        need, at, spans, cost = self.need, 0, [], 0
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
        """What is missing where [a, b] passes the deadline, and what may still come after it."""
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
            before = left - (need.deadline - a)
            cost, rest = self.cross(a, b, before)
            after = rest - (b - need.deadline)
        else:
            after = left - (b - a)
        cost += model.surplus(0, after) - model.surplus(0, left)
        return cost, after

    def cross_shift(self, a: int, b: int, left: int, shift: Shift) -> list[tuple[int, int, Shift]]:
        """`cross` with a shift: (cost, left, shift) for the parts of its range."""
        need = self.need
        if not need.hard or not a < need.deadline <= b:
            return [(0, left, shift)]
        out: list[tuple[int, int, Shift]] = []
        short = self.model.weights.short
        if shift.used == 0:
            cost, rest = self.cross(a, b, left)
            return [(cost, rest, shift)]
        # left - used d > 0 on one side of d0
        if shift.used > 0:
            split = (left - 1) // shift.used
            missing, done = (
                (shift.low, min(shift.high, split)),
                (max(shift.low, split + 1), shift.high),
            )
        else:
            split = -left
            missing, done = (
                (max(shift.low, split + 1), shift.high),
                (shift.low, min(shift.high, split)),
            )
        if missing[0] <= missing[1]:
            if need.allowance is not None:
                self.sound = False
            else:
                part = Shift(shift.used, shift.linear - short * shift.used, shift.square, *missing)
                out.append((short * left, left, part))
        if done[0] <= done[1]:
            out.append((0, left, Shift(shift.used, shift.linear, shift.square, *done)))
        return out

    def expand(self, node: Node) -> None:
        mode, at, left, decided, shift = node.key
        if mode == DRIFT:
            assert shift is not None
            self.drift(node, at, left, decided, shift)
        elif mode in (OFF, ENDED):
            self.off(node, mode, at, left, decided, shift)
        else:
            self.on(node, mode, at, left, decided, shift)

    def off(
        self,
        node: Node,
        mode: int,
        j: int,
        left: int,
        decided: tuple[int, int],
        shift: Shift | None,
    ) -> None:
        model, load, points = self.model, self.load, self.points
        t = points[j]
        if mode == OFF or load.min_off == 0:
            self.goal(node, left, node.cost, shift, t)
        if j < self.last:
            self.step(node, OFF, j, j + 1, left, decided, shift, 0, None)
        if left <= 0 or (self.need.contiguous and left != self.fresh(t)):
            return
        if mode == OFF and load.on_grid(t, 0):
            cost, after = model.edge(t, True, decided)
            cost += model.start_cost(t)
            if not load.min_on:
                self.state(BORN, j, left, after, shift, node.cost + cost, node)
            else:
                k = model.after_on[j]
                if k <= self.last and (load.grid or points[k] == t + load.min_on):
                    self.step(node, ON, j, k, left, after, shift, cost, (t, 0, points[k], 0))
        if self.free and shift is None and j < self.last and points[j + 1] - t > 1:
            self.start_drifting(node, t, left, decided, Shift(0, 0, 0, 1, points[j + 1] - t - 1))

    def fresh(self, t: int) -> int:
        """What a block that has not begun still needs at t."""
        need = self.need
        if need.allowance is not None and t >= need.deadline:
            return min(need.need, need.allowance)
        return need.need

    def step(
        self,
        node: Node,
        mode: int,
        j: int,
        k: int,
        left: int,
        decided: tuple[int, int],
        shift: Shift | None,
        cost: int,
        run: Run | None,
    ) -> None:
        """From point j to point k, served where there is a run."""
        a, b = self.points[j], self.points[k]
        cost += node.cost
        if run is not None:
            if self.barred[k] > self.barred[j]:
                return
            cost += self.costs[k] - self.costs[j]
        if shift is None:
            extra, after = self.serve(a, b, left) if run is not None else self.cross(a, b, left)
            self.state(mode, k, after, decided, None, cost + extra, node, run)
            return
        if run is not None and a < self.need.deadline < b:
            left -= self.need.deadline - a
            rest = b - self.need.deadline
        elif run is not None:
            left, rest = left - (b - a), 0
        else:
            rest = 0
        for extra, after, part in self.cross_shift(a, b, left, shift):
            self.state(mode, k, after - rest, decided, part, cost + extra, node, run)

    def on(
        self,
        node: Node,
        mode: int,
        j: int,
        left: int,
        decided: tuple[int, int],
        shift: Shift | None,
    ) -> None:
        model, load, points = self.model, self.load, self.points
        t = points[j]
        if j < self.last and self.goes_on(left, shift):
            self.step(node, ON, j, j + 1, left, decided, shift, 0, (t, 0, points[j + 1], 0))
        if mode == ON and load.on_grid(t, 0) and not (self.block and self.begun(left, t)):
            cost, after = model.edge(t, False, decided)
            k = model.after_off[j]
            over = self.need.contiguous and left != self.fresh(t)
            if k > self.last or over:
                parts = (
                    [(*self.cross(t, t + load.min_off, left), None)]
                    if shift is None
                    else self.cross_shift(t, t + load.min_off, left, shift)
                )
                for extra, rest, part in parts:
                    self.goal(node, rest, node.cost + cost + extra, part, t + load.min_off)
            else:
                self.step(node, ENDED if k == j else OFF, j, k, left, after, shift, cost, None)
        if self.free and shift is None and left > 0 and j < self.last and points[j + 1] - t > 1:
            self.end_drifting(node, t, j, left, decided)

    def goes_on(self, left: int, shift: Shift | None) -> bool:
        """Whether another second may be of use: one that is wanted, or up to the next grid step."""
        if shift is not None:
            return True
        return left > 0 or bool(self.load.grid)

    def begun(self, left: int, t: int) -> bool:
        return 0 < left < self.fresh(t)

    # --- the free chain

    def start_drifting(
        self, node: Node, t: int, left: int, decided: tuple[int, int], shift: Shift
    ) -> None:
        """A start at t + d. It is on for its minimum at once."""
        model, load = self.model, self.load
        first = t + shift.low
        edge, after = model.edge(first, True, decided)
        cost = node.cost + edge + model.start_cost(t)
        shift = Shift(
            shift.used,
            shift.linear + model.weights.sum_start,
            shift.square,
            shift.low,
            shift.high,
        )
        length = load.min_on
        if not length:
            self.drift_on(node, t, left, after, shift, cost, t, True)
            return
        moved = self.cost_between(t, t + length, shift)
        if moved is None or not self._may(first, t + shift.high + length):
            return
        extra, shift = moved
        for more, rest, part in self.serve_drifting(t, t + length, left, shift):
            self.drift_on(node, t + length, rest, after, part, cost + extra + more, t, False)

    def serve_drifting(
        self, a: int, b: int, left: int, shift: Shift
    ) -> list[tuple[int, int, Shift]]:
        """Served from a + d to b + d; the deadline may lie between."""
        due = self.need.deadline
        if not self.need.hard or not a < due <= b or a + shift.high >= due:
            return [(0, left - (b - a), shift)]
        # Until the deadline it gets due - a - d seconds.
        early = Shift(shift.used - 1, shift.linear, shift.square, shift.low, shift.high)
        out = []
        for cost, rest, part in self.cross_shift(a, b, left - (due - a), early):
            back = Shift(part.used + 1, part.linear, part.square, part.low, part.high)
            out.append((cost, rest - (b - due), back))
        return out

    def cost_between(self, a: int, b: int, shift: Shift) -> tuple[int, Shift] | None:
        """What being on from a + d to b + d costs, as a constant and a shift's cost."""
        one, other = self.slope(a, shift), self.slope(b, shift)
        if one is None or other is None:
            return None
        return other[0] - one[0], Shift(
            shift.used,
            shift.linear + other[1] - one[1],
            shift.square + other[2] - one[2],
            shift.low,
            shift.high,
        )

    def slope(self, t: int, shift: Shift) -> tuple[int, int, int] | None:
        """(cost up to t, linear, square) of being on up to t + d; None where it has a kink."""
        model, need = self.model, self.need
        if t + shift.high > model.end:
            return None
        named = model.named
        low = bisect_right(named, t + shift.low) - 1
        if low + 1 < len(named) and named[low + 1] < t + shift.high:
            self.sound = False
            return None
        w = model.weights
        cell = model.timeline.at(t + shift.low)
        base = model.base_until(t) + model.extra_until(0, t)
        linear, square = w.money * self.load.power * cell.choice, 0
        if cell.unknown:
            linear += w.unknown + w.instants * (2 * model.end - 2 * t + 1)
            square -= w.instants
        if not need.hard:
            linear -= w.money * need.gain
        elif t + shift.low >= max(0, need.deadline):
            linear += w.late * 2 * (t - max(0, need.deadline))
            square += w.late
        # The cell of t itself may be the one before.
        if t + shift.low > t and model.timeline.at(t) is not cell and t != cell.start:
            self.sound = False
            return None
        return base, linear, square

    def drift_on(
        self,
        node: Node,
        t: int,
        left: int,
        decided: tuple[int, int],
        shift: Shift,
        cost: int,
        begun: int,
        born: bool,
    ) -> None:
        """On since `begun` + d, at t + d now: on to the next point, or off where a chain hangs."""
        load, model = self.load, self.model
        at = self.slope(t, shift)
        if at is None:
            return
        low = shift.low
        while low <= shift.high:
            j = bisect_right(self.points, t + low)
            if j > self.last:
                break
            b = self.points[j]
            high = min(shift.high, b - t)
            if self._may(t + low, b):
                used = shift.used - 1
                linear, square = shift.linear - at[1], shift.square - at[2]
                total = cost + self.costs[j] - at[0]
                if used:
                    part = Shift(used, linear, square, low, high)
                    run = (begun, 1, b, 0)
                    due = self.need.deadline
                    for extra, rest, piece in self.cross_shift(t, b, left - (b - t), part):
                        self.state(ON, j, rest, decided, piece, total + extra, node, run)
                    assert not t < due < b
            low = high + 1
        if born or not load.min_off:
            return
        edge, after = model.edge(t + shift.low, False, decided)
        for extra, rest, part in self.cross_drift(t, t + load.min_off, left, shift):
            self.drifting(
                node, t + load.min_off, rest, after, part, cost + edge + extra, (begun, 1, t, 1)
            )

    def cross_drift(self, a: int, b: int, left: int, shift: Shift) -> list[tuple[int, int, Shift]]:
        due = self.need.deadline
        if a < due <= b and a + shift.high < due:
            return self.cross_shift(a, b, left, shift)
        return [(0, left, shift)]

    def end_drifting(self, node: Node, t: int, j: int, left: int, decided: tuple[int, int]) -> None:
        """An end at t + d, for a run that is on at point j."""
        model, load = self.model, self.load
        shift = Shift(0, 0, 0, 1, self.points[j + 1] - t - 1)
        if not self._may(t, t + shift.high):
            return
        at = self.slope(t, shift)
        if at is None:
            return
        shift = Shift(1, at[1], at[2], 1, min(shift.high, left - self.lowest))
        if shift.low > shift.high:
            return
        edge, after = model.edge(t + 1, False, decided)
        total = node.cost + edge
        for extra, rest, part in self.cross_drift(t, t + load.min_off, left, shift):
            self.drifting(node, t + load.min_off, rest, after, part, total + extra, (t, 0, t, 1))

    def drifting(
        self,
        node: Node,
        t: int,
        left: int,
        decided: tuple[int, int],
        shift: Shift,
        cost: int,
        run: Run,
    ) -> None:
        """Off, and ready to start at t + d."""
        if t + shift.low > self.model.end:
            if shift.used:
                self.goal(Node(node.key, cost, node.bound, node, run), left, cost, shift, t)
            return
        key = (DRIFT, t, left, decided, shift)
        j = min(self.last, bisect_right(self.points, t) - 1)
        crossed = t >= self.need.deadline
        bound = node.bound
        for one in self.passes:
            worth = (one.after if crossed else one.before)[0]
            counted = left if self.need.hard else left + self.need.top - self.need.need
            least = shift.least(shift.linear - worth * shift.used)
            bound = max(bound, cost + one.off[j] + worth * counted + least)
        self.push(Node(key, cost, bound, node, run))

    def drift(self, node: Node, t: int, left: int, decided: tuple[int, int], shift: Shift) -> None:
        low = shift.low
        while low <= shift.high:
            j = bisect_left(self.points, t + low)
            if j > self.last:
                if shift.used:
                    part = Shift(shift.used, shift.linear, shift.square, low, shift.high)
                    self.goal(node, left, node.cost, part, t)
                break
            b = self.points[j]
            high = min(shift.high, b - t)
            if shift.used:
                part = Shift(shift.used, shift.linear, shift.square, low, high)
                for extra, rest, piece in self.cross_shift(t, b, left, part):
                    self.state(OFF, j, rest, decided, piece, node.cost + extra, node)
            low = high + 1
        if self.load.min_off and self.load.min_on and left - shift.used * shift.low > 0:
            self.start_drifting(node, t, left, decided, shift)

    # --- the end

    def goal(self, node: Node, left: int, cost: int, shift: Shift | None, t: int) -> None:
        """No further run. Tries each value of a shift that can be the best one."""
        need, w = self.need, self.model.weights
        if self.block and self.begun(left, t) and t < need.deadline:
            return
        tries = [0]
        if shift is not None:
            tries = [shift.low, shift.high]
            for rest in (0, 1, need.need - need.top):
                d, odd = divmod(left - rest, shift.used)
                if not odd and shift.low <= d <= shift.high:
                    tries.append(d)
        for d in tries:
            rest = left - (shift.used * d if shift is not None else 0)
            if rest < self.lowest:
                continue
            total = cost + (shift.at(d) if shift is not None else 0)
            # With a shift the surplus was not yet paid for.
            if shift is not None:
                total += self.model.surplus(0, rest) - self.model.surplus(0, need.need)
            if need.hard:
                extra, rest = (
                    self.cross(t, max(t, need.deadline), rest) if t < need.deadline else (0, rest)
                )
                total += extra + w.never * max(0, rest)
            key = (GOAL, 0, rest, (0, 0), None)
            self.push(Node(key, total, total, node, None, d))

    def pieces(self, node: Node | None) -> list[Piece]:
        shift = node.shift if node is not None else 0
        spans: list[tuple[int, int]] = []
        while node is not None:
            if node.run is not None:
                a, da, b, db = node.run
                spans.append((a + da * shift, b + db * shift))
            node = node.parent
        spans.sort()
        return self.fill(spans)

    def fill(self, spans: list[tuple[int, int]]) -> list[Piece]:
        """Served spans as pieces, with the unserved parts of the run that must go on."""
        forced = self.load.forced
        out: list[Piece] = []
        at = 0
        for a, b in spans:
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
