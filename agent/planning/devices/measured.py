"""What one device contributes to a plan: energy, aims, money beside energy, broken rules."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

from agent.planning.grid import SiteCell
from agent.planning.segments import Segment


@dataclass(frozen=True, slots=True)
class Pieces:
    """Time as it is judged: cells of the grid, cut further where devices switch at any second."""

    cells: Sequence[SiteCell]
    starts: Sequence[int]
    ends: Sequence[int]

    def cut_within(self, one: Segment) -> bool:
        """Whether a segment begins or ends within a piece."""
        return not (_holds(self.starts, one.start) and _holds(self.ends, one.end))


def _holds(instants: Sequence[int], at: int) -> bool:
    """Whether an instant is among some in time order."""
    k = bisect_left(instants, at)
    return k < len(instants) and instants[k] == at


@dataclass(slots=True)
class Measured:
    """Energies in units of energy, money in units of money; less is better in every aim.

    `shortfall` at deadlines, `never` served, `excess` above the need; `late` is energy times twice
    the seconds after the deadline. `target_kwh`, `outside_kwh_h`, `hygiene_c`, `comfort_c_h` are
    floats of physics. `own_cost`: start costs and wear; `stored_value`: what is left at the end is
    worth, `value` what served soft energy is. `levels`: stored kWh or temperature at cell ends.
    `faults`: rules that are broken; a plan with one is no plan.
    """

    segments: tuple[Segment, ...] = ()
    starts: int = 0
    start_sum: int = 0
    own_cost: int = 0
    stored_value: int = 0
    value: int = 0
    changes: int = 0
    shortfall: int = 0
    never: int = 0
    excess: int = 0
    late: int = 0
    unknown: int = 0
    unknown_instants: int = 0
    target_kwh: float = 0.0
    outside_kwh_h: float = 0.0
    hygiene_c: float = 0.0
    comfort_c_h: float = 0.0
    met: bool = True
    served: tuple[int, ...] = ()
    missing: tuple[int, ...] = ()
    levels: tuple[float, ...] = ()
    faults: list[str] = field(default_factory=list)

    @property
    def energy(self) -> int:
        """At the terminals; what a storage gives counts less than 0."""
        return sum(one.power * (one.end - one.start) for one in self.segments)
