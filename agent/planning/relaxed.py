"""A lower bound of what any plan still costs, from every instant on, by Lagrange multipliers.

Instead of asking for the energy, each served second is paid for. What is left has no memory but
on and off, so one pass back over the points gives the cheapest rest from each of them; with the
payment for what is still needed added, that never exceeds what the true rest costs. The best
multiplier is where the payment just brings about the need; a few others are kept, because the
best one differs from state to state.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass

from agent.planning.load import SAME_EDGE_S, Load
from agent.planning.points import Points
from agent.planning.timeline import Timeline
from agent.planning.weights import Weights

ROUNDS = 14
KEPT = 5


@dataclass(slots=True)
class Pass:
    """One set of multipliers: what a second earns `before` and `after` the deadline, by demand.

    `off[j]`, `on[j]` and `born[j]` (just started) bound the rest from point j less these earnings;
    `begun[j]` and `ended[j]` do where the next edge is a start or an end at j.
    """

    before: tuple[int, ...]
    after: tuple[int, ...]
    off: list[int]
    on: list[int]
    born: list[int]
    begun: list[int]
    ended: list[int]
    served: tuple[int, ...]
    root: int


class Model:
    """Costs of being on between points, of edges, and what each demand allows.

    `costs[i][j]`: what serving demand i from now to point j costs, all aims in one number.
    """

    def __init__(self, timeline: Timeline, load: Load, points: Points, weights: Weights) -> None:
        self.timeline = timeline
        self.load = load
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
            for i in range(len(load.needs))
        ]
        self.barred = [self._barred(i) for i in range(len(load.needs))]
        self.index = {t: j for j, t in enumerate(self.points)}
        self.after_on = [self._reach(t + load.min_on) for t in self.points]
        self.after_off = [self._reach(t + load.min_off) for t in self.points]
        self.edge_on = [self._relaxed_edge(t, True) for t in self.points]
        self.edge_off = [self._relaxed_edge(t, False) for t in self.points]

    def _reach(self, t: int) -> int:
        """First point at or after t; one beyond the last where there is none."""
        return self.index.get(t) or bisect_left(self.points, t)

    def base_until(self, t: int) -> int:
        """What being on from now to t costs, whoever is served."""
        w, timeline = self.weights, self.timeline
        cost = w.money * self.load.power * timeline.choice_until(t)
        unknown = timeline.unknown_until(t)
        if unknown:
            # Early unknown seconds cost more than late ones, and none costs less than nothing.
            instants = timeline.unknown_instants(0, t)
            cost += w.unknown * unknown + w.instants * (2 * self.end * unknown - 2 * instants)
        return cost

    def extra_until(self, i: int, t: int) -> int:
        """What serving demand i adds: being late, or its value."""
        need = self.load.needs[i]
        if need.hard:
            return self.weights.late * max(0, t - max(0, need.deadline)) ** 2
        return -self.weights.money * need.gain * t

    def _barred(self, i: int) -> list[int]:
        """How many of the spans between points before each point demand i may not use."""
        need, count, out = self.load.needs[i], 0, [0]
        for a, b in zip(self.points, self.points[1:], strict=False):
            ok = a >= need.earliest and (need.hard or b <= need.deadline)
            ok = ok and all(need.admits(cell) for _, _, cell in self.timeline.between(a, b))
            count += not ok
            out.append(count)
        return out

    def edge(self, t: int, kind: bool, decided: tuple[int, int]) -> tuple[int, tuple[int, int]]:
        """What an edge costs against the previous plan, and which old edges are decided after it.

        A plan pays for all old edges from the start; an edge that stands for some earns them back.
        """
        old = self.load.old
        if not old.cost:
            return 0, decided
        cost = old.cost if old.is_new(t, kind) else 0
        paid = old.paid(kind)
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
        if self.load.needs[i].hard and a >= self.load.needs[i].deadline:
            bend += self.weights.late * (b - a) ** 2
        return bend

    def settle(self, t: int, decided: tuple[int, int]) -> tuple[int, int]:
        """Old edges that lie too far back at t are decided as well."""
        old = self.load.old
        if not old.cost:
            return decided
        return (
            max(decided[0], bisect_left(old.paid(True), t - SAME_EDGE_S)),
            max(decided[1], bisect_left(old.paid(False), t - SAME_EDGE_S)),
        )

    def _relaxed_edge(self, t: int, kind: bool) -> int | None:
        """The least that an edge at t may cost, start costs included; None off the grid."""
        if not self.load.on_grid(t, None):
            return None
        cost, _ = self.edge(t, kind, (0, 0))
        if kind:
            cost += self.start_cost(t)
        return cost

    def start_cost(self, t: int) -> int:
        w = self.weights
        return w.money * self.load.start_cost + w.starts + w.sum_start * t

    def surplus(self, i: int, left: int) -> int:
        """What is paid for by the time that `left` seconds are needed (less than 0: too much)."""
        if left > 0:
            return 0
        need = self.load.needs[i]
        if need.hard:
            return self.weights.excess * -left
        return self.weights.money * (need.gain - need.gain_of_last - need.gain * left)

    def relax(self, before: tuple[int, ...], after: tuple[int, ...]) -> Pass:
        """One pass back over the points."""
        load, points, size = self.load, self.points, len(self.points)
        needs = load.needs
        count = len(needs)
        # Cheapest way to be on between neighbouring points, and whom that serves.
        spans: list[int | None] = []
        whom: list[int] = []
        for j in range(size - 1):
            best: int | None = None
            who = 0
            length = points[j + 1] - points[j]
            for i in range(count):
                if self.barred[i][j + 1] > self.barred[i][j]:
                    continue
                late = points[j] >= needs[i].deadline
                split = max(0, min(length, needs[i].deadline - points[j]))
                earned = (
                    after[i] * length if late else before[i] * split + after[i] * (length - split)
                )
                cost = self.costs[i][j + 1] - self.costs[i][j] - earned - self._bend(i, j)
                if best is None or cost < best:
                    best, who = cost, i
            # Nobody is served: only where it must go on.
            unwanted = self.base[j + 1] - self.base[j]
            if points[j] < load.forced and (best is None or unwanted < best):
                best, who = unwanted, -1
            spans.append(best)
            whom.append(who)
        total, closed = [0], [0]
        for span in spans:
            total.append(total[-1] + (span or 0))
            closed.append(closed[-1] + (span is None))
        never = 1 << (self.weights.short.bit_length() + 80)
        off, on, born = [0] * size, [never] * size, [never] * size
        begun, ended = [never] * size, [never] * size
        choice_off, choice_on = [0] * size, [0] * size
        last = size - 1
        ended[last] = self.edge_off[last] if self.edge_off[last] is not None else never  # type: ignore[assignment]
        on[last] = self.edge_off[last] if self.edge_off[last] is not None else never  # type: ignore[assignment]
        for j in range(last - 1, -1, -1):
            span = spans[j]
            stop = self.edge_off[j]
            if span is not None:
                born[j] = span + on[j + 1]
            through, brief = born[j], False
            if span is not None and stop is not None and not self.steps:
                # A run may end before the next point.
                k = max(j + 1, self.after_off[j])
                ended_soon = stop + (off[k] if k <= last else 0)
                if ended_soon < born[j]:
                    born[j], brief = ended_soon, True
            # Off first: with no minimum off time an end leads to being off at the same point.
            value, chosen = off[j + 1], 0
            if value > 0:
                value, chosen = 0, 3
            start = self.edge_on[j]
            if start is not None:
                k = self.after_on[j]
                if k <= last and closed[k] == closed[j]:
                    rest = on[k] if k > j else born[j]
                    begun[j] = start + total[k] - total[j] + rest
                    if begun[j] < value:
                        value, chosen = begun[j], 2 if k == j and brief else 1
            off[j], choice_off[j] = value, chosen
            value, chosen = through, 1
            if stop is not None:
                k = self.after_off[j]
                ended[j] = stop + (off[k] if k <= last else 0)
                if ended[j] < value:
                    value, chosen = ended[j], 2
            on[j], choice_on[j] = value, chosen
        served = self._served(choice_off, choice_on, whom)
        first = on[0] if load.going else off[min(self.after_wait(), last)]
        root = first + sum(self.earned(i, before, after) for i in range(count))
        return Pass(before, after, off, on, born, begun, ended, served, root)

    def after_wait(self) -> int:
        return self._reach(self.load.wait)

    def earned(self, i: int, before: tuple[int, ...], after: tuple[int, ...]) -> int:
        need = self.load.needs[i]
        return (before if need.deadline > 0 else after)[i] * self.most(i, need.need)

    def most(self, i: int, left: int) -> int:
        """The seconds that a multiplier counts for a state: a soft demand may take its top."""
        need = self.load.needs[i]
        return left if need.hard else left + need.top - need.need

    def _served(
        self, choice_off: list[int], choice_on: list[int], whom: list[int]
    ) -> tuple[int, ...]:
        """Seconds that each demand gets in the plan of the pass, late ones left out while hard."""
        load, points, last = self.load, self.points, len(self.points) - 1
        served = [0] * len(load.needs)

        def count(a: int, b: int) -> None:
            for j in range(a, b):
                i = whom[j]
                if i >= 0:
                    served[i] += points[j + 1] - points[j]

        j, on = (0, True) if load.going else (min(self.after_wait(), last), False)
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


def passes_of(model: Model) -> list[Pass]:
    """A few passes, the best bound first: multipliers by the secant method, demand by demand."""
    load, w = model.load, model.weights
    count = len(load.needs)
    if not count:
        return [model.relax((), ())]
    found: list[Pass] = []

    def split(values: list[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        before, after = [], []
        for need, value in zip(load.needs, values, strict=True):
            if value <= 0:
                low = max(value, -w.excess) if need.hard else value
                before.append(low)
                after.append(low)
            elif not need.hard:
                before.append(0)
                after.append(0)
            else:
                late = max(0, value - w.short) if need.allowance is None else 0
                late = min(late, w.never)
                before.append(min(value, w.short) + late)
                after.append(late)
        return tuple(before), tuple(after)

    seen: dict[tuple[int, ...], Pass] = {}

    def at(values: list[int]) -> Pass:
        key = tuple(values)
        if key not in seen:
            seen[key] = model.relax(*split(values))
            found.append(seen[key])
        return seen[key]

    values = [_marginal(model, i) for i in range(count)]
    at(values)
    for _ in range(1 if count == 1 else 3):
        for i in range(count):
            values = _secant(model, at, values, i)
    # What would be missing counts before all else: see it coming from every state.
    plenty = [
        at([weight if need.hard else 0 for need in load.needs]) for weight in (w.short, w.unknown)
    ]
    found.sort(key=lambda one: -one.root)
    first = seen[tuple(_marginal(model, i) for i in range(count))]
    kept: list[Pass] = []
    for one in found:
        if len(kept) < KEPT and not any(
            (one.before, one.after) == (other.before, other.after) for other in kept
        ):
            kept.append(one)
    kept += [one for one in (first, *plenty) if not any(one is other for other in kept)]
    return kept


def _secant(model: Model, at: Callable[[list[int]], Pass], values: list[int], i: int) -> list[int]:
    """The multiplier of demand i that makes the bound greatest, the others fixed."""
    need, w = model.load.needs[i], model.weights
    wanted = model.most(i, need.need)

    def put(value: int) -> list[int]:
        return [*values[:i], value, *values[i + 1 :]]

    best = at(values)
    best_value = values[i]
    low, high = values[i], values[i]
    step = w.money * (model.load.start_cost + 1) // max(1, need.need) + abs(values[i]) // 8 + 1
    one = best
    lower = upper = one
    # A bracket: a multiplier that brings too little and one that brings too much.
    for _ in range(12):
        if upper.served[i] >= wanted or (not need.hard and high >= 0):
            break
        low, lower = high, upper
        high, step = high + step, step * 6
        upper = at(put(high))
    for _ in range(12):
        if lower.served[i] <= wanted:
            break
        high, upper = low, lower
        low, step = low - step, step * 6
        lower = at(put(low))
    for _ in range(ROUNDS):
        if lower.served[i] >= wanted or upper.served[i] <= wanted or high - low <= 1:
            break
        # Both passes are lines in the multiplier; the bound cannot lie above where they meet.
        slope_low, slope_high = wanted - lower.served[i], wanted - upper.served[i]
        middle = low + (upper.root - lower.root + slope_high * (low - high)) // (
            slope_low - slope_high
        )
        middle = min(max(middle, low + 1), high - 1)
        one = at(put(middle))
        if one.served[i] == wanted:
            low = high = middle
            break
        if one.served[i] < wanted:
            low, lower = middle, one
        else:
            high, upper = middle, one
    for value in (low, high):
        if at(put(value)).root > best.root:
            best, best_value = at(put(value)), value
    return put(best_value)


def _marginal(model: Model, i: int) -> int:
    """What the dearest needed second costs where seconds were free to choose."""
    need, points = model.load.needs[i], model.points
    rates = []
    for j in range(len(points) - 1):
        if model.barred[i][j + 1] > model.barred[i][j] or points[j] >= max(0, need.deadline):
            continue
        length = points[j + 1] - points[j]
        rates.append(((model.costs[i][j + 1] - model.costs[i][j]) // length, length))
    left, last = need.need, 0
    for rate, length in sorted(rates):
        last = rate
        left -= length
        if left <= 0:
            break
    if left > 0 and need.hard:
        return model.weights.short
    return last if need.hard else min(0, last)
