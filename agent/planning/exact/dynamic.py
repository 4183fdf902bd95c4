"""One demand on steps of one size: a dynamic programme over time and steps still needed.

With c_j the cost of being on in step j, n the steps needed, M and V the minimum times in steps:

    on[j][r]  = min(on[j-1][r+1] + c_(j-1),  off[j-M][r+M] + start cost + c_(j-M) + .. + c_(j-1))
    off[j][r] = min(off[j-1][r],  on[j-V][r] + cost of the edge)

A run begins with its whole minimum at once and a gap is waited for in one go, so the steps needed
are all that is to be told apart. Costs of `on` are kept less the sum of c up to j: then going on
only moves a row. Rows are lists while they are worked on and arrays of doubles afterwards.

Best among plans that keep to known time, miss nothing and take no more than they must; it says
nothing where there is no such plan.
"""

from array import array
from dataclasses import dataclass
from itertools import pairwise
from math import inf

from agent.planning.devices.flexible import ScaledDevice
from agent.planning.exact.objectives import ServedSpan, Task
from agent.planning.incumbent import LASTING_S, OFF, ON, SAME_EDGE_S, IncumbentEdges

# Rows times steps: what is planned in about a third of a second with 30 MB.
MOST_STATES = 1_600_000
# How often the clock is asked, in rows.
CLOCK_EVERY = 64
# Equal costs: fewer starts. In units of a start's cost, small enough to decide nothing else.
TIE = 1e-12


