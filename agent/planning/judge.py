"""What a plan is worth: the only place that counts aims and money.

Segments go in; out come the aims in their order, cost against the idle house, change costs, the
objective, the house without a planner, and each device's own numbers. All money is exact whole
numbers of `Units`; only temperatures and stored energies are floats. Whatever made the plan states
nothing: its segments are counted here, and rules that they break are named.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property

from agent.planning.aims import Aims, above_limits, aims_of, beyond_means
from agent.planning.baseline import baseline_cost
from agent.planning.devices.flexible import ScaledDevice
from agent.planning.devices.flexible_rules import measure_flexible
from agent.planning.devices.measured import Measured, Pieces
from agent.planning.devices.program import ScaledProgram, measure_program
from agent.planning.devices.storage import ScaledStorage, idle_value, measure_storage
from agent.planning.devices.thermal import measure_thermal
from agent.planning.idle import idle_costs, idle_segments
from agent.planning.problem import Model, Problem
from agent.planning.segments import Schedule, Segment, add_to, energies
from agent.planning.site import Flows, SiteMoney, site_money

# A site that imports no more than this takes nothing from the grid, in W.
IMPORTS_W = 5
# Coupled, an aim that differs by no more (kWh, degree-hours) is the same.
SAME_KWH = 2e-5
# situation.md section 3: alone energy is taken to this.
SAME_KWH_ALONE = 1e-6
# Coupled, plans are the same within this (and a second), so a deadline that misses it is met.
MET_KWH = Decimal("0.005")


@dataclass(frozen=True)
class Site:
    """The house piece by piece: `energy` of each device where it has any, and what goes in and out.

    `drawn`: energy of all devices but programs under way, which are base load.
    """

    pieces: Pieces
    energy: dict[str, dict[int, int]]
    drawn: list[int]
    flows: Flows


@dataclass(frozen=True)
class Judged:
    """`aims`: numbers 1 to 5 of the order, the first is the weightiest; less is better.

    Money is in units of money: `cost` of the plan less the idle house, `objective` with margins,
    changes and values. A plan with `faults` breaks a rule: it is no plan.
    """

    problem: Problem
    schedule: Schedule
    devices: dict[str, Measured]
    aims: Aims
    cost: int
    objective: int
    faults: tuple[str, ...]
    coupled_site: Site | None = None

    @property
    def order(self) -> tuple[int | float, ...]:
        """By this plans are compared: aims, objective, then the rules for ties."""
        measured = self.devices.values()
        return (
            *self.aims,
            self.objective,
            -sum(one.unknown_instants for one in measured),
            sum(one.starts for one in measured),
            sum(one.start_sum for one in measured),
        )

    def beats(self, other: "Judged") -> bool:
        """Whether it is better in the order of aims, but for what rounding does."""
        difference = self.misses_more(other.aims)
        if difference:
            return difference < 0
        return self.order[len(self.aims) :] < other.order[len(self.aims) :]

    def misses_more(self, aims: Aims) -> int:
        """1 where the first aim that differs is missed by more than there, -1 by less, 0 neither.

        The last watt-second is rounding. Coupled, where demands share cells, whole seconds decide
        who gets the last of them: a second of full power each is no difference.
        """
        coupled = self.problem.coupled
        same_kwh = SAME_KWH if coupled else SAME_KWH_ALONE
        rounding = round(same_kwh * self.problem.units.energy_scale)
        spread = rounding + (_handover(self.problem) if coupled else 0)
        late, last = len(aims) - 6, len(aims) - 1
        for k, (one, other) in enumerate(zip(self.aims, aims, strict=True)):
            allowed: float = spread
            if k == 0:
                allowed = rounding
            elif k == late:
                # Late energy counts by twice the seconds, a day of them here; alone it is exact.
                allowed = 2 * 86400 * spread if coupled else 0
            elif late < k < last:
                allowed = SAME_KWH
            if abs(one - other) > allowed:
                return 1 if one > other else -1
        return 0

    @cached_property
    def site(self) -> Site:
        if self.coupled_site is not None:
            return self.coupled_site
        pieces = self.problem.pieces(_last_end(self.schedule), self.schedule.values())
        return _site(self.problem, self.devices, pieces)[0]

    @cached_property
    def baseline_cost(self) -> int:
        """The house without a planner, less the idle house."""
        served = {id: measured.served for id, measured in self.devices.items()}
        planned = max(_last_end(self.schedule), self.problem.grid.end)
        return baseline_cost(self.problem, planned, served)

    def imports(self, piece: int) -> bool:
        """Whether the site takes something from the grid, so that a kWh costs the import price."""
        site, least = self.site, IMPORTS_W * self.problem.units.power_scale
        return site.flows.net[piece] > least * site.pieces.cells[piece].length

    def device_cost(self, id: str) -> int:
        """Energy at the price of the import, or of the export, plus start costs and wear."""
        total = self.devices[id].own_cost
        for k, energy in self.site.energy[id].items():
            cell = self.site.pieces.cells[k]
            total += energy * (cell.price if self.imports(k) else cell.export_price)
        return total


def _handover(problem: Problem) -> int:
    """Energy that whole seconds may shift between the demands of the coupled devices."""
    shared = [m for m in problem.models if isinstance(m, ScaledDevice) and len(m.demands) > 1]
    return sum(model.power * len(model.demands) for model in shared)


def judge(problem: Problem, schedule: Schedule) -> Judged:
    schedule = _with_programs_under_way(problem, schedule)
    return _coupled(problem, schedule) if problem.coupled else _alone(problem, schedule)


def with_other_slots(judged: Judged, id: str, segments: tuple[Segment, ...]) -> Judged:
    """The same plan but for one device; what that cannot change is not measured again.

    Alone only that device is judged: compare it with the same call for what the plan has.
    """
    problem = judged.problem
    if not problem.coupled:
        return judge(replace(problem, models=(problem.by_id[id],)), {id: segments})
    return _coupled(problem, {**judged.schedule, id: segments}, judged)


def _with_programs_under_way(problem: Problem, schedule: Schedule) -> Schedule:
    """What a program under way still does is no choice: it stands here whatever was proposed."""
    rest = {
        model.id: model.segments_from(model.started)
        for model in problem.models
        if isinstance(model, ScaledProgram) and model.started is not None
    }
    return {**schedule, **rest} if rest else schedule


def _last_end(schedule: Schedule) -> int:
    return max((own[-1].end for own in schedule.values() if own), default=0)


def _alone(problem: Problem, schedule: Schedule) -> Judged:
    """Nothing couples the devices: each pays the import price for what it takes."""
    timeline = problem.timeline
    devices: dict[str, Measured] = {}
    cost = margin = 0
    for model in problem.models:
        one = devices[model.id] = _measured(problem, model, schedule)
        if isinstance(model, ScaledProgram) and model.running:
            continue
        cost += one.own_cost
        drawn = [(segment, 1) for segment in one.segments]
        drawn += [(segment, -1) for segment in idle_segments(problem, model)]
        for (start, end, power, _), sign in drawn:
            price = timeline.price_until(end) - timeline.price_until(start)
            chosen = timeline.choice_until(end) - timeline.choice_until(start)
            cost += sign * power * price
            margin += sign * power * (chosen - price)
    return Judged(
        problem=problem,
        schedule=schedule,
        devices=devices,
        aims=aims_of(problem, devices, 0),
        cost=cost,
        objective=cost + margin + _changes_less_value(devices),
        faults=_faults(devices),
    )


def _coupled(problem: Problem, schedule: Schedule, like: Judged | None = None) -> Judged:
    """`like`: a judged plan of the problem; its numbers are taken where they are the same."""
    pieces = problem.pieces(_last_end(schedule))
    if like is not None and len(like.site.pieces.cells) != len(pieces.cells):
        like = None
    devices = {
        model.id: like.devices[model.id]
        if like is not None and like.schedule.get(model.id) is schedule.get(model.id)
        else _measured(problem, model, schedule, pieces)
        for model in problem.models
    }
    site, money = _site(problem, devices, pieces)
    idle_cost, idle_margin = idle_costs(problem, pieces)
    cost = money.cost - idle_cost
    for model in problem.models:
        one = devices[model.id]
        if not (isinstance(model, ScaledProgram) and model.running):
            cost += one.own_cost - one.stored_value
        if isinstance(model, ScaledStorage):
            cost += idle_value(model, problem.units)
    margin = money.margin - idle_margin
    return Judged(
        problem=problem,
        schedule=schedule,
        devices=devices,
        aims=aims_of(problem, devices, above_limits(problem, pieces, devices, money)),
        cost=cost,
        objective=cost + margin + _changes_less_value(devices),
        faults=_faults(devices) + _faults_of_site(problem, site, devices),
        coupled_site=site,
    )


def _changes_less_value(devices: dict[str, Measured]) -> int:
    return sum(one.changes - one.value for one in devices.values())


def _faults(devices: dict[str, Measured]) -> tuple[str, ...]:
    return tuple(f"{id}: {fault}" for id, one in devices.items() for fault in one.faults)


def _site(problem: Problem, devices: dict[str, Measured], pieces: Pieces) -> tuple[Site, SiteMoney]:
    power = [0] * len(pieces.cells)
    energy: dict[str, dict[int, int]] = {}
    for model in problem.models:
        own = energies(devices[model.id].segments, pieces.starts, pieces.ends)
        energy[model.id] = own
        # A program under way is base load already.
        if not (isinstance(model, ScaledProgram) and model.running):
            add_to(power, own)
    giving, from_roof = _directions(problem, energy)
    beyond = beyond_means(problem, pieces, devices) if problem.situation.site.pv_curtailable else {}
    money = site_money(problem, pieces, power, giving=giving, from_roof=from_roof, beyond=beyond)
    return Site(pieces, energy, power, money.flows), money


def _measured(
    problem: Problem, model: Model, schedule: Schedule, pieces: Pieces | None = None
) -> Measured:
    own = schedule.get(model.id, ())
    if isinstance(model, ScaledDevice):
        # Alone energy is counted by the second, and what is missing can be had or cannot.
        same = problem.units.energy(MET_KWH) if problem.coupled else 0
        return measure_flexible(problem.timeline, model, own, pieces, same)
    if isinstance(model, ScaledProgram):
        return measure_program(problem.timeline, model, own, pieces)
    assert pieces is not None, "storage and heat are always coupled"
    if isinstance(model, ScaledStorage):
        return measure_storage(model, own, pieces, problem.units)
    return measure_thermal(model, own, pieces, problem.units)


def _directions(
    problem: Problem, energy: Mapping[str, Mapping[int, int]]
) -> tuple[set[int], set[int]]:
    """Pieces in which a storage that may not sell gives, and in which one that takes nothing from
    the grid charges."""
    giving: set[int] = set()
    from_roof: set[int] = set()
    for model in problem.models:
        if isinstance(model, ScaledStorage):
            own = energy[model.id].items()
            if not model.export:
                giving.update(k for k, moved in own if moved < 0)
            if not model.grid_charge:
                from_roof.update(k for k, moved in own if moved > 0)
    return giving, from_roof


def _faults_of_site(problem: Problem, site: Site, devices: dict[str, Measured]) -> tuple[str, ...]:
    found = []
    cells = site.pieces.cells
    least = IMPORTS_W * problem.units.power_scale
    limit = problem.grid.export_limit
    giving, from_roof = _directions(problem, site.energy)
    for k in range(len(cells)) if limit is not None else sorted(giving | from_roof):
        cell, flow = cells[k], site.flows[k]
        if k in giving and flow.exported + flow.curtailed > least * cell.length:
            found.append(f"a storage that may not sell gives at {cell.start} while energy leaves")
        if k in from_roof and flow.imported > least * cell.length:
            found.append(f"a storage charges at {cell.start} while energy is imported")
        if limit is not None and flow.exported > (limit + problem.units.power_scale) * cell.length:
            found.append(f"exports more than it may at {cell.start}")
    return tuple(found)
