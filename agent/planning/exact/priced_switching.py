"""Split demands where a switching has its price: a start cost, edges of a plan in force; or where
one that is on has no start to make.

No minimum times, no grid, and everything can be had in time and in known time. Demands are in an
order in which both windows and deadlines come, so they are served one after the other, and the
seconds served by an instant say all: no fewer than what is due by then, no more than what may have
begun (the band). Cost is linear in each edge between instants where a price, a window or the price
of an edge changes; so of edges that lie between such points at most one is needed from one instant
at which the band binds to the next, and what the band asks for says where it is.

Labels go from point to point: (on or off, seconds served), with one edge that still floats within
the span it lies in (`Float`). Those whose cost and the least cost of any rest (`EdgePrices.rest`,
Lagrangian, two states) exceed a ceiling are dropped. The first ceiling with a complete plan proves
it the best one: no plan below the ceiling was dropped. Ceilings rise from the bound of the whole.

An edge that stands for an old one has to last `LASTING_S` on both sides. That is told apart but for
the edge that floats, which is taken to lie at its earliest: what comes out is then a lower bound,
and the judge says whether the plan is as good as that.
"""

from itertools import pairwise

from agent.planning.devices.flexible import ScaledDevice
from agent.planning.exact.edge_prices import EdgePrices, rests_of
from agent.planning.exact.labels import Sweep
from agent.planning.exact.objectives import Task
from agent.planning.exact.outcome import Outcome
from agent.planning.exact.tie_break import longer_first
from agent.planning.exact.until_done import assigned

# The first ceiling above the bound, in shares of the price of a switching, and how it grows.
FIRST_SHARE, GROWTH = 8, 2.5
MOST_CEILINGS = 12


def fits(device: ScaledDevice) -> bool:
    if device.min_on_s or device.min_off_s or device.grid_s or device.blocked_s:
        return False
    if device.mandatory_s or not (device.incumbent.cost or device.start_cost or device.running):
        return False
    demands = [one for one in device.demands if one.needed_s]
    if not demands or any(one.contiguous or not one.hard for one in demands):
        return False
    if len({one.cap for one in demands}) > 1:
        return False
    ordered = sorted(demands, key=lambda one: (one.deadline, one.earliest))
    return all(a.earliest <= b.earliest for a, b in pairwise(ordered))


def plan_priced_switching(task: Task) -> Outcome | None:
    """None where this does not fit, not all can be had, or time or labels run out."""
    if not fits(task.device):
        return None
    prices = EdgePrices(task)
    if not prices.all_can_be_had():
        return None
    rests = rests_of(prices, task.deadline)
    bound = max(rest.root for rest in rests)
    step = max(1, prices.switching // FIRST_SHARE)
    known = _known(task, prices)
    for _ in range(MOST_CEILINGS):
        ceiling = bound + step if known is None else min(bound + step, known)
        sweep = Sweep(prices, rests, ceiling, task.deadline)
        if not sweep.run():
            return None
        if sweep.best is not None:
            break
        step = int(step * GROWTH)
    else:
        return None
    spans = longer_first(task, assigned(task.device, sweep.runs()))
    judged = task.judge(spans)
    if judged.faults or any(judged.aims):
        return None
    least = prices.money(sweep.best[0])
    if judged.objective <= least:
        return Outcome(spans, proved=True)
    return Outcome(spans, least, aims_proved=True)


def _known(task: Task, prices: EdgePrices) -> int | None:
    """No plan needs to cost more than the one that is known."""
    if not task.known:
        return None
    judged = task.judge(task.known)
    if judged.faults or any(judged.aims):
        return None
    return prices.ceiling(judged.objective)
