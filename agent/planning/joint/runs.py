"""Runs of flexible devices with minimum times, by dynamic programming.

Rounding what a linear programme says of such a device breaks its minimum times. A lattice, with
what was taken so far as z, knows the runs that keep all times and lie nearest to what the programme
says; or, where its prices are taken from there, what each kW and each cell on costs, the cheapest
ones. These are guesses at a plan and prove nothing: the programme with them fixed says whether they
are one, and what it costs.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from agent.planning.joint.flexible import DUST_KW, FlexibleDevice
from agent.planning.joint.highs import Solution
from agent.planning.joint.house import House
from agent.planning.joint.lattice import Lattice, Runs
from agent.planning.joint.paths import shared
from agent.planning.joint.recursion import Floats, Kernel, Prices
from agent.planning.joint.site import Flows
from agent.planning.joint.switching import Part

# Steps of z in the shortest cell at full power, and how many there may be.
STEPS, NODES = 8, 1500
# The lattice may take so many steps more than is needed where the power can be less after all.
SPARE_STEPS = 3
HAIR = 1e-7
# What a kWh costs where only nearness counts, as a share of its price: of what is as near the
# cheaper.
NEARLY_FREE = 1e-6
# What more a kWh at the least power counts, where the nearest runs take more than is needed.
FEWER = (0.0, 0.1, 0.3, 1.0)
# What is no energy, in kWh, and what no plan pays for anything.
DUST_KWH, FORBIDDEN = 1e-6, 1e6


def has_runs(house: House, device: FlexibleDevice) -> bool:
    """Whether its runs are looked for here: split demands that may miss nothing; where its power is
    one, one of them, as a part of a cell takes what whole cells cannot."""
    if not (house.strict and device.switched and device.splits and device.least > 0):
        return False
    if device.blocks or device.free_blocks:
        return False
    if device.least >= device.most and len(device.splits) > 1:
        return False
    return all(split.demand.hard and split.power for split in device.splits)


class RunLattice:
    """One device; cells up to the last that its demands may use."""

    def __init__(self, house: House, device: FlexibleDevice, flows: Flows, kernel: Kernel) -> None:
        self.house, self.device, self.flows = house, device, flows
        cells = sorted({k for split in device.splits for k in split.power})
        self.count = count = cells[-1] + 1
        usable = np.array([float(k in device.on) for k in range(count)])
        self._hours = np.array(house.hours[:count])
        shortest = min(house.hours[k] for k in cells)
        # Where its power is one, a part of a cell takes the rest.
        self._parted = device.with_parts and device.least >= device.most
        # A hair less, so that full power leads from node to node whatever floats are.
        step = device.most * shortest / STEPS * (1 - HAIR)
        model = device.device
        runs = Runs(
            model.min_on_s, model.min_off_s, model.running, model.mandatory_s, model.blocked_s
        )
        times = house.starts[:count], house.ends[:count]
        powers = device.least, device.most
        self.lattice = Lattice(powers, runs, times, ((step, NODES),), kernel)
        modulates = device.least < device.most
        less = device.least * shortest if self._parted else 0.0
        # Before the last demand it may be a step short: powers make up for that.
        early, more = (step, SPARE_STEPS * step) if modulates else (0.0, 0.0)
        low, high = np.zeros(count + 1), np.zeros(count + 1)
        self.need = self._rounded = 0.0
        by_deadline = sorted(device.splits, key=lambda one: one.demand.deadline)
        for split in by_deadline:
            demand, mine = split.demand, sorted(split.power)
            self.need += house.kwh(demand.energy)
            last = split is by_deadline[-1]
            low[mine[-1] + 1 :] = self.need * (1 - 10 * HAIR) - less - (0.0 if last else early)
            rounded = house.kwh(device.rounded(demand))
            self._rounded += rounded
            high[mine[0] + 1 :] += rounded + more * last
        self.lattice.limit(np.maximum(0.0, low), high, self._hours * usable, np.ones(count + 1))
        self._imported = self._hours * [house.price(cell.choice) for cell in house.cells[:count]]
        self._barred = np.where(usable > 0, 0.0, FORBIDDEN)
        self._edges()
        powered = {k: column for split in device.splits for k, column in split.power.items()}
        self._power = self._entries(powered)
        self._on = self._entries({k: one for k, one in device.on.items() if k < count})
        self._parts = [
            (k, part) for split in device.splits for k in split.power for part in split.parts(k)
        ]
        self._share = self._entries({n: part.share for n, (_, part) in enumerate(self._parts)})
        self._partly = self._entries({n: part.on for n, (_, part) in enumerate(self._parts)})

    def _entries(self, columns: dict[int, int]) -> list[tuple[int, int, float]]:
        """(row, index, value) of columns by index in rows that the device shares with others."""
        rows, places, values = shared(self.house, self.device, list(columns.values()))
        index = list(columns)
        return [
            (row, index[place], value)
            for row, place, value in zip(rows.tolist(), places, values.tolist(), strict=True)
        ]

    def _edges(self) -> None:
        """Starts cost something; the last run is a whole one too, and a grid binds both edges."""
        house, model, count = self.house, self.device.device, self.count
        self.start = np.full(count, house.currency(model.start_cost))
        self.stop = np.zeros(count)
        last = house.ends[count - 1]
        for k in range(count):
            at = house.starts[k]
            if at + model.min_on_s > last or not model.on_grid(at, None):
                self.start[k] = FORBIDDEN
            if not model.on_grid(at, None):
                self.stop[k] = FORBIDDEN

    def _priced(self, entries: list[tuple[int, int, float]], duals: Floats, count: int) -> Floats:
        out = np.zeros(count)
        for row, k, value in entries:
            out[k] -= duals[row] * value
        return out

    def nearest(self, solution: Solution, lost: float) -> dict[int, float] | None:
        """What is on in runs that take the least where a solution takes less than the least power,
        and lose the least of what it takes, a kWh of that counting `lost` times; as columns and
        their values. None where nothing fits."""
        assert solution.values is not None, "solved"
        device, taken = self.device, np.zeros(self.count)
        for split in device.splits:
            for k, column in split.power.items():
                taken[k] += solution.values[column]
        more = np.maximum(0.0, device.least - taken) - lost * taken
        kwh_price = float(np.median(np.abs(self._imported / self._hours)))
        power, none = NEARLY_FREE * self._imported, np.zeros(self.count)
        for fewer in FEWER:
            on = kwh_price * (more + fewer * device.least) * self._hours + self._barred
            prices = Prices(power, on, none, self.start, self.stop)
            found = self._columns(prices, np.array(solution.duals))
            if found is not None:
                return found
        return None

    def pattern(self, solution: Solution, leaning: float) -> dict[int, float] | None:
        """What is on at the prices of a solution, as columns and their values; cells that are on
        there are cheaper by `leaning` median prices of full power. None where nothing fits."""
        assert solution.values is not None, "solved"
        device, duals = self.device, np.array(solution.duals)
        power = self._priced(self._power, duals, self.count)
        still = self._still(solution.values)
        power[still] = np.maximum(power[still], self._imported[still])
        full = self._full(solution.values)
        power[full] = self._imported[full]
        on = self._priced(self._on, duals, self.count) + self._barred
        credit = 0.0
        if self._parted:
            # What whole cells leave a part of one takes, at best in the cheapest.
            share = self._priced(self._share, duals, len(self._parts))
            energies = np.array([device.least * self._hours[k] for k, _ in self._parts])
            credit = float(np.min(share / energies))
        heat = np.zeros(self.count)
        prices = Prices(power - credit * self._hours, on, heat, self.start, self.stop)
        if leaning:
            shares = [
                solution.values[device.on[k]] if k in device.on else 0.0 for k in range(self.count)
            ]
            weight = leaning * float(np.median(np.abs(power))) * device.most
            prices = self.lattice.leaning(prices, np.array(shares), weight)
            prices = replace(prices, on=np.maximum(prices.on, self._barred / 2))
        return self._columns(prices, duals)

    def _columns(self, prices: Prices, duals: Floats) -> dict[int, float] | None:
        """The runs that cost least at these prices, and the part of a cell that they leave."""
        device, powers = self.device, self.lattice.plan(prices)
        if powers is None or np.any((powers > 0) & (self._barred > 0)):
            return None
        if device.least * float(self._hours @ (powers > 0)) > self._rounded + DUST_KWH:
            return None
        out = {
            column: float(powers[k] > 0) if k < self.count else 0.0
            for k, column in device.on.items()
        }
        out |= {part.on: 0.0 for _, part in self._parts}
        rest = self.need - float(powers @ self._hours)
        if self._parted and rest > DUST_KWH:
            share = self._priced(self._share, duals, len(self._parts))
            partly = self._priced(self._partly, duals, len(self._parts))
            found = self._part(powers > 0, rest, share, partly)
            if found is None:
                return None
            out[found.on] = 1.0
        return out

    def _still(self, values: Sequence[float]) -> list[int]:
        """Cells in which nothing is drawn: there a solution has no price, but one that is too low
        for what would have to be imported first."""
        moved = (self.flows.imported, self.flows.exported, self.flows.curtailed)
        return [
            k
            for k in range(self.count)
            if all(values[flow[k]] <= DUST_KW for flow in moved)
            and all(values[column] <= DUST_KW for column, _ in self.house.balance[k])
        ]

    def _full(self, values: Sequence[float]) -> list[int]:
        """Cells in which all devices draw their most and no limit binds: there a solution has a
        price that is too high."""
        house, imported = self.house, self.flows.imported
        found = []
        for k in range(self.count):
            most, limit = house.milp.upper[imported[k]], house.cells[k].import_limit
            free = limit is None or most < house.kw(limit) - DUST_KW
            if free and 0 < most <= values[imported[k]] + DUST_KW:
                found.append(k)
        return found

    def _part(
        self,
        on: "np.ndarray[tuple[int], np.dtype[np.bool_]]",
        rest: float,
        share: Floats,
        partly: Floats,
    ) -> Part | None:
        """The cheapest part of a cell beside a run that takes so much."""
        house, model = self.house, self.device.device
        starts, ends = house.starts, house.ends
        runs = np.flatnonzero(on)
        best: tuple[float, Part] | None = None
        for n, (k, part) in enumerate(self._parts):
            taken = rest / (self.device.least * self._hours[k])
            if on[k] or taken > 1 + 1e-9:
                continue
            seconds = taken * (ends[k] - starts[k])
            before, after = runs[runs < k], runs[runs > k]
            first = any(split.first.get(k) is part for split in self.device.splits)
            if first:
                beside = bool(len(before)) and before[-1] == k - 1
                gap = starts[after[0]] - starts[k] - seconds if len(after) else np.inf
            else:
                beside = bool(len(after)) and after[0] == k + 1
                gap = ends[k] - seconds - ends[before[-1]] if len(before) else np.inf
            if not beside or gap < model.min_off_s:
                continue
            cost = share[n] * min(1.0, taken) + partly[n]
            if best is None or cost < best[0]:
                best = cost, part
        return None if best is None else best[1]
