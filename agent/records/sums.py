"""What is added up in the ledger: whole millionths, so that every sum is exact. Pure.

A day's energy and money are rounded to a millionth of a kWh and of the currency; every total is a
sum of such days, so it is the same whoever adds up.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Sums:
    """Millionths of a kWh (`energy`, `pending`, `estimated`) and of the currency.

    `baseline` is what starting at once would have cost. `pending` is the energy without a known
    price, which is in neither cost; `estimated` that whose price is not confirmed.
    """

    energy: int = 0
    cost: int = 0
    baseline: int = 0
    pending: int = 0
    estimated: int = 0

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(*(a + b for a, b in zip(self.values, other.values, strict=True)))

    def __sub__(self, other: "Sums") -> "Sums":
        return Sums(*(a - b for a, b in zip(self.values, other.values, strict=True)))

    @property
    def values(self) -> tuple[int, int, int, int, int]:
        return self.energy, self.cost, self.baseline, self.pending, self.estimated

    @property
    def energy_kwh(self) -> Decimal:
        return whole(self.energy)

    @property
    def cost_money(self) -> Decimal:
        return whole(self.cost)

    @property
    def baseline_money(self) -> Decimal:
        return whole(self.baseline)

    @property
    def saved_money(self) -> Decimal:
        return whole(self.baseline - self.cost)

    @property
    def pending_kwh(self) -> Decimal:
        return whole(self.pending)


NOTHING = Sums()


def total(parts: Iterable[Sums]) -> Sums:
    return sum(parts, NOTHING)


def whole(millionths: int) -> Decimal:
    """kWh or currency."""
    return Decimal(millionths).scaleb(-6)


def millionths(value: Decimal) -> int:
    """Rounded half to even."""
    return round(value * MILLION)
