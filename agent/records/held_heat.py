"""Planned heat beside a thermostat: the same energy at the times when that takes it. Pure.

What planned heat took on a day counts at the mean price of what a thermostat, that only keeps the
lowest comfort, would have taken on that day in the same weather. What was taken beyond as much
costs the same with and without a planner.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from agent.energy.situation import ZERO
from agent.records.known_prices import MeanPrice


@dataclass(frozen=True, slots=True)
class HeldHeat:
    """`energy` in millionths of a kWh is what the thermostat would have taken, at that mean."""

    energy: int
    price: MeanPrice

    def beside(self, taken: int, price: MeanPrice) -> MeanPrice:
        """What a kWh costs without a planner that costs `price` with one; `taken` on that day."""
        share = min(Decimal(1), Decimal(self.energy) / taken) if taken > 0 else ZERO
        mixed = share * self.price.per_kwh + (1 - share) * price.per_kwh
        return MeanPrice(mixed, self.price.estimated or price.estimated)


def held_heat(pieces: Iterable[tuple[int, MeanPrice | None]]) -> HeldHeat | None:
    """From energies and the prices that held; None where no price is known."""
    energy, cost, estimated = 0, ZERO, False
    for amount, price in pieces:
        if price is not None:
            energy += amount
            cost += amount * price.per_kwh
            estimated = estimated or price.estimated
    return HeldHeat(energy, MeanPrice(cost / energy, estimated)) if energy else None
