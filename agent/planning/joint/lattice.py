"""The least cost of one thermal device at given prices of its power, by dynamic programming.

Linear programmes see a pump that is half on; this sees minimum times and least powers. Temperature
is taken as z = (T - F) / K with F the path without heat and K the product of what cells keep: off
leaves z unchanged exactly, a cell at power p adds a x p. Nodes are multiples of a step of z,
rounded down; the value is corrected by what rounding may have gained, so that it stays a lower
bound: with heat prices mu that is the sum of steps times the rises of mu, and of a last one below
0. The step doubles where K halves, so that it is about the same in degrees all along.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import floor, isfinite, log2

import numpy as np

from agent.planning.devices.thermal import ScaledThermal
from agent.planning.joint.heat import attainable
from agent.planning.joint.recursion import Floats, Ints, Kernel, Long, Prices, Shape

# Least steps in degrees, coarse to fine, and how many of them the widest boundary has at most. What
# rounding may gain grows with the step.
STAGES = ((0.004, 3000), (0.0015, 8000), (0.0005, 24000))
PROOF = len(STAGES) - 1
# Values in a table that a plan is walked back through, twice what devices of a home have in two
# days: longer ones have larger steps, so that their plans are coarser and their bounds are not.
MOST_VALUES = 2_000_000


@dataclass(frozen=True, slots=True)
class Runs:
    """How a device may go on and off, in seconds from now: `mandatory_s`, `blocked_s`: how long it
    must stay on, or off, at first."""

    min_on_s: int
    min_off_s: int
    running: bool
    mandatory_s: int
    blocked_s: int


class Lattice:
    """A device that is off or between its powers, and what it has taken since now. `step` is at
    least so much, `nodes` how many of them there are at most, coarse to fine."""

    def __init__(
        self,
        powers: tuple[float, float],
        runs: Runs,
        cells: tuple[Sequence[int], Sequence[int]],
        stages: Sequence[tuple[float, int]],
        kernel: Kernel,
    ) -> None:
        """`powers` in kW; `cells`: where they start and end. `keep`, `gain`, `low` and `high` are
        for whoever knows them: see `limit`."""
        self.kernel, self.stages = kernel, stages
        self.least, self.most = powers
        starts, ends = cells
        self.count = count = len(starts)
        on = [_cells_of(starts, ends, i, runs.min_on_s) for i in range(count)]
        off = [_cells_of(starts, ends, i, runs.min_off_s) for i in range(count)]
        on_owed = _cells_of(starts, ends, 0, runs.mandatory_s) if runs.running else 0
        off_owed = _cells_of(starts, ends, 0, runs.blocked_s) if not runs.running else 0
        self.on_states = max([on_owed + 1, *on, 1])
        self.off_states = max([off_owed + 1, *off, 1])
        self.first_state = on_owed if runs.running else self.on_states + off_owed
        self.on_owed: Ints = np.array([max(0, n - 1) for n in on], dtype=np.int32)
        self.off_owed: Ints = np.array([max(0, n - 1) for n in off], dtype=np.int32)
        self._bounds: dict[int, Shape] = {}
        self._plans: Shape | None = None

    def limit(self, low: Floats, high: Floats, gain: Floats, keep: Floats) -> None:
        """Limits of z by boundary, what a kW adds to it by cell, and how z counts."""
        self.gain, self.keep = gain, keep
        # z never falls, so a limit binds before and after.
        low = np.maximum.accumulate(low)
        high = np.minimum.accumulate(high[::-1])[::-1]
        reach = np.concatenate([[0.0], np.cumsum(gain * self.most)])
        self.low, self.high = low, np.minimum(high, reach)
        self.possible = bool(np.all(self.low <= self.high + 1e-9))

    def _shape(self, stage: int, *, exact: bool, coarser: float = 1.0) -> Shape:
        least, nodes = self.stages[stage]
        width = float(np.max((self.high - self.low) * self.keep))
        finest = max(least, width / nodes) * coarser
        step = np.array([finest * 2.0 ** floor(log2(1 / kept) + 1e-9) for kept in self.keep])
        # A node stands for what lies up to a step above it; in a plan for itself.
        lowest = np.floor(self.low / step + 1e-9)
        if exact:
            # Where full power just does, its path from node to node is the lowest.
            lowest = np.minimum(np.ceil(self.low / step - 1e-9), self._highest_node(step))
        first: Long = lowest.astype(np.int64)
        last: Long = np.maximum(first, np.floor(self.high / step + 1e-9).astype(np.int64))
        sizes = (last - first + 1) * (self.on_states + self.off_states)
        if exact and coarser == 1.0 and sizes.sum() > MOST_VALUES:
            return self._shape(stage, exact=True, coarser=2.0 * sizes.sum() / MOST_VALUES)
        # Values that bound only what comes before take turns in two rows.
        turns = np.arange(self.count + 1) % 2 * int(sizes.max())
        along = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        offset: Long = (along if exact else turns).astype(np.int64)
        return Shape(
            cells=self.count,
            on_states=self.on_states,
            off_states=self.off_states,
            first_state=self.first_state,
            exact=exact,
            least=self.least,
            most=self.most,
            step=step,
            gain=self.gain,
            low=self.low,
            high=self.high,
            first=first,
            last=last,
            on_owed=self.on_owed,
            off_owed=self.off_owed,
            offset=offset,
            table=np.empty(int(offset.max()) + int(sizes.max())),
        )

    def _highest_node(self, step: Floats) -> Floats:
        """By boundary, where moves from node to node lead at full power."""
        out = np.zeros(self.count + 1)
        for i in range(self.count):
            # Whether it is on or off at first: how high it could come.
            moves = floor(self.gain[i] * self.most / step[i] + 1e-9)
            out[i + 1] = floor((out[i] + moves) * step[i] / step[i + 1] + 1e-9)
        return out

    def bound(self, prices: Prices, stage: int = 0) -> float | None:
        """What every plan costs at least; None where no plan keeps the limits."""
        if not self.possible:
            return None
        if stage not in self._bounds:
            self._bounds[stage] = self._shape(stage, exact=False)
        shape = self._bounds[stage]
        value = self.kernel.values(shape, prices)
        if not isfinite(value):
            return None
        rises = np.maximum(0.0, np.diff(prices.heat)) @ shape.step[1:-1]
        return value - float(rises) - max(0.0, -float(prices.heat[-1])) * float(shape.step[-1])

    def plan(self, prices: Prices) -> Floats | None:
        """The power by cell of a plan that costs about as little, in kW; None where there is none
        on the lattice."""
        if not self.possible:
            return None
        if self._plans is None:
            self._plans = self._shape(0, exact=True)
        prices = replace(prices, heat=np.zeros(self.count))
        if not isfinite(self.kernel.values(self._plans, prices)):
            return None
        return self.kernel.walk(self._plans, prices)

    def leaning(self, prices: Prices, on: Floats, weight: float) -> Prices:
        """Prices at which being on where `on` says so (0 to 1) is cheaper by `weight`."""
        return replace(prices, on=prices.on + weight * (1.0 - 2.0 * on))


class HeatLattice(Lattice):
    """One device with hard comfort limits. Times in seconds, cells before the horizon."""

    def __init__(
        self,
        device: ScaledThermal,
        starts: Sequence[int],
        ends: Sequence[int],
        scale: int,
        kernel: Kernel,
    ) -> None:
        """Comfort that cannot be had is asked for as far as it can."""
        count = len(device.cells)
        runs = Runs(
            device.min_on_s,
            device.min_off_s,
            device.running,
            device.mandatory_s,
            device.blocked_s,
        )
        powers = device.min_power / (1000 * scale), device.power / (1000 * scale)
        super().__init__(powers, runs, (starts[:count], ends[:count]), STAGES, kernel)
        limits, _ = attainable(device, ends)
        keep = np.ones(count + 1)
        free = np.full(count + 1, device.temperature_c)
        low, high = np.zeros(count + 1), np.full(count + 1, np.inf)
        gain = np.zeros(count)
        for i, cell in enumerate(device.cells):
            keep[i + 1] = keep[i] * cell.keep
            free[i + 1] = cell.keep * free[i] + cell.constant
            gain[i] = 1000 * cell.rise_per_w / keep[i + 1]
            coldest, warmest = limits[i]
            if coldest is not None:
                low[i + 1] = (coldest - free[i + 1]) / keep[i + 1]
            if warmest is not None:
                high[i + 1] = (warmest - free[i + 1]) / keep[i + 1]
        self.limit(low, high, gain, keep)


def _cells_of(starts: Sequence[int], ends: Sequence[int], first: int, seconds: int) -> int:
    """How many cells from `first` on cover so many seconds, as far as there are cells."""
    count = 0
    while first + count < len(starts) and ends[first + count] - starts[first] < seconds:
        count += 1
    if seconds and first + count < len(starts):
        count += 1
    return count
