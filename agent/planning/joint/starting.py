"""A judged plan as the whole numbers of a programme, so that a search starts with it.

What cannot be told is 0; where that is wrong, whoever solves does without the start.
"""

from collections.abc import Sequence

from agent.planning.joint.flexible import FlexibleDevice
from agent.planning.joint.programme import Programme
from agent.planning.joint.site import SAME_KW
from agent.planning.judge import Judged
from agent.planning.segments import Segment


def whole_values(programme: Programme, values: Sequence[float]) -> dict[int, float]:
    return {column: float(round(values[column])) for column in programme.house.milp.whole}


def start_of(programme: Programme, plan: Judged) -> dict[int, float]:
    house = programme.house
    out: dict[int, float] = {}
    for id, heat in programme.thermal.items():
        powers = _powers(programme, plan, id)
        for k, column in heat.on.items():
            out[column] = float(powers[k] > 0)
    for id, store in programme.storage.items():
        powers = _powers(programme, plan, id)
        for k, column in store.charges.items():
            out[column] = float(powers[k] > 0)
    for id, program in programme.programs.items():
        own = plan.schedule.get(id, ())
        start = program.program.start_of(own)
        for k, column in program.starts.items():
            out[column] = float(house.starts[k] == start)
    for id, device in programme.flexible.items():
        _flexible(programme, device, plan.schedule.get(id, ()), out)
    _directions(programme, plan, out)
    # Nothing may be left open: completing a start is a search of its own, that knows no limit.
    return {column: out.get(column, 0.0) for column in house.milp.whole}


def _powers(programme: Programme, plan: Judged, id: str) -> list[int]:
    energy = plan.site.energy[id]
    return [energy.get(k, 0) for k in range(len(programme.house.cells))]


def _flexible(
    programme: Programme, device: FlexibleDevice, own: Sequence[Segment], out: dict[int, float]
) -> None:
    house, least = programme.house, device.device.min_power
    for block in device.blocks:
        first = min((one.start for one in own if one.demand == block.index), default=None)
        for k, column in block.starts.items():
            out[column] = float(house.starts[k] == first)
    for k in device.opened:
        cell = house.cells[k]
        inside = [one for one in own if one.start < cell.end and one.end > cell.start]
        inside = [one for one in inside if _is_split(device, one.demand)]
        seconds = sum(min(s.end, cell.end) - max(s.start, cell.start) for s in inside)
        energy = sum(s.power * (min(s.end, cell.end) - max(s.start, cell.start)) for s in inside)
        whole = seconds == cell.length and energy >= least * (cell.length - 1)
        out[device.on[k]] = float(whole)
        at_end = bool(inside) and inside[0].start > cell.start
        for split in device.splits:
            mine = any(one.demand == split.index for one in inside) and not whole
            if k in split.first:
                out[split.first[k].on] = float(mine and not at_end)
            if k in split.last:
                out[split.last[k].on] = float(mine and at_end)


def _is_split(device: FlexibleDevice, demand: int | None) -> bool:
    return demand is None or any(split.index == demand for split in device.splits)


def _directions(programme: Programme, plan: Judged, out: dict[int, float]) -> None:
    house, flows = programme.house, programme.site.flows
    for k, flow in zip(range(len(house.cells)), plan.site.flows, strict=False):
        into = house.kwh(flow.imported) / house.hours[k] > SAME_KW
        given = fed = False
        for id, store in programme.storage.items():
            moved = plan.site.energy[id].get(k, 0)
            given = given or (moved < 0 and not store.device.export)
            fed = fed or (moved > 0 and not store.device.grid_charge)
        known = (
            (flows.imports, into),
            (flows.gives, given),
            (flows.roof, fed),
            (flows.cuts, flow.curtailed > 0),
        )
        for columns, value in known:
            if k in columns:
                out[columns[k]] = float(value)
