"""Aims 1 to 5 where they cannot all be met: each is minimised in its order and held, then money."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent.planning.devices.flexible import ScaledDevice
from agent.planning.devices.program import ScaledProgram
from agent.planning.joint.highs import WHOLE, Highs
from agent.planning.joint.mending import directed
from agent.planning.joint.money import least_money, prove_relaxed
from agent.planning.joint.programme import Programme
from agent.planning.joint.rounding import schedule_of
from agent.planning.joint.search import AIM_SAME, FINE_GAP, MIP_ROUNDS, PHYSICS, Search
from agent.planning.joint.serving import SERVED_KWH
from agent.planning.joint.starting import start_of, whole_values

# Of the time that is left, what one aim may take.
AIM_SHARE = 0.6
# What missing the aims that come after one counts, from the next on, and money after them all.
LATER_WEIGHTS, MONEY_WEIGHT = (1.0, 0.1, 0.01, 0.001), 1e-4
# Aims that whole numbers hardly touch, and those that they decide.
EASY_AIMS, HARD_AIMS = ("targets", "outside"), ("hygiene", "comfort")


@dataclass(frozen=True, slots=True)
class _Reached:
    """The last solution and what is held by name; `proved`: no solution misses less."""

    values: Sequence[float]
    held: dict[str, float]
    proved: bool


def in_order(search: Search) -> None:
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
        values, held = reached.values, reached.held
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
        search.held, search.held_proved = held, reached.proved
        relaxed = highs.solve(programme.house.money, search.left(), relaxed=True)
        prove_relaxed(search, programme, highs, relaxed)
        least_money(search, programme, highs, whole_values(programme, values))
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
    search: Search, programme: Programme, highs: Highs, *, tentative: bool
) -> _Reached | None:
    """Minimises and holds each aim; None where the time was too short.

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
        later = names[names.index(name) :]
        reached = _least(search, programme, highs, later, start)
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
        _consider_frugal(search, programme, highs, values, later[1:])
    if values is None or tentative:
        values = _confirmed(search, programme, highs, held, start)
    return None if values is None else _Reached(values, held, proved)


def _confirmed(
    search: Search,
    programme: Programme,
    highs: Highs,
    held: Mapping[str, float],
    start: Mapping[int, float] | None,
) -> Sequence[float] | None:
    """A solution that misses no more than what is held, with the rules that it broke at first; None
    where there is none, or no time for it."""
    values: Sequence[float] | None = None
    for _ in range(MIP_ROUNDS):
        solution = highs.solve({}, search.left() * AIM_SHARE, start=start)
        if solution.values is None:
            return None if solution.impossible else values
        values = solution.values
        search.consider(schedule_of(programme, values))
        if search.reaches(held) or not programme.tighten(values):
            break
        start = whole_values(programme, values)
    return values


def _least(
    search: Search,
    programme: Programme,
    highs: Highs,
    names: Sequence[str],
    start: Mapping[int, float] | None,
) -> tuple[Sequence[float], float, float] | None:
    """A solution, what it misses the first of these aims by, and the least that any would."""
    cost = programme.house.aims[names[0]]
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
        # It breaks rules, so it is no plan as it is; and the next may take long.
        _consider_frugal(search, programme, highs, values, names)
    if values is None:
        return None
    return values, max(0.0, solution.objective), lowest


def _consider_frugal(
    search: Search,
    programme: Programme,
    highs: Highs,
    values: Sequence[float],
    later: Sequence[str],
) -> None:
    """The plan of these values, but with little missed in later aims as far as powers decide it.

    A solution that is the best in one aim says nothing of the next ones: it may draw what nobody
    wants. The time may end before those are minimised, and then this is the plan.
    """
    house = programme.house
    milp = house.milp
    cost: dict[int, float] = {}
    for weight, name in zip(LATER_WEIGHTS, later, strict=False):
        for column, amount in house.aims[name].items():
            cost[column] = cost.get(column, 0.0) + weight * amount
    for column, amount in house.money.items():
        cost[column] = cost.get(column, 0.0) + MONEY_WEIGHT * amount
    lower, upper = list(milp.lower), list(milp.upper)
    for column in milp.whole:
        milp.fix(column, float(round(values[column])))
    solution = directed(programme, highs, values, search.left, cost)
    milp.lower[:], milp.upper[:] = lower, upper
    frugal = None
    if solution is not None and solution.values is not None:
        frugal = search.consider(schedule_of(programme, solution.values))
    if frugal is None:
        search.consider(schedule_of(programme, values))


def _hold(programme: Programme, cost: dict[int, float], value: float) -> None:
    """No plan may be worse in this aim from now on."""
    milp = programme.house.milp
    if value < AIM_SAME / 10:
        for column in cost:
            milp.upper[column] = max(milp.lower[column], 0.0)
    else:
        milp.at_most(cost.items(), value + AIM_SAME + AIM_SAME * value / 10)
