"""Candidates of every engine and a few plain ones, judged; the best by the order of aims wins.

Alone the devices do not touch each other, so each is a problem of its own and the plans are put
together. The bound is the best that any engine proved; nobody's own word on money is asked for.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from agent.energy.plan import Engine as EngineName
from agent.energy.plan import Status
from agent.planning.aims import Aims
from agent.planning.calm import OF_ONE_RUN, Savings, calmest
from agent.planning.candidates import clipped_incumbent, plain_candidates
from agent.planning.devices.flexible import ScaledDevice
from agent.planning.engine import Deadline, Engine, Proposal
from agent.planning.exact import ExactEngine
from agent.planning.exact.allowances import with_allowances
from agent.planning.idle import idle_segments
from agent.planning.judge import Judged, judge
from agent.planning.problem import Problem
from agent.planning.rule import RuleEngine
from agent.planning.segments import Schedule, Segment
from agent.planning.tidying import tidied

log = logging.getLogger(__name__)

# By size: money as a share of the greater of cost and baseline, and at least a cent of a cent.
OPTIMAL_GAP = 1e-6
LEAST_STAKE = 0.01
# What capped demands would miss without caps is found in this share of the time.
ALLOWANCE_SHARE = 0.25
PLAIN_SHARE = 0.1
# What engines leave of the time where a plan is in force, to see what of it may stay.
CALM_SHARE = 0.1
# What they leave of it in a coupled house, to let devices switch less where that costs the same.
TIDY_SHARE = 0.1
# A proved plan stays one; of others tidying takes no more than this share of what is at stake.
TIDY_STAKE = 1e-4


@dataclass(frozen=True, slots=True)
class Entry:
    """An engine and how it is named in a plan; in the order in which they are asked."""

    name: EngineName
    engine: Engine


# The rule is there at once; each engine that follows is given the best plan so far.
ENGINES: tuple[Entry, ...] = (
    Entry(EngineName.RULE, RuleEngine()),
    Entry(EngineName.EXACT, ExactEngine()),
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One part of a Situation: its best plan, what it is, and a proved bound (None: nothing)."""

    judged: Judged
    status: Status
    engine: EngineName
    bound: int | None


def plan_parts(
    problem: Problem,
    deadline: Deadline,
    engines: Sequence[Entry] = ENGINES,
    savings: Savings = OF_ONE_RUN,
) -> list[Verdict]:
    """The best plan of each part of the problem, within the time that is left."""
    # What is soon done comes first, and leaves its time to what is not.
    parts = sorted(problem.parts(), key=_difficulty)
    verdicts = []
    for k, part in enumerate(parts):
        share = deadline.share(1 / (len(parts) - k))
        verdicts.append(best_plan(part, share, engines, savings))
    return verdicts


def _difficulty(part: Problem) -> int:
    """How many demands depend on each other in time."""
    total = 0
    for model in part.models:
        if isinstance(model, ScaledDevice):
            total += sum(
                model.coupled_in_time or bool(model.grid_s) or demand.contiguous
                for demand in model.demands
            )
    return total


def whole(problem: Problem, verdicts: Sequence[Verdict]) -> Judged:
    """The plans of all parts as one."""
    if len(verdicts) == 1 and len(verdicts[0].judged.problem.models) == len(problem.models):
        return verdicts[0].judged
    schedule: dict[str, tuple[Segment, ...]] = {}
    models = {}
    for verdict in verdicts:
        schedule.update(verdict.judged.schedule)
        models.update({model.id: model for model in verdict.judged.problem.models})
    models_in_order = tuple(models[model.id] for model in problem.models)
    return judge(replace(problem, models=models_in_order), schedule)


