"""What a thermal device does alone: prices of a programme's solution, and its paths as columns."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from agent.planning.incumbent import OFF, ON, SAME_EDGE_S
from agent.planning.joint.heat import ThermalDevice
from agent.planning.joint.house import House
from agent.planning.joint.lattice import HeatLattice
from agent.planning.joint.recursion import Floats, Kernel, Long, Prices
from agent.planning.joint.switching import loud_enough

# A device that is on at least takes this, in kW.
ON_KW = 1e-9


@dataclass(frozen=True, slots=True)
class Path:
    """A plan of one device: power and on/off by cell, what it costs by itself, and the rows of the
    others that it enters, with its part in them."""

    power: Floats
    on: Floats
    cost: float
    rows: Sequence[int]
    values: Sequence[float]

    @property
    def pattern(self) -> tuple[bool, ...]:
        return tuple(bool(one) for one in self.on > 0.5)


@dataclass(frozen=True, slots=True)
class Rates:
    """Prices for cells of any length, by cell: of a kWh, of an hour on, of a degree at its end."""

    energy: Floats
    on: Floats
    degree: Floats

    def of(self, cells: Long) -> "Rates":
        """Those of some of the cells."""
        return Rates(self.energy[cells], self.on[cells], self.degree[cells])


class Owner(Protocol):
    """A device with columns and rows of its own in the programme."""

    columns: range
    own_rows: range


class HeatPaths:
    """One thermal device that is on or off, with comfort limits that hold and nothing else to keep.

    `rows`: rows of the house that it shares with others, as entries (row, cell, value) of its power
    and of its being on.
    """

    def __init__(self, house: House, heat: ThermalDevice, kernel: Kernel) -> None:
        self.heat, device = heat, heat.device
        scale = house.problem.units.power_scale
        self.lattice = HeatLattice(device, house.starts, house.ends, scale, kernel)
        self.count = count = heat.count
        self._hours = np.array(house.hours[:count])
        self._power = shared(house, heat, [heat.power[k] for k in range(count)])
        self._on = shared(house, heat, [heat.on[k] for k in range(count)])
        self._edges(house)

    def _edges(self, house: House) -> None:
        """What going on and off costs at the start of each cell, and what doing neither does.

        Several edges that are the same as one old edge each save what it costs, and old edges that
        an end of time could match cost nothing: never more than the plan costs.
        """
        device, count = self.heat.device, self.count
        self.start = np.full(count, house.currency(device.start_cost))
        self.stop, self.still = np.zeros(count), 0.0
        old = device.incumbent
        if not old.cost or not loud_enough(device.power, device.min_power):
            return
        cost = house.currency(old.cost)
        last = house.ends[count - 1]
        for kind, prices in ((ON, self.start), (OFF, self.stop)):
            counted = [at for at in old.counted(kind) if abs(at - last) > SAME_EDGE_S]
            self.still += cost * len(counted)
            for k in range(count):
                at = house.starts[k]
                prices[k] -= cost * sum(abs(one - at) <= SAME_EDGE_S for one in counted)
                prices[k] += cost * old.is_new(at, kind)

    def own_cost(self, on: Floats) -> float:
        before = np.concatenate([[float(self.heat.device.running)], on[:-1]])
        begun, ended = np.maximum(0.0, on - before), np.maximum(0.0, before - on)
        return self.still + float(self.start @ begun + self.stop @ ended)

    def path(self, power: Floats) -> Path:
        on = (power > ON_KW).astype(np.float64)
        entries: dict[int, float] = {}
        for shared, amount in ((self._power, power), (self._on, on)):
            for row, cell, value in zip(*shared, strict=True):
                entries[int(row)] = entries.get(int(row), 0.0) + float(value * amount[cell])
        kept = {row: value for row, value in entries.items() if value}
        return Path(power, on, self.own_cost(on), list(kept), list(kept.values()))

    def prices(self, duals: Floats, heat: Floats) -> Prices:
        """Of power and of being on: what the rows that it shares with others ask for it."""
        power, on = np.zeros(self.count), np.zeros(self.count)
        for (rows, cells, values), out in ((self._power, power), (self._on, on)):
            np.subtract.at(out, cells, duals[rows] * values)
        return Prices(power, on, heat, self.start, self.stop)

    def entries(self, prices: Prices) -> Iterator[tuple[float, list[tuple[int, float]]]]:
        """By cell, of a kW and of being on: its price and its entries (row, value) in rows that it
        shares."""
        for (rows, cells, values), price in ((self._power, prices.power), (self._on, prices.on)):
            found: list[list[tuple[int, float]]] = [[] for _ in range(self.count)]
            for row, cell, value in zip(rows.tolist(), cells, values.tolist(), strict=True):
                found[cell].append((row, value))
            for cell, own in enumerate(found):
                if own:
                    yield float(price[cell]), own

    def rates(self, prices: Prices) -> Rates:
        keep = self.lattice.keep[1:]
        return Rates(prices.power / self._hours, prices.on / self._hours, prices.heat / keep)

    def at_rates(self, rates: Rates) -> Prices:
        power, on = rates.energy * self._hours, rates.on * self._hours
        return Prices(power, on, rates.degree * self.lattice.keep[1:], self.start, self.stop)

    def heat_prices(self, duals: Floats) -> Floats:
        """Prices of heat, from the rows in which temperatures follow each other."""
        own = duals[np.array(self.heat.rows, dtype=np.int64)]
        worth: Floats = np.maximum(0.0, -own) * self.lattice.keep[1:]
        return worth

    def value(self, prices: Prices, path: Path) -> float:
        """What a path costs at these prices."""
        return float(prices.power @ path.power + prices.on @ path.on) + path.cost


def mixed(one: Prices, other: Prices, share: float) -> Prices:
    """`share` of one and the rest of the other; heat as in the first."""
    return Prices(
        share * one.power + (1 - share) * other.power,
        share * one.on + (1 - share) * other.on,
        one.heat,
        one.start,
        one.stop,
    )


_Entries = tuple["np.ndarray[tuple[int], np.dtype[np.int64]]", list[int], Floats]


def shared(house: House, device: Owner, columns: Sequence[int]) -> _Entries:
    """Entries of these columns (by cell) in rows that are not the device's own."""
    milp = house.milp
    cells = {column: k for k, column in enumerate(columns)}
    entries = np.array(milp.row_columns, dtype=np.int64)
    mine = np.flatnonzero((entries >= device.columns.start) & (entries < device.columns.stop))
    begins = np.array(milp.row_begin, dtype=np.int64)
    rows = np.searchsorted(begins, mine, side="right") - 1
    others = (rows < device.own_rows.start) | (rows >= device.own_rows.stop)
    at = mine[others]
    entered = zip(rows[others].tolist(), entries[at].tolist(), at.tolist(), strict=True)
    found = [
        (row, cells[column], milp.row_values[k]) for row, column, k in entered if column in cells
    ]
    return (
        np.array([row for row, _, _ in found], dtype=np.int64),
        [cell for _, cell, _ in found],
        np.array([value for _, _, value in found], dtype=np.float64),
    )
