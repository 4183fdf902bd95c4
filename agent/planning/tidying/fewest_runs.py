"""Cells in which a device is on at least cost for each number of runs: a dynamic programme.

Energy has a price here: a device that is on takes in each cell the power that is worth it most, and
of equal ones the greatest. So of a flat price the cells are equal, and what is left to choose by is
whether there is enough of them, and which begin first.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from agent.planning.tidying.room import Option

# (cost less the worth of the energy, energy as far as it is wanted (negative), sum of starts)
Label = tuple[int, int, int]
# Whether it is on at a boundary, and which run that is or would be.
State = tuple[bool, int]


@dataclass(frozen=True, slots=True)
class Rules:
    """`running`: on before the first cell, since `on_since`; `may_switch`: at an instant."""

    min_on_s: int = 0
    min_off_s: int = 0
    running: bool = False
    on_since: int = 0
    blocked_s: int = 0
    may_switch: Callable[[int], bool] = lambda at: True


def powers_at(options: Sequence[Option], price: float, grain: int) -> list[tuple[int, int]]:
    """By cell the power that costs least at a price of energy, and that cost, in grains of money
    so that what floats do makes no difference."""
    out = []
    for one in options:
        best = (0, 0)
        for n, (power, cost) in enumerate(one.points):
            reduced = round((cost - price * power * one.length) / grain)
            if not n or reduced <= best[1]:
                best = power, reduced
        out.append(best)
    return out


def fewest_runs(
    options: Sequence[Option],
    powers: Sequence[tuple[int, int]],
    energy: int,
    most_runs: int,
    rules: Rules,
    over: Callable[[], bool] = lambda: False,
) -> Iterator[list[int]]:
    """Cells that are on, fewest runs first; each is better than those before it in energy or cost.

    `powers` is what `powers_at` gives. Runs count those that go on. Nothing when time is `over`.
    """
    search = _Search(options, powers, energy, most_runs, rules, over)
    best: Label | None = None
    for runs in range(most_runs + 1):
        found = search.last(runs)
        if found is not None and (best is None or found[0][:2] < best[:2]):
            best = found[0]
            yield search.cells_on(found[1])


class _Search:
    def __init__(
        self,
        options: Sequence[Option],
        powers: Sequence[tuple[int, int]],
        energy: int,
        most_runs: int,
        rules: Rules,
        over: Callable[[], bool],
    ) -> None:
        self.options, self.rules, self.most_runs = options, rules, most_runs
        self.energy = energy
        self.times = [one.start for one in options]
        self.times.append(options[-1].end)
        # Sums before each cell.
        self.cost, self.given, self.unusable, self.needed = [0], [0], [0], [0]
        for one, (power, reduced) in zip(options, powers, strict=True):
            self.cost.append(self.cost[-1] + reduced)
            self.given.append(self.given[-1] + power * one.length)
            self.unusable.append(self.unusable[-1] + (not one.usable))
            self.needed.append(self.needed[-1] + (one.needed or one.fixed))
        self.count = len(options)
        self.labels: list[dict[State, Label]] = [{} for _ in self.times]
        self.came: list[dict[State, tuple[int, State]]] = [{} for _ in self.times]
        self._walk(over)

    def _walk(self, over: Callable[[], bool]) -> None:
        rules = self.rules
        self.labels[0][rules.running, int(rules.running)] = (0, 0, 0)
        for i in range(self.count):
            if over():
                return
            here = self.labels[i]
            for run in range(self.most_runs + 1):
                on = here.get((True, run))
                if on is not None:
                    self._extend(i, run, on)
                    self._stop(i, run, on)
                off = here.get((False, run))
                if off is not None:
                    self._wait(i, run, off)
                    self._start(i, run, off)
        # What is on at the end goes off there.
        for run in range(self.most_runs + 1):
            on = self.labels[self.count].get((True, run))
            if on is not None:
                self._stop(self.count, run, on)

    def _put(self, i: int, state: State, label: Label, before: tuple[int, State]) -> None:
        known = self.labels[i].get(state)
        if known is None or label < known:
            self.labels[i][state] = label
            self.came[i][state] = before

    def _with(self, label: Label, i: int, j: int, start: int = 0) -> Label:
        given = min(self.energy, -label[1] + self.given[j] - self.given[i])
        return label[0] + self.cost[j] - self.cost[i], -given, label[2] + start

    def _extend(self, i: int, run: int, label: Label) -> None:
        if self.options[i].usable:
            self._put(i + 1, (True, run), self._with(label, i, i + 1), (i, (True, run)))

    def _stop(self, i: int, run: int, label: Label) -> None:
        rules, at = self.rules, self.times[i]
        if not rules.may_switch(at):
            return
        if rules.running and run == 1 and at - rules.on_since < rules.min_on_s:
            return
        j = min(self.count, bisect_left(self.times, at + rules.min_off_s, i))
        if self.needed[j] == self.needed[i]:
            self._put(j, (False, run), label, (i, (True, run)))

    def _wait(self, i: int, run: int, label: Label) -> None:
        if self.needed[i + 1] == self.needed[i]:
            self._put(i + 1, (False, run), label, (i, (False, run)))

    def _start(self, i: int, run: int, label: Label) -> None:
        rules, at = self.rules, self.times[i]
        if run == self.most_runs or at < rules.blocked_s or not rules.may_switch(at):
            return
        j = max(i + 1, bisect_left(self.times, at + rules.min_on_s, i))
        if j > self.count or self.unusable[j] > self.unusable[i]:
            return
        self._put(j, (True, run + 1), self._with(label, i, j, at), (i, (False, run)))

    def last(self, runs: int) -> tuple[Label, State] | None:
        label = self.labels[self.count].get((False, runs))
        return None if label is None else (label, (False, runs))

    def cells_on(self, state: State) -> list[int]:
        i, out = self.count, list[int]()
        while (before := self.came[i].get(state)) is not None:
            if state[0]:
                out += range(before[0], i)
            i, state = before
        return sorted(out)
