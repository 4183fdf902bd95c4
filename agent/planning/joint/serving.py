"""What a flexible device does, to the second and to the unit: each demand is given its energy."""

from collections.abc import Sequence
from dataclasses import dataclass

from agent.planning.joint.flexible import DUST_KW, FlexibleDevice
from agent.planning.joint.house import House
from agent.planning.joint.splits import SplitDemand
from agent.planning.segments import Segment

# What is served but for this is served, in kWh.
SERVED_KWH = 5e-4
# No more than this above a limit comes from rounding, in W.
ROUNDING_W = 0.02


def units(house: House, kw: float) -> float:
    return kw * 1000 * house.problem.units.power_scale


@dataclass(slots=True)
class _Share:
    """What one demand takes in one cell: `energy` over all of it, or `seconds` at the least power
    at its start or end. Where it shares the cell, `shared_s` is its time there; `cut`: a
    part of a second was left out."""

    energy: int = 0
    seconds: int = 0
    at_end: bool = False
    shared_s: int = 0
    cut: bool = False


def served(house: House, device: FlexibleDevice, values: Sequence[float]) -> tuple[Segment, ...]:
    out: list[Segment] = []
    for block in device.blocks:
        for k, column in block.starts.items():
            if values[column] > 0.5:
                out += block.segments[k]
    for free in device.free_blocks:
        out += _free_block(house, device, free.index, free.power, free.on, values)
    shares = {split.index: _shares(house, device, split, values) for split in device.splits}
    _divide(house, device, shares, values)
    room = _free(house, values)
    for split in device.splits:
        if _is_served(house, device, split, shares[split.index]):
            _to_the_unit(house, device, split, shares[split.index], room)
        else:
            for share in shares[split.index].values():
                # What it can get it gets, to the last second.
                share.seconds += share.cut
    blocks = list(out)
    for k, cell in enumerate(house.cells):
        mine = [
            (split, shares[split.index][k]) for split in device.splits if k in shares[split.index]
        ]
        ends = [min(one.end, cell.end) for one in blocks if one.start < cell.end]
        out += _cell(house, device, k, mine, values, max([cell.start, *ends]))
    return tuple(out)


