"""The house without a planner: what it would cost, less the idle house.

Programs at once; each device's demands one after the other at full power, whatever a limit says;
heat at whatever power holds the comfort minimum at cell ends; storage takes in surplus and covers
the house, and with a target ahead charges at full power until it has it.
"""

from collections.abc import Mapping

from agent.planning.devices.flexible import ScaledDevice
from agent.planning.devices.measured import Pieces
from agent.planning.devices.program import ScaledProgram
from agent.planning.devices.storage import ScaledStorage, idle_value
from agent.planning.devices.thermal import ScaledThermal
from agent.planning.idle import idle_costs, idle_segments
from agent.planning.problem import Problem
from agent.planning.segments import Segment, add_to, energies, runs_of
from agent.planning.site import site_money


def baseline_cost(problem: Problem, planned_end: int, served: Mapping[str, tuple[int, ...]]) -> int:
    """`served`: what the plan gives to each demand, which capped and soft ones get here too."""
    drawn: dict[str, tuple[Segment, ...]] = {}
    own_cost = 0
    for model in problem.models:
        if isinstance(model, ScaledProgram) and not model.running:
            drawn[model.id] = model.segments_from(model.earliest)
        elif isinstance(model, ScaledDevice):
            drawn[model.id], starts = _flexible(model, served.get(model.id, ()))
            own_cost += starts * model.start_cost
    if not problem.coupled:
        return own_cost + _import_cost(problem, drawn)
    end = max([planned_end, *(own[-1].end for own in drawn.values() if own)])
    pieces = problem.pieces(end)
    power = [0] * len(pieces.cells)
    for own in drawn.values():
        add_to(power, energies(own, pieces.starts, pieces.ends))
    for model in problem.models:
        if isinstance(model, ScaledThermal):
            own_cost += _heat(problem, model, pieces, power) * model.start_cost
    for model in problem.models:
        if isinstance(model, ScaledStorage):
            own_cost += _storage(problem, model, pieces, power)
            own_cost += idle_value(model, problem.units)
    plan = site_money(problem, pieces, power, idle=True)
    return plan.cost + own_cost - idle_costs(problem, pieces)[0]


def _import_cost(problem: Problem, drawn: Mapping[str, tuple[Segment, ...]]) -> int:
    """What the runs cost at import prices, less those of the idle house."""
    timeline = problem.timeline
    cost = 0
    for model in problem.models:
        both = ((drawn.get(model.id, ()), 1), (idle_segments(problem, model), -1))
        for segments, sign in both:
            for start, end, power, _ in segments:
                price = timeline.price_until(end) - timeline.price_until(start)
                cost += sign * power * price
    return cost


def _flexible(device: ScaledDevice, served: tuple[int, ...]) -> tuple[tuple[Segment, ...], int]:
    """Its runs, and how many of them are starts."""
    at = 0
    spans = [(0, device.mandatory_s)] if device.mandatory_s else []
    order = sorted(enumerate(device.demands), key=lambda item: item[1].earliest)
    for index, demand in order:
        length = demand.needed_s
        if not demand.hard or demand.cap is not None:
            got = served[index] if index < len(served) else 0
            length = min(length, -(-got // device.power))
        if length:
            start = max(at, demand.earliest)
            at = start + length
            spans.append((start, at))
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and merged[-1][1] >= start:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    own = tuple(Segment(start, end, device.power) for start, end in merged)
    runs = runs_of(own)
    goes_on = device.running and bool(runs) and runs[0][0] == 0
    return own, len(runs) - goes_on


def _heat(problem: Problem, device: ScaledThermal, pieces: Pieces, power: list[int]) -> int:
    """Adds to `power` what holds the comfort minimum at cell ends. How often it starts."""
    temperature, on, starts = device.temperature_c, device.running, 0
    for k, cell in enumerate(device.cells):
        idle = cell.keep * temperature + cell.constant
        watts = 0.0
        if cell.min_c is not None and cell.rise_per_w > 0:
            watts = min(device.max_w, max(0.0, (cell.min_c - idle) / cell.rise_per_w))
        if pieces.starts[k] < device.mandatory_s:
            watts = max(watts, problem.units.watts(device.min_power))
        starts += watts > 0 and not on
        on = watts > 0
        temperature = idle + cell.rise_per_w * watts
        power[k] += round(watts * problem.units.power_scale) * pieces.cells[k].length
    return starts


def _storage(problem: Problem, device: ScaledStorage, pieces: Pieces, power: list[int]) -> int:
    """Adds what it charges and gives to `power`; its wear less what is stored at the end."""
    units = problem.units
    most_kw = units.watts(device.charge) / 1000
    least_kw = units.watts(device.discharge) / 1000
    worn = 0.0
    targets = sorted(device.targets)

    def step(k: int, energy: float) -> float:
        nonlocal worn
        if not device.available[k]:
            return energy
        cell = pieces.cells[k]
        net = (cell.base - cell.pv) * cell.length + power[k]
        ahead = (kwh for at, kwh in targets if at > cell.start)
        target = next(ahead, None)
        if not net and target is None:
            return energy
        hours = cell.length / 3600
        net_kw = units.kwh(net) / hours
        room = max(0.0, device.max_kwh - energy) / hours / device.charge_efficiency
        wanted = max(0.0, -net_kw)
        if target is not None and device.grid_charge:
            missing = max(0.0, target - energy) / hours / device.charge_efficiency
            wanted = max(wanted, min(most_kw, missing))
        if wanted > 0 or target is not None:
            kw = min(wanted, most_kw, room)
        else:
            spare = max(0.0, energy - device.min_kwh) / hours * device.discharge_efficiency
            kw = -min(net_kw, least_kw, spare)
            worn -= kw * hours
        power[k] += round(kw * 1000 * units.power_scale) * cell.length
        return device.after(energy, kw, hours)

    valued, _ = device.stored(step)
    wear = units.money_of(device.wear_per_kwh * worn)
    return wear - units.money_of(device.final_value_per_kwh * valued)
