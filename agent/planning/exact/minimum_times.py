"""A device whose seconds depend on each other: minimum times, start costs, old edges, grids.

The search proves its plan where the instants to switch at are few enough and its states do not run
out. Else the best of a few good plans is taken, with a lower bound: what the search was left with,
and the plans of devices that are easier to plan and have no plan that this one could not follow.
No price may spoil the aims before it, so where these are in doubt the device without money is one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice, permutations

from agent.planning.exact.best_first import BestFirstSearch
from agent.planning.exact.breakpoints import FEW_STEPS, common_step, points_of
from agent.planning.exact.coarse import coarse_plans
from agent.planning.exact.dynamic import plan_on_steps, steps_of
from agent.planning.exact.feasibility import renamed, without_costs
from agent.planning.exact.lagrangian import RelaxedModel
from agent.planning.exact.lexicographic import Weights, weights_of
from agent.planning.exact.multi_demand import MultiDemandSearch
from agent.planning.exact.multipliers import bound_without_minimum_times, multipliers_of
from agent.planning.exact.objectives import ServedSpan, Task, aim_seconds
from agent.planning.exact.outcome import Outcome
from agent.planning.exact.overdue import plan_overdue
from agent.planning.exact.tie_break import longer_first
from agent.planning.exact.until_done import until_done
from agent.planning.incumbent import LASTING_S, IncumbentEdges
from agent.planning.judge import Judged

BUDGET = 15_000
# Where instants had to be left out no search proves anything, so less of it will do.
BUDGET_OPEN = 2_500
# Without money states are fewer and cheaper.
BUDGET_FEASIBLE = 25_000
# Of several demands even so not few; one order of them is soon done.
BUDGET_ORDER = 4_000
MOST_ORDERS = 6
STEPS_S = (60, 300, 900)
# On a grid so many steps are searched soon; with more of them states are too many to search.
FEW_GRID_STEPS = 96
# Prices times demands: above this no pass over both is made.
MOST_WORK = 8000
# Of the time that is left at each stage.
MULTIPLIER_SHARE = 0.4
FIRST_SHARE = 0.5
COARSE_SHARE = 0.6
EASIER_SHARE = 0.4


@dataclass(frozen=True, slots=True)
class Attempt:
    """Spans and what they are worth; `lower` bounds all aims in one number if nothing is proved."""

    spans: list[ServedSpan]
    judged: Judged
    lower: int | None
    closed: bool
    weights: Weights
    end: int


def plan_with_minimum_times(task: Task) -> Outcome:
    found = plan_overdue(task)
    if found is None and not task.deadline.over():
        few = FEW_GRID_STEPS if task.device.grid_s else FEW_STEPS
        found = _on_exact_steps(task, few) or _searched(task)
        if not found.proved and task.device.grid_s and not task.deadline.over():
            found = _on_exact_steps(task, 0) or found
    # Without time for any search it is on until done.
    return found or Outcome(until_done(task.device))


def _on_exact_steps(task: Task, few: int) -> Outcome | None:
    """One demand whose instants are all multiples of a step, more than `few` of them and not too
    many for every state."""
    device = task.device
    if len(device.demands) != 1 or device.demands[0].contiguous:
        return None
    demand = device.demands[0]
    end = max(demand.deadline, 0)
    # It switches on its grid alone, wherever prices change.
    step = device.grid_s or common_step(task.timeline, device, end)
    if not step or end // step <= few:
        # The search settles ties too, where it is quick.
        return None
    steps = steps_of(task, step, demand.anchor % step if device.grid_s else 0)
    if device.incumbent.cost and not steps.all_edges_last(device):
        return None
    spans = plan_on_steps(task, steps)
    if spans is None:
        return None
    spans = longer_first(task, spans)
    judged = task.judge(spans)
    one = judged.devices[device.id]
    # Whole steps of the grid take what is left of the last one.
    rounding = demand.hard * (steps.needed * step * device.power - demand.energy)
    if judged.faults or one.excess > rounding:
        return None
    others = (one.shortfall, one.never, one.late, one.unknown)
    return None if any(others) else Outcome(spans, proved=True)


def _searched(task: Task) -> Outcome:
    """Stage by stage, each with a share of the time that is left; no stage loses a better plan."""
    edges = task.timeline.edges(0, _end(task, late=False))
    if len(edges) * len(task.device.demands) > MOST_WORK:
        return _unsearched(task)
    first = last = _attempt(task.within(FIRST_SHARE), late=False)
    if first.lower is None and not _matters(first.judged, task):
        return Outcome(first.spans, proved=True)
    plain = [] if task.deadline.over() else list(coarse_plans(task.within(COARSE_SHARE)))
    if task.known:
        plain.append(list(task.known))
    spans, found = _best(task, first, plain)
    if _matters(found, task) and not task.deadline.over():
        # The deadline stands in the way: look beyond it.
        last = _attempt(task.within(FIRST_SHARE), late=True)
        if last.lower is None:
            return Outcome(last.spans, proved=True)
        spans, found = _best(task, last, [spans])
    for one in _easier(task.within(EASIER_SHARE)):
        spans, found = _best(task, one, [spans])
    # A plan that is all in time is bound by the look that saw no further.
    seen = last if _matters(found, task) else first
    if seen.lower is not None and not _aims_are_proved(task, seen.weights, found, seen.lower):
        for one, proves in _feasible_first(task, late=_matters(found, task)):
            spans, found = _best(task, one, [spans])
            if proves:
                return Outcome(spans, proved=True)
        seen = last if _matters(found, task) else first
    if seen.lower is None:
        return Outcome(spans, proved=True)
    proved_aims = _aims_are_proved(task, seen.weights, found, seen.lower)
    return Outcome(spans, _objective(task, seen, found), aims_proved=proved_aims)


def _unsearched(task: Task) -> Outcome:
    """So many prices and demands that one pass over them would take too long: plain plans only."""
    plans = [until_done(task.device), list(task.known), *coarse_plans(task)]
    judged = [(task.judge(spans), spans) for spans in plans]
    kept = [one for one in judged if not one[0].faults] or judged[:1]
    found, spans = min(kept, key=lambda one: one[0].order)
    return Outcome(spans, aims_proved=not any(found.aims))


def _best(
    task: Task, attempt: Attempt, others: list[list[ServedSpan]]
) -> tuple[list[ServedSpan], Judged]:
    """The best of an attempt and other plans of the device that break no rule."""
    spans, found = attempt.spans, task.judge(attempt.spans)
    for other in others:
        judged = task.judge(other)
        if not judged.faults and (found.faults or judged.order < found.order):
            spans, found = other, judged
    return spans, found


def _aims_are_proved(task: Task, weights: Weights, found: Judged, lower: int) -> bool:
    """Whether no plan is better in an aim before money.

    All aims from money on together weigh less than half a second of unknown time.
    """
    if not any(found.aims):
        return True
    return 2 * (_aims(task, weights, found) - lower) < weights.unknown


def _aims(task: Task, w: Weights, found: Judged) -> int:
    """The aims before money in one number."""
    seconds = aim_seconds(task.device, found.devices[task.device.id])
    levels = zip(seconds, (w.short, w.never, w.excess, w.late, w.unknown), strict=True)
    return sum(level * weight for level, weight in levels)


def _feasible_first(task: Task, *, late: bool) -> Iterator[tuple[Attempt, bool]]:
    """Plans that are good in the aims before money, and whether one is proved the best plan.

    First the best where money does not matter. Where that needs no unknown time, next the cheapest
    that uses none: with that barred the search has less to tell apart.
    """
    timeline, bare, kept = without_costs(task.timeline, task.device)
    if not kept or task.deadline.over():
        return
    one = _attempt(task.of(bare, timeline), late=late, feasible_only=True)
    spans = renamed(one.spans, kept)
    aims = task.judge(spans)
    yield replace(one, spans=spans, judged=aims), False
    if aims.devices[task.device.id].unknown:
        return
    demands = tuple(replace(demand, known_only=True) for demand in task.device.demands)
    other = _attempt(task.of(replace(task.device, demands=demands)), late=late)
    found = task.judge(other.spans)
    # A soft demand may bridge what hard ones alone cannot: without it nothing is proved.
    proves = one.lower is None and other.lower is None and len(kept) == len(task.device.demands)
    yield replace(other, judged=found), proves and found.aims == aims.aims


def _easier(task: Task) -> Iterator[Attempt]:
    """Plans of devices that are easier to plan, and whose plans are plans of this one too."""
    device = task.device
    if device.incumbent.cost:
        # As if changes were free; and with runs and gaps so long that each of their edges counts.
        free = replace(device, incumbent=IncumbentEdges())
        lasting = replace(
            device,
            min_on_s=max(device.min_on_s, LASTING_S),
            min_off_s=max(device.min_off_s, LASTING_S),
        )
        for other in (free, lasting):
            if other != device and not task.deadline.over():
                yield _judged_as(task, _attempt(task.of(other), late=False))
    if len(device.demands) > 1:
        return
    for step in STEPS_S:
        # Longer minimum times, up to those that fit the prices well enough to be proved.
        min_on, min_off = (-(-s // step) * step for s in (device.min_on_s, device.min_off_s))
        longer = replace(device, min_on_s=min_on, min_off_s=min_off)
        too_long = device.demands[0].needed_s < min_on
        if longer == device or too_long or task.deadline.over():
            continue
        attempt = _judged_as(task, _attempt(task.of(longer), late=False))
        yield attempt
        if attempt.closed:
            break


def _judged_as(task: Task, attempt: Attempt) -> Attempt:
    return replace(attempt, judged=task.judge(attempt.spans))


def _matters(found: Judged, task: Task) -> bool:
    """Whether something is missing, too much or late, so that time after deadlines may help."""
    one = found.devices[task.device.id]
    amiss = one.shortfall or one.never or one.excess or one.late
    return bool(amiss) and any(demand.hard for demand in task.device.demands)


def _attempt(task: Task, *, late: bool, feasible_only: bool = False) -> Attempt:
    timeline, device = task.timeline, task.device
    end = _end(task, late=late)
    weights = weights_of(timeline, device, end)
    model = RelaxedModel(timeline, device, points_of(timeline, device, end), weights)
    budget = BUDGET if model.closed else BUDGET_OPEN
    multipliers = multipliers_of(model, task.deadline.share(MULTIPLIER_SHARE))
    if len(device.demands) == 1:
        budget = BUDGET_FEASIBLE if feasible_only else budget
        found = BestFirstSearch(model, multipliers, budget, task.deadline).run()
    elif not feasible_only:
        found = MultiDemandSearch(model, multipliers, budget, task.deadline).run()
    else:
        found = MultiDemandSearch(model, multipliers, BUDGET_ORDER, task.deadline).run()
        if not found.proved:
            for order in _orders(task):
                search = MultiDemandSearch(model, multipliers, BUDGET_ORDER, task.deadline, order)
                other = search.run()
                if other.spans is not None and (found.spans is None or other.cost < found.cost):
                    found = replace(found, spans=other.spans, cost=other.cost)
                if task.deadline.over():
                    break
    spans = until_done(device) if found.spans is None else longer_first(task, found.spans)
    lower = None if found.proved else found.bound
    if not model.closed:
        lower = bound_without_minimum_times(task, model.named, weights)
    judged = task.judge(spans)
    if lower is None and device.incumbent.cost and not _as_searched(task, judged):
        # Edges of short runs match nothing, which the search does not see: its cost is a bound.
        lower = found.cost
    return Attempt(spans, judged, lower, model.closed, weights, end)


def _as_searched(task: Task, judged: Judged) -> bool:
    """Whether every edge near one of the plan in force is counted as that one."""
    device = task.device
    runs = [(span.start, span.end) for span in judged.devices[device.id].segments]
    return device.incumbent.changes(runs, device.on_since, device.off_since) == (
        device.incumbent.lenient_changes(runs, device.on_since)
    )


def _orders(task: Task) -> list[tuple[int, ...]]:
    """In which order demands may be served, the nearest deadline first."""
    demands = task.device.demands
    urgent = sorted(range(len(demands)), key=lambda i: demands[i].deadline)
    return list(islice(permutations(urgent), MOST_ORDERS))


def _end(task: Task, *, late: bool) -> int:
    """Where looking ahead ends: the deadlines, or after all that may have to come late."""
    device = task.device
    end = max([demand.deadline for demand in device.demands] + [device.mandatory_s, 0])
    if not late:
        return end
    if any(demand.allowance_s for demand in device.demands):
        end = max(end, task.timeline.horizon)
    end = max([end, *(demand.earliest for demand in device.demands)]) + device.blocked_s
    end += sum(demand.needed_s for demand in device.demands if demand.hard)
    tail = device.min_on_s + device.min_off_s + 2 * device.grid_s
    return end + tail * (len(device.demands) + 1)


def _objective(task: Task, seen: Attempt, found: Judged) -> int:
    """The bound of all aims in one number as a bound of the objective alone."""
    device, timeline = task.device, task.timeline
    assert seen.lower is not None
    rest = seen.lower - _aims(task, seen.weights, found)
    idle = device.power * timeline.choice_until(device.mandatory_s)
    cheapest = device.power * sum(
        min(0, span.choice) * (b - a) for a, b, span in timeline.between(0, max(1, seen.end))
    )
    worth = sum(
        demand.value_per_s * demand.needed_s for demand in device.demands if not demand.hard
    )
    lost = device.incumbent.cost * device.incumbent.lost
    return max(rest // seen.weights.money, cheapest - worth) - idle + lost
