"""On how many phases a charger charges, and which powers that allows. Pure.

The rules are those of the wire contract's section 2 ("EV"): at least 6 A on each phase (IEC 61851).
A charger that switches goes from one phase to three at 6 A on three, so that whoever is told a
power alone knows the phases by it; what lies between is never told.
"""

from dataclasses import dataclass

LEAST_A = 6
ONE, THREE = (1,), (3,)
SWITCHED = (1, 3)


@dataclass(frozen=True, slots=True)
class Phases:
    """`counts` are the numbers of phases that it can be on, the least first.

    `max_power_w` is its most on the most of them; `switch_min_s` lies between two switches.
    """

    counts: tuple[int, ...]
    voltage_v: int
    max_power_w: int
    switch_min_s: int = 0

    @property
    def switches(self) -> bool:
        return len(self.counts) > 1

    def least_w(self, count: int) -> int:
        return LEAST_A * self.voltage_v * count

    def most_w(self, count: int) -> int:
        """The most on so many phases, by the current that the most of them may carry."""
        highest = self.counts[-1]
        if count == highest:
            return self.max_power_w
        rated_a = round(self.max_power_w / (self.voltage_v * highest))
        # One ampere less than where three phases begin.
        return min(rated_a, (LEAST_A * highest - 1) // count) * self.voltage_v * count

    def count_for(self, power_w: int) -> int:
        """On how many phases it takes that power: the most that it is enough for."""
        return max(
            (count for count in self.counts if power_w >= self.least_w(count)),
            default=self.counts[0],
        )

    def allowed_w(self, power_w: int, count: int | None = None) -> int:
        """The most it may be told that is no more than `power_w`, 0 where that is not enough.

        `count`: on so many phases; None: on any.
        """
        counts = self.counts if count is None else (count,)
        return max(
            (min(power_w, self.most_w(one)) for one in counts if power_w >= self.least_w(one)),
            default=0,
        )

    def current_a(self, power_w: int, count: int) -> int:
        """Whole amperes a phase: at the most of that count the nearest, below it never more."""
        current = power_w / (self.voltage_v * count)
        return round(current) if power_w >= self.most_w(count) else int(current + 0.01)
