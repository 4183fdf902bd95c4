"""Whole numbers for power, energy and money, so that sums never round.

Power counts in units of `1 / power_scale` W, energy in such units times seconds, prices in units of
`1 / price_scale` of the currency per kWh; money is energy times price.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

# Seconds times watts in a kWh.
KWH = 3_600_000
# No device and no meter tells finer than a milliwatt.
LEAST_POWER_PLACES = 3


def places(values: Iterable[Decimal]) -> int:
    """Decimal places that hold all values exactly."""
    most = 0
    for value in values:
        exponent = value.as_tuple().exponent
        if isinstance(exponent, int) and -exponent > most:
            most = -exponent
    return most


def scaled(value: Decimal, scale: int) -> int:
    """value x scale, which the caller knows to be whole."""
    top, bottom = value.as_integer_ratio()
    return top * scale // bottom


@dataclass(frozen=True, slots=True)
class Units:
    price_scale: int
    power_scale: int

    @property
    def energy_scale(self) -> int:
        """Units of energy in a kWh."""
        return self.power_scale * KWH

    @property
    def money_scale(self) -> int:
        """Units of money in one of the currency."""
        return self.price_scale * self.energy_scale

    def power(self, watts: Decimal) -> int:
        return _nearest(watts, self.power_scale)

    def energy(self, kwh: Decimal) -> int:
        return _nearest(kwh, self.energy_scale)

    def price(self, per_kwh: Decimal) -> int:
        return _nearest(per_kwh, self.price_scale)

    def money(self, amount: Decimal) -> int:
        return _nearest(amount, self.money_scale)

    def money_of(self, amount: float) -> int:
        """From a float, for what physics gives: stored energy, wear."""
        return round(Fraction(amount) * self.money_scale)

    def watts(self, power: int) -> float:
        return power / self.power_scale

    def kwh(self, energy: int) -> float:
        return energy / self.energy_scale

    def kwh_exactly(self, energy: int) -> Fraction:
        return Fraction(energy, self.energy_scale)

    def currency(self, money: int) -> Fraction:
        return Fraction(money, self.money_scale)


def _nearest(value: Decimal, scale: int) -> int:
    top, bottom = value.as_integer_ratio()
    return (2 * top * scale + bottom) // (2 * bottom)
