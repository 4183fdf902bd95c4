"""The loop: one device after the other, then several together; the judge has the last word."""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from agent.planning.devices.flexible import ScaledDevice
from agent.planning.devices.storage import ScaledStorage
from agent.planning.devices.thermal import ScaledThermal
from agent.planning.engine import Deadline
from agent.planning.judge import Judged, judge, with_other_slots
from agent.planning.modes import mode_of
from agent.planning.problem import Model
from agent.planning.segments import Segment
from agent.planning.tidying.heat import heat_in_runs
from agent.planning.tidying.room import Room
from agent.planning.tidying.stretches import demand_in_runs, store_in_stretches

# Plans whose objectives differ by less cost the same.
SAME_MONEY = Decimal("1e-6")
# What a start less may cost.
START = Decimal("0.0002")
ROUNDS = 6
# A home has some hundreds of cells; years of them are not worth the memory.
MOST_CELLS = 4000

Slots = tuple[Segment, ...]


def tidied(plan: Judged, most: int, deadline: Deadline, standing: Container[str] = ()) -> Judged:
    """A plan that switches less, misses no aim by more and has no objective above `most`, nor one
    further above that of the plan than its fewer starts are worth. Coupled problems only.

    `standing`: devices that stay as they are.
    """
    if not plan.problem.coupled or len(plan.site.pieces.cells) > MOST_CELLS:
        return plan
    found = _Tidying(plan, most, deadline, standing)
    for _ in range(ROUNDS):
        before = found.best
        found.one_by_one()
        found.together()
        if found.best is before or deadline.over():
            break
    return found.best.plan


@dataclass(frozen=True, slots=True)
class _Tidy:
    """`starts` of appliances; `changes`: how often they and stores change what they do."""

    plan: Judged
    starts: int
    changes: int


class _Tidying:
    def __init__(
        self, plan: Judged, most: int, deadline: Deadline, standing: Container[str]
    ) -> None:
        units = plan.problem.units
        self.problem, self.deadline = plan.problem, deadline
        self.first = self.best = _measured(plan)
        self.same, self.start_worth = units.money(SAME_MONEY), units.money(START)
        self.most = most
        self.models = [one for one in plan.problem.models if one.id not in standing]

    def consider(self, plan: Judged) -> bool:
        """Whether it is taken."""
        first, best = self.first, self.best
        if plan.faults or plan.objective > self.most or plan.misses_more(first.plan.aims) > 0:
            return False
        if _unknown(plan) < _unknown(first.plan):
            return False
        new = _measured(plan)
        saved = first.starts - new.starts
        if plan.objective > first.plan.objective + self.same + max(0, saved) * self.start_worth:
            return False
        dearer = plan.objective - best.plan.objective
        dearer += (new.starts - best.starts) * self.start_worth
        fewer = (new.starts, new.changes) < (best.starts, best.changes)
        if dearer > self.same or (dearer >= -self.same and not fewer):
            return False
        self.best = new
        return True

    def one_by_one(self) -> None:
        devices = self.best.plan.devices
        # Where runs of heat may lie takes longer to see, and is mostly known to the engine.
        for model in sorted(
            self.models, key=lambda one: (isinstance(one, ScaledThermal), -devices[one.id].starts)
        ):
            while not self.deadline.over() and self._one(model):
                pass

    def _one(self, model: Model) -> bool:
        """Whether a better place was found for something that this device does."""
        plan = self.best.plan
        own = plan.devices[model.id].segments
        if len(own) < 2:
            return False
        room = Room(plan, self.deadline)
        room.take(model, own, -1)
        dearest = room.cost_of(own) + self.same + self.start_worth * plan.devices[model.id].starts
        for segments in _anew(room, model, own):
            if self.deadline.over():
                return False
            if room.cost_of(segments) > dearest or segments == own:
                continue
            if self.consider(with_other_slots(plan, model.id, segments)):
                return True
        return False

    def together(self) -> None:
        """All that is flexible is put aside and placed one after the other, in a few orders."""
        for order in self._orders():
            if self.deadline.over():
                return
            schedule = self._placed(order)
            if schedule is not None:
                self.consider(judge(self.problem, {**self.best.plan.schedule, **schedule}))

    def _orders(self) -> Iterator[Sequence[ScaledDevice]]:
        devices = self.best.plan.devices
        moved = [
            one for one in self.models if isinstance(one, ScaledDevice) and devices[one.id].segments
        ]
        if len(moved) < 2 or not any(devices[one.id].starts > 1 for one in moved):
            return
        yield sorted(moved, key=lambda one: -devices[one.id].energy)
        yield sorted(moved, key=lambda one: -one.min_power)
        yield sorted(moved, key=lambda one: max(demand.deadline for demand in one.demands))

    def _placed(self, order: Sequence[ScaledDevice]) -> dict[str, Slots] | None:
        """None where one finds no place."""
        plan = self.best.plan
        room = Room(plan, self.deadline)
        for model in order:
            room.take(model, plan.devices[model.id].segments, -1)
        out: dict[str, Slots] = {}
        for model in order:
            own = plan.devices[model.id].segments
            for index in range(len(model.demands)):
                best: tuple[int, Slots] | None = None
                for n, segments in enumerate(demand_in_runs(room, model, own, index)):
                    cost = room.cost_of(segments) + self.same * n
                    if best is None or cost < best[0] - self.same:
                        best = cost, segments
                    if self.deadline.over():
                        return None
                own = own if best is None else best[1]
            out[model.id] = own
            room.take(model, own)
        return out


def _anew(room: Room, model: Model, own: Slots) -> Iterator[Slots]:
    if isinstance(model, ScaledDevice):
        for index in range(len(model.demands)):
            yield from demand_in_runs(room, model, own, index)
    elif isinstance(model, ScaledStorage):
        yield from store_in_stretches(room, model, own)
    elif isinstance(model, ScaledThermal):
        yield from heat_in_runs(room, model, own)


def _unknown(plan: Judged) -> int:
    return sum(one.unknown_instants for one in plan.devices.values())


def _measured(plan: Judged) -> _Tidy:
    starts = changes = 0
    for model in plan.problem.models:
        own = plan.devices[model.id]
        starts += own.starts
        if isinstance(model, ScaledStorage):
            changes += _turns(plan, model)
        else:
            changes += len(own.segments)
            # Where whole seconds make a power of two it is one.
            changes -= sum(
                a.end == b.start and abs(a.power - b.power) <= 1 for a, b in pairwise(own.segments)
            )
    return _Tidy(plan, starts, changes)


def _turns(plan: Judged, model: ScaledStorage) -> int:
    """How often a store is told something else; where it would do nothing anyway it is not."""
    energy, count, told = plan.site.energy[model.id], 0, ""
    for k in range(len(model.available)):
        cell = plan.site.pieces.cells[k]
        power = energy.get(k, 0) // cell.length
        mode = mode_of(plan, model, k, power)
        if mode == "auto" and not power:
            continue
        count += mode != told
        told = mode
    return count
