"""Where grids of devices cut cells: at the multiples of a step from the begin of each demand.

Each demand at a second of its own has multiples of its own, so a few dozen of them can cut time
into hundreds of thousands of cells. Where that is more than can be planned in time, cells are
merged: of each demand some multiples are left, spread over its window, and for each of them the one
at which a run from there has served it. What is planned then keeps every rule of the finer cells;
what is proved is not proved of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from agent.energy.situation import Demand, Flexible, Situation
from agent.planning.units import KWH

# Coarser grids of devices cut cells, finer ones lie within them.
CUTTING_GRID_S = 300
# Cells times devices that are planned in a second or two on a small machine; so many cells
# there may be at least for the grids, and for each demand.
MOST_SIZE, LEAST_CELLS, LEAST_OF_DEMAND = 40_000, 500, 2
# After a deadline, what is late finds a place at ever longer steps, so many at most.
LATE_STEPS = 8


@dataclass(frozen=True, slots=True)
class _Window:
    """When a demand may switch, in seconds from now: `first` is a multiple of `step`, `run_s` what
    it takes at full power in whole steps."""

    step: int
    first: int
    end: int
    run_s: int
    late: bool


def switching_instants(situation: Situation, last: int, others: int) -> tuple[set[int], bool]:
    """Seconds from now up to `last`, and whether that is all of them.

    `others`: how many edges there are beside them.
    """
    now = situation.now
    grids: set[tuple[int, int]] = set()
    for device in situation.devices:
        if isinstance(device, Flexible) and device.grid_s >= CUTTING_GRID_S:
            anchors = {(one.earliest or 0) - now for one in device.demands} or {-now}
            grids |= {(device.grid_s, anchor % device.grid_s) for anchor in anchors}
    room = max(LEAST_CELLS, MOST_SIZE // max(1, len(situation.devices)) - others)
    if sum(last // step for step, _ in grids) <= room:
        return {at for step, first in grids for at in range(first, last, step)}, True
    windows = list(_windows(situation, last))
    most = max(LEAST_OF_DEMAND, room // max(1, len(windows)))
    edges = {at for window in windows for at in _spread(window, last, most)}
    return edges, False


def _windows(situation: Situation, last: int) -> Iterator[_Window]:
    now = situation.now
    for device in situation.devices:
        if not isinstance(device, Flexible) or device.grid_s < CUTTING_GRID_S:
            continue
        step = device.grid_s
        for demand in device.demands:
            anchor = (demand.earliest or 0) - now
            first = anchor if anchor >= 0 else anchor % step
            end = last if demand.deadline is None else min(last, demand.deadline - now)
            if first < last and demand.energy_kwh:
                run_s = _whole_steps(device, demand)
                yield _Window(step, first, max(first, end), run_s, demand.hard)


def _whole_steps(device: Flexible, demand: Demand) -> int:
    seconds = max(device.min_on_s, -int(-demand.energy_kwh * KWH // device.max_power_w))
    return -(-seconds // device.grid_s) * device.grid_s


def _spread(window: _Window, last: int, most: int) -> Iterator[int]:
    """Multiples of a window, about `most` of them, and a few behind it for what is late."""
    step, count = window.step, max(1, (window.end - window.first) // window.step)
    stride = -(-count // max(1, most // 2)) if count > most else 1
    for at in range(window.first, window.end + 1, stride * step):
        yield at
        if stride > 1 and at + window.run_s <= last:
            yield at + window.run_s
    if window.late:
        behind = window.first + count * step
        until = behind + step * max(1, most - count)
        yield from range(behind, min(until, last + 1), step)
        length = step
        for _ in range(min(LATE_STEPS, most)):
            if until > last:
                break
            yield until
            length = max(2 * length, window.run_s)
            until += length
