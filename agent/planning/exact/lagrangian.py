"""A lower bound of what any plan still costs, from every instant on, by Lagrange multipliers.

Instead of asking for the energy, each served second is paid for. What is left has no memory but
on and off, so one pass back over the points gives the cheapest rest from each of them; with the
payment for what is still needed added, that never exceeds what the true rest costs. The best
multiplier is where the payment just brings about the need; a few others are kept, because the
best one differs from state to state.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from itertools import pairwise

from agent.planning.devices.flexible import ScaledDevice
from agent.planning.exact.breakpoints import Points
from agent.planning.exact.lexicographic import Weights
from agent.planning.incumbent import SAME_EDGE_S
from agent.planning.timeline import PriceSpan, Timeline


@dataclass(slots=True)
class Multipliers:
    """One set of multipliers: what a second earns `before` and `after` the deadline, by demand.

    `off[j]`, `on[j]` and `just_started[j]` bound the rest from point j less these earnings;
    `next_start[j]` and `ended[j]` do where the next edge is a start or an end at j.
    """

    before: tuple[int, ...]
    after: tuple[int, ...]
    off: list[int]
    on: list[int]
    just_started: list[int]
    next_start: list[int]
    ended: list[int]
    served: tuple[int, ...]
    root: int

    def forget(self) -> None:
        """Keeps only what it served and where it began."""
        self.off, self.on, self.just_started = [], [], []
        self.next_start, self.ended = [], []


class RelaxedModel:
    """Costs of being on between points, of edges, and what each demand allows.

    `costs[i][j]`: what serving demand i from now to point j costs, all aims in one number.
    """

    def __init__(
        self, timeline: Timeline, device: ScaledDevice, points: Points, weights: Weights
    ) -> None:
        self.timeline = timeline
        self.device = device
        self.weights = weights
        self.named = points.named
        self.points = points.points
        self.steps = points.steps
        self.closed = points.closed
        loose = set(points.named)
        # Where a start or an end may lie that nothing ties to the edge before it.
        self.loose = [points.steps or t in loose for t in points.points]
        self.back_on = [t in points.back_on for t in points.points]
        self.back_off = [t in points.back_off for t in points.points]
        self.end = self.points[-1]
        self.base = [self.base_until(t) for t in self.points]
        self.costs = [
            [b + self.extra_until(i, t) for b, t in zip(self.base, self.points, strict=True)]
            for i in range(len(device.demands))
        ]
        prices = [[cell for _, _, cell in timeline.between(a, b)] for a, b in pairwise(self.points)]
        self.barred = [self._barred(i, prices) for i in range(len(device.demands))]
        self.index = {t: j for j, t in enumerate(self.points)}
        self.after_on = [self._reach(t + device.min_on_s) for t in self.points]
        self.after_off = [self._reach(t + device.min_off_s) for t in self.points]
        self.edge_on = [self._relaxed_edge(t, True) for t in self.points]
        self.edge_off = [self._relaxed_edge(t, False) for t in self.points]

    def _reach(self, t: int) -> int:
        """First point at or after t; one beyond the last where there is none."""
        return self.index.get(t) or bisect_left(self.points, t)

    def base_until(self, t: int) -> int:
        """What being on from now to t costs, whoever is served."""
        w, timeline = self.weights, self.timeline
        cost = w.money * self.device.power * timeline.choice_until(t)
        unknown = timeline.unknown_until(t)
        if unknown:
            # Early unknown seconds cost more than late ones, and none costs less than nothing.
            instants = timeline.unknown_instants(0, t)
            cost += w.unknown * unknown + w.instants * (2 * self.end * unknown - 2 * instants)
        return cost

    def extra_until(self, i: int, t: int) -> int:
        """What serving demand i adds: being late, or its value."""
        demand = self.device.demands[i]
        if demand.hard:
            return self.weights.late * max(0, t - max(0, demand.deadline)) ** 2
        return -self.weights.money * demand.value_per_s * t

    def _barred(self, i: int, prices: list[list[PriceSpan]]) -> list[int]:
        """How many of the spans between points before each point demand i may not use."""
        demand, count, out = self.device.demands[i], 0, [0]
        for (a, b), cells in zip(pairwise(self.points), prices, strict=True):
            ok = a >= demand.earliest and (demand.hard or b <= demand.deadline)
            count += not (ok and all(demand.admits(cell) for cell in cells))
            out.append(count)
        return out

    def edge(self, t: int, kind: bool, decided: tuple[int, int]) -> tuple[int, tuple[int, int]]:
        """What an edge costs against the previous plan, and which old edges are decided after it.

        A plan pays for all old edges from the start; an edge that stands for some earns them back.
        """
        old = self.device.incumbent
        if not old.cost:
            return 0, decided
        cost = old.cost if old.is_new(t, kind) else 0
        paid = old.counted(kind)
        which = 0 if kind else 1
        low = max(decided[which], bisect_left(paid, t - SAME_EDGE_S))
        high = bisect_right(paid, t + SAME_EDGE_S)
        if high > low:
            cost -= old.cost * (high - low)
        high = max(high, decided[which])
        after = (high, decided[1]) if kind else (decided[0], high)
        return self.weights.money * cost, after

    def _bend(self, i: int, j: int) -> int:
        """By how much an edge within a span may be cheaper than a straight line says.

        Late and unknown seconds weigh by when they come, so their sums bend.
        """
        if self.steps:
            return 0
        a, b = self.points[j], self.points[j + 1]
        bend = 0
        if self.timeline.at(a).unknown:
            bend += self.weights.instants * (b - a) ** 2
        if self.device.demands[i].hard and a >= self.device.demands[i].deadline:
            bend += self.weights.late * (b - a) ** 2
        return bend

    def settle(self, t: int, decided: tuple[int, int]) -> tuple[int, int]:
        """Old edges that lie too far back at t are decided as well."""
        old = self.device.incumbent
        if not old.cost:
            return decided
        return (
            max(decided[0], bisect_left(old.counted(True), t - SAME_EDGE_S)),
            max(decided[1], bisect_left(old.counted(False), t - SAME_EDGE_S)),
        )

    def _relaxed_edge(self, t: int, kind: bool) -> int | None:
        """The least that an edge at t may cost, start costs included; None off the grid."""
        if not self.device.on_grid(t, None):
            return None
        cost, _ = self.edge(t, kind, (0, 0))
        if kind:
            cost += self.start_cost(t)
        return cost

    def start_cost(self, t: int) -> int:
        w = self.weights
        return w.money * self.device.start_cost + w.starts + w.sum_start * t

    def surplus(self, i: int, left: int) -> int:
        """What is paid for by the time that `left` seconds are needed (less than 0: too much)."""
        if left > 0:
            return 0
        demand = self.device.demands[i]
        if demand.hard:
            return self.weights.excess * -left
        return self.weights.money * (
            demand.value_per_s - demand.value_of_last_s - demand.value_per_s * left
        )

    def relax(self, before: tuple[int, ...], after: tuple[int, ...]) -> Multipliers:
        """One pass back over the points."""
        device, points, size = self.device, self.points, len(self.points)
        demands = device.demands
        count = len(demands)
        # Cheapest way to be on between neighbouring points, and whom that serves.
        spans: list[int | None] = []
        served_by: list[int] = []
        for j in range(size - 1):
            best: int | None = None
            who = 0
            length = points[j + 1] - points[j]
            for i in range(count):
                if self.barred[i][j + 1] > self.barred[i][j]:
                    continue
                late = points[j] >= demands[i].deadline
                split = max(0, min(length, demands[i].deadline - points[j]))
                earned = (
                    after[i] * length if late else before[i] * split + after[i] * (length - split)
                )
                cost = self.costs[i][j + 1] - self.costs[i][j] - earned - self._bend(i, j)
                if best is None or cost < best:
                    best, who = cost, i
            # Nobody is served: only where it must go on.
            unwanted = self.base[j + 1] - self.base[j]
            if points[j] < device.mandatory_s and (best is None or unwanted < best):
                best, who = unwanted, -1
            spans.append(best)
            served_by.append(who)
        total, closed = [0], [0]
        for span in spans:
            total.append(total[-1] + (span or 0))
            closed.append(closed[-1] + (span is None))
        never = 1 << (self.weights.short.bit_length() + 80)
        off, on, just_started = [0] * size, [never] * size, [never] * size
        next_start, ended = [never] * size, [never] * size
        choice_off, choice_on = [0] * size, [0] * size
        last = size - 1
        ended[last] = self.edge_off[last] if self.edge_off[last] is not None else never  # type: ignore[assignment]
        on[last] = self.edge_off[last] if self.edge_off[last] is not None else never  # type: ignore[assignment]
        for j in range(last - 1, -1, -1):
            span = spans[j]
            stop = self.edge_off[j]
            if span is not None:
                just_started[j] = span + on[j + 1]
            through, brief = just_started[j], False
            if span is not None and stop is not None and not self.steps:
                # A run may end before the next point.
                k = max(j + 1, self.after_off[j])
                ended_soon = stop + (off[k] if k <= last else 0)
                if ended_soon < just_started[j]:
                    just_started[j], brief = ended_soon, True
            # Off first: with no minimum off time an end leads to being off at the same point.
            value, chosen = off[j + 1], 0
            if value > 0:
                value, chosen = 0, 3
            start = self.edge_on[j]
            if start is not None:
                k = self.after_on[j]
                if k <= last and closed[k] == closed[j]:
                    rest = on[k] if k > j else just_started[j]
                    next_start[j] = start + total[k] - total[j] + rest
                    if next_start[j] < value:
                        value, chosen = next_start[j], 2 if k == j and brief else 1
            off[j], choice_off[j] = value, chosen
            value, chosen = through, 1
            if stop is not None:
                k = self.after_off[j]
                ended[j] = stop + (off[k] if k <= last else 0)
                if ended[j] < value:
                    value, chosen = ended[j], 2
            on[j], choice_on[j] = value, chosen
        served = self._served(choice_off, choice_on, served_by)
        first = on[0] if device.running else off[min(self.after_wait(), last)]
        root = first + sum(self.earned(i, before, after) for i in range(count))
        return Multipliers(before, after, off, on, just_started, next_start, ended, served, root)

    def after_wait(self) -> int:
        return self._reach(self.device.blocked_s)

    def earned(self, i: int, before: tuple[int, ...], after: tuple[int, ...]) -> int:
        demand = self.device.demands[i]
        return (before if demand.deadline > 0 else after)[i] * self.most(i, demand.needed_s)

    def most(self, i: int, left: int) -> int:
        """The seconds that a multiplier counts for a state: a soft demand may take its top."""
        demand = self.device.demands[i]
        return left if demand.hard else left + demand.max_s - demand.needed_s

    def _served(
        self, choice_off: list[int], choice_on: list[int], served_by: list[int]
    ) -> tuple[int, ...]:
        """Seconds that each demand gets in the plan of the pass, late ones left out while hard."""
        device, points, last = self.device, self.points, len(self.points) - 1
        served = [0] * len(device.demands)

        def count(a: int, b: int) -> None:
            for j in range(a, b):
                i = served_by[j]
                if i >= 0:
                    served[i] += points[j + 1] - points[j]

        j, on = (0, True) if device.running else (min(self.after_wait(), last), False)
        while j < last:
            if on:
                if choice_on[j] == 1:
                    count(j, j + 1)
                    j += 1
                else:
                    j, on = self.after_off[j], False
            elif choice_off[j] == 0:
                j += 1
            elif choice_off[j] == 2:
                j = max(j + 1, self.after_off[j])
            elif choice_off[j] == 1:
                k = self.after_on[j]
                if k == j:
                    count(j, j + 1)
                    k = j + 1
                else:
                    count(j, k)
                j, on = k, True
            else:
                break
        return tuple(served)
