"""The best plan so far, what is proved of it, and how solutions become plans."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import floor, isfinite

from agent.planning.aims import Aims
from agent.planning.devices.flexible import ScaledDevice
from agent.planning.devices.program import ScaledProgram
from agent.planning.engine import Deadline, Proposal
from agent.planning.joint.house import LIMITS, SHORTFALL
from agent.planning.joint.memory import Memory
from agent.planning.joint.programme import Programme
from agent.planning.joint.recursion import Kernel
from agent.planning.joint.rounding import schedule_of
from agent.planning.judge import Judged, judge
from agent.planning.problem import Problem
from agent.planning.segments import Schedule

# A gap below this share of the stake, or this much money, is none.
GOOD_SHARE = 1e-6
LEAST_STAKE = 0.01
# A gap below the greater of the first two is small enough for a house: half of 0.1 %, or of two
# cents; but where cents are all there is, no more than the last.
ENOUGH_SHARE, ENOUGH_MONEY, MOST_SHARE = 5e-4, 0.01, 5e-3
# Float sums and rounding may shift a bound by this, in the currency and as a share.
BOUND_SLACK, BOUND_SLACK_SHARE = 2e-7, 1e-8
# Aims that differ by less are equal.
AIM_SAME = 1e-6
# Whole seconds and what two plans may differ by: a plan within this of what is proved reaches it.
REACHED_KWH = 0.005
REACHED = {"late": 0.05, "outside": 0.02, "hygiene": 0.05, "comfort": 0.02}
# Aims that are no sums of whole numbers, in their order.
PHYSICS = ("targets", "outside", "hygiene", "comfort")
# A good plan is not improved for longer than this: a home is planned again every few minutes.
MOMENT_S = 0.3
# How often a programme is tightened and searched again, and to what gap at last.
MIP_ROUNDS, FINE_GAP = 12, 1e-7
# What rounding and judging take at the end: so many times what judging took so far, within bounds,
# as a busy machine may have been slow for once.
RESERVE, LEAST_RESERVE_S, MOST_RESERVE_S = 4.0, 0.015, 0.05


@dataclass(slots=True)
class Search:
    """The best plan so far and what is proved of it.

    `aims_proved`: no plan is better than the best one in aims 1 to 5; `held`: by name, what plans
    may miss at most that are looked for now, and that `bound` is of (None: nothing yet);
    `held_proved`: that no plan misses less, each among plans that miss those before no more.
    """

    problem: Problem
    deadline: Deadline
    kernel: Kernel
    memory: Memory
    report: Callable[[Proposal], None] | None = None
    best: Judged | None = None
    bound: float = float("-inf")
    aims_proved: bool = False
    held: Mapping[str, float] | None = None
    held_proved: bool = False
    faults: list[str] = field(default_factory=list)
    baseline: float | None = None
    judging_s: float = 0.0
    begun: float = field(init=False)

    def __post_init__(self) -> None:
        self.begun = self.deadline.left()

    def consider(self, schedule: Schedule) -> Judged | None:
        begun = self.deadline.left()
        judged = judge(self.problem, schedule)
        if isfinite(begun):
            self.judging_s = max(self.judging_s, begun - self.deadline.left())
        if judged.faults:
            self.faults.extend(judged.faults)
            return None
        if self.best is None or judged.beats(self.best):
            self.best = judged
            self._tell()
        return judged

    def raise_bound(self, bound: float) -> None:
        if bound > self.bound:
            self.bound = bound
            self._tell()

    def _tell(self) -> None:
        proposal = self.proposal()
        if self.report is not None and proposal is not None:
            self.report(proposal)

    def proposal(self) -> Proposal | None:
        if self.best is None:
            return None
        reached, bound = self.reached, None
        if isfinite(self.bound) and reached:
            slack = BOUND_SLACK + BOUND_SLACK_SHARE * abs(self.bound)
            bound = floor((self.bound - slack) * self.problem.units.money_scale)
        proved = self.aims_proved or (reached and self.held_proved)
        return Proposal(self.best.schedule, bound, proved)

    @property
    def reached(self) -> bool:
        """Whether the best plan is one of those that are looked for: money counts among them."""
        return self.aims_proved or (self.held is not None and self.reaches(self.held))

    def reaches(self, least: Mapping[str, float]) -> bool:
        """Whether the best plan misses no aim by more than that, but for rounding."""
        if self.best is None:
            return False
        missed, units = named_aims(self.problem, self.best.aims), self.problem.units
        powers = [m.power for m in self.problem.models if isinstance(m, ScaledDevice)]
        energy = REACHED_KWH + units.kwh(sum(powers))
        return all(
            missed[name] <= value + REACHED.get(name, energy)
            for name, value in least.items()
            if name in missed
        )

    def missed(self, held: Mapping[str, float], name: str) -> float | None:
        """How much the best plan misses an aim, in units of the programme; None where it is worse
        in one that is held."""
        if self.best is None:
            return None
        missed = named_aims(self.problem, self.best.aims)
        if any(missed[one] > value + 10 * AIM_SAME for one, value in held.items() if one in missed):
            return None
        return missed.get(name)

    def left(self) -> float:
        reserve = max(LEAST_RESERVE_S, min(MOST_RESERVE_S, RESERVE * self.judging_s))
        return self.deadline.left() - reserve

    @property
    def objective(self) -> float:
        """Of the best plan, in the currency; infinite until it is one of those looked for."""
        if self.best is None or not self.reached:
            return float("inf")
        return float(self.problem.units.currency(self.best.objective))

    @property
    def stake(self) -> float:
        if self.best is None:
            return LEAST_STAKE
        units = self.problem.units
        if self.baseline is None:
            # Only capped and soft demands make it another one from plan to plan.
            self.baseline = abs(float(units.currency(self.best.baseline_cost)))
        return max(abs(float(units.currency(self.best.cost))), self.baseline, LEAST_STAKE)

    @property
    def good(self) -> bool:
        """Whether what is left is not worth a long search."""
        return self.objective - self.bound <= self.enough

    @property
    def enough(self) -> float:
        return max(ENOUGH_SHARE * self.stake, min(ENOUGH_MONEY, MOST_SHARE * self.stake))

    @property
    def closed(self) -> bool:
        """Whether to stop: proved to be the best, or good and looked at for long enough."""
        if self.good and self.begun - self.deadline.left() > MOMENT_S:
            return True
        return self.objective - self.bound <= GOOD_SHARE * self.stake


def named_aims(problem: Problem, aims: Aims) -> dict[str, float]:
    """What the judge counted, by the names and in the units of the programme."""
    kwh = problem.units.kwh
    priorities = {
        model.priority
        for model in problem.models
        if isinstance(model, (ScaledDevice, ScaledProgram))
    }
    names = [f"{SHORTFALL}{priority}" for priority in sorted(priorities, reverse=True)]
    energies = (LIMITS, *names, "never", "excess", "late")
    out = {name: kwh(int(value)) for name, value in zip(energies, aims, strict=False)}
    # Energy times twice the seconds.
    out["late"] /= 7200
    out |= {name: float(value) for name, value in zip(PHYSICS, aims[len(energies) :], strict=False)}
    out["unknown"] = kwh(int(aims[-1]))
    return out


def enter_values(search: Search, programme: Programme, values: Sequence[float]) -> bool:
    """Whether these values are a plan that misses no more than the programme lets it."""
    judged = search.consider(schedule_of(programme, values))
    if judged is None:
        return False
    if programme.house.strict:
        if judged.misses_more(programme.least_aims(judged.aims)) > 0:
            return False
        search.aims_proved = True
    return True
