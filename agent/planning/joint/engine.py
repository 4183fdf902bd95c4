"""The joint engine: all devices of a coupled house at once, by mixed-integer programming.

Aims 1 to 5 come first. Where the plan so far misses none, or the relaxed programme says that none
need be missed, they are held at 0 and money is all that is left; else each is minimised in its
order and held. What a programme relaxes (directions of flows, least powers of cars) is made whole
where a solution breaks it. Every solution is rounded and put to the judge; only its word counts.
"""

from collections.abc import Callable

import numpy as np

from agent.planning.devices.thermal import ScaledThermal
from agent.planning.engine import Deadline, Proposal
from agent.planning.joint.aims import in_order
from agent.planning.joint.highs import Highs
from agent.planning.joint.hygiene import with_holds
from agent.planning.joint.memory import Memory
from agent.planning.joint.mending import mended_values
from agent.planning.joint.milp import TooLarge
from agent.planning.joint.money import least_money, prove_relaxed, prove_remembered
from agent.planning.joint.programme import Programme
from agent.planning.joint.recursion import ArrayKernel, Kernel
from agent.planning.joint.search import Search, enter_values
from agent.planning.joint_size import is_too_large
from agent.planning.problem import Problem
from agent.planning.segments import Schedule

# Of all time, what the attempt to miss no aim may take where the best plan so far misses one.
STRICT_SHARE = 0.35
# What plans with hygiene at set times may take; with less time than that there is one such time.
HOLDS_SHARE, MANY_HOLDS_S = 0.75, 1.0
# Of what is left of that, one time where others follow.
FIRST_HOLD_SHARE = 0.6


class JointEngine:
    """`report` is told of every better plan when it is found; `kernel`: what walks lattices;
    `memory`: of the plan before."""

    name = "joint"

    def __init__(
        self,
        report: Callable[[Proposal], None] | None = None,
        kernel: Kernel | None = None,
        memory: Memory | None = None,
    ) -> None:
        self._report, self._kernel = report, kernel or ArrayKernel()
        self._memory = Memory() if memory is None else memory

    def plan(
        self, problem: Problem, deadline: Deadline, incumbent: Schedule | None
    ) -> Proposal | None:
        if not problem.coupled or is_too_large(problem):
            return None
        seconds = deadline.left()
        known = self._memory.answer(problem, seconds)
        if known is not None:
            return known
        search = Search(problem, deadline, self._kernel, self._memory, self._report)
        if incumbent is not None:
            search.consider(incumbent)
        try:
            self._improve(search)
        except TooLarge:
            return search.proposal()
        self._remember(search)
        proposal = search.proposal()
        if proposal is not None:
            self._memory.answered = problem.situation, seconds, proposal
        return proposal

    def _improve(self, search: Search) -> None:
        if self._at_set_times(search):
            # What is remembered is of tanks that are like others.
            search.memory = Memory()
        if not _without_misses(search):
            in_order(search)

    def _at_set_times(self, search: Search) -> bool:
        """Plans with hygiene at a few set times; False where no tank has to be hot."""
        held = list(with_holds(search.problem, search.best))
        if search.deadline.left() < MANY_HOLDS_S:
            held = held[:1]
        whole = search.deadline.share(HOLDS_SHARE)
        for k, problem in enumerate(held):
            share = whole.share(FIRST_HOLD_SHARE if k + 1 < len(held) else 1.0)

            part = Search(problem, share, self._kernel, self._memory)
            if search.best is not None:
                part.consider(search.best.schedule)
            _without_misses(part)
            if part.best is not None:
                search.consider(part.best.schedule)
        return bool(held)

    def _remember(self, search: Search) -> None:
        """What is on in the best plan is where the next search begins."""
        if search.best is None:
            return
        energy = search.best.site.energy
        heated = [one for one in search.problem.models if isinstance(one, ScaledThermal)]
        patterns = {
            one.id: np.array([float(energy[one.id].get(k, 0) > 0) for k in range(len(one.cells))])
            for one in heated
        }
        self._memory.prefer(search.problem, patterns)


def _without_misses(search: Search) -> bool:
    """Money alone, with all aims at 0, or comfort at what one device alone must miss. False where
    they cannot all be met."""
    programme = Programme(search.problem, strict=True)
    highs = Highs(programme.house.milp)
    best = search.best
    known = best is not None and best.misses_more(programme.least_aims(best.aims)) <= 0
    search.aims_proved = known
    if not prove_remembered(search, programme, highs):
        relaxed = highs.solve(programme.house.money, search.left(), relaxed=True)
        if relaxed.impossible and not known:
            return False
        prove_relaxed(search, programme, highs, relaxed)
    # Entering a plan that misses nothing proves that none need be missed.
    known = search.aims_proved
    if not known:
        # It may be impossible all the same, and that takes long to find out.
        share = search.deadline.share(STRICT_SHARE)
        solution = highs.solve({}, share.left())
        known = solution.values is not None and enter_values(search, programme, solution.values)
        if solution.values is not None and not known:
            programme.tighten(solution.values)
            mended = mended_values(programme, highs, solution.values, share.left)
            known = mended is not None and enter_values(search, programme, mended)
    if not known:
        # What is proved holds among plans that miss nothing only, and there may be none.
        search.bound = float("-inf")
        return False
    least_money(search, programme, highs)
    return True