@dataclass(frozen=True, slots=True)
class Steps:
    """Instants `offset` + j x `size`; `needed` of them, `least` on and `pause` off at least."""

    offset: int
    size: int
    count: int
    needed: int
    least: int
    pause: int

    def all_edges_last(self, device: ScaledDevice) -> bool:
        """Whether each edge of any plan on these steps may stand for an old one, and each old one
        for a single edge: then edges cost what they cost each for itself."""
        shortest = self.size * min(
            self._at_least(device.min_on_s), self._at_least(device.min_off_s)
        )
        lately = device.off_since is not None and device.off_since > -LASTING_S
        return shortest >= LASTING_S and not lately and not device.running

    def _at_least(self, seconds: int) -> int:
        return max(1, -(-seconds // self.size))


def steps_of(task: Task, size: int, offset: int) -> Steps:
    device, demand = task.device, task.device.demands[0]
    lasting = LASTING_S if device.incumbent.cost else 0
    return Steps(
        offset=offset,
        size=size,
        count=max(0, demand.deadline - offset) // size,
        needed=-(-(demand.needed_s if demand.hard else demand.max_s) // size),
        least=max(1, -(-max(device.min_on_s, lasting) // size)),
        pause=max(1, -(-max(device.min_off_s, lasting) // size)),
    )


def plan_on_steps(task: Task, steps: Steps) -> list[ServedSpan] | None:
    """The best plan on these steps; None where there is none, or no time for it."""
    device, demand = task.device, task.device.demands[0]
    if device.mandatory_s or steps.needed < steps.least or steps.count < steps.needed:
        return None
    if device.running and (steps.offset or device.grid_s):
        return None
    if steps.count * steps.needed > MOST_STATES:
        return None
    table = _Table(task, steps)
    if not table.fill():
        return None
    return [(a, b, 0) for a, b in table.runs()] if demand.needed_s else []


class _Table:
    def __init__(self, task: Task, steps: Steps) -> None:
        self.task, self.steps = task, steps
        device, timeline = task.device, task.timeline
        demand = device.demands[0]
        instants = [steps.offset + j * steps.size for j in range(steps.count + 1)]
        self.instants = instants
        # In money by unit of power, so that whole prices stay whole.
        self.total = [float(timeline.choice_until(t)) for t in instants]
        self.start_cost = device.start_cost / device.power
        self.usable = [
            a >= demand.earliest
            and all(
                demand.admits(span) and not span.unknown for _, _, span in timeline.between(a, b)
            )
            for a, b in pairwise(instants)
        ]
        self.edge = {
            kind: [cost / device.power for cost in _edge_costs(device.incumbent, instants, kind)]
            for kind in (ON, OFF)
        }
        self.on: list[array[float]] = []
        self.off: list[array[float]] = []
        self.best: tuple[float, int, int] | None = None

    def fill(self) -> bool:
        steps, device = self.steps, self.task.device
        n, least, pause = steps.needed, steps.least, steps.pause
        never = [inf] * (n + 1)
        first_off = (
            None if device.running else max(0, -(-(device.blocked_s - steps.offset) // steps.size))
        )
        on, off = list(never), list(never)
        begun = [0] * (steps.count + 2)
        for j, usable in enumerate(self.usable):
            begun[j + 1] = begun[j] + (not usable)
        waiting: dict[int, list[float]] = {}
        starting: dict[int, list[float]] = {}
        gain = self._gains()
        for j in range(steps.count + 1):
            if j % CLOCK_EVERY == 0 and self.task.deadline.over():
                return False
            if j:
                on = [*on[1:], inf] if self.usable[j - 1] else list(never)
                begin = starting.pop(j - least, None)
                if begin is not None and begun[j] == begun[j - least]:
                    shifted = begin[least:]
                    on = [a if a <= b else b for a, b in zip(on, shifted, strict=False)] + on[
                        len(shifted) :
                    ]
            elif device.running:
                on[n] = -self.total[0]
            stopped = waiting.pop(j - pause, None)
            if stopped is not None:
                off = [a if a <= b else b for a, b in zip(off, stopped, strict=True)]
            if j == first_off:
                off[n] = min(off[n], 0.0)
            self.on.append(array("d", on))
            self.off.append(array("d", off))
            if self._switches(j) or (device.running and not j):
                spent = self.total[j] + self.edge[OFF][j]
                ended = [value + spent for value in on]
                waiting[j] = ended
                self._consider(j, ended, gain)
            if self._switches(j) and j < steps.count and self.usable[j]:
                begun_cost = self.start_cost * (1 + TIE) + self.edge[ON][j] - self.total[j]
                starting[j] = [value + begun_cost for value in off]
        return self.best is not None or not self.task.device.demands[0].hard

    def _switches(self, j: int) -> bool:
        device = self.task.device
        return device.on_grid(self.instants[j], 0)

    def _gains(self) -> list[float] | None:
        """What is earned by steps still needed, of a soft demand."""
        demand, steps = self.task.device.demands[0], self.steps
        if demand.hard:
            return None
        power = self.task.device.power
        return [
            demand.value_of((steps.needed - r) * steps.size) / power
            for r in range(steps.needed + 1)
        ]

    def _consider(self, j: int, ended: list[float], gain: list[float] | None) -> None:
        """Whether the plan that ends its last run at step j is the best one."""
        if gain is None:
            if ended[0] < inf and (self.best is None or ended[0] < self.best[0]):
                self.best = (ended[0], j, 0)
            return
        for r, value in enumerate(ended):
            worth = value - gain[r]
            if worth < min(0.0, self.best[0] if self.best else 0.0):
                self.best = (worth, j, r)

    def runs(self) -> list[tuple[int, int]]:
        """The runs of the best plan, read back from the rows."""
        steps = self.steps
        if self.best is None:
            return []
        _, j, r = self.best
        found: list[tuple[int, int]] = []
        while True:
            end = j
            while j and self.usable[j - 1] and r < steps.needed and self._goes_on(j, r):
                j, r = j - 1, r + 1
            if r == steps.needed:
                # It has been on since before now.
                if end > j:
                    found.append((self.instants[j], self.instants[end]))
                return found[::-1]
            j, r = j - steps.least, r + steps.least
            found.append((self.instants[j], self.instants[end]))
            if r == steps.needed:
                return found[::-1]
            while not self._ended(j, r):
                j -= 1
            j -= steps.pause

    def _goes_on(self, j: int, r: int) -> bool:
        return self.on[j - 1][r + 1] == self.on[j][r]

    def _ended(self, j: int, r: int) -> bool:
        """Whether a run that ended just long enough before is how it came to be off."""
        k = j - self.steps.pause
        if k < 0:
            return False
        return self.on[k][r] + (self.total[k] + self.edge[OFF][k]) == self.off[j][r]


def _edge_costs(incumbent: IncumbentEdges, instants: list[int], kind: bool) -> list[int]:
    """What an edge at each instant costs: a new one its price, one that stands for old ones less.

    Every plan pays for all old edges, which is left out here, so those that are kept are earned.
    """
    if not incumbent.cost:
        return [0] * len(instants)
    out = []
    counted = incumbent.counted(kind)
    for t in instants:
        kept = sum(abs(t - old) <= SAME_EDGE_S for old in counted)
        out.append(incumbent.cost * (incumbent.is_new(t, kind) - kept))
    return out
