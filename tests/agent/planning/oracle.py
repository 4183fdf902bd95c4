"""A planner too simple to be wrong: every on/off pattern of every second, each judged by the rules.

For one flexible device with one demand, a few seconds long. Money in units of 1 / 3 600 000 of
price x W, so that one second at price p costs p x power.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

Levels = tuple[Fraction, ...]
SAME_EDGE_S = 120


@dataclass(frozen=True, slots=True)
class Tiny:
    """Prices by second (None: unknown), all instants in seconds from now."""

    prices: tuple[Fraction | None, ...]
    mean: Fraction
    need: int
    earliest: int
    deadline: int
    hard: bool = True
    contiguous: bool = False
    value: Fraction = Fraction(0)
    cap: Fraction | None = None
    min_on: int = 0
    min_off: int = 0
    start_cost: Fraction = Fraction(0)
    grid: int = 0
    on_for: int | None = None
    off_for: int | None = None

    def price(self, second: int) -> Fraction | None:
        return self.prices[second] if second < len(self.prices) else None

    def admits(self, second: int) -> bool:
        if second < self.earliest or (not self.hard and second >= self.deadline):
            return False
        price = self.price(second)
        if price is None:
            return self.hard and self.cap is None
        return self.cap is None or price <= self.cap

    @property
    def forced(self) -> int:
        """Until when a run under way must go on."""
        if self.on_for is None:
            return 0
        end = max(0, self.min_on - self.on_for)
        return (
            -(-(end - self.earliest) // self.grid) * self.grid + self.earliest if self.grid else end
        )

    @property
    def top(self) -> int:
        most = max(self.need, self.min_on)
        return -(-most // self.grid) * self.grid if self.grid else most


def runs_of(pattern: tuple[bool, ...]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for second, on in enumerate(pattern):
        if on and runs and runs[-1][1] == second:
            runs[-1] = (runs[-1][0], second + 1)
        elif on:
            runs.append((second, second + 1))
    return runs


def allowed(tiny: Tiny, runs: list[tuple[int, int]]) -> bool:
    """Minimum times and the grid."""
    going = tiny.on_for is not None and bool(runs) and runs[0][0] == 0
    if tiny.forced and not (going and runs[0][1] >= tiny.forced):
        return False
    ended = None
    if tiny.on_for is not None and not going:
        ended = 0
    if tiny.off_for is not None:
        ended = -tiny.off_for
    for k, (start, end) in enumerate(runs):
        began = -(tiny.on_for or 0) if k == 0 and going else start
        if end - began < tiny.min_on:
            return False
        if ended is not None and not (k == 0 and going) and start - ended < tiny.min_off:
            return False
        ended = end
        if tiny.grid:
            edges = (end,) if k == 0 and going else (start, end)
            if any((edge - tiny.earliest) % tiny.grid for edge in edges):
                return False
    return True


def served_of(tiny: Tiny, runs: list[tuple[int, int]]) -> list[int] | None:
    """The seconds that count for the demand; None where the device may not be on like this."""
    served: list[int] = []
    for start, end in runs:
        for second in range(start, end):
            if second < tiny.forced and not tiny.admits(second):
                continue
            if second < tiny.forced and len(served) >= tiny.need:
                continue
            if not tiny.admits(second):
                return None
            served.append(second)
    return served


def levels(tiny: Tiny, runs: list[tuple[int, int]]) -> Levels | None:
    """The aims of a plan in their order; None where it breaks a rule."""
    if not allowed(tiny, runs):
        return None
    served = served_of(tiny, runs)
    if served is None:
        return None
    if tiny.contiguous and served and served[-1] - served[0] + 1 != len(served):
        return None
    money = Fraction(0)
    unknown, instants = 0, 0
    for start, end in runs:
        for second in range(start, end):
            price = tiny.price(second)
            unknown += price is None
            instants += second if price is None else 0
            if second >= tiny.forced:
                money += tiny.mean if price is None else price
    going = tiny.on_for is not None and bool(runs) and runs[0][0] == 0
    starts = [start for start, _ in (runs[1:] if going else runs)]
    money += tiny.start_cost * len(starts)
    short = never = excess = late = 0
    if tiny.hard:
        in_time = sum(second < tiny.deadline for second in served)
        short = max(0, tiny.need - in_time)
        wanted = tiny.need - (short if tiny.cap is not None else 0)
        never, excess = max(0, wanted - len(served)), max(0, len(served) - wanted)
        if tiny.contiguous and tiny.cap is None and len(served) < tiny.need:
            return None
        since = max(0, tiny.deadline)
        late = sum(2 * (second - since) + 1 for second in served if second >= since)
    else:
        if len(served) > tiny.top:
            return None
        money -= tiny.value * min(tiny.need, len(served))
    values = (short, never, excess, late, unknown, money, -instants, len(starts), sum(starts))
    return tuple(Fraction(value) for value in values)


def patterns(seconds: int) -> Iterator[tuple[bool, ...]]:
    return product((False, True), repeat=seconds)


def best(tiny: Tiny, seconds: int) -> Levels:
    """The least levels of all patterns."""
    found = (levels(tiny, runs_of(pattern)) for pattern in patterns(seconds))
    return min(one for one in found if one is not None)