def _free_block(
    house: House,
    device: FlexibleDevice,
    index: int,
    power: dict[int, int],
    on: dict[int, int],
    values: Sequence[float],
) -> list[Segment]:
    model = device.device
    demand = model.demands[index]
    out: list[Segment] = []
    cells = sorted(k for k in on if values[on[k]] > 0.5)
    left = demand.energy
    most = max(demand.energy, demand.max_s * model.power)
    stretched = bool(model.min_on_s or model.grid_s)
    for n, k in enumerate(cells):
        cell = house.cells[k]
        full = model.power if cell.headroom is None else min(model.power, cell.headroom)
        seconds = cell.length
        if n == len(cells) - 1:
            energy = values[power[k]] * 1000 * house.problem.units.power_scale * cell.length
            seconds = min(cell.length, -int(-(energy / full - 1e-4) // 1))
            if not stretched:
                # To the second in which it is full.
                seconds = min(seconds, -(-left // full))
            if not demand.hard:
                seconds = min(seconds, most // full)
        if seconds > 0:
            out.append(Segment(cell.start, cell.start + seconds, full, index))
            left -= full * seconds
            most -= full * seconds
    return out


def _shares(
    house: House, device: FlexibleDevice, split: SplitDemand, values: Sequence[float]
) -> dict[int, _Share]:
    model = device.device
    out: dict[int, _Share] = {}
    for k, column in split.power.items():
        cell, kw = house.cells[k], values[column]
        share = _Share()
        part_s = 0.0
        for part, at_end in ((split.first.get(k), False), (split.last.get(k), True)):
            if part is not None and values[part.on] > 0.5:
                part_s = values[part.share] * cell.length
                share.at_end = at_end
        if kw > DUST_KW:
            if device.power_in(k, values) < device.least - DUST_KW:
                part_s = max(part_s, kw / device.least * cell.length)
            else:
                share.energy = round(units(house, kw)) * cell.length
        if part_s and not share.energy:
            share.seconds = int(part_s + 1e-3)
            share.cut = part_s - share.seconds > 1e-3
            if share.seconds >= cell.length:
                share = _Share(energy=model.min_power * cell.length)
        if share.energy or share.seconds or part_s:
            out[k] = share
    return out


def _is_served(
    house: House, device: FlexibleDevice, split: SplitDemand, shares: dict[int, _Share]
) -> bool:
    """But for rounding: parts of cells to a second, cells that it shares to another."""
    least = device.device.min_power
    total = sum(share.energy + share.seconds * least for share in shares.values())
    cut = sum(bool(share.shared_s) for share in shares.values())
    lost = house.kwh(device.device.power * cut + least)
    return house.kwh(total) >= house.kwh(split.demand.energy) - SERVED_KWH - lost


def _free(house: House, values: Sequence[float]) -> list[float]:
    """Power under the import limit that this solution leaves in each cell."""
    out = []
    for k, cell in enumerate(house.cells):
        free = float("inf")
        if cell.headroom is not None:
            terms = (*house.balance[k], *house.beyond[k])
            drawn = sum(value * values[column] for column, value in terms)
            free = cell.headroom - units(house, drawn)
        out.append(free)
    return out


def _divide(
    house: House,
    device: FlexibleDevice,
    shares: dict[int, dict[int, _Share]],
    values: Sequence[float],
) -> None:
    """Whole seconds for each demand in cells that several share, all at one power, the one that is
    due first before the others; what is lost to rounding it must get elsewhere. Nobody is last."""
    by_deadline = sorted(device.splits, key=lambda split: split.demand.deadline)
    for k, cell in enumerate(house.cells):
        mine = [shares[s.index][k] for s in by_deadline if k in shares[s.index]]
        mine = [share for share in mine if share.energy]
        for_nobody = 0
        if k in device.nobody and cell.start < device.device.mandatory_s:
            for_nobody = round(units(house, values[device.nobody[k]]) * cell.length)
        if not mine or len(mine) + (for_nobody > 0) < 2:
            continue
        total = sum(share.energy for share in mine) + for_nobody
        power = max(min(total // cell.length, device.device.power), device.device.min_power)
        left = cell.length
        for n, share in enumerate(mine):
            last = n == len(mine) - 1 and not for_nobody
            # A demand that nobody follows but nobody is served to its last second.
            exact = -(-share.energy // power) if for_nobody else round(share.energy / power)
            share.shared_s = left if last else max(0, min(left, exact))
            left -= share.shared_s
            share.energy = power * share.shared_s


def _to_the_unit(
    house: House,
    device: FlexibleDevice,
    split: SplitDemand,
    shares: dict[int, _Share],
    room: Sequence[float],
) -> None:
    """Gives it its energy exactly, at most what whole seconds at full power make of it."""
    model, demand = device.device, split.demand
    total = sum(s.energy + s.seconds * model.min_power for s in shares.values())
    surplus = max(0, demand.needed_s * model.power - demand.energy)
    lacking = demand.energy - total
    if house.kwh(lacking + surplus) < -SERVED_KWH:
        # More than it wants: on purpose with a minimum run or a step of its grid.
        if not demand.hard or device.switched:
            return
        lacking = -_without_excess(house, device, shares, -lacking)
    if -surplus <= lacking <= 0:
        return
    # Above a limit only where nothing else is left: a store has to make room for it then.
    lacking = _in_whole_cells(house, device, split, shares, room, lacking, 0.0)
    if lacking > 0 and model.min_power:
        for k, share in shares.items():
            if share.energy or lacking <= 0:
                continue
            more = -(-lacking // model.min_power)
            seconds = min(house.cells[k].length, share.seconds + more)
            lacking -= (seconds - share.seconds) * model.min_power
            share.seconds = seconds
    _in_whole_cells(house, device, split, shares, room, lacking, ROUNDING_W)


def _without_excess(
    house: House, device: FlexibleDevice, shares: dict[int, _Share], excess: int
) -> int:
    """Takes back what nobody wants, the latest first: whole cells, then power, then time; what is
    left of it."""
    least = device.device.min_power
    in_part = any(share.seconds for share in shares.values())
    for k, share in sorted(shares.items(), reverse=True):
        length = house.cells[k].length
        if share.shared_s:
            continue
        if share.seconds and not share.energy:
            spared = min(share.seconds, excess // least)
            share.seconds -= spared
            excess -= spared * least
        elif share.energy <= excess:
            excess -= share.energy
            share.energy = 0
        elif share.energy - excess >= least * length:
            share.energy -= excess
            return 0
        elif not in_part:
            kept = share.energy - excess
            share.seconds, share.energy = -(-kept // least), 0
            return share.seconds * least - kept
    return excess


def _in_whole_cells(
    house: House,
    device: FlexibleDevice,
    split: SplitDemand,
    shares: dict[int, _Share],
    room: Sequence[float],
    lacking: int,
    above_w: float,
) -> int:
    """Shifts powers of whole cells by what is lacking (below 0: too much); what is left of it.

    `above_w`: half of it may be drawn above a limit."""
    model, demand = device.device, split.demand
    surplus = max(0, demand.needed_s * model.power - demand.energy)
    # Long cells with room under the limit first; a store makes room for what is left.
    for k in sorted(shares, key=lambda k: (room[k] <= 0, -house.cells[k].length)):
        share = shares[k]
        if not share.energy or share.shared_s:
            continue
        if -surplus <= lacking <= 0:
            break
        length = house.cells[k].length
        most = round(units(house, split.top[k])) * length
        above = max(room[k], above_w * house.problem.units.power_scale) // 2
        if above < most:
            most = max(share.energy, min(most, share.energy + int(above) * length))
        exact = min(most, max(model.min_power * length, share.energy + lacking))
        # One power for the whole cell where the last second allows it.
        whole = -(-exact // length) * length
        if whole <= most and whole - exact <= surplus and lacking > 0:
            exact = whole
        lacking -= exact - share.energy
        share.energy = exact
    return lacking


def _portion(energy: int, start: int, end: int, demand: int | None) -> list[Segment]:
    """Exactly this energy over `[start, end)`, at two powers that differ by one unit at most."""
    power, rest = divmod(energy, end - start)
    out = [Segment(start, start + rest, power + 1, demand)] if rest else []
    if power and start + rest < end:
        out.append(Segment(start + rest, end, power, demand))
    return out


def _cell(
    house: House,
    device: FlexibleDevice,
    k: int,
    mine: list[tuple[SplitDemand, _Share]],
    values: Sequence[float],
    free_from: int,
) -> list[Segment]:
    """What the device does in one cell, one demand after the other; until `free_from` it is a
    block."""
    cell, model = house.cells[k], device.device
    out: list[Segment] = []
    whole = [(split, share) for split, share in mine if share.energy]
    for split, share in mine:
        if share.energy or whole:
            continue
        start = cell.end - share.seconds if share.at_end else cell.start
        out.append(Segment(start, start + share.seconds, model.min_power, split.index))
    whole.sort(key=lambda item: item[0].demand.deadline)
    at = free_from
    for split, share in whole:
        end = at + share.shared_s if share.shared_s else cell.end
        if end > at:
            out += _portion(share.energy, at, end, split.index)
        at = end
    if k in device.nobody and at < min(cell.end, model.mandatory_s):
        power = round(units(house, values[device.nobody[k]]))
        power = max(model.min_power, 1, power if not out else out[-1].power)
        power = min(power, model.power)
        start = at
        if out and not whole:
            # A part at the end, or at the start, serves a demand.
            start = cell.start if out[0].start > cell.start else out[-1].end
        end = out[0].start if out and not whole and out[0].start > cell.start else cell.end
        out.append(Segment(start, end, power, None))
    return out
