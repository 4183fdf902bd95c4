"""What is left of the house while the rule plans one device after the other, cell by cell."""

from collections.abc import Sequence
from dataclasses import dataclass

from agent.planning.devices.flexible import ScaledDevice
from agent.planning.engine import Deadline
from agent.planning.problem import Problem
from agent.planning.segments import Segment, clipped

# What is left in haste takes the rest of the time.
CAREFUL_SHARE = 0.3
# Cells times demands: in so few, as a home has, a place for each is found in a hundredth of a
# second, so that nobody goes without for want of time.
SOON_FOUND = 10_000


@dataclass(frozen=True, slots=True)
class Pace:
    """How long whoever places something that is to be served may look for a good place.

    In haste it takes the first place that the limit leaves; when time is over, none, where there
    are more demands than a home has.
    """

    careful: Deadline
    last: Deadline

    @classmethod
    def within(cls, deadline: Deadline) -> "Pace":
        return cls(deadline.share(CAREFUL_SHARE), deadline)

    @classmethod
    def hasty(cls, deadline: Deadline) -> "Pace":
        return cls(Deadline.passed(), deadline)

    def in_haste(self) -> bool:
        return self.careful.over()

    def over(self) -> bool:
        return self.last.over()


class Allocation:
    """`drawn[k]` is the mean power of the devices so far in cell k, `peak[k]` their highest.

    `levels`: by cell the most that may be imported so that no higher peak is paid for; blocks are
    as long as the import limit alone makes them.
    """

    def __init__(self, problem: Problem, pace: Pace, levels: Sequence[int | None] = ()) -> None:
        self.problem, self.levels = problem, levels
        self.pace = Pace(pace.careful, Deadline.never()) if _is_small(problem) else pace
        self.cells = problem.grid.cells
        self.drawn = [0] * len(self.cells)
        self.peak = [0] * len(self.cells)

    def room(self, k: int) -> int | None:
        """What one more device may draw in cell k; None without a limit."""
        cell = self.cells[k]
        headroom, level = cell.headroom, self.levels[k] if self.levels else None
        if level is not None:
            below = level - cell.base + cell.pv
            headroom = below if headroom is None else min(headroom, below)
        return None if headroom is None else max(0, headroom - self.peak[k])

    def most(self, k: int, power: int) -> int:
        """The same, `power` at most."""
        room = self.room(k)
        return power if room is None else min(power, room)

    def surplus(self, k: int) -> int:
        """What the roof gives beyond base load and devices."""
        cell = self.cells[k]
        return max(0, cell.pv - cell.base - self.drawn[k])

    def price(self, k: int, power: int) -> float:
        """What a kWh costs on average at this power: surplus could be sold instead."""
        cell = self.cells[k]
        sold = min(self.surplus(k), power)
        if not power:
            return cell.choice
        return (sold * cell.export_price + (power - sold) * cell.choice) / power

    def take(self, segments: Sequence[Segment]) -> None:
        for one in segments:
            k = self.problem.grid.index(one.start)
            while k < len(self.cells) and self.cells[k].start < one.end:
                cell = self.cells[k]
                inside = clipped([one], cell.start, cell.end)
                energy = sum(part.power * (part.end - part.start) for part in inside)
                self.drawn[k] += energy // cell.length
                self.peak[k] += one.power
                k += 1

    def give_back(self, segments: Sequence[Segment]) -> None:
        self.take([one._replace(power=-one.power) for one in segments])


def _is_small(problem: Problem) -> bool:
    demands = sum(
        max(1, len(model.demands)) if isinstance(model, ScaledDevice) else 1
        for model in problem.models
    )
    return len(problem.grid.cells) * demands <= SOON_FOUND
