"""Dynamic programming over the lattice of one thermal device: what both kernels are given, and the
kernel that does it with arrays. A compiled one does the same in the same order (agent/solver).

States: on with 0 to `on_states` - 1 cells owed, then off with 0 to `off_states` - 1 owed. A table
holds, by boundary, a row of nodes for each state: the least cost from there on.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Long = npt.NDArray[np.int64]
Ints = npt.NDArray[np.int32]

# Moves at each end of a range that are priced one by one.
END_MOVES = 2
# What a walk pays for leaving the limits by one of z, so that it does not.
BEYOND = 1e5


@dataclass(frozen=True, slots=True)
class Shape:
    """A lattice. `exact`: moves lead from node to node, so that values are those of plans (but for
    what rounding down loses); else power may be whatever leads there within a step, and they are
    bounds. `step`, `low`, `high`, `first`, `last` and `offset` by boundary, `gain` (of z by a
    kW) and what a run or a rest owes beyond its first cell by the cell that begins it. Powers
    in kW. `table` is room for the values."""

    cells: int
    on_states: int
    off_states: int
    first_state: int
    exact: bool
    least: float
    most: float
    step: Floats
    gain: Floats
    low: Floats
    high: Floats
    first: Long
    last: Long
    on_owed: Ints
    off_owed: Ints
    offset: Long
    table: Floats

    def row(self, i: int, state: int) -> Floats:
        """Values at boundary i in a state."""
        width = int(self.last[i] - self.first[i]) + 1
        begin = int(self.offset[i]) + state * width
        return self.table[begin : begin + width]

    def on_state(self, owed: int) -> int:
        return min(owed, self.on_states - 1)

    def off_state(self, owed: int) -> int:
        return self.on_states + min(owed, self.off_states - 1)


@dataclass(frozen=True, slots=True)
class Prices:
    """By cell: of a kW, of being on, of z that is added (any is valid, good ones are near the
    truth), of going on and of going off at its start."""

    power: Floats
    on: Floats
    heat: Floats
    start: Floats
    stop: Floats


class Kernel(Protocol):
    def values(self, shape: Shape, prices: Prices) -> float:
        """Fills the table of the shape; the value of the first state at z = 0."""

    def walk(self, shape: Shape, prices: Prices) -> Floats:
        """Forward through a filled table with the true z: the power of each cell."""


class ArrayKernel:
    """The kernel where nothing could be compiled."""

    def values(self, shape: Shape, prices: Prices) -> float:
        for state in range(shape.on_states + shape.off_states):
            shape.row(shape.cells, state)[:] = 0.0
        for i in range(shape.cells - 1, -1, -1):
            after = [
                _Row.after(shape, i, state, float(prices.heat[i]))
                for state in range(shape.on_states + shape.off_states)
            ]
            run = [_run(shape, i, after[r], prices) for r in range(shape.on_states)]
            rest = [after[shape.off_state(q)].moved(shape, i, 0) for q in range(shape.off_states)]
            stop = rest[shape.off_state(int(shape.off_owed[i])) - shape.on_states]
            np.minimum(run[0], stop + prices.stop[i], out=shape.row(i, 0))
            for r in range(1, shape.on_states):
                shape.row(i, r)[:] = run[r - 1]
            begun = run[shape.on_state(int(shape.on_owed[i]))] + prices.start[i]
            np.minimum(rest[0], begun, out=shape.row(i, shape.on_states))
            for q in range(1, shape.off_states):
                shape.row(i, shape.on_states + q)[:] = rest[q - 1]
        return float(shape.row(0, shape.first_state)[-int(shape.first[0])])

    def walk(self, shape: Shape, prices: Prices) -> Floats:
        on = shape.first_state < shape.on_states
        owed = shape.first_state if on else shape.first_state - shape.on_states
        z, out = 0.0, np.zeros(shape.cells)
        for i in range(shape.cells):
            runs, rests = not owed or on, not owed or not on
            on_after = owed - 1 if owed and on else 0 if on else int(shape.on_owed[i])
            off_after = int(shape.off_owed[i]) if on else max(0, owed - 1)
            best, goes, power = float("inf"), not rests, 0.0
            if rests:
                then = _ahead(shape, prices, i + 1, shape.off_state(off_after), np.array([z]))
                best = float(then[0]) + (float(prices.stop[i]) if on else 0.0)
            if runs:
                begun = float(prices.on[i]) + (0.0 if on else float(prices.start[i]))
                powers, then = _runs(shape, prices, i, shape.on_state(on_after), z)
                cost = then + begun + prices.power[i] * powers
                k = int(np.argmin(cost))
                if cost[k] < best:
                    goes, power = True, float(powers[k])
            if goes and power == 0.0:
                power = shape.most
            owed, on = (on_after if goes else off_after), goes
            out[i] = power if goes else 0.0
            z += float(shape.gain[i]) * float(out[i])
        return out


@dataclass(frozen=True, slots=True)
class _Row:
    """Values of one state after a cell at nodes of the step before it, from node `begin` on."""

    begin: int
    values: Floats

    @classmethod
    def after(cls, shape: Shape, i: int, state: int, heat: float) -> "_Row":
        """A coarser step is split: what rounding down loses there counts at the price of heat."""
        values, step = shape.row(i + 1, state), float(shape.step[i])
        times = int(float(shape.step[i + 1]) / step + 0.5)
        first = int(shape.first[i + 1])
        if times == 1:
            return cls(first, values)
        lost = heat * (-np.arange(times, dtype=np.float64) * step)
        return cls(first * times, (values[:, None] + lost[None, :]).ravel())

    def moved(self, shape: Shape, i: int, move: int) -> Floats:
        """By node of boundary i the value `move` nodes on; infinite beyond the row."""
        low, high = int(shape.first[i]), int(shape.last[i])
        out = np.full(high - low + 1, np.inf)
        first = max(low, self.begin - move)
        last = min(high, self.begin + len(self.values) - 1 - move)
        if last >= first:
            at = first + move - self.begin
            out[first - low : last - low + 1] = self.values[at : at + last - first + 1]
        return out


def _run(shape: Shape, i: int, row: _Row, prices: Prices) -> Floats:
    """Cell i on: the best move from each node, power being whatever leads there within a step."""
    price, heat, on = float(prices.power[i]), float(prices.heat[i]), float(prices.on[i])
    gain, step = float(shape.gain[i]), float(shape.step[i])
    if gain <= 0:
        useless = min(price * shape.least, price * shape.most)
        return row.moved(shape, i, 0) + (useless + on)
    slack = 0.0
    if shape.exact:
        first = least = int(np.ceil(gain * shape.least / step - 1e-9))
        most = int(np.floor(gain * shape.most / step + 1e-9))
        end = most + 1
        if most < least:
            return row.moved(shape, i, most) + (price * shape.most + on)
    else:
        least = max(0, int(np.ceil(gain * shape.least / step - 1 - 1e-9)))
        most = int(np.floor(gain * shape.most / step + 1 + 1e-9))
        first = end = most + 1
        if most - least + 1 > 2 * END_MOVES + 1:
            first, end = least + END_MOVES, most + 1 - END_MOVES
        slack = abs(price / gain - heat) * step
    low, high = int(shape.first[i]), int(shape.last[i])
    out = np.full(high - low + 1, np.inf)
    if first < end:
        # In between the cost is linear in the move: a sliding minimum.
        slope, moves = price / gain * step, end - first
        begin = low + first
        total = high - low + moves
        padded = np.full(total, np.inf)
        a, b = max(begin, row.begin), min(begin + total, row.begin + len(row.values))
        if b > a:
            tilted = row.values[a - row.begin : b - row.begin] + slope * np.arange(a, b)
            padded[a - begin : b - begin] = tilted
        best = _sliding(padded, moves)
        out = best - slope * np.arange(low, high + 1) - slack + on
    for move in (*range(least, first), *range(end, most + 1)):
        slope = price - heat * gain
        near = (move - (1.0 if slope > 0 else -1.0)) * step / gain
        power = min(max(near, shape.least), shape.most)
        cost = heat * (move * step) + slope * power + on
        out = np.minimum(out, row.moved(shape, i, move) + cost)
    return out


def _sliding(values: Floats, width: int) -> Floats:
    """Minimum of each stretch of `width` values, by doubling."""
    out, covered = values, 1
    while covered < width:
        more = min(covered, width - covered)
        out = np.minimum(out[:-more], out[more:])
        covered += more
    return out


def _runs(shape: Shape, prices: Prices, i: int, state: int, z: float) -> tuple[Floats, Floats]:
    """Powers that cell i may have from z, the least, to each node, and the greatest; and what comes
    after them."""
    gain, step = float(shape.gain[i]), float(shape.step[i + 1])
    first = int(np.floor((z + gain * shape.least) / step)) + 1
    last = int(np.floor((z + gain * shape.most) / step))
    low = int(shape.first[i + 1])
    first, last = max(first, low), min(last, int(shape.last[i + 1]))
    nodes = np.arange(first, last + 1 if gain > 0 else first)
    ends = np.array([shape.least, shape.most])
    least, most = _ahead(shape, prices, i + 1, state, z + gain * ends)
    reached: Floats = nodes.astype(np.float64) * step
    between = (reached - z) / (gain or 1.0)
    then: Floats = shape.row(i + 1, state)[nodes - low] + _penalty(shape, i + 1, reached)
    powers: Floats = np.concatenate([ends[:1], between, ends[1:]])
    after: Floats = np.concatenate([np.array([least]), then, np.array([most])])
    return powers, after


def _penalty(shape: Shape, i: int, z: Floats) -> Floats:
    over = np.maximum(shape.low[i] - z, z - shape.high[i])
    return np.where(over > 0, BEYOND * over, 0.0)


def _ahead(shape: Shape, prices: Prices, i: int, state: int, z: Floats) -> Floats:
    """What is read at boundary i: the node at or below z, what lies between at the price of heat,
    and a penalty beyond the limits, which a node may pass by less than a step."""
    row = shape.row(i, state)
    node = np.floor(z / shape.step[i]).astype(np.int64)
    index = node - int(shape.first[i])
    inside = (index >= 0) & (index < len(row))
    heat = float(prices.heat[i]) if i < shape.cells else 0.0
    value = row[np.clip(index, 0, len(row) - 1)] - heat * (z - node * shape.step[i])
    return np.where(inside, value + _penalty(shape, i, z), np.inf)
