"""Runs of one device under a limit: minimum times, grids, blocks, a run that must go on."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from agent.planning.devices.flexible import ScaledDemand, ScaledDevice
from agent.planning.rule.allocation import Allocation
from agent.planning.segments import Segment, joined, runs_of

# No demand is cut into more runs than this.
MOST_RUNS = 6

# Cell, end and power of each piece of a run; it begins with its cell. Of the many runs that are
# looked at only the best one becomes segments.
Pieces = Sequence[tuple[int, int, int]]


@dataclass(frozen=True, slots=True)
class Placed:
    """One run: what it serves in all and in time, its cost per energy, and how late it ends."""

    pieces: Pieces
    served: int
    in_time: int
    cost: float
    unknown: int
    late: int


class RunPlacer:
    """Of a device that runs for a while; a run that must go on is placed at once."""

    def __init__(self, house: Allocation, device: ScaledDevice) -> None:
        self.house = house
        self.device = device
        self.left = [demand.energy for demand in device.demands]
        self.own: list[Segment] = []
        # Runs of `own`, in time order: where each begins and ends.
        self.begins: list[int] = []
        self.ends: list[int] = []
        # By demand and cell, until something is taken by anybody: many runs ask for each.
        self._powers: dict[tuple[int, int], int] = {}
        self._prices: dict[tuple[int, int], float] = {}

        self._goes_on()

    @property
    def segments(self) -> tuple[Segment, ...]:
        return joined(self.own)

    def place(self, index: int) -> None:
        """One demand, in as many runs as it takes; what finds no place is not served."""
        demand = self.device.demands[index]
        self._forget()
        for _ in range(1 if demand.contiguous else MOST_RUNS):
            if self.left[index] <= 0 or (self.house.pace.over() and not demand.under_way):
                break
            best = self._best_run(index)
            if best is None:
                break
            cells = self.house.cells
            self._add(
                tuple(Segment(cells[k].start, b, power, index) for k, b, power in best.pieces)
            )
            self.left[index] -= best.served

    def _add(self, segments: tuple[Segment, ...]) -> None:
        self.own += segments
        runs = runs_of(joined(self.own))
        self.begins, self.ends = [a for a, _ in runs], [b for _, b in runs]
        self.house.take(segments)
        self._forget()

    def _forget(self) -> None:
        self._powers.clear()
        self._prices.clear()

    def _goes_on(self) -> None:
        """The run under way at its least power, for a split demand where one may have it."""
        device, cells = self.device, self.house.cells
        under_way = any(demand.under_way for demand in device.demands)
        if not device.mandatory_s or under_way:
            return
        for k, cell in enumerate(cells):
            if cell.start >= device.mandatory_s:
                break
            who = None
            for i, demand in enumerate(device.demands):
                wants = not demand.contiguous and self.left[i] >= device.min_power * cell.length
                # It goes on whatever the limit says, so room is no question.
                if wants and self._admits(demand, k):
                    who = i
                    break
            end = min(cell.end, device.mandatory_s)
            one = Segment(cell.start, end, device.min_power, who)
            if who is not None:
                self.left[who] -= one.power * (one.end - one.start)
            self._add((one,))

    def _admits(self, demand: ScaledDemand, k: int) -> bool:
        """Window, cap and what is known of the price of a cell."""
        cell = self.house.cells[k]
        if cell.start < demand.earliest or (not demand.hard and cell.end > demand.deadline):
            return False
        if demand.hard and cell.start < demand.deadline < cell.end:
            return False
        if cell.start >= demand.deadline and demand.allowance_s is not None:
            return False
        if cell.unknown and (not demand.hard or demand.cap is not None):
            return False
        covered = cell.pv - cell.base >= self.device.min_power
        return demand.cap is None or cell.price <= demand.cap or covered

    def _power(self, demand: ScaledDemand, k: int) -> int:
        """What the demand may draw in cell k beside the others; 0: not there."""
        house, device = self.house, self.device
        cell = house.cells[k]
        if not self._admits(demand, k):
            return 0
        power = house.most(k, device.power)
        if demand.contiguous:
            # A block takes all that the limit leaves beside the house, or is not there.
            block = device.power if cell.headroom is None else min(device.power, cell.headroom)
            power = block if block <= power else 0
        if demand.cap is not None and cell.price > demand.cap:
            roof = max(0, cell.pv - cell.base)
            power = min(power, roof) if not demand.contiguous else power if power <= roof else 0
        return power if power >= max(1, device.min_power) else 0

    def _power_in(self, index: int, k: int) -> int:
        power = self._powers.get((index, k))
        if power is None:
            power = self._powers[index, k] = self._power(self.device.demands[index], k)
        return power

    def _price_in(self, k: int, power: int) -> float:
        price = self._prices.get((k, power))
        if price is None:
            price = self._prices[k, power] = self.house.price(k, power)
        return price

    def _best_run(self, index: int) -> Placed | None:
        """In time and cheap; else the one that serves most in time; else the first one late.

        In haste the first one that serves it.
        """
        demand, grid = self.device.demands[index], self.house.problem.grid
        begin = grid.boundary(0 if demand.under_way else max(demand.earliest, 0))
        best: tuple[tuple[float, ...], Placed] | None = None
        for k in range(begin, len(self.house.cells)):
            start = self.house.cells[k].start
            # A block under way has one place only.
            if start if demand.under_way else self.house.pace.over():
                break
            if not self._may_start(index, start):
                continue
            placed = self._run_from(index, k)
            if placed is None or not placed.served:
                continue
            rank = self._rank(demand, index, placed)
            if best is None or rank < best[0]:
                best = (rank, placed)
            if placed.late and best is not None and start >= demand.deadline:
                break
            if self.house.pace.in_haste() and (demand.hard or self._is_worth(demand, placed)):
                break
        if best is None:
            return None
        return best[1] if demand.hard or self._is_worth(demand, best[1]) else None

    def _is_worth(self, demand: ScaledDemand, placed: Placed) -> bool:
        return placed.cost < demand.value * placed.served

    def _rank(self, demand: ScaledDemand, index: int, placed: Placed) -> tuple[float, ...]:
        if not demand.hard:
            return (placed.cost - demand.value * placed.served,)
        lacking = max(0, self.left[index] - placed.in_time)
        # Prices may still become known: without one, as late as possible.
        start = self.house.cells[placed.pieces[0][0]].start
        when = -start if placed.unknown and not placed.late else start
        return (lacking, placed.late, placed.unknown, placed.cost, when)

    def _may_start(self, index: int, start: int) -> bool:
        """Minimum times before and the grid; where it is on until now it goes on."""
        device = self.device
        if start < device.blocked_s:
            return False
        goes_on = self._goes_on_at(start)
        before = bisect_right(self.begins, start) - 1
        if before >= 0 and not goes_on and start < self.ends[before] + device.min_off_s:
            return False
        if device.running and not start and not self.begins:
            goes_on = True
        if not self.begins and device.running and 0 < start < device.min_off_s:
            return False
        return goes_on or device.on_grid(start, index)

    def _goes_on_at(self, start: int) -> bool:
        """Whether a run ends just there."""
        k = bisect_left(self.ends, start)
        return k < len(self.ends) and self.ends[k] == start

    def _run_from(self, index: int, first: int) -> Placed | None:
        """A run from the start of a cell until the demand is full; None where it is too short."""
        device, house = self.device, self.house
        demand, wanted = device.demands[index], self.left[index]
        start = house.cells[first].start
        since = self.begins[bisect_left(self.ends, start)] if self._goes_on_at(start) else start
        least = 0 if since != start else device.min_on_s
        if device.running and not start:
            least = device.mandatory_s
        after = bisect_right(self.begins, start)
        following = self.begins[after] if after < len(self.begins) else 1 << 40
        powers: list[tuple[int, int]] = []
        energy = 0
        k = first
        while k < len(house.cells):
            cell = house.cells[k]
            power = self._power_in(index, k)
            if not power or (cell.end > following - device.min_off_s and cell.end != following):
                break
            powers.append((k, power))
            energy += power * cell.length
            long_enough = cell.end - start >= least
            on_grid = device.on_grid(cell.end, index)
            if energy >= wanted and long_enough and on_grid:
                return self._fitted(index, powers, wanted, least)
            k += 1
        if demand.contiguous and demand.hard and demand.cap is None:
            return None
        return self._cut(index, powers, least)

    def _cut(self, index: int, powers: list[tuple[int, int]], least: int) -> Placed | None:
        """All that there is room for, back to where it may end."""
        device, cells = self.device, self.house.cells
        while powers:
            end = cells[powers[-1][0]].end
            if device.on_grid(end, index):
                if end - cells[powers[0][0]].start < least:
                    return None
                return self._placed(index, [(k, cells[k].end, power) for k, power in powers])
            powers.pop()
        return None

    def _fitted(
        self, index: int, powers: list[tuple[int, int]], wanted: int, least: int
    ) -> Placed | None:
        """Cells at their powers, the last ones at less or for less time, so that no more is taken.

        A block keeps its power and ends within its last cell.
        """
        device, cells = self.device, self.house.cells
        demand = device.demands[index]
        start = cells[powers[0][0]].start
        pieces: list[tuple[int, int, int]] = []
        left = wanted
        after = [0] * (len(powers) + 1)
        for n in range(len(powers) - 1, -1, -1):
            after[n] = after[n + 1] + device.min_power * cells[powers[n][0]].length
        for n, (k, power) in enumerate(powers):
            cell = cells[k]
            last = n + 1 == len(powers)
            if demand.contiguous:
                seconds = min(cell.length, -(-left // power))
                if seconds <= 0 and cell.start - start >= least:
                    break
                seconds = max(seconds, min(cell.length, least - (cell.start - start)))
                if device.grid_s:
                    seconds += -(seconds + cell.start - demand.anchor) % device.grid_s
                end = min(cell.end, cell.start + max(1, seconds))
                pieces.append((k, end, power))
                left -= power * (end - cell.start)
                continue
            # What follows takes its least at least: leave that much for it.
            level = min(power, max(device.min_power, -(-(left - after[n + 1]) // cell.length)))
            if last and not device.grid_s and left < device.min_power * cell.length:
                seconds = max(1, -(-left // device.min_power), least - (cell.start - start))
                end = min(cell.end, cell.start + seconds)
                pieces.append((k, end, device.min_power))
                left -= device.min_power * (end - cell.start)
                continue
            pieces.append((k, cell.end, level))
            left -= level * cell.length
        return self._placed(index, pieces)

    def _placed(self, index: int, pieces: Pieces) -> Placed:
        cells, deadline = self.house.cells, self.device.demands[index].deadline
        cost = 0.0
        served = in_time = unknown = late = 0
        for k, end, power in pieces:
            cell = cells[k]
            energy = power * (end - cell.start)
            served += energy
            cost += energy * self._price_in(k, power)
            if cell.unknown:
                unknown += energy
            if end <= deadline:
                in_time += energy
            else:
                in_time += power * max(0, deadline - cell.start)
                late = max(late, end - deadline)
        start = cells[pieces[0][0]].start
        cost += 0 if self._goes_on_at(start) else self.device.start_cost
        return Placed(pieces, served, in_time, cost, unknown, late)
