"""What spans and edges cost where switching has a price, and what any rest costs at least.

Time is cut at points: where a price, a window, or the price of an edge changes. All costs are whole
numbers that hold money first, then the number of starts, then the sum of their instants.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from itertools import accumulate, pairwise

from agent.planning.engine import Deadline
from agent.planning.exact.objectives import Task
from agent.planning.incumbent import LASTING_S, OFF, ON, SAME_EDGE_S

# Passes over the points for one multiplier, and how often each demand's is looked at again.
MOST_PASSES, ROUNDS = 24, 2
# Further multipliers bound states that have served more or less than the best plan has by then.
SPREAD = 4
# So many runs and gaps in a row may be as short as they may be.
LASTING_TOGETHER = 2


@dataclass(frozen=True, slots=True)
class Edge:
    """What an edge costs: `plain` where it stands for no old one, `kept` where it does (or None).

    `before_old`: an old edge of the other kind may follow within `LASTING_S`.
    """

    plain: int
    kept: int | None
    before_old: bool

    @property
    def least(self) -> int:
        return self.plain if self.kept is None else min(self.plain, self.kept)


@dataclass(frozen=True, slots=True)
class Rest:
    """A lower bound of the rest from each point on, off or on before it, less what seconds earn.

    `worth` is what a second of each demand earns; `root` bounds the whole; `served` is by demand.
    """

    off: list[int]
    on: list[int]
    worth: tuple[int, ...]
    root: int
    served: list[int]
    sums: list[int]
    after: list[int]

    def earned(self, served: int) -> int:
        """What the seconds that are still needed earn, as demands are served in their order."""
        k = bisect_right(self.sums, served)
        if k >= len(self.sums):
            return 0
        return self.after[k] + self.worth[k - 1] * (self.sums[k] - served)


class EdgePrices:
    """`rate[j]`: a second on in span j, None where it may not be; `edge[kind][j]` at point j.

    `inside[kind][j]`: strictly within span j, its start counted at the end of the span.
    `due[j]`: seconds that must be served by point j; `open[j]`: that may be by the end of span j.
    """

    def __init__(self, task: Task) -> None:
        self.task, self.device = task, task.device
        device = task.device
        asked = [i for i, demand in enumerate(device.demands) if demand.needed_s]
        asked.sort(key=lambda i: (device.demands[i].deadline, device.demands[i].earliest))
        self.demands = [device.demands[i] for i in asked]
        self.needs = [demand.needed_s for demand in self.demands]
        self.total = sum(self.needs)
        self.points = self._points()
        count, end = len(self.points), self.points[-1]
        self.per_start = (count + 2) * (end + 1)
        self.per_money = self.per_start * (count + 2)
        old = device.incumbent
        # Where it costs nothing starts are told apart all the same.
        self.switching = self.per_money * max(2 * old.cost, device.start_cost) or self.per_money
        self.paid = old.cost * (len(old.counted(ON)) + len(old.counted(OFF)) + old.lost)
        self.windows = [
            [k for k, one in enumerate(self.demands) if one.earliest <= a and b <= one.deadline]
            for a, b in pairwise(self.points)
        ]
        self.rate = [
            self._rate(a, bool(who)) for a, who in zip(self.points, self.windows, strict=False)
        ]
        self.edge = {kind: [self._edge(t, kind) for t in self.points] for kind in (ON, OFF)}
        self.inside = {
            kind: [
                self._edge(a + 1, kind, b) if b - a > 1 else None for a, b in pairwise(self.points)
            ]
            for kind in (ON, OFF)
        }
        sums = [0, *accumulate(self.needs)]
        deadlines = [demand.deadline for demand in self.demands]
        begins = [demand.earliest for demand in self.demands]
        self.due = [sums[bisect_right(deadlines, t)] for t in self.points]
        self.open = [sums[bisect_right(begins, t)] for t in self.points]
        self.sums = sums

    def _points(self) -> list[int]:
        device = self.device
        old = device.incumbent
        end = max(1, *(demand.deadline for demand in self.demands))
        found = {0, end, old.until, *self.task.timeline.edges(0, end)}
        found |= {t for one in self.demands for t in (one.earliest, one.deadline)}
        if old.cost:
            found |= {
                edge + sign * SAME_EDGE_S
                for kind in (ON, OFF)
                for edge in old.edges[kind]
                for sign in (1, -1)
            }
            # What stands for an old edge lasts, and is as short as that where it pays.
            for _ in range(LASTING_TOGETHER):
                beside = {point: old.has_near(point) for point in found}
                found |= {
                    t
                    for point, is_beside in beside.items()
                    for t in (point - LASTING_S, point + LASTING_S)
                    if is_beside or old.has_near(t)
                }
        return sorted(t for t in found if 0 <= t <= end)

    def _rate(self, at: int, wanted: bool) -> int | None:
        cell = self.task.timeline.at(at)
        if not wanted or cell.unknown or not self.demands[0].admits(cell):
            return None
        return self.per_money * self.device.power * cell.choice

    def _edge(self, t: int, kind: bool, until: int | None = None) -> Edge:
        """At t, or anywhere from there to `until`, a start then counted as if it were there."""
        old, near = self.device.incumbent, SAME_EDGE_S
        start = 0
        if kind == ON:
            start = self.per_money * self.device.start_cost + self.per_start
            start += until or t
        if not old.cost:
            return Edge(start, None, before_old=False)
        plain = start + self.per_money * (old.cost if 0 <= t < old.until else 0)
        edges, counted = old.edges[kind], old.counted(kind)
        kept = None
        if bisect_left(edges, t - near) < bisect_right(edges, t + near):
            count = bisect_right(counted, t + near) - bisect_left(counted, t - near)
            kept = start - self.per_money * old.cost * count
        others = old.edges[not kind]
        low, high = t - near, (until or t) + LASTING_S + near
        return Edge(plain, kept, bisect_left(others, low) < bisect_left(others, high))

    def all_can_be_had(self) -> bool:
        """Whether being on whenever there is something to serve is in time for everybody."""
        served = 0
        for j, (a, b) in enumerate(pairwise(self.points)):
            if served < self.due[j]:
                return False
            if self.rate[j] is not None:
                served = min(self.open[j], served + b - a)
        return served >= self.due[-1]

    def money(self, cost: int) -> int:
        """The objective in a cost, old edges that are missed included."""
        return cost // self.per_money + self.paid

    def ceiling(self, objective: int) -> int:
        """The greatest cost of a plan with that objective."""
        return (objective - self.paid + 1) * self.per_money - 1

    def relaxed(self, worth: tuple[int, ...]) -> Rest:
        """One pass back: seconds are paid for instead of asked for, edges are as cheap as can be.

        Edges inside a span are never cheaper than at its ends, where two may be at once.
        """
        points, last = self.points, len(self.points) - 1
        on_edge = [edge.least for edge in self.edge[ON]]
        off_edge = [edge.least for edge in self.edge[OFF]]
        never = BARRED << self.per_money.bit_length()
        off, on = [0] * (last + 1), [0] * (last + 1)
        off[last] = min(0, on_edge[last] + off_edge[last])
        on[last] = off_edge[last]
        starts, stops = [False] * (last + 1), [False] * (last + 1)
        for j in range(last - 1, -1, -1):
            rate = self.rate[j]
            stay_off, stay_on = off[j + 1], never
            if rate is not None:
                earned = max(worth[k] for k in self.windows[j])
                stay_on = on[j + 1] + (rate - earned) * (points[j + 1] - points[j])
            both = on_edge[j] + off_edge[j]
            if both < 0:
                off[j], on[j] = stay_off + both, stay_on + both
            else:
                off[j], on[j] = stay_off, stay_on
            if stay_on + on_edge[j] < off[j]:
                off[j], starts[j] = stay_on + on_edge[j], True
            if stay_off + off_edge[j] < on[j]:
                on[j], stops[j] = stay_off + off_edge[j], True
        served = [0] * len(worth)
        is_on = self.device.running
        root = on[0] if is_on else off[0]
        for j in range(last):
            is_on = not stops[j] if is_on else starts[j]
            if is_on:
                who = max(self.windows[j], key=worth.__getitem__)
                served[who] += points[j + 1] - points[j]
        root += sum(a * b for a, b in zip(worth, self.needs, strict=True))
        after = [0] * len(self.sums)
        for k in range(len(worth) - 1, 0, -1):
            after[k] = after[k + 1] + worth[k] * self.needs[k]
        return Rest(off, on, worth, root, served, self.sums, after)

    def marginal(self, k: int) -> int:
        """What the dearest second that demand k needs costs where switching is free."""
        rates = sorted(
            (rate, b - a)
            for (a, b), rate, who in zip(
                pairwise(self.points), self.rate, self.windows, strict=True
            )
            if rate is not None and k in who
        )
        left, last = self.needs[k], 0
        for rate, length in rates:
            last, left = rate, left - length
            if left <= 0:
                break
        return last


# What is not allowed costs so much more than anything else, as a power of two.
BARRED = 1 << 100


def rests_of(prices: EdgePrices, deadline: Deadline) -> list[Rest]:
    """The best bound, then some for states that are ahead of it or behind."""
    best = prices.relaxed(tuple(prices.marginal(k) for k in range(len(prices.needs))))
    for _ in range(ROUNDS if len(prices.needs) > 1 else 1):
        for k in range(len(prices.needs)):
            if deadline.over():
                break
            best = _along(prices, best, k)
    found = [best]
    step = prices.switching // max(1, min(prices.needs))
    found += [
        prices.relaxed(tuple(one + sign * SPREAD * step for one in best.worth))
        for sign in (1, -1)
        if not deadline.over()
    ]
    return found


def _along(prices: EdgePrices, best: Rest, k: int) -> Rest:
    """The worth of demand k for which the bound is greatest, the others' fixed.

    The bound is concave in it, its slope the seconds that are missing: where the lines of two
    passes meet lies above it, and is looked at next.
    """
    need = prices.needs[k]

    def at(value: int) -> Rest:
        return prices.relaxed((*best.worth[:k], value, *best.worth[k + 1 :]))

    low = high = start = best
    step = 1 + prices.switching // need
    passes = 0
    while high.served[k] < need and passes < MOST_PASSES:
        low, high = high, at(high.worth[k] + step)
        step, passes = step * 4, passes + 1
    while low.served[k] > need and passes < MOST_PASSES:
        low, high = at(low.worth[k] - step), low
        step, passes = step * 4, passes + 1
    while low.served[k] < need < high.served[k] and passes < MOST_PASSES:
        rise, fall = need - low.served[k], high.served[k] - need
        a, b = low.worth[k], high.worth[k]
        meet = (high.root - low.root + rise * a + fall * b) // (rise + fall)
        passes += 1
        if not a < meet < b:
            break
        one = at(meet)
        if one.root <= max(low.root, high.root):
            break
        if one.served[k] < need:
            low = one
        else:
            high = one
    return max((start, low, high), key=lambda one: one.root)
