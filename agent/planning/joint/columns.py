"""Prices and paths of thermal devices by column generation.

A linear programme thinks that a pump can be half on. So it is left out of the programme: there it
is a mixture of paths, each a plan that it can keep. The programme has prices for its power; at them
the lattice knows the best path, which is the next column. What everything else costs at least at
some prices and what each device costs alone at them is together a bound, whatever the prices are;
they are taken between the best so far and the newest, as new ones alone leap about.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from agent.planning.joint.highs import Highs, Solution
from agent.planning.joint.lattice import PROOF
from agent.planning.joint.memory import Memory
from agent.planning.joint.paths import HeatPaths, Path, mixed
from agent.planning.joint.programme import Programme
from agent.planning.joint.recursion import Floats, Kernel, Prices

# How near prices stay to the best so far, and how much less where that brings nothing new.
NEAR, LESS_NEAR = 0.7, 0.35
# The same where the first mixture is of paths that were good before, and how much a path that
# leaves them pays, in median prices of full power.
NEAR_REMEMBERED, LEANING = 0.35, 2.0
# By stage, the share of the stake to which a mixture and its bound meet before the next stage.
MEET = (3e-4, 1e-4)
LEAST_STAKE = 20.0
# After so many rounds without a better bound a stage is over.
PATIENCE = 6
# Share of the time that may be gone when a stage ends.
STAGE_SHARE = (0.5, 0.7)
# What a kW beyond all limits costs an hour, so that the first paths need not keep them.
BEYOND = 3.0
# A path must be cheaper than the mixture by this to be one more.
CHEAPER = 1e-9


@dataclass(slots=True)
class Dual:
    """Prices by device, what everything else costs at least at them, and the bound that is."""

    prices: dict[str, Prices]
    rest: float
    bound: float = float("-inf")


@dataclass(frozen=True, slots=True)
class Mixture:
    """What is known when no more time is spent: the bound, and the paths of each device with their
    weights in the last mixture, the heaviest first."""

    bound: float
    paths: dict[str, list[tuple[float, Path]]]
    prices: dict[str, Prices]


class ColumnGeneration:
    def __init__(
        self,
        programme: Programme,
        solved: Solution,
        kernel: Kernel,
        memory: Memory,
        left: Callable[[], float],
    ) -> None:
        """`solved`: the relaxed programme, the source of the first prices; `memory`: of paths."""
        assert solved.values is not None, "solved"
        house = programme.house
        self.programme, self.memory, self.left = programme, memory, left
        self.devices = {
            id: HeatPaths(house, heat, kernel)
            for id, heat in programme.thermal.items()
            if house.strict and heat.device.hygiene_by is None and heat.on
        }
        self.paths: dict[str, list[tuple[int, Path]]] = {id: [] for id in self.devices}
        self.solved = solved
        self.best = self._first_dual(solved)

    def _first_dual(self, solved: Solution) -> Dual:
        house = self.programme.house
        duals, values = np.array(solved.duals), np.array(solved.values)
        prices, rest = {}, solved.bound
        for id, one in self.devices.items():
            prices[id] = one.prices(duals, one.heat_prices(duals))
            power = values[[one.heat.power[k] for k in range(one.count)]]
            on = values[[one.heat.on[k] for k in range(one.count)]]
            rest -= float(prices[id].power @ power + prices[id].on @ on)
            own = range(one.heat.columns.start, one.heat.columns.stop)
            rest -= sum(amount * values[c] for c, amount in house.money.items() if c in own)
        return Dual(prices, rest)

    def run(self, stake: float, first: Callable[[dict[str, Path]], None]) -> Mixture:
        """Rounds until mixture and bound meet. `first` is told of the first paths at once."""
        value, paths = self._bound(self.best.prices, 0), self._plans(self.best.prices)
        if value is None or len(paths) < len(self.devices):
            return Mixture(float("-inf"), {}, {})
        self.best.bound = self.best.rest + value
        remembered = self._remembered()
        first(paths | {id: found[0] for id, found in remembered.items()})
        self.master = Master(self.programme, list(self.devices))
        for id, path in paths.items():
            for one in (path, *remembered.get(id, ())):
                self._add(id, one)
        weights: dict[str, list[float]] = {}
        near = NEAR_REMEMBERED if remembered else NEAR
        stage, patience, begun = 0, PATIENCE, self.left()
        while self.left() > 0:
            solved = self.master.solve(self.left())
            if solved is None:
                break
            mixture, duals, convexity, weights = solved
            scale = max(stake, LEAST_STAKE)
            late = self.left() < begun * (1 - STAGE_SHARE[stage])
            if mixture - self.best.bound < MEET[stage] * scale or not patience or late:
                stage, patience, near = stage + 1, PATIENCE, NEAR
                if stage == PROOF:
                    break
                self._finer(stage)
            newest = {
                id: one.prices(duals, self.best.prices[id].heat) for id, one in self.devices.items()
            }
            prices = {id: mixed(self.best.prices[id], newest[id], near) for id in self.devices}
            value = self._bound(prices, stage)
            if value is None:
                break
            rest = near * self.best.rest + (1 - near) * (mixture - sum(convexity.values()))
            if rest + value > self.best.bound + 1e-7:
                self.best = Dual(prices, rest, rest + value)
                patience = PATIENCE
            else:
                patience -= 1
            if not self._add_cheaper(self._plans(prices), duals, convexity):
                if near <= 0:
                    patience = 0
                near = max(0.0, near - LESS_NEAR)
        return Mixture(self.best.bound, self._weighted(weights), self.best.prices)

    def _bound(self, prices: dict[str, Prices], stage: int) -> float | None:
        """The least cost of all devices at these prices."""
        total = 0.0
        for id, one in self.devices.items():
            bound = one.lattice.bound(prices[id], stage)
            if bound is None:
                return None
            total += bound + one.still
        return total

    def _remembered(self) -> dict[str, list[Path]]:
        """Paths near those that were good the last time."""
        out: dict[str, list[Path]] = {}
        for id, one in self.devices.items():
            prices = self.best.prices[id]
            weight = LEANING * float(np.median(np.abs(prices.power))) * one.lattice.most
            for on in self.memory.recall(self.programme.problem, id, one.count):
                power = one.lattice.plan(one.lattice.leaning(prices, on, weight))
                if power is not None:
                    out.setdefault(id, []).append(one.path(power))
        return out

    def _plans(self, prices: dict[str, Prices]) -> dict[str, Path]:
        plans = {id: one.lattice.plan(prices[id]) for id, one in self.devices.items()}
        return {id: self.devices[id].path(own) for id, own in plans.items() if own is not None}

    def prove(self) -> float:
        """The bound at the finest lattice."""
        self._finer(PROOF)
        return self.best.bound

    def _finer(self, stage: int) -> None:
        """A finer lattice bounds the same prices better."""
        value = self._bound(self.best.prices, stage)
        if value is not None:
            self.best.bound = max(self.best.bound, self.best.rest + value)

    def _add_cheaper(
        self, paths: dict[str, Path], duals: Floats, convexity: dict[str, float]
    ) -> bool:
        """Whether any is cheaper than the mixture at its own prices."""
        added = False
        for id, path in paths.items():
            one = self.devices[id]
            prices = one.prices(duals, self.best.prices[id].heat)
            if one.value(prices, path) - convexity[id] < -CHEAPER:
                self._add(id, path)
                added = True
        return added

    def _add(self, id: str, path: Path) -> None:
        self.paths[id].append((self.master.add(id, path), path))

    def _weighted(self, weights: dict[str, list[float]]) -> dict[str, list[tuple[float, Path]]]:
        out: dict[str, list[tuple[float, Path]]] = {}
        for id, known in self.paths.items():
            mine = weights.get(id, [])
            pairs = [(weight, path) for weight, (_, path) in zip(mine, known, strict=False)]
            out[id] = sorted(pairs, key=lambda pair: -pair[0]) or [(1.0, p) for _, p in known]
        return out


class Master:
    """The relaxed programme in which some thermal devices are mixtures of paths."""

    def __init__(self, programme: Programme, ids: list[str]) -> None:
        house = programme.house
        own_columns = [programme.thermal[id].columns for id in ids]
        own_rows = [programme.thermal[id].own_rows for id in ids]
        self.milp, self.row_of = house.milp.without(own_columns, own_rows)
        gone = {column for own in own_columns for column in own}
        self.cost = {c: amount for c, amount in house.money.items() if c not in gone}
        self.convexity = {id: self.milp.equal((), 1.0) for id in ids}
        self.columns: dict[str, list[int]] = {id: [] for id in ids}
        for k, row in enumerate(programme.site.rows):
            # The balance counts imports as positive.
            column = self.milp.column(0.0)
            self.milp.enter(column, [self.row_of[row]], [1.0])
            self.cost[column] = BEYOND * house.hours[k]
        self.highs = Highs(self.milp, adds_columns=True)

    def add(self, id: str, path: Path) -> int:
        column = self.milp.column(0.0)
        rows = [self.row_of[row] for row in path.rows]
        self.milp.enter(column, [*rows, self.convexity[id]], [*path.values, 1.0])
        self.cost[column] = path.cost
        self.columns[id].append(column)
        return column

    def solve(
        self, seconds: float
    ) -> tuple[float, Floats, dict[str, float], dict[str, list[float]]] | None:
        """The value, duals of the house's rows, those of the mixtures, and weights of paths."""
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
        return solution.objective, every, convexity, weights
