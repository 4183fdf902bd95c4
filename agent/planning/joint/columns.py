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

from agent.planning.joint.highs import Solution
from agent.planning.joint.lattice import PROOF
from agent.planning.joint.master import Master, Mixed
from agent.planning.joint.memory import Memory
from agent.planning.joint.milp import INF
from agent.planning.joint.paths import HeatPaths, Path, mixed
from agent.planning.joint.programme import Programme
from agent.planning.joint.recursion import Kernel, Prices

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
# The stage that begins where prices are known already.
WARM_STAGE = 1
# A path must be cheaper than the mixture by this to be one more.
CHEAPER = 1e-9


@dataclass(slots=True)
class Dual:
    """Prices by device, what everything else costs at least at them, and the bound that is."""

    prices: dict[str, Prices]
    rest: float
    bound: float = -INF


@dataclass(frozen=True, slots=True)
class Mixture:
    """What is known when no more time is spent: the bound, and the paths of each device with their
    weights in the last mixture, the heaviest first."""

    bound: float
    paths: dict[str, list[tuple[float, Path]]]
    prices: dict[str, Prices]


class ColumnGeneration:
    """`begin` or `recall`, then `run`; `devices`: those that are mixtures."""

    def __init__(self, programme: Programme, kernel: Kernel, memory: Memory) -> None:
        house = programme.house
        self.programme, self.memory = programme, memory
        self.devices = {
            id: HeatPaths(house, heat, kernel)
            for id, heat in programme.thermal.items()
            if house.strict and heat.device.hygiene_by is None and heat.on
        }
        self.paths: dict[str, list[tuple[int, Path]]] = {id: [] for id in self.devices}
        self.best = Dual({}, -INF)
        self.recalled = False

    def begin(self, solved: Solution) -> None:
        """At the prices of the relaxed programme's solution."""
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
        self.best = Dual(prices, rest)

    def recall(self) -> bool:
        """At the best prices of the last time; False where they are not known."""
        prices: dict[str, Prices] = {}
        for id, one in self.devices.items():
            rates = self.memory.recall_prices(self.programme.problem, id, one.count)
            if rates is None:
                return False
            prices[id] = one.at_rates(rates)
        self.best = Dual(prices, -INF)
        self.recalled = bool(prices)
        return self.recalled

    def run(
        self, stake: float, left: Callable[[], float], first: Callable[[dict[str, Path]], None]
    ) -> Mixture:
        """Rounds until mixture and bound meet. `first` is told of the first paths at once."""
        nothing = Mixture(-INF, {}, {})
        paths, remembered = self._plans(self.best.prices), self._remembered()
        if len(paths) < len(self.devices):
            return nothing
        first(paths | {id: found[0] for id, found in remembered.items()})
        self.master = Master(self.programme, self.devices)
        for id, path in paths.items():
            for one in (*remembered.get(id, ()), path):
                self._add(id, one)
        weights: dict[str, list[float]] = {}
        stage, near = 0, NEAR
        if self.recalled:
            begun_near = self._near_recalled(left())
            if begun_near is None:
                return nothing
            stage, near, weights = WARM_STAGE, NEAR_REMEMBERED, begun_near.weights
        if not self._raised(self.best.prices, self.best.rest, stage):
            return nothing
        patience, begun = PATIENCE, left()
        while left() > 0:
            solved = self.master.solve(left())
            if solved is None:
                break
            weights = solved.weights
            scale = max(stake, LEAST_STAKE)
            late = left() < begun * (1 - STAGE_SHARE[stage])
            if solved.value - self.best.bound < MEET[stage] * scale or not patience or late:
                stage, patience, near = stage + 1, PATIENCE, NEAR
                if stage == PROOF:
                    break
                self._finer(stage)
            newest = self._prices_of(solved)
            prices = {id: mixed(self.best.prices[id], newest[id], near) for id in self.devices}
            rest = near * self.best.rest + (1 - near) * solved.rest
            patience = PATIENCE if self._raised(prices, rest, stage) else patience - 1
            if not self._add_cheaper(self._plans(prices), solved):
                if near <= 0:
                    patience = 0
                near = max(0.0, near - LESS_NEAR)
        return Mixture(self.best.bound, self._weighted(weights), self.best.prices)

    def _near_recalled(self, seconds: float) -> Mixed | None:
        """Prices near those that were recalled, with what everything else costs at them; None where
        the time is over."""
        for id, one in self.devices.items():
            self.master.loosen(one, self.best.prices[id])
        solved = self.master.solve(seconds)
        self.master.settle()
        if solved is not None:
            self.best = Dual(self._prices_of(solved), solved.rest)
        return solved

    def _prices_of(self, solved: Mixed) -> dict[str, Prices]:
        known = self.best.prices
        return {id: one.prices(solved.duals, known[id].heat) for id, one in self.devices.items()}

    def _raised(self, prices: dict[str, Prices], rest: float, stage: int) -> bool:
        """Whether these prices prove more than the best so far, and then they are the best."""
        value = self._bound(prices, stage)
        if value is None or rest + value <= self.best.bound + 1e-7:
            return False
        self.best = Dual(prices, rest, rest + value)
        return True

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
        if self.best.rest == -INF:
            return
        value = self._bound(self.best.prices, stage)
        if value is not None:
            self.best.bound = max(self.best.bound, self.best.rest + value)

    def _add_cheaper(self, paths: dict[str, Path], solved: Mixed) -> bool:
        """Whether any is cheaper than the mixture at its own prices."""
        added, prices = False, self._prices_of(solved)
        for id, path in paths.items():
            one = self.devices[id]
            if one.value(prices[id], path) - solved.convexity[id] < -CHEAPER:
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
