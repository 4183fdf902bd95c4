"""What all devices of a house share in the programme: cells, balance, aims, money.

Inside the programme power counts in kW, energy in kWh, time in hours or in seconds from now, money
in the currency. Devices add their columns and rows, then the site closes the balance.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agent.planning.grid import SiteCell
from agent.planning.joint.milp import Milp, Term
from agent.planning.problem import Problem

# The aims before money, weightiest first; shortfalls by priority come after the limits.
LIMITS, SHORTFALL = "limits", "shortfall"
LATER_AIMS = (
    "never",
    "excess",
    "late",
    "targets",
    "outside",
    "hygiene",
    "lift",
    "comfort",
    "unknown",
)


@dataclass(frozen=True, slots=True)
class Draw:
    """What one device may draw in a cell: terms of its power, which is 0 or between `least` and
    `most` kW. `on`: its on/off column, None where that is relaxed; `parts`: columns that are 1
    where it may be below the least nevertheless, as a part of a cell."""

    id: str
    power: Sequence[Term]
    least: float
    most: float
    on: int | None
    parts: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Load:
    """All that one device draws in a cell, parts of cells in it, and the most of that in kW."""

    id: str
    power: Sequence[Term]
    most: float


class House:
    """`strict`: aims 1 to 5 are known to be attainable at 0, so nothing may miss them.

    `balance[k]`: what devices draw in cell k, as terms; `beyond[k]`: what import limits see above
    that; `most[k]`: the most that they can draw, `forced`: cells in which something must be on.
    `exact`: nothing of the Situation was left out, narrowed or merged, so bounds are proofs.
    """

    def __init__(self, problem: Problem, cells: Sequence[SiteCell], *, strict: bool) -> None:
        self.problem, self.strict = problem, strict
        self.cells = cells
        self.milp = Milp()
        self.known = problem.grid.horizon_cells
        self.starts = [cell.start for cell in cells]
        self.ends = [cell.end for cell in cells]
        self.hours = [cell.length / 3600 for cell in cells]
        self.balance: list[list[Term]] = [[] for _ in cells]
        self.beyond: list[list[Term]] = [[] for _ in cells]
        self.most = [0.0] * len(cells)
        # By cell, devices that are off or above a least power.
        self.draws: list[list[Draw]] = [[] for _ in cells]
        # By cell, devices that take what there is.
        self.loads: list[list[Load]] = [[] for _ in cells]
        self.forced: set[int] = set()
        self.money: dict[int, float] = {}
        self.aims: dict[str, dict[int, float]] = {}
        self.constant = 0.0
        self.exact = not problem.grid.merged
        # Directions that are relaxed until a solution breaks them.
        self.directions: set[int] = set()

    def kw(self, power: int) -> float:
        return power / (1000 * self.problem.units.power_scale)

    def kwh(self, energy: int) -> float:
        return self.problem.units.kwh(energy)

    def currency(self, money: int) -> float:
        return money / self.problem.units.money_scale

    def price(self, price: int) -> float:
        return price / self.problem.units.price_scale

    def surplus(self, k: int) -> float:
        """What the roof gives beyond what the house takes, in kW; below 0 by night."""
        return self.kw(self.cells[k].pv - self.cells[k].base)

    def pay(self, column: int, amount: float) -> None:
        if amount:
            self.money[column] = self.money.get(column, 0.0) + amount

    def aim(self, name: str, column: int, amount: float) -> None:
        """The column (never below 0) misses an aim by `amount` each."""
        if amount <= 0:
            return
        if self.strict:
            self.milp.fix(column, 0.0)
            return
        terms = self.aims.setdefault(name, {})
        terms[column] = terms.get(column, 0.0) + amount

    def direction(self, *, urgent: bool) -> int:
        """A choice between 0 and 1; urgent ones are whole from the start."""
        column = self.milp.column(0.0, 1.0)
        if urgent:
            self.milp.whole.add(column)
        else:
            self.directions.add(column)
        return column

    def make_whole(self, columns: Iterable[int]) -> bool:
        """Whether any of these directions was still relaxed."""
        fresh = self.directions & set(columns)
        self.milp.whole |= fresh
        self.directions -= fresh
        return bool(fresh)

    def names_of_aims(self) -> list[str]:
        """Those that something may miss, weightiest first."""
        shortfalls = sorted(
            (name for name in self.aims if name.startswith(SHORTFALL)),
            key=lambda name: -int(name.removeprefix(SHORTFALL)),
        )
        names = [LIMITS, *shortfalls, *LATER_AIMS]
        return [name for name in names if self.aims.get(name)]
