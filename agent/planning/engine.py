"""What every engine takes and gives: a problem, time that is left, slots and a proved bound."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from agent.planning.problem import Problem
from agent.planning.segments import Schedule


class Deadline:
    """Time that is left on a monotonic clock; every loop of an engine asks it."""

    def __init__(self, clock: Callable[[], float] | None, ends: float) -> None:
        self._clock, self.ends = clock, ends

    @classmethod
    def after(cls, clock: Callable[[], float], seconds: float) -> "Deadline":
        return cls(clock, clock() + seconds)

    @classmethod
    def never(cls) -> "Deadline":
        """For whoever has no clock: engines then end by the size of their searches alone."""
        return cls(None, float("inf"))

    @classmethod
    def passed(cls) -> "Deadline":
        return cls(lambda: 0.0, 0.0)

    def left(self) -> float:
        """Seconds, below 0 when it is over; infinite without a clock."""
        return self.ends - self._clock() if self._clock is not None else float("inf")

    def over(self) -> bool:
        return self._clock is not None and self._clock() >= self.ends

    def until(self, seconds: float) -> "Deadline":
        """So many seconds earlier."""
        return Deadline(self._clock, self.ends - seconds)

    def share(self, part: float) -> "Deadline":
        """A part (0 to 1) of the time that is left."""
        if self._clock is None:
            return self
        now = self._clock()
        return Deadline(self._clock, now + max(0.0, self.ends - now) * part)


@dataclass(frozen=True, slots=True)
class Proposal:
    """What an engine found. It states no money: the judge counts.

    `bound`: proved that no plan which is as good as the best one in aims 1 to 5 has an objective
    below it, in units of money (None: nothing proved). `aims_proved`: proved too that no plan is
    better than this one in aims 1 to 5.
    """

    schedule: Schedule = field(default_factory=dict)
    bound: int | None = None
    aims_proved: bool = False


class Engine(Protocol):
    """Raises nothing; ends when the deadline is over, with the best that it has by then."""

    def plan(
        self, problem: Problem, deadline: Deadline, incumbent: Schedule | None
    ) -> Proposal | None:
        """None where the engine does not fit the problem or found nothing in time.

        `incumbent` is the best plan that is known so far, already clipped to what is left of it.
        """
