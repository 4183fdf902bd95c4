"""What is kept from one plan to the next: a home is planned again every few minutes, and little
changes. Whatever has changed, nothing here is trusted: it only says where to look first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from agent.energy.situation import Situation, Thermal
from agent.planning.engine import Proposal
from agent.planning.joint.paths import Rates
from agent.planning.joint.recursion import Floats, Long
from agent.planning.problem import Problem

# How many patterns of a device are kept.
KEPT = 6
# Older patterns are of another day: what is on follows from prices and temperatures by then.
RECENT_S = 3600
# Within this factor there is as much time as before.
MORE_TIME = 1.25


@dataclass(slots=True)
class Memory:
    """Patterns of thermal devices, the best first, as what is on (0 or 1) over spans in Unix time,
    and the best prices over the same spans; and the last answer, with the seconds that there were
    for it.

    One for each process. Patterns are recalled for the same home a little later only, so the plan
    of a Situation does not depend on what others asked."""

    kept: Situation | None = None
    starts: Sequence[int] = ()
    patterns: dict[str, list[Floats]] = field(default_factory=dict)
    prices: dict[str, Rates] = field(default_factory=dict)
    answered: tuple[Situation, float, Proposal] | None = None

    def answer(self, problem: Problem, seconds: float) -> Proposal | None:
        """The plan of the same Situation, which has one plan only, unless there is more time."""
        if self.answered is None:
            return None
        situation, had, proposal = self.answered
        same = seconds <= had * MORE_TIME and situation == problem.situation
        return proposal if same else None

    def keep(
        self,
        problem: Problem,
        patterns: Mapping[str, Sequence[Floats]],
        prices: Mapping[str, Rates],
    ) -> None:
        now = problem.situation.now
        if self.kept is None or _home(self.kept) != _home(problem.situation):
            self.patterns.clear()
        self.kept = problem.situation
        self.starts = [now + cell.start for cell in problem.grid.cells]
        for id, found in patterns.items():
            kept: list[Floats] = []
            for one in found:
                if not any(np.array_equal(one, other) for other in kept):
                    kept.append(one)
            self.patterns[id] = kept[:KEPT]
        self.prices = dict(prices)

    def prefer(self, problem: Problem, patterns: Mapping[str, Floats]) -> None:
        """These are the best after all, over the cells of the problem that was kept last."""
        if self.kept is not problem.situation:
            return
        for id, found in patterns.items():
            others = [one for one in self.patterns.get(id, ()) if not np.array_equal(one, found)]
            self.patterns[id] = [found, *others][:KEPT]

    def recall(self, problem: Problem, id: str, count: int) -> list[Floats]:
        """Patterns over the first `count` cells of now."""
        found = self.patterns.get(id)
        if not found or not self._a_little_later(problem.situation):
            return []
        cells = self._cells(problem, count)
        return [one[np.clip(cells, 0, len(one) - 1)] for one in found]

    def recall_prices(self, problem: Problem, id: str, count: int) -> Rates | None:
        """Of the first `count` cells of now."""
        found = self.prices.get(id)
        if found is None or not self._a_little_later(problem.situation):
            return None
        return found.of(np.clip(self._cells(problem, count), 0, len(found.on) - 1))

    def _cells(self, problem: Problem, count: int) -> Long:
        """The kept cell that holds the middle of each cell of now."""
        now = problem.situation.now
        middles = [now + (c.start + c.end) // 2 for c in problem.grid.cells[:count]]
        kept: Long = np.searchsorted(np.array(self.starts), np.array(middles), side="right") - 1
        return kept

    def _a_little_later(self, situation: Situation) -> bool:
        kept = self.kept
        if kept is None or _home(kept) != _home(situation):
            return False
        return 0 < situation.now - kept.now <= RECENT_S


def _home(situation: Situation) -> tuple[object, ...]:
    """What stays the same while a home is planned again and again."""
    heated = [
        (one.id, one.max_power_w, one.min_power_w)
        for one in situation.devices
        if isinstance(one, Thermal)
    ]
    return situation.timezone, *heated
