"""Which multipliers bound best: those that just bring about what is needed, found by secants."""

from collections.abc import Callable
from dataclasses import replace

from agent.planning.engine import Deadline
from agent.planning.exact.breakpoints import Points
from agent.planning.exact.lagrangian import Multipliers, RelaxedModel
from agent.planning.exact.lexicographic import Weights
from agent.planning.exact.objectives import Task

ROUNDS = 14
KEPT = 5


def multipliers_of(model: RelaxedModel, deadline: Deadline) -> list[Multipliers]:
    """A few passes, the best bound first: multipliers by the secant method, demand by demand."""
    device, w = model.device, model.weights
    count = len(device.demands)
    if not count:
        return [model.relax((), ())]
    found: list[Multipliers] = []

    def split(values: list[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        before, after = [], []
        for demand, value in zip(device.demands, values, strict=True):
            if value <= 0:
                low = max(value, -w.excess) if demand.hard else value
                before.append(low)
                after.append(low)
            elif not demand.hard:
                before.append(0)
                after.append(0)
            else:
                late = max(0, value - w.short) if demand.allowance_s is None else 0
                late = min(late, w.never)
                before.append(min(value, w.short) + late)
                after.append(late)
        return tuple(before), tuple(after)

    seen: dict[tuple[int, ...], Multipliers] = {}

    def at(values: list[int]) -> Multipliers:
        key = tuple(values)
        if key not in seen:
            seen[key] = model.relax(*split(values))
            found.append(seen[key])
            if len(found) > KEPT + 1:
                # The first is kept anyway; of the others only the best, as they are long.
                worst = min(range(1, len(found)), key=lambda n: found[n].root)
                found.pop(worst).forget()
        return seen[key]

    values = [_marginal(model, i) for i in range(count)]
    at(values)
    for _ in range(1 if count == 1 else 3):
        for i in range(count):
            if deadline.over():
                break
            values = _secant(model, at, values, i, deadline)
    # What would be missing counts before all else: see it coming from every state.
    plenty = [
        model.relax(*split([weight if demand.hard else 0 for demand in device.demands]))
        for weight in (w.short, w.unknown)
        if not deadline.over()
    ]
    found.sort(key=lambda one: -one.root)
    first = seen[tuple(_marginal(model, i) for i in range(count))]
    kept: list[Multipliers] = []
    for one in found:
        if len(kept) < KEPT and not any(
            (one.before, one.after) == (other.before, other.after) for other in kept
        ):
            kept.append(one)
    kept += [one for one in (first, *plenty) if not any(one is other for other in kept)]
    return kept


def _secant(
    model: RelaxedModel,
    at: Callable[[list[int]], Multipliers],
    values: list[int],
    i: int,
    deadline: Deadline,
) -> list[int]:
    """The multiplier of demand i that makes the bound greatest, the others fixed."""
    demand, w = model.device.demands[i], model.weights
    wanted = model.most(i, demand.needed_s)

    def put(value: int) -> list[int]:
        return [*values[:i], value, *values[i + 1 :]]

    best = at(values)
    best_value = values[i]
    low, high = values[i], values[i]
    step = (
        w.money * (model.device.start_cost + 1) // max(1, demand.needed_s) + abs(values[i]) // 8 + 1
    )
    one = best
    lower = upper = one
    # A bracket: a multiplier that brings too little and one that brings too much.
    for _ in range(12):
        if deadline.over() or upper.served[i] >= wanted or (not demand.hard and high >= 0):
            break
        low, lower = high, upper
        high, step = high + step, step * 6
        upper = at(put(high))
    for _ in range(12):
        if deadline.over() or lower.served[i] <= wanted:
            break
        high, upper = low, lower
        low, step = low - step, step * 6
        lower = at(put(low))
    for _ in range(ROUNDS):
        if deadline.over():
            break
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


def _marginal(model: RelaxedModel, i: int) -> int:
    """What the dearest needed second costs where seconds were free to choose."""
    demand, points = model.device.demands[i], model.points
    rates = []
    for j in range(len(points) - 1):
        if model.barred[i][j + 1] > model.barred[i][j] or points[j] >= max(0, demand.deadline):
            continue
        length = points[j + 1] - points[j]
        rates.append(((model.costs[i][j + 1] - model.costs[i][j]) // length, length))
    left, last = demand.needed_s, 0
    for rate, length in sorted(rates):
        last = rate
        left -= length
        if left <= 0:
            break
    if left > 0 and demand.hard:
        return model.weights.short
    return last if demand.hard else min(0, last)


def bound_without_minimum_times(task: Task, named: list[int], weights: Weights) -> int:
    """A lower bound where a search cannot end: all aims in one number, at most those of any plan.

    Without minimum times and with the need paid for by the second, runs begin and end at named
    instants, so leaving out all others loses nothing.
    """
    free = replace(task.device, min_on_s=0, min_off_s=0, grid_s=0)
    model = RelaxedModel(task.timeline, free, Points(named, named, True, False), weights)
    return max(one.root for one in multipliers_of(model, task.deadline))
