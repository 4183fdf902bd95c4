"""The relaxed programme in which some thermal devices are mixtures of paths."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from agent.planning.joint.highs import Highs
from agent.planning.joint.paths import HeatPaths, Path
from agent.planning.joint.programme import Programme
from agent.planning.joint.recursion import Floats, Prices

# What a kW beyond all limits costs an hour, so that the first paths need not keep them.
BEYOND = 3.0
# How far a mixture may leave its paths at remembered prices, in kW and in cells on.
LOOSE = 1.0


@dataclass(frozen=True, slots=True)
class Mixed:
    """A solution. `rest`: what everything but the mixtures costs at least at its prices; `duals` of
    the rows of the house, `convexity` what a path of each device is worth, `weights` by path."""

    value: float
    rest: float
    duals: Floats
    convexity: dict[str, float]
    weights: dict[str, list[float]]


class Master:
    def __init__(self, programme: Programme, devices: Mapping[str, HeatPaths]) -> None:
        house = programme.house
        own_columns = [programme.thermal[id].columns for id in devices]
        own_rows = [programme.thermal[id].own_rows for id in devices]
        self.milp, self.row_of = house.milp.without(own_columns, own_rows)
        gone = {column for own in own_columns for column in own}
        self.cost = {c: amount for c, amount in house.money.items() if c not in gone}
        self.convexity = {id: self.milp.equal((), 1.0) for id in devices}
        self.columns: dict[str, list[int]] = {id: [] for id in devices}
        self.loose: list[int] = []
        for k, row in enumerate(programme.site.rows):
            # The balance counts imports as positive.
            column = self.milp.column(0.0)
            self.milp.enter(column, [self.row_of[row]], [1.0])
            self.cost[column] = BEYOND * house.hours[k]
        self.highs = Highs(self.milp)

    def add(self, id: str, path: Path) -> int:
        column = self.milp.column(0.0)
        rows = [self.row_of[row] for row in path.rows]
        self.milp.enter(column, [*rows, self.convexity[id]], [*path.values, 1.0])
        self.cost[column] = path.cost
        self.columns[id].append(column)
        return column

    def loosen(self, device: HeatPaths, prices: Prices) -> None:
        """Until `settle` the mixture may leave its paths at these prices: so those of the solution
        are near them."""
        for price, entries in device.entries(prices):
            column = self.milp.column(-LOOSE, LOOSE)
            rows = [self.row_of[row] for row, _ in entries]
            self.milp.enter(column, rows, [value for _, value in entries])
            self.cost[column] = -price
            self.loose.append(column)

    def settle(self) -> None:
        for column in self.loose:
            self.milp.fix(column, 0.0)
        self.loose.clear()

    def solve(self, seconds: float) -> Mixed | None:
        """None where the time is over."""
        solution = self.highs.solve(self.cost, seconds, relaxed=True)
        if solution.values is None:
            return None
        duals = np.array(solution.duals)
        # Rows that are not here count nothing.
        every = np.append(duals, 0.0)[self.row_of]
        convexity = {id: float(duals[row]) for id, row in self.convexity.items()}
        weights = {
            id: [solution.values[column] for column in mine] for id, mine in self.columns.items()
        }
        loose = sum(abs(solution.reduced[column]) for column in self.loose) * LOOSE
        rest = solution.objective - sum(convexity.values()) + loose
        return Mixed(solution.objective, rest, every, convexity, weights)
