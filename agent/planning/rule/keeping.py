"""What is left of the plan in force, mended to what is measured now; coupled.

An old plan keeps every limit to a hair, so the first reading that is a little off breaks it: a tank
that is a tenth of a degree colder would miss its comfort, and no plan that misses more than another
is kept, however little it would cost to mend. So each device does what it was to do as long as that
is right, and else what the rule would do: heat for comfort, charge what a target lacks, serve what
a demand lacks. What the old plan says nothing of is placed by the rule.
"""

from collections.abc import Callable, Mapping, Sequence

from agent.planning.devices.flexible import ScaledDemand, ScaledDevice
from agent.planning.devices.program import ScaledProgram
from agent.planning.devices.storage import ScaledStorage
from agent.planning.devices.thermal import ScaledThermal
from agent.planning.engine import Deadline
from agent.planning.idle import idle_segments
from agent.planning.problem import Model, Problem
from agent.planning.rule.allocation import Allocation, Pace
from agent.planning.rule.demands import fill_cell, place_demands, usable_power
from agent.planning.rule.heat import place_heat
from agent.planning.rule.programs import place_program
from agent.planning.rule.store import place_storage
from agent.planning.segments import Schedule, Segment, joined

# Power by cell; of a store a cell that is missing is left to its own logic.
Powers = Mapping[int, int]
NOTHING: Schedule = {}


def kept_plan(problem: Problem, deadline: Deadline, anew: Schedule = NOTHING) -> Schedule:
    """What cannot be served that way, or in time, is not; a judge says whether that is a plan.

    `anew`: what devices do that do not keep to it.
    """
    house = Allocation(problem, Pace.within(deadline))
    reserved = {model.id: idle_segments(problem, model) for model in problem.models}
    for own in reserved.values():
        house.take(own)
    schedule: dict[str, tuple[Segment, ...]] = {}
    # What is known comes first, so that what is placed anew finds room beside it.
    for model in sorted(
        problem.models,
        key=lambda one: (_rank(one), one.id not in anew, old_slots(problem, one) is None),
    ):
        house.give_back(reserved[model.id])
        before = list(house.drawn), list(house.peak)
        segments = anew[model.id] if model.id in anew else _kept(house, model)
        house.drawn, house.peak = before
        house.take(segments)
        schedule[model.id] = segments
    return schedule


def _rank(model: Model) -> int:
    """A store takes what the others leave."""
    return 2 if isinstance(model, ScaledStorage) else int(isinstance(model, ScaledThermal))


def old_slots(problem: Problem, model: Model) -> list[Segment] | None:
    """What is left of them, 0 W too; None where the device is in no plan."""
    now = problem.situation.now
    for plan in problem.situation.planner.previous:
        if plan.id == model.id:
            return [
                Segment(max(0, one.start - now), one.end - now, problem.units.power(one.power_w))
                for one in plan.slots
                if one.end > now
            ]
    return None


def _kept(house: Allocation, model: Model) -> tuple[Segment, ...]:
    old = old_slots(house.problem, model)
    if isinstance(model, ScaledThermal):
        return place_heat(house, model, {} if old is None else _powers(house, old))
    if isinstance(model, ScaledStorage):
        return place_storage(house, model, None if old is None else _powers(house, old))
    if isinstance(model, ScaledProgram):
        return place_program(house, model) if old is None else _program(house, model, old)
    return place_demands(house, model) if old is None else _flexible(house, model, old)


def _powers(house: Allocation, old: Sequence[Segment]) -> Powers:
    """By cell: edges of the plan in force cut them."""
    out = {}
    for one in old:
        for k in range(house.problem.grid.boundary(one.start), len(house.cells)):
            if house.cells[k].start >= one.end:
                break
            out[k] = one.power
    return out


def _program(
    house: Allocation, program: ScaledProgram, old: Sequence[Segment]
) -> tuple[Segment, ...]:
    """What should have begun begins now."""
    first = min((one.start for one in old if one.power), default=None)
    if first is None or program.running:
        return place_program(house, program)
    start = program.start_of(joined(one for one in old if one.power))
    return program.segments_from(first if start is None or start < 0 else start)


def _flexible(
    house: Allocation, device: ScaledDevice, old: Sequence[Segment]
) -> tuple[Segment, ...]:
    powers = _powers(house, old)
    if device.min_on_s or device.min_off_s or device.grid_s or device.blocked_s:
        return served_in_turn(device, old)
    if any(demand.contiguous for demand in device.demands):
        return served_in_turn(device, old)
    own: dict[int, Segment] = {}
    left = [demand.energy for demand in device.demands]
    order = sorted(range(len(left)), key=lambda i: (device.demands[i].deadline, i))
    for index in order:
        demand = device.demands[index]
        usable = {
            k: power
            for k in range(len(house.cells))
            if k not in own and (power := usable_power(house, device, demand, k))
        }
        planned = {k: powers[k] for k in usable if powers.get(k, 0) > 0}
        first = {k: min(usable[k], max(device.min_power, power)) for k, power in planned.items()}
        for k, power in first.items():
            if left[index] > 0:
                own[k] = fill_cell(house, device, index, k, power, left[index])
                left[index] -= own[k].power * (own[k].end - own[k].start)
        more = sorted(usable, key=_rank_of(house, demand, usable, planned)) if demand.hard else ()
        for k in more:
            if left[index] <= 0:
                break
            before = own.pop(k, None)
            had = 0 if before is None else before.power * (before.end - before.start)
            own[k] = fill_cell(house, device, index, k, usable[k], left[index] + had)
            left[index] += had - own[k].power * (own[k].end - own[k].start)
        _take_back(device, own, index, -left[index])
    return joined(own.values())


def _take_back(device: ScaledDevice, own: dict[int, Segment], index: int, above: int) -> None:
    """What whole seconds at its least power bring above a demand, from where it has more power.

    Where they come late, from what comes late: it misses enough as it is.
    """
    deadline = device.demands[index].deadline
    late = any(one.demand == index and one.start >= deadline for one in own.values())
    for k, one in list(own.items()):
        if late and one.start < deadline:
            continue
        seconds = one.end - one.start
        less = min(above // seconds, one.power - device.min_power)
        if one.demand == index and less > 0:
            own[k] = one._replace(power=one.power - less)
            above -= less * seconds


def _rank_of(
    house: Allocation, demand: ScaledDemand, usable: Powers, planned: Powers
) -> Callable[[int], tuple[float, ...]]:
    """Where more is served first: in time, where it was planned, beside that, cheaply."""

    def rank(k: int) -> tuple[float, ...]:
        cell = house.cells[k]
        late = max(0, cell.start + 1 - demand.deadline)
        beside = k - 1 in planned or k + 1 in planned
        price = house.price(k, usable[k])
        return late, cell.unknown, k not in planned, not beside, price, cell.start

    return rank


def served_in_turn(device: ScaledDevice, old: Sequence[Segment]) -> tuple[Segment, ...]:
    """Segments of several powers, each for the demand that is due first and not yet full."""
    left = {i: demand.energy for i, demand in enumerate(device.demands)}
    due = sorted(left, key=lambda i: device.demands[i].deadline)
    out = []
    for start, end, power, _ in old:
        at = start
        for i in due:
            if at >= end or not power:
                break
            demand = device.demands[i]
            begin = max(at, demand.earliest)
            until = min(end, begin - (-left[i] // power))
            if until > begin and left[i] > 0:
                out.append(Segment(begin, until, power, i))
                left[i] -= power * (until - begin)
                at = until
    return joined(out)
