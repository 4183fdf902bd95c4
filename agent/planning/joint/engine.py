"""The joint engine: all devices of a coupled house at once, by mixed-integer programming.

Aims 1 to 5 come first. Where the plan so far misses none, or the relaxed programme says that none
need be missed, they are held at 0 and money is all that is left; else each is minimised in its
order and held. What a programme relaxes (directions of flows, least powers of cars) is made whole
where a solution breaks it. Every solution is rounded and put to the judge; only its word counts.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import floor, isfinite

from agent.planning.devices.flexible import ScaledDevice
from agent.planning.devices.program import ScaledProgram
from agent.planning.engine import Deadline, Proposal
from agent.planning.joint.heat_cuts import Pattern, heat_bound
from agent.planning.joint.highs import WHOLE, Highs, Solution
from agent.planning.joint.house import LIMITS, SHORTFALL
from agent.planning.joint.mending import mended_values, patterned_values
from agent.planning.joint.programme import Programme
from agent.planning.joint.rounding import SERVED_KWH, schedule_of
from agent.planning.joint.starting import start_of, whole_values
from agent.planning.judge import Aims, Judged, judge
from agent.planning.problem import Problem
from agent.planning.segments import Schedule

# A gap below this share of the stake, or this much money, is none.
GOOD_SHARE = 1e-6
LEAST_STAKE = 0.01
# Float sums and rounding may shift a bound by this, in the currency and as a share.
BOUND_SLACK, BOUND_SLACK_SHARE = 2e-7, 1e-8
# How often a programme is tightened and searched again.
MIP_ROUNDS = 12
# Programmes that relax rules are solved to this gap, in this share of the time that is left.
ROUGH_GAP, ROUGH_SHARE = 1e-4, 0.8
FINE_GAP = 1e-7
# Of the time that is left, what rows of thermal devices and what each of their patterns may take.
CUTS_SHARE, PATTERN_SHARE, PATTERNS = 0.4, 0.25, 2
# How many cells beside its edges a pattern leaves open.
BESIDE = 1
# With less time than that no pattern is looked for.
LEAST_PATTERN_S = 0.08
# Of all time, what the attempt to miss no aim may take where the best plan so far misses one.
STRICT_SHARE = 0.35
# Of the time that is left, what one aim may take.
AIM_SHARE = 0.6
# With less time than that a search is not begun again.
LEAST_SEARCH_S = 0.3
# Aims that differ by less are equal.
AIM_SAME = 1e-6
# Aims that whole numbers hardly touch, and those that they decide.
EASY_AIMS, HARD_AIMS = ("targets", "outside"), ("hygiene", "comfort")
# Aims that are no sums of whole numbers, in their order.
PHYSICS = ("targets", "outside", "hygiene", "comfort")
# What rounding and judging take at the end.
RESERVE_S = 0.05


@dataclass(slots=True)
class _Search:
    """The best plan so far and what is proved of it."""

    problem: Problem
    deadline: Deadline
    report: Callable[[Proposal], None] | None = None
    best: Judged | None = None
    bound: float = float("-inf")
    aims_proved: bool = False
    proving: bool = False
    faults: list[str] = field(default_factory=list)

    def consider(self, schedule: Schedule) -> Judged | None:
        judged = judge(self.problem, schedule)
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
        bound = None
        if isfinite(self.bound):
            slack = BOUND_SLACK + BOUND_SLACK_SHARE * abs(self.bound)
            bound = floor((self.bound - slack) * self.problem.units.money_scale)
        return Proposal(self.best.schedule, bound, self.aims_proved)

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
        return self.deadline.left() - RESERVE_S

    @property
    def objective(self) -> float:
        """Of the best plan, in the currency."""
        if self.best is None:
            return float("inf")
        return float(self.problem.units.currency(self.best.objective))

    @property
    def stake(self) -> float:
        if self.best is None:
            return LEAST_STAKE
        units = self.problem.units
        cost = abs(float(units.currency(self.best.cost)))
        baseline = abs(float(units.currency(self.best.baseline_cost)))
        return max(cost, baseline, LEAST_STAKE)

    @property
    def closed(self) -> bool:
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


class JointEngine:
    """`report` is told of every better plan when it is found."""

    name = "joint"

    def __init__(self, report: Callable[[Proposal], None] | None = None) -> None:
        self._report = report

    def plan(
        self, problem: Problem, deadline: Deadline, incumbent: Schedule | None
    ) -> Proposal | None:
        if not problem.coupled:
            return None
        search = _Search(problem, deadline, self._report)
        if incumbent is not None:
            search.consider(incumbent)
        if not _without_misses(search):
            _in_order(search)
        return search.proposal()


def _without_misses(search: _Search) -> bool:
    """Money alone, with all aims at 0. False where they cannot all be met."""
    programme = Programme(search.problem, strict=True)
    highs = Highs(programme.house.milp)
    known = search.best is not None and not any(search.best.aims)
    relaxed = highs.solve(programme.house.money, search.left(), relaxed=True)
    if relaxed.impossible and not known:
        return False
    if known:
        search.aims_proved = True
    patterns = _relaxed(search, programme, highs, relaxed)
    for pattern in reversed(patterns[1:][-PATTERNS:]):
        _with_pattern(search, programme, highs, pattern)
    # Entering a plan that misses nothing proves that none need be missed.
    known = search.aims_proved
    if not known:
        # It may be impossible all the same, and that takes long to find out.
        share = search.deadline.share(STRICT_SHARE)
        solution = highs.solve({}, share.left())
        known = solution.values is not None and _enter(search, programme, solution.values)
        if solution.values is not None and not known:
            programme.tighten(solution.values)
            mended = mended_values(programme, highs, solution.values, share.left)
            known = mended is not None and _enter(search, programme, mended)
    if not known:
        # What is proved holds among plans that miss nothing only, and there may be none.
        search.bound = float("-inf")
        return False
    _money(search, programme, highs)
    return True


def _relaxed(
    search: _Search, programme: Programme, highs: Highs, relaxed: Solution
) -> list[Pattern]:
    """Proves what the programme without whole numbers can prove, and finds which directions matter;
    patterns of thermal devices, the best last."""
    house = programme.house
    if relaxed.values is None:
        return []
    if house.exact:
        search.raise_bound(relaxed.bound + house.constant)
    programme.tighten_directions(relaxed.values)
    if search.closed or search.left() < LEAST_PATTERN_S:
        return []
    share = search.deadline.share(CUTS_SHARE)

    def first(pattern: Pattern) -> None:
        _with_pattern(search, programme, highs, pattern)

    bound, patterns = heat_bound(programme, highs, relaxed, share.left, first)
    if house.exact:
        search.raise_bound(bound + house.constant)
    return patterns


def _money(
    search: _Search,
    programme: Programme,
    highs: Highs,
    start: Mapping[int, float] | None = None,
) -> None:
    """Least money with the aims where they are."""
    house = programme.house
    if start is None and search.best is not None:
        start = start_of(programme, search.best)
    broken = True
    for _ in range(MIP_ROUNDS):
        if search.left() <= 0 or search.closed:
            break
        # While rules are broken, a rough solution says well enough which ones matter.
        rough = broken and programme.relaxes
        seconds = search.left() * (ROUGH_SHARE if rough else 1.0)
        gap = ROUGH_GAP if rough else FINE_GAP
        solution = highs.solve(house.money, seconds, start=start, gap=gap)
        if house.exact and not solution.impossible:
            search.raise_bound(solution.bound + house.constant)
        if solution.values is None:
            if not rough or solution.impossible:
                break
            continue
        _enter(search, programme, solution.values)
        if search.closed:
            break
        start = whole_values(programme, solution.values)
        broken = programme.tighten(solution.values)
        if broken and search.left() > 0:
            mended = mended_values(programme, highs, solution.values, search.left)
            if mended is not None:
                _enter(search, programme, mended)
                start = None if search.best is None else start_of(programme, search.best)
        elif not broken and not (rough and search.left() > LEAST_SEARCH_S):
            break


def _with_pattern(search: _Search, programme: Programme, highs: Highs, pattern: Pattern) -> bool:
    """The best plan in which thermal devices are on and off as the pattern has it."""
    if search.left() <= 0:
        return False
    milp = programme.house.milp
    columns = {
        programme.thermal[id].on[k]: float(on)
        for id, cells in pattern.items()
        for k, on in enumerate(cells)
    }
    values = patterned_values(programme, highs, columns, search.left)
    if values is not None and _enter(search, programme, values):
        return True
    # Beside its edges a pattern may be wrong: the lattice knows temperatures to a step only.
    edges = {
        programme.thermal[id].on[k + aside]
        for id, cells in pattern.items()
        for k in range(1, len(cells))
        if cells[k] != cells[k - 1]
        for aside in range(-1 - BESIDE, 1 + BESIDE)
        if 0 <= k + aside < len(cells)
    }
    lower, upper = list(milp.lower), list(milp.upper)
    try:
        for column, value in columns.items():
            if column not in edges:
                milp.fix(column, value)
        seconds = search.left() * PATTERN_SHARE
        solution = highs.solve(programme.house.money, seconds, gap=ROUGH_GAP)
    finally:
        milp.lower[:], milp.upper[:] = lower, upper
    if solution.values is None:
        return False
    if _enter(search, programme, solution.values) or search.left() <= 0:
        return True
    mended = mended_values(programme, highs, solution.values, search.left)
    return mended is not None and _enter(search, programme, mended)


def _enter(search: _Search, programme: Programme, values: Sequence[float]) -> bool:
    """Whether these values are a plan that misses no more than the programme lets it."""
    judged = search.consider(schedule_of(programme, values))
    if judged is None:
        return False
    if programme.house.strict:
        if judged.misses_more((0,) * len(judged.aims)) > 0:
            return False
        search.aims_proved = True
    return True


def _in_order(search: _Search) -> None:
    """Each aim in its order, then money. Rebuilt where something is not served in the time that the
    programme reaches, or where hygiene turns out to be out of reach."""
    problem = search.problem
    # A program that cannot end in time may begin up to the last moment.
    programs = [m.length for m in problem.models if isinstance(m, ScaledProgram) and not m.running]
    end = problem.grid.end + max(programs, default=0)
    if search.best is not None:
        end = max([end, *(own[-1].end for own in search.best.schedule.values() if own)])
    unreachable = frozenset[str]()
    never = float("inf")
    tentative = True
    while search.left() > 0:
        programme = Programme(problem, strict=False, end=end, unreachable=unreachable)
        highs = Highs(programme.house.milp)
        reached = _aims(search, programme, highs, tentative=tentative)
        if reached is None:
            if not tentative:
                return
            tentative = False
            continue
        values, held = reached
        missed = {
            id
            for id, heat in programme.thermal.items()
            if heat.missed is not None and held.get("hygiene", 0.0) > WHOLE < values[heat.missed]
        }
        # Where more time served nothing more, even more will not.
        less = held.get("never", 0.0) < never - SERVED_KWH
        never = held.get("never", 0.0)
        later = _later_end(programme, never, end) if less else end
        if later > end or missed - unreachable:
            end, unreachable = later, unreachable | missed
            continue
        search.aims_proved = search.proving
        relaxed = highs.solve(programme.house.money, search.left(), relaxed=True)
        _relaxed(search, programme, highs, relaxed)
        _money(search, programme, highs, whole_values(programme, values))
        return


def _later_end(programme: Programme, never: float, end: int) -> int:
    """How far the programme must reach for what it never serves; `end` where that is enough."""
    house, grid = programme.house, programme.problem.grid
    last = grid.cells[-1].end
    if never < SERVED_KWH or end >= last:
        return end
    models = programme.problem.models
    most = max((house.kw(m.power) for m in models if isinstance(m, ScaledDevice)), default=1.0)
    longest = max((m.length for m in models if isinstance(m, ScaledProgram)), default=0)
    more = 3600 + round(9000 * never / max(most, 0.5)) + 2 * longest
    return min(last, max(end + more, grid.end + 2 * (end - grid.end)))


def _aims(
    search: _Search, programme: Programme, highs: Highs, *, tentative: bool
) -> tuple[Sequence[float], dict[str, float]] | None:
    """Minimises and holds each aim: the last solution and what is held; None where the time was too
    short.

    An aim that the best plan meets, which is as good in all before it, need not be solved.
    `tentative`: some are held at what the programme without whole numbers gives, which the last
    solution then has to confirm.
    """
    house = programme.house
    proved = house.exact
    values: Sequence[float] | None = None
    names = house.names_of_aims()
    held: dict[str, float] = {}
    start = None if search.best is None else start_of(programme, search.best)
    for name in names:
        cost = house.aims[name]
        known = search.missed(held, name)
        if known is not None and known < AIM_SAME / 10:
            held[name] = 0.0
            _hold(programme, cost, 0.0)
            continue
        relaxed = highs.solve(cost, search.left() * AIM_SHARE, relaxed=True)
        easy = name in EASY_AIMS or (name not in HARD_AIMS and relaxed.bound < AIM_SAME / 10)
        if tentative and easy and relaxed.values is not None:
            # The programme without whole numbers gives it, most likely with them too.
            held[name] = max(0.0, relaxed.objective)
            _hold(programme, cost, held[name])
            continue
        reached = _least(search, programme, highs, cost, start)
        if reached is None:
            return None
        values, value, lowest = reached
        start = whole_values(programme, values)
        known = search.missed(held, name)
        if known is not None and name in PHYSICS:
            # Energies are not the same to the last second.
            value = min(value, known)
        held[name] = value
        lowest = max(lowest, relaxed.bound)
        proved = proved and value - lowest <= AIM_SAME + AIM_SAME * value
        _hold(programme, cost, value)
    search.proving = proved
    if values is None or tentative:
        solution = highs.solve({}, search.left() * AIM_SHARE, start=start)
        values = solution.values
        if values is not None:
            search.consider(schedule_of(programme, values))
    return None if values is None else (values, held)


def _least(
    search: _Search,
    programme: Programme,
    highs: Highs,
    cost: dict[int, float],
    start: Mapping[int, float] | None,
) -> tuple[Sequence[float], float, float] | None:
    """A solution, what it misses one aim by, and the least that any would."""
    deadline = search.deadline.share(AIM_SHARE)
    lowest = float("-inf")
    values: Sequence[float] | None = None
    for _ in range(MIP_ROUNDS):
        solution = highs.solve(
            cost, deadline.left(), gap=FINE_GAP, absolute=AIM_SAME / 10, start=start
        )
        if solution.values is None:
            break
        values = solution.values
        start = whole_values(programme, values)
        lowest = max(lowest, solution.bound)
        if not programme.tighten(values) or deadline.over():
            break
    if values is None:
        return None
    search.consider(schedule_of(programme, values))
    return values, max(0.0, solution.objective), lowest


def _hold(programme: Programme, cost: dict[int, float], value: float) -> None:
    """No plan may be worse in this aim from now on."""
    milp = programme.house.milp
    if value < AIM_SAME / 10:
        for column in cost:
            milp.upper[column] = max(milp.lower[column], 0.0)
    else:
        milp.at_most(cost.items(), value + AIM_SAME + AIM_SAME * value / 10)