def best_plan(
    problem: Problem,
    deadline: Deadline,
    engines: Sequence[Entry] = ENGINES,
    savings: Savings = OF_ONE_RUN,
) -> Verdict:
    """Plain candidates first, then each engine with the best plan so far as its incumbent."""
    problem = with_allowances(problem, deadline.share(ALLOWANCE_SHARE))
    found = _Race(problem)
    old = clipped_incumbent(problem, deadline.share(PLAIN_SHARE))
    if old is not None:
        found.kept = found.consider(old)
    for schedule in plain_candidates(problem, deadline.share(PLAIN_SHARE)):
        found.consider(schedule)
    spared = CALM_SHARE if old is not None else TIDY_SHARE if problem.coupled else 0.0
    search = deadline.share(1 - spared) if spared else deadline
    for entry in engines:
        if found.best is not None and search.over():
            break
        known = None if found.best is None else found.best.schedule
        try:
            proposal = entry.engine.plan(problem, search, known)
        except Exception:
            # Whatever an engine did not foresee, there is a plan; that it failed is not hidden.
            log.exception("the %s engine failed; the other engines' plans count", entry.name.value)
            continue
        if proposal is not None:
            found.enter(entry.name, proposal)
    return found.verdict(deadline, savings)


def _might_serve_more(plan: Judged) -> bool:
    """Whether a capped demand leaves energy that it might be allowed to get late."""
    for model in plan.problem.models:
        if not isinstance(model, ScaledDevice):
            continue
        served = plan.devices[model.id].served
        for demand, energy in zip(model.demands, served, strict=True):
            if not demand.allowance_known and demand.energy - energy > model.power:
                return True
    return False


class _Race:
    """The best plan so far, and what is proved about it."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.best: Judged | None = None
        # What is left of the plan in force.
        self.kept: Judged | None = None
        self.bound: int | None = None
        self.prover = EngineName.RULE
        self.proved_aims: Aims | None = None

    def consider(self, schedule: Schedule) -> Judged | None:
        """None where the schedule breaks a rule."""
        judged = judge(self.problem, schedule)
        if judged.faults:
            return None
        if self.best is None or judged.beats(self.best):
            self.best = judged
        return judged

    def enter(self, name: EngineName, proposal: Proposal) -> None:
        judged = self.consider(proposal.schedule)
        if proposal.bound is not None:
            known = self.bound
            self.bound = proposal.bound if known is None else max(known, proposal.bound)
            self.prover = name
        if judged is not None and proposal.aims_proved:
            self.proved_aims = judged.aims

    def verdict(self, deadline: Deadline, savings: Savings) -> Verdict:
        known = self.best
        if known is None:
            # Sizes that no home has, or rules that contradict each other: nothing but what must be.
            idle = {model.id: idle_segments(self.problem, model) for model in self.problem.models}
            known = judge(self.problem, idle)
        bound = self.bound
        best = self._tidied(calmest(known, self.kept, deadline, savings), deadline)
        if bound is not None:
            bound = min(bound, best.objective)
        unproved = self.proved_aims is None or best.misses_more(self.proved_aims) > 0
        if bound is None or unproved:
            return Verdict(best, Status.RULE, EngineName.RULE, bound)
        proved = best.objective - bound <= _proved_gap(best) and not _might_serve_more(best)
        status = Status.OPTIMAL if proved else Status.BEST_FOUND
        return Verdict(best, status, self.prover, best.objective if proved else bound)

    def _tidied(self, known: Judged, deadline: Deadline) -> Judged:
        """What a device does by the plan in force stays: it has been told."""
        if not known.problem.coupled:
            return known
        kept = self.kept.schedule if self.kept is not None else {}
        told = {one.id for one in known.problem.situation.planner.previous}
        standing = {id for id in told if id in kept and known.schedule.get(id, ()) == kept[id]}
        most = known.objective + round(TIDY_STAKE * _stake(known))
        if self.bound is not None and known.objective - self.bound <= _proved_gap(known):
            most = self.bound + _proved_gap(known)
        tidy = tidied(known, max(most, known.objective), deadline, standing)
        # Roundings add up: what is proved is proved of the plan, not of one nearly like it.
        lost = self.proved_aims is not None and tidy.misses_more(self.proved_aims) > 0
        return known if lost else tidy


def _stake(plan: Judged) -> int:
    return max(abs(plan.cost), abs(plan.baseline_cost), plan.problem.units.money_of(LEAST_STAKE))


def _proved_gap(plan: Judged) -> int:
    return int(OPTIMAL_GAP * _stake(plan))
