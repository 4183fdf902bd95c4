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
# Share of the time that may be gone when the first stage ends.
FIRST_STAGE_SHARE = 0.5
# How many of the paths that are remembered come into the first mixture.
RECALLED = 2
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
    """`begin` or `recall`, `start`, then `run` as often as there is time; `devices`: those that are
    mixtures."""

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
        self.stage, self.near, self.patience = 0, NEAR, PATIENCE
        # Of the paths in the last mixture.
        self.weights: dict[str, list[float]] = {}

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

    def start(self, left: Callable[[], float], first: Callable[[dict[str, Path]], None]) -> bool:
        """The first paths and a bound; False where there are none. `first` is told of them, one of
        each device."""
        remembered = self._remembered()
        paths = {} if len(remembered) == len(self.devices) else self._plans(self.best.prices)
        begun = paths | {id: found[0] for id, found in remembered.items()}
        if len(begun) < len(self.devices):
            return False
        first(begun)
        self.master = Master(self.programme, self.devices)
        for id in self.devices:
            for one in (*remembered.get(id, ()), *([paths[id]] if id in paths else ())):
                self._add(id, one)
        if self.recalled:
            self.stage, self.near = WARM_STAGE, NEAR_REMEMBERED
            self._near_recalled(left())
        return self._raised(self.best.prices, self.best.rest)

    def run(self, stake: float, left: Callable[[], float]) -> Mixture:
        """Rounds until mixture and bound meet, or until the time is over: then it may go on."""
        begun, scale = left(), max(stake, LEAST_STAKE)
        while left() > 0 and not self.finished:
            solved = self.master.solve(left())
            if solved is None:
                break
            self.weights = solved.weights
            late = self.stage == 0 and left() < begun * (1 - FIRST_STAGE_SHARE)
            met = solved.value - self.best.bound < MEET[self.stage] * scale
            if met or late or not self.patience:
                self._next_stage()
                if self.finished:
                    break
            newest = self._prices_of(solved)
            near = self.near
            prices = {id: mixed(self.best.prices[id], newest[id], near) for id in self.devices}
            rest = near * self.best.rest + (1 - near) * solved.rest
            self.patience = PATIENCE if self._raised(prices, rest) else self.patience - 1
            if not self._add_cheaper(self._plans(prices), solved):
                if near <= 0:
                    self.patience = 0
                self.near = max(0.0, near - LESS_NEAR)
        return Mixture(self.best.bound, self._weighted(), self.best.prices)

    @property
    def finished(self) -> bool:
        """Whether more rounds would bring nothing."""
        return self.stage == PROOF

    def _next_stage(self) -> None:
        self.stage, self.patience, self.near = self.stage + 1, PATIENCE, NEAR
        if not self.finished:
            self._finer(self.stage)

    def _near_recalled(self, seconds: float) -> None:
        """Prices near those that were recalled, with what everything else costs at them."""
        for id, one in self.devices.items():
            self.master.loosen(one, self.best.prices[id])
        solved = self.master.solve(seconds)
        self.master.settle()
        if solved is not None:
            self.best, self.weights = Dual(self._prices_of(solved), solved.rest), solved.weights

    def _prices_of(self, solved: Mixed) -> dict[str, Prices]:
        known = self.best.prices
        return {id: one.prices(solved.duals, known[id].heat) for id, one in self.devices.items()}

    def _raised(self, prices: dict[str, Prices], rest: float) -> bool:
        """Whether these prices prove more than the best so far, and then they are the best."""
        value = self._bound(prices, self.stage)
        if value is None or rest == -INF or rest + value <= self.best.bound + 1e-7:
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
            for on in self.memory.recall(self.programme.problem, id, one.count)[:RECALLED]:
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

    def _weighted(self) -> dict[str, list[tuple[float, Path]]]:
        out: dict[str, list[tuple[float, Path]]] = {}
        for id, known in self.paths.items():
            mine = self.weights.get(id, [])
            pairs = [(weight, path) for weight, (_, path) in zip(mine, known, strict=False)]
            out[id] = sorted(pairs, key=lambda pair: -pair[0]) or [(1.0, p) for _, p in known]
        return out
