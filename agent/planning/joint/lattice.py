"""The least cost of one thermal device at given prices of its power, by dynamic programming.

Linear programmes see a pump that is half on; this sees minimum times and least powers. Temperature
is taken as z = (T - F) / K with F the path without heat and K the product of what cells keep: off
leaves z unchanged exactly, a cell at power p adds a x p. Nodes are multiples of a step of z,
rounded down; the value is corrected by what rounding may have gained, so that it stays a lower
bound: with heat prices mu that is the step times the sum of their rises, and of a last one below 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor

import numpy as np
import numpy.typing as npt

from agent.planning.devices.thermal import ScaledThermal

Floats = npt.NDArray[np.float64]

# Steps of z, coarse to fine, and how many nodes make a step coarser. What rounding may gain grows
# with the step; what the coarsest says is on and off is good enough for a pattern.
STAGES = ((0.004, 3000), (0.0012, 8000), (0.0004, 20000))
# What a walk pays for leaving the limits by one of z, so that it does not.
BEYOND = 1e5
# What no state can cost.
NEVER = 1e12


@dataclass(frozen=True, slots=True)
class Walk:
    """The lower bound of the cost, and on or off in each cell of a plan near it (first stage)."""

    bound: float
    on: tuple[bool, ...] | None


class HeatLattice:
    """One device with hard comfort limits. Powers in kW, times in seconds, cells before the
    horizon."""

    def __init__(
        self, device: ScaledThermal, starts: Sequence[int], ends: Sequence[int], scale: int
    ) -> None:
        self.device = device
        self.count = count = len(device.cells)
        self.least = device.min_power / (1000 * scale)
        self.most = device.power / (1000 * scale)
        keep = np.ones(count + 1)
        free = np.full(count + 1, device.temperature_c)
        low, high = np.zeros(count + 1), np.full(count + 1, np.inf)
        self.gain = np.zeros(count)
        for i, cell in enumerate(device.cells):
            keep[i + 1] = keep[i] * cell.keep
            free[i + 1] = cell.keep * free[i] + cell.constant
            self.gain[i] = 1000 * cell.rise_per_w / keep[i + 1]
            if cell.min_c is not None:
                low[i + 1] = (cell.min_c - free[i + 1]) / keep[i + 1]
            if cell.max_c is not None:
                high[i + 1] = (cell.max_c - free[i + 1]) / keep[i + 1]
        self.keep = keep
        self.on_cost = np.zeros(count)
        # z never falls, so a limit binds before and after.
        low = np.maximum.accumulate(low)
        high = np.minimum.accumulate(high[::-1])[::-1]
        reach = np.concatenate([[0.0], np.cumsum(self.gain * self.most)])
        self.low, self.high = low, np.minimum(high, reach)
        self.on_cells = [_cells_of(starts, ends, i, device.min_on_s) for i in range(count)]
        self.off_cells = [_cells_of(starts, ends, i, device.min_off_s) for i in range(count)]
        self.on_owed = _cells_of(starts, ends, 0, device.mandatory_s) if device.running else 0
        self.off_owed = _cells_of(starts, ends, 0, device.blocked_s) if not device.running else 0
        self.width = float(np.max(self.high - self.low))
        self.at_stage(0)

    def at_stage(self, stage: int) -> None:
        self.stage = stage
        least, nodes = STAGES[stage]
        self.step = max(least, self.width / nodes)

    def solve(
        self, price: Floats, heat: Floats, start_cost: float, on_cost: Floats | None = None
    ) -> Walk | None:
        """`price`: of a kW in each cell, `heat`: of z that is added in it (any is valid, good ones
        are near the truth), `on_cost`: of being on in it. None where no plan keeps the limits."""
        self.on_cost = np.zeros(self.count) if on_cost is None else on_cost
        values, step = self._values(price, heat, start_cost), self.step
        rises = np.maximum(0.0, np.diff(heat)).sum() + max(0.0, -float(heat[-1]))
        first = self._first(values[0])
        if first >= NEVER / 2:
            return None
        on = None if self.stage else self._walk(values, price, start_cost)
        return Walk(first - step * float(rises), on)

    def _window(self, i: int) -> tuple[int, int]:
        return floor(self.low[i] / self.step + 1e-9), floor(self.high[i] / self.step + 1e-9)

    def _first(self, table: list[Floats]) -> float:
        """Value now, at z = 0."""
        running = self.device.running
        state = self._on(self.on_owed) if running else self._off(self.off_owed)
        return float(table[state][0 - self._window(0)[0]])

    # States: on with r more cells owed, then off with q more owed.
    def _on(self, owed: int) -> int:
        return min(owed, self.on_states - 1)

    def _off(self, owed: int) -> int:
        return self.on_states + min(owed, self.off_states - 1)

    @property
    def on_states(self) -> int:
        return max([self.on_owed + 1, *self.on_cells, 1])

    @property
    def off_states(self) -> int:
        return max([self.off_owed + 1, *self.off_cells, 1])

    def _values(self, price: Floats, heat: Floats, start_cost: float) -> list[list[Floats]]:
        """By boundary and state, over the nodes of its window: the least cost from there on."""
        low, high = self._window(self.count)
        states = self.on_states + self.off_states
        table: list[list[Floats]] = [[]] * (self.count + 1)
        table[self.count] = [np.zeros(max(1, high - low + 1)) for _ in range(states)]
        for i in range(self.count - 1, -1, -1):
            after = table[i + 1]
            run = [
                self._run(i, after[self._on(owed)], float(price[i]), float(heat[i]))
                + self.on_cost[i]
                for owed in range(self.on_states)
            ]
            rest = [self._same(i, after[self._off(q)]) for q in range(self.off_states)]
            now: list[Floats] = []
            for owed in range(self.on_states):
                if owed:
                    now.append(run[owed - 1])
                    continue
                stop = rest[min(max(0, self.off_cells[i] - 1), self.off_states - 1)]
                now.append(np.minimum(run[0], stop))
            for owed in range(self.off_states):
                if owed:
                    now.append(rest[owed - 1])
                    continue
                begun = run[max(0, self.on_cells[i] - 1)] + start_cost
                now.append(np.minimum(rest[0], begun))
            table[i] = now
            if self.stage:
                # Nobody walks here: what lies ahead is not needed any more.
                table[i + 1] = []
        return table

    def _same(self, i: int, after: Floats) -> Floats:
        """Values at boundary i of nodes that stay where they are."""
        return self._shifted(i, after, 0)

    def _shifted(self, i: int, after: Floats, moved: int) -> Floats:
        """after[node + moved] over the window of boundary i; NEVER outside of the next one."""
        (low, high), (next_low, next_high) = self._window(i), self._window(i + 1)
        out = np.full(max(1, high - low + 1), NEVER)
        first = max(low, next_low - moved)
        last = min(high, next_high - moved)
        if last >= first:
            out[first - low : last - low + 1] = after[
                first + moved - next_low : last + moved - next_low + 1
            ]
        return out

    def _run(self, i: int, after: Floats, price: float, heat: float) -> Floats:
        """Cell i on: the best move, power being whatever leads there within a step."""
        step, gain = self.step, float(self.gain[i])
        if gain <= 0:
            useless: Floats = self._same(i, after) + min(price * self.least, price * self.most)
            return useless
        least = int(np.ceil(gain * self.least / step - 1 - 1e-9))
        most = floor(gain * self.most / step + 1 + 1e-9)
        if most - least <= 4:
            few = np.full(max(1, self._window(i)[1] - self._window(i)[0] + 1), NEVER)
            for moved in range(max(0, least), most + 1):
                slope = price - heat * gain
                near = (moved - (1 if slope > 0 else -1)) * step / gain
                power = min(max(near, self.least), self.most)
                cost = heat * moved * step + slope * power
                few = np.minimum(few, self._shifted(i, after, moved) + cost)
            return few
        # In between the cost is linear in the move: a sliding minimum.
        slope = price / gain * step
        next_low, next_high = self._window(i + 1)
        low, high = self._window(i)
        moves = range(max(0, least), most + 1)
        tilted = after + slope * np.arange(next_low, next_low + len(after))
        first, last = low + moves[0], high + moves[-1]
        padded = np.full(last - first + 1, NEVER)
        a, b = max(first, next_low), min(last, next_high)
        if b >= a:
            padded[a - first : b - first + 1] = tilted[a - next_low : b - next_low + 1]
        best = _sliding(padded, len(moves))[: max(1, high - low + 1)]
        offset = slope * np.arange(low, low + len(best))
        within: Floats = best - offset - abs(price / gain - heat) * step
        return within

    def _walk(
        self, values: list[list[Floats]], price: Floats, start_cost: float
    ) -> tuple[bool, ...]:
        """Forward with the true temperature; where the lattice misleads, as near as it goes."""
        z, on = 0.0, self.device.running
        owed = self.on_owed if on else self.off_owed
        out = []
        for i in range(self.count):
            runs, rests = True, True
            if owed:
                runs, rests = on, not on
            choice: list[tuple[float, bool, float]] = []
            if runs:
                next_owed = owed - 1 if on and owed else (0 if on else max(0, self.on_cells[i] - 1))
                powers = np.linspace(self.least, self.most, 1 if self.least == self.most else 25)
                then = self._read(
                    values[i + 1][self._on(next_owed)], i + 1, z + self.gain[i] * powers
                )
                cost = price[i] * powers + self.on_cost[i] + then + (0.0 if on else start_cost)
                best = int(np.argmin(cost))
                choice.append((float(cost[best]), True, float(powers[best])))
            if rests:
                next_owed = owed - 1 if not on and owed else 0
                if on:
                    next_owed = max(0, self.off_cells[i] - 1)
                then = self._read(values[i + 1][self._off(next_owed)], i + 1, np.array([z]))
                choice.append((float(then[0]), False, 0.0))
            _, runs_now, power = min(choice)
            if runs_now:
                owed = owed - 1 if on and owed else (0 if on else max(0, self.on_cells[i] - 1))
            elif on:
                owed = max(0, self.off_cells[i] - 1)
            else:
                owed = max(0, owed - 1)
            on = runs_now
            z += self.gain[i] * power
            out.append(on)
        return tuple(out)

    def _read(self, after: Floats, boundary: int, z: Floats) -> Floats:
        low = self._window(boundary)[0]
        index = np.floor(z / self.step).astype(np.int64) - low
        inside = (index >= 0) & (index < len(after))
        # A node reaches below its limit by less than a step; a plan may not.
        beyond = np.maximum(self.low[boundary] - z, z - self.high[boundary])
        value = after[np.clip(index, 0, len(after) - 1)] + BEYOND * np.maximum(0.0, beyond)
        return np.where(inside, value, NEVER)


def _cells_of(starts: Sequence[int], ends: Sequence[int], first: int, seconds: int) -> int:
    """How many cells from `first` on cover so many seconds, as far as there are cells."""
    count = 0
    while first + count < len(starts) and ends[first + count] - starts[first] < seconds:
        count += 1
    if seconds and first + count < len(starts):
        count += 1
    return count


def _sliding(values: Floats, width: int) -> Floats:
    """Minimum of each stretch of `width` values, by doubling."""
    out, covered = values, 1
    while covered < width:
        more = min(covered, width - covered)
        out = np.minimum(out[:-more], out[more:])
        covered += more
    return out
