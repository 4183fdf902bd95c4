"""Hygiene at a time that is set: then it is comfort like any other, and lattices know the tank.

When a tank is hot is a choice among a hundred instants that no price decides, and relaxed it is hot
at all of them a little. So a few are looked at: that of the plan so far, and where heating up is
cheapest. What is found is a plan of the whole problem too; only what is proved of it is not.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from agent.planning.devices.thermal import HOUR_S, REACHED_C, ScaledThermal
from agent.planning.judge import Judged
from agent.planning.problem import Problem

# How many instants are looked at, and how far apart they are.
LOOKED_AT, APART_S = 3, 2 * HOUR_S
# So much earlier than at full power it may be above its comfort.
EARLIER_S = HOUR_S


def with_holds(problem: Problem, plan: Judged | None) -> Iterator[Problem]:
    """The problem with each tank hot at a set time; nothing where no tank has to be."""
    tanks = [
        one
        for one in problem.models
        if isinstance(one, ScaledThermal) and one.hygiene_by is not None
    ]
    if not tanks:
        return
    known = {one.id: _instants(problem, one, plan) for one in tanks}
    if not all(known.values()):
        return
    for n in range(max(len(found) for found in known.values())):
        held = problem
        for tank in tanks:
            found = known[tank.id]
            held = held.with_model(_held(problem, tank, found[min(n, len(found) - 1)]))
        yield held


def _instants(problem: Problem, tank: ScaledThermal, plan: Judged | None) -> list[int]:
    """Cells at whose start a hold may begin: that of the plan, then the cheapest."""
    begins = [0, *problem.grid.ends[: len(tank.cells)]]
    own = None if plan is None else _own(tank, plan.devices[tank.id].levels, begins)
    out = [] if own is None else [own]
    costs = {
        b: cost
        for b, at in enumerate(begins)
        if at + tank.hygiene_hold_s <= (tank.hygiene_by or 0)
        and (cost := _heating_up(problem, tank, b)) is not None
    }
    for b in sorted(costs, key=lambda b: (costs[b], b)):
        if len(out) < LOOKED_AT and all(abs(begins[b] - begins[one]) >= APART_S for one in out):
            out.append(b)
    return out


def _own(tank: ScaledThermal, levels: Sequence[float], begins: Sequence[int]) -> int | None:
    """Where it is held, at these temperatures."""
    first: int | None = None
    for k, (level, at) in enumerate(zip(levels, begins, strict=False)):
        if level < tank.hygiene_c - REACHED_C or at > (tank.hygiene_by or 0):
            first = None
        elif first is None:
            first = k
        if first is not None and at - begins[first] >= tank.hygiene_hold_s:
            return first
    return None


def _heating_up(problem: Problem, tank: ScaledThermal, b: int) -> float | None:
    """What full power costs that makes it hot from its comfort minimum, or from now, at the start
    of cell b; None where it cannot be hot by then."""
    cost, temperature = 0.0, tank.hygiene_c
    for k in range(b - 1, -1, -1):
        heat, cell = tank.cells[k], problem.grid.cells[k]
        if heat.min_c is not None and temperature <= heat.min_c:
            return cost
        price = cell.export_price if cell.pv > cell.base else cell.choice
        cost += price * cell.length
        temperature = (temperature - heat.constant - heat.rise_per_w * tank.max_w) / heat.keep
    return cost if temperature <= tank.temperature_c else None


def _held(problem: Problem, tank: ScaledThermal, b: int) -> ScaledThermal:
    """Hot from the start of cell b on, as long as it has to be."""
    ends = problem.grid.ends[: len(tank.cells)]
    begin = ends[b - 1] if b else 0
    over = begin + tank.hygiene_hold_s
    length, warm = 0, tank.hygiene_c
    for k in range(b - 1, -1, -1):
        heat = tank.cells[k]
        if heat.min_c is not None and warm <= heat.min_c:
            break
        length += problem.grid.cells[k].length
        warm = (warm - heat.constant - heat.rise_per_w * tank.max_w) / heat.keep
    cells = []
    top: float | None = None
    for k, (heat, end) in enumerate(zip(tank.cells, ends, strict=True)):
        hot = begin <= end and (end <= over or (k and ends[k - 1] < over) or not k)
        if hot:
            least = tank.hygiene_c if heat.min_c is None else max(heat.min_c, tank.hygiene_c)
            top = least + heat.rise_per_w * tank.max_w
            heat = replace(heat, min_c=least, max_c=None)
        elif begin - length - EARLIER_S <= end < begin:
            heat = replace(heat, max_c=None)
        elif top is not None and heat.max_c is not None:
            # It cools as it does.
            top = heat.keep * top + heat.constant
            heat = replace(heat, max_c=max(heat.max_c, top))
        cells.append(heat)
    return replace(tank, cells=tuple(cells), hygiene_by=None)
