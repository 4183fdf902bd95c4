"""What all reasons are read from: the judged plan piece by piece, and other plans judged beside it.

Prices are per kWh in the currency (floats: they are said, not summed). Other plans differ in the
slots of one device, all else stays as planned; how many are judged is limited by count and by time.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from agent.planning.aims import beyond_means
from agent.planning.engine import Deadline
from agent.planning.judge import Judged, with_other_slots
from agent.planning.problem import Model
from agent.planning.reasons.words import Words
from agent.planning.segments import Segment

# Coupled, judging another plan takes a millisecond; the whole house has so many.
MOST_TRIES = 12
MOST_TRIES_ALONE = 200
# Prices that differ by no more are the same, in the currency per kWh.
SAME_PRICE = 1e-5
# So is money, in the currency.
SAME_MONEY = Fraction(1, 100_000)
# A site that imports no more takes nothing from the grid, and room below this is none.
LEAST_W = 5


@dataclass(frozen=True, slots=True)
class Instead:
    """Another plan beside the one that is: what it costs more, in the currency.

    `valid`: it keeps the rules and misses no aim by more; `above_limit`: it breaks the import limit
    more. `more` is of the objective, `cost_more` of the cost alone, `changes` of change costs.
    """

    valid: bool
    above_limit: bool
    more: Fraction
    cost_more: Fraction
    changes: Fraction


class House:
    """`optimal`: nothing is cheaper, so that a cheaper plan beside it is rounding."""

    def __init__(self, judged: Judged, deadline: Deadline) -> None:
        self.judged, self.problem = judged, judged.problem
        self.units, self.deadline = judged.problem.units, deadline
        self.words = Words(judged.problem.situation)
        self.pieces = judged.site.pieces
        self.cells = self.pieces.cells
        self.flows = judged.site.flows
        self.horizon = judged.problem.timeline.horizon
        self._tries = MOST_TRIES if self.problem.coupled else MOST_TRIES_ALONE
        self._alone: dict[str, Judged] = {}
        self._beyond: dict[int, int] | None = None

    def segments(self, id: str) -> tuple[Segment, ...]:
        return self.judged.devices[id].segments

    def energy(self, id: str, k: int) -> int:
        return self.judged.site.energy[id].get(k, 0)

    def touched(self, id: str) -> list[int]:
        """Pieces in which a device takes or gives something, in the order of time."""
        return sorted(k for k, energy in self.judged.site.energy[id].items() if energy)

    def kwh(self, energy: int) -> float:
        return self.units.kwh(energy)

    def import_price(self, k: int) -> float:
        return self.cells[k].price / self.units.price_scale

    def export_price(self, k: int) -> float:
        return self.cells[k].export_price / self.units.price_scale

    def imports(self, k: int) -> bool:
        return not self.problem.coupled or self.judged.imports(k)

    def price(self, k: int) -> float:
        """What a kWh that is taken there costs: of the grid, else what selling it would earn."""
        return self.import_price(k) if self.imports(k) else self.export_price(k)

    def price_of_used(self, k: int, energy: int) -> float:
        """What a kWh less there would save, as it counts for choosing."""
        cell = self.cells[k]
        if not self.problem.coupled or energy <= 0:
            return cell.choice / self.units.price_scale
        imported = min(energy, max(0, self.flows.net[k]))
        worth = imported * cell.choice + (energy - imported) * cell.export_price
        return worth / energy / self.units.price_scale

    def price_of_more(self, k: int, energy: int) -> float:
        """What a kWh more there would cost, as it counts for choosing, when so much is added."""
        cell, flow = self.cells[k], self.flows[k]
        if not self.problem.coupled or energy <= 0:
            return cell.choice / self.units.price_scale
        free = min(energy, flow.curtailed)
        sold = min(energy - free, flow.exported)
        worth = sold * cell.export_price + (energy - free - sold) * cell.choice
        return worth / energy / self.units.price_scale

    def room(self, k: int) -> int | None:
        """What the import limit leaves beside the plan, in units of power; None without a limit."""
        if not self.problem.grid.limited:
            return None
        if self._beyond is None:
            self._beyond = beyond_means(self.problem, self.pieces, self.judged.devices)
        cell, flow = self.cells[k], self.flows[k]
        if cell.import_limit is None:
            return None
        drawn = flow.imported - flow.exported - flow.curtailed + self._beyond.get(k, 0)
        return max(0, cell.import_limit - drawn // cell.length)

    def bound_by_limit(self, k: int) -> bool:
        room = self.room(k)
        return room is not None and room <= LEAST_W * self.units.power_scale

    def is_bound_within(self, first: int, end: int) -> bool:
        """Whether the import limit leaves no room in one of these pieces."""
        at = bisect_left(self._bound, first)
        return at < len(self._bound) and self._bound[at] < end

    @cached_property
    def _bound(self) -> list[int]:
        return [k for k in range(len(self.cells)) if self.bound_by_limit(k)]

    def between(self, start: int, end: int) -> range:
        """Indices of the pieces that overlap `[start, end)`."""
        starts, ends = self.pieces.starts, self.pieces.ends
        low = bisect_right(ends, start)
        return range(low, max(low, bisect_left(starts, end)))

    def instead(self, model: Model, segments: tuple[Segment, ...]) -> Instead | None:
        """None where there is no time to judge it, or the solver's own cells cannot tell."""
        if self._tries <= 0 or self.deadline.over():
            return None
        self._tries -= 1
        own = self._own(model)
        other = with_other_slots(self.judged, model.id, segments)
        currency = self.units.currency
        return Instead(
            valid=not other.faults and other.misses_more(own.aims) <= 0,
            above_limit=other.aims[0] > own.aims[0],
            more=currency(other.objective - own.objective),
            cost_more=currency(other.cost - own.cost),
            changes=currency(other.devices[model.id].changes - own.devices[model.id].changes),
        )

    def _own(self, model: Model) -> Judged:
        """The plan as it is, as another one is judged."""
        if self.problem.coupled:
            return self.judged
        if model.id not in self._alone:
            own = with_other_slots(self.judged, model.id, self.judged.schedule.get(model.id, ()))
            self._alone[model.id] = own
        return self._alone[model.id]
