"""Good plans where exact instants are too many: steps of one size, then cut to what is needed.

Needs are rounded up to whole steps, aligned to the edges of the prices; what that takes too much is
cut from the ends of runs where it costs most and minimum times allow it.
"""

from collections.abc import Iterator
from dataclasses import replace

from agent.planning.exact.breakpoints import Points
from agent.planning.exact.dynamic import MOST_STATES, plan_on_steps, steps_of
from agent.planning.exact.lagrangian import RelaxedModel
from agent.planning.exact.lexicographic import weights_of
from agent.planning.exact.multi_demand import MultiDemandSearch
from agent.planning.exact.multipliers import multipliers_of
from agent.planning.exact.objectives import ServedSpan, Task, runs_of
from agent.planning.exact.search import merged

SIZES_S = (60, 100, 150, 300, 600, 900, 1800)
# Several demands: from coarse to fine while there is time.
SEVERAL_SIZES_S = (900, 300, 180, 60)
MOST_SEVERAL_STEPS = 3000
SEVERAL_BUDGET = 2500


def coarse_plans(task: Task) -> Iterator[list[ServedSpan]]:
    """Plans that may break a rule; whoever takes them asks the judge."""
    if not task.device.demands or any(one.contiguous for one in task.device.demands):
        return
    if len(task.device.demands) == 1:
        yield from _one_demand(task)
    else:
        yield from _several(task)


def _offset(task: Task, size: int) -> int:
    """So that steps meet the edges of the prices."""
    edges = task.timeline.edges(1, max(1, task.device.demands[0].deadline))
    if task.device.grid_s:
        return task.device.demands[0].anchor % size
    return edges[0] % size if edges else 0


def _one_demand(task: Task) -> Iterator[list[ServedSpan]]:
    demand = task.device.demands[0]
    for size in SIZES_S:
        steps = steps_of(task, size, _offset(task, size))
        if steps.count * steps.needed > MOST_STATES:
            continue
        spans = plan_on_steps(task, steps)
        if spans is not None:
            yield trimmed(task, spans) if demand.hard else spans
            return


def _several(task: Task) -> Iterator[list[ServedSpan]]:
    device = task.device
    end = max([one.deadline for one in device.demands] + [device.mandatory_s, 0])
    for size in SEVERAL_SIZES_S:
        if task.deadline.over() or end // size > MOST_SEVERAL_STEPS:
            return
        demands = tuple(
            replace(
                one, needed_s=-(-one.needed_s // size) * size, max_s=-(-one.max_s // size) * size
            )
            for one in device.demands
        )
        rounded = task.of(replace(device, demands=demands))
        named = {0, end, device.mandatory_s, device.blocked_s}
        named |= {t for one in demands for t in (one.earliest, one.deadline) if 0 <= t <= end}
        instants = sorted({*named, *range(_offset(task, size), end + 1, size)})
        points = Points(instants, instants, False, True)
        weights = weights_of(task.timeline, rounded.device, end)
        model = RelaxedModel(task.timeline, rounded.device, points, weights)
        multipliers = multipliers_of(model, task.deadline)
        search = MultiDemandSearch(model, multipliers, SEVERAL_BUDGET, task.deadline)
        spans = search.run().spans
        if spans is not None:
            yield trimmed(task, spans)


def trimmed(task: Task, spans: list[ServedSpan]) -> list[ServedSpan]:
    """Without what demands get beyond their need, as far as the ends of runs can give it up."""
    device, timeline = task.device, task.timeline
    left = {
        i: sum(b - a for a, b, who in spans if who == i) - demand.needed_s
        for i, demand in enumerate(device.demands)
    }
    out = merged(spans)
    while True:
        best: tuple[float, int, int, bool] | None = None
        for run_start, run_end in runs_of(out):
            spare = run_end - run_start - max(1, device.min_on_s)
            if run_start == 0 and device.running:
                spare = run_end - max(1, device.mandatory_s)
            for at_start in (False, True):
                if at_start and run_start == 0 and device.running:
                    continue
                n = next(
                    n
                    for n, span in enumerate(out)
                    if (span[0] == run_start if at_start else span[1] == run_end)
                )
                a, b, who = out[n]
                if who is None:
                    continue
                cut = min(left[who], spare, b - a)
                edge = a if at_start else b - cut
                cut = min(cut, _same_price(task, a if at_start else b, cut, forward=at_start))
                edge = a if at_start else b - cut
                if cut <= 0:
                    continue
                price = (timeline.choice_until(edge + cut) - timeline.choice_until(edge)) / cut
                if best is None or price > best[0]:
                    best = (price, n, cut, at_start)
        if best is None:
            return out
        _, n, cut, at_start = best
        a, b, who = out[n]
        assert who is not None
        left[who] -= cut
        out[n] = (a + cut, b, who) if at_start else (a, b - cut, who)
        out = merged(out)


def _same_price(task: Task, at: int, length: int, *, forward: bool) -> int:
    """How far the price at an instant holds, `length` at most."""
    if forward:
        return min(length, task.timeline.at(at).end - at)
    return min(length, at - task.timeline.at(at - 1).start)
