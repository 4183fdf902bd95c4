"""What a flexible device's segments are worth in every aim, and which rules they break."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise

from agent.planning.devices.flexible import ScaledDevice
from agent.planning.devices.measured import Measured, Pieces
from agent.planning.grid import SiteCell
from agent.planning.segments import Run, Segment, clipped, energies, joined, runs_of
from agent.planning.timeline import Timeline

# On is at least a twentieth of the greatest power, where edges are compared.
ON_SHARE = 20


def measure_flexible(
    timeline: Timeline,
    device: ScaledDevice,
    segments: Sequence[Segment],
    pieces: Pieces | None,
    same_energy: int = 0,
) -> Measured:
    """`pieces`: the cells of the coupled model, None alone.

    `same_energy`: what a deadline may miss and be met, as two plans are the same within it.
    """
    coupled = pieces is not None
    own = joined(segments)
    runs = runs_of(own)
    goes_on = device.running and bool(runs) and runs[0][0] == 0
    fresh = runs[1:] if goes_on else runs
    out = Measured(segments=own)
    out.starts, out.start_sum = len(fresh), sum(start for start, _ in fresh)
    out.own_cost = device.start_cost * len(fresh)
    if device.incumbent.cost:
        seen = runs_of(own, -(-device.power // ON_SHARE))
        count = device.incumbent.changes(seen, device.on_since, device.off_since)
        out.changes = count * device.incumbent.cost
    _demands(device, own, out, coupled=coupled)
    out.met = sum(out.missing) <= same_energy
    out.excess += _for_nobody(timeline, device, own, coupled=coupled)
    for start, end, power, _ in own:
        for a, b, span in timeline.between(start, end):
            if span.unknown:
                out.unknown += power * (b - a)
                out.unknown_instants += (a + b - 1) * (b - a) // 2
    out.faults = _faults(timeline, device, own, runs, pieces)
    return out


def _demands(
    device: ScaledDevice, segments: Sequence[Segment], out: Measured, *, coupled: bool
) -> None:
    served, missing = [], []
    # Where several demands share a cell, one hands over to the next on a whole second.
    rounding = device.power if coupled and len(device.demands) > 1 else 0
    for index, demand in enumerate(device.demands):
        mine = [one for one in segments if one.demand == index]
        total = sum(one.power * (one.end - one.start) for one in mine)
        served.append(total)
        if not demand.hard:
            out.value += _value(device, index, total)
            missing.append(0)
            continue
        on_time = sum(one.power * max(0, min(one.end, demand.deadline) - one.start) for one in mine)
        rounded = demand.needed_s * device.power
        miss = demand.energy - on_time
        miss = miss if miss > rounding else 0
        missing.append(miss)
        out.shortfall += miss
        # Counted in whole seconds of full power, as the need is: rounding is no excess.
        lacking = max(0, rounded - on_time)
        want = rounded
        if demand.allowance_s is not None:
            want += min(lacking, demand.allowance_s * device.power) - lacking
        if coupled:
            # There a demand takes its energy exactly.
            never = want - (rounded - demand.energy) - total
            out.never += never if never > rounding else 0
        else:
            out.never += max(0, want - total)
        if coupled and demand.contiguous and mine and total - demand.energy < mine[-1].power:
            # A block keeps its power to the second in which it is full.
            want = max(want, total)
        out.excess += total - want if total - want > rounding else 0
        since = max(demand.deadline, 0)
        for one in mine:
            if one.end > since:
                begun = max(one.start, since) - since
                out.late += one.power * ((one.end - since) ** 2 - begun**2)
    out.served, out.missing = tuple(served), tuple(missing)


def _value(device: ScaledDevice, index: int, energy: int) -> int:
    demand = device.demands[index]
    return demand.value * min(energy, demand.energy)


def _for_nobody(
    timeline: Timeline, device: ScaledDevice, segments: Sequence[Segment], *, coupled: bool
) -> int:
    """Energy of a run that must go on which serves nobody, where a split demand could have it."""
    total = 0
    got = [0] * len(device.demands)
    for one in segments:
        if one.demand is not None:
            got[one.demand] += one.power * (one.end - one.start)
            continue
        if coupled:
            total += one.power * (one.end - one.start)
            continue
        for a, b, span in timeline.between(one.start, one.end):
            parts = []
            for demand, served in zip(device.demands, got, strict=True):
                wants = not demand.contiguous and served < demand.needed_s * device.power
                if not wants or not demand.admits(span):
                    continue
                until = b if demand.hard else min(b, demand.deadline)
                if max(a, demand.earliest) < until:
                    parts.append((max(a, demand.earliest), until))
            at = a
            for low, high in sorted(parts):
                total += one.power * max(0, high - max(low, at))
                at = max(at, high)
    return total


def _faults(
    timeline: Timeline,
    device: ScaledDevice,
    segments: Sequence[Segment],
    runs: Sequence[Run],
    pieces: Pieces | None,
) -> list[str]:
    found = [*_of_runs(device, segments, runs), *_of_demands(timeline, device, segments, pieces)]
    for one in segments:
        if one.start < 0:
            found.append("runs before now")
        if one.power > device.power or (pieces is None and one.power != device.power):
            found.append(f"runs at {one.power}, its greatest power is {device.power}")
        if one.demand is None and (one.end > device.mandatory_s or not device.running):
            found.append(f"is on from {one.start} to {one.end} for no demand")
    for before, after in pairwise(segments):
        if after.start < before.end:
            found.append(f"two powers at {after.start}")
    if pieces is not None:
        found += _of_cells(device, segments, pieces)
    return found


def _of_runs(device: ScaledDevice, segments: Sequence[Segment], runs: Sequence[Run]) -> list[str]:
    found = []
    goes_on = device.running and bool(runs) and runs[0][0] == 0
    if device.mandatory_s and not (goes_on and runs[0][1] >= device.mandatory_s):
        found.append(f"the run under way must go on for {device.mandatory_s} s")
    starts = {one.start: one.demand for one in segments}
    ends = {one.end: one.demand for one in segments}
    for k, (start, end) in enumerate(runs):
        carried_on = goes_on and not k
        began = device.on_since if carried_on and device.on_since is not None else start
        if end - began < device.min_on_s:
            found.append(f"a run of {end - began} s")
        if k:
            before: int | None = runs[k - 1][1]
        else:
            before = 0 if device.running and not goes_on else None
        if before is not None and start - before < device.min_off_s:
            found.append(f"off for {start - before} s")
        if not k and not carried_on and start < device.blocked_s:
            found.append("on before it may be")
        if device.grid_s:
            if not carried_on and not device.on_grid(start, starts[start]):
                found.append(f"switches on at {start}, off its grid")
            if not device.on_grid(end, ends[end]):
                found.append(f"switches off at {end}, off its grid")
    return found


def _of_demands(
    timeline: Timeline, device: ScaledDevice, segments: Sequence[Segment], pieces: Pieces | None
) -> list[str]:
    found = []
    for index, demand in enumerate(device.demands):
        mine = [one for one in segments if one.demand == index]
        total = sum(one.power * (one.end - one.start) for one in mine)
        if demand.contiguous and len(runs_of(mine)) > 1:
            found.append(f"demand {index} is not one block")
        if demand.under_way and (not mine or mine[0].start > 0):
            found.append(f"the block of demand {index} does not go on")
        # Coupled, what others need in time may cut a block short: less is missing in all.
        whole = demand.contiguous and demand.hard and demand.cap is None and pieces is None
        if whole and 0 < total < demand.energy:
            found.append(f"the block of demand {index} is cut short")
        if not demand.hard and total > demand.max_s * device.power:
            found.append(f"demand {index} gets more than it may")
        for one in mine:
            if one.start < demand.earliest or (not demand.hard and one.end > demand.deadline):
                found.append(f"demand {index} is served outside its window")
            for a, b, span in timeline.between(one.start, one.end):
                if span.unknown and not (demand.hard and demand.cap is None):
                    found.append(f"demand {index} is served in unknown time")
                elif not demand.admits(span) and not _from_the_roof(one, a, b, pieces):
                    found.append(f"demand {index} is served above its cap")
    return found


def _from_the_roof(one: Segment, start: int, end: int, pieces: Pieces | None) -> bool:
    """Whether pv less base load covers the power of a segment all the time."""
    if pieces is None:
        return False
    first, last = bisect_right(pieces.ends, start), bisect_left(pieces.starts, end)
    return all(cell.pv - cell.base >= one.power for cell in pieces.cells[first:last])


def _of_cells(device: ScaledDevice, segments: Sequence[Segment], pieces: Pieces) -> list[str]:
    """Parts of cells: one a demand, at its least power, at the start or where the next is on."""
    found = []
    parts = 0
    runs = runs_of(segments)
    blocks = {i for i, demand in enumerate(device.demands) if demand.contiguous}
    for cell, inside in _by_cell(segments, pieces):
        energy = sum(one.power * (one.end - one.start) for one in inside)
        whole = sum(one.end - one.start for one in inside) == cell.length
        block = any(one.demand in blocks for one in inside)
        # A second of rounding is within what two plans may differ.
        if energy >= device.min_power * (cell.length - 1) and (whole or not block):
            continue
        parts += 1
        if not block and any(one.power != device.min_power for one in inside):
            found.append(f"a part of the cell at {cell.start} not at its least power")
        ends_on = any(a <= cell.end < b for a, b in runs) and inside[-1].end == cell.end
        if inside[0].start > cell.start and not ends_on:
            found.append(f"a part in the middle of the cell at {cell.start}")
    if parts > len(device.demands) + device.running:
        found.append(f"{parts} cells in part")
    return found


def _by_cell(
    segments: Sequence[Segment], pieces: Pieces
) -> Iterator[tuple[SiteCell, list[Segment]]]:
    """The cells that are not idle, with what is in them; segments are in time order."""
    by_cell: dict[int, list[Segment]] = {}
    for one in segments:
        first, last = bisect_right(pieces.ends, one.start), bisect_left(pieces.starts, one.end)
        for k in range(first, last):
            by_cell.setdefault(k, []).append(one)
    for k in sorted(by_cell):
        cell = pieces.cells[k]
        yield cell, clipped(by_cell[k], cell.start, cell.end)


def full_powers(segments: Sequence[Segment], pieces: Pieces) -> dict[int, int]:
    """By piece, what its highest power is above its mean, as energy; an import limit sees it."""
    highest: dict[int, int] = {}
    for one in segments:
        k = bisect_right(pieces.starts, one.start) - 1
        while k < len(pieces.starts) and pieces.starts[k] < one.end:
            highest[k] = max(highest.get(k, 0), one.power)
            k += 1
    energy = energies(segments, pieces.starts, pieces.ends)
    return {k: top * pieces.cells[k].length - energy.get(k, 0) for k, top in highest.items()}
