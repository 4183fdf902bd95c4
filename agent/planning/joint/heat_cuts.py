"""Rows that say of each thermal device what it costs at least at the prices of power.

A linear programme thinks that a pump can be half on. At its own prices of power the least cost of
the device alone, minimum times and all, is found on a lattice; that the device costs no less is a
row that every plan keeps. With it the programme has other prices, and so on. What the lattice has
on and off is a good pattern too.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from agent.planning.joint.heat import ThermalDevice
from agent.planning.joint.highs import Highs, Solution
from agent.planning.joint.lattice import STAGES, HeatLattice
from agent.planning.joint.milp import Term
from agent.planning.joint.programme import Programme

ROUNDS = 30
# A row that lifts the value by less than this share of it, or a tenth of a cent, is not worth it.
LEAST_LIFT, LEAST_MONEY = 2e-5, 2e-5
# Floats of the lattice and of the programme differ by this.
SLACK = 1e-7

# On or off in each cell, by the device.
Pattern = dict[str, tuple[bool, ...]]


@dataclass(slots=True)
class _Device:
    heat: ThermalDevice
    lattice: HeatLattice
    start_cost: float


def heat_bound(
    programme: Programme,
    solved: Highs,
    relaxed: Solution,
    left: Callable[[], float],
    first: Callable[[Pattern], None],
) -> tuple[float, list[Pattern]]:
    """What the relaxed programme costs at least with such rows, and patterns, the best last.

    A search with whole numbers is slower with them, so they do not stay. `solved` has solved the
    relaxed programme; `first` is told of the first pattern at once.
    """
    devices = _devices(programme)
    patterns: list[Pattern] = []
    cut = _cut(programme, relaxed, devices) if devices else None
    if cut is None:
        return relaxed.bound, patterns
    first(cut.on)
    milp = programme.house.milp
    rows = milp.rows
    highs = Highs(milp)
    highs.begin_like(solved)
    stage = 0
    try:
        for _ in range(ROUNDS):
            if cut.on:
                patterns.append(cut.on)
            better = relaxed
            if cut.rows:
                for bound, terms in cut.rows:
                    milp.at_least(bound, terms)
                better = highs.solve(programme.house.money, left(), relaxed=True)
            if better.values is None or left() <= 0:
                break
            lift = better.objective - relaxed.objective
            relaxed = better
            if lift < max(LEAST_LIFT * abs(relaxed.objective), LEAST_MONEY):
                stage += 1
                if stage == len(STAGES):
                    break
                for one in devices.values():
                    one.lattice.at_stage(stage)
            cut = _cut(programme, relaxed, devices)
            if cut is None:
                break
    finally:
        milp.forget_rows(rows)
    return relaxed.bound, patterns


@dataclass(frozen=True, slots=True)
class _Cut:
    """What the devices have on at the prices of a solution, and the rows that it breaks."""

    on: Pattern
    rows: list[tuple[float, list[Term]]]


def _cut(programme: Programme, relaxed: Solution, devices: dict[str, _Device]) -> _Cut | None:
    """None where a device can keep its limits in no way."""
    assert relaxed.values is not None, "solved"
    rows: list[tuple[float, list[Term]]] = []
    pattern: Pattern = {}
    for id, one in devices.items():
        price = np.array([relaxed.duals[row] for row in programme.site.rows[: one.heat.count]])
        own = np.array([relaxed.duals[row] for row in one.heat.rows])
        heat = np.maximum(0.0, -own) * one.lattice.keep[1:]
        on_cost = np.zeros(one.heat.count)
        for k, (row, beyond) in programme.site.uncovered.items():
            if k in one.heat.on:
                on_cost[k] = beyond.get(one.heat.on[k], 0.0) * relaxed.duals[row]
        walk = one.lattice.solve(price, heat, one.start_cost, on_cost)
        if walk is None:
            return None
        if walk.on is not None:
            pattern[id] = walk.on
        terms: list[Term] = [(column, float(price[k])) for k, column in one.heat.power.items()]
        terms += [(column, float(on_cost[k])) for k, column in one.heat.on.items() if on_cost[k]]
        if one.heat.edges is not None and one.start_cost:
            terms += [(c, one.start_cost) for c in one.heat.edges.start.values()]
        now = sum(value * relaxed.values[column] for column, value in terms)
        if walk.bound > now + SLACK:
            rows.append((walk.bound - SLACK, terms))
    return _Cut(pattern, rows)


def _devices(programme: Programme) -> dict[str, _Device]:
    """Those that are on or off, with comfort limits that hold and nothing else to keep."""
    house = programme.house
    out: dict[str, _Device] = {}
    for id, heat in programme.thermal.items():
        device = heat.device
        # Changes of the old plan only add to what it costs.
        if house.strict and device.hygiene_by is None and heat.on:
            scale = house.problem.units.power_scale
            lattice = HeatLattice(device, house.starts, house.ends, scale)
            out[id] = _Device(heat, lattice, house.currency(device.start_cost))
    return out
