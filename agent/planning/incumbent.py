"""Edges of the plan in force, and what it costs to change them.

Each on or off edge of a new plan that the old one lacks costs something, and each missing one. An
edge at most 120 s from one of the same kind is the same edge; edges of runs or gaps that are
shorter than 240 s match nothing, or a run of a minute would do for an old switching.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from agent.energy.situation import Situation
from agent.planning.segments import Run

# Two edges of one kind that lie no further apart than this are the same edge.
SAME_EDGE_S = 120
# Runs and gaps that are shorter have no edges that match.
LASTING_S = 2 * SAME_EDGE_S

ON, OFF = True, False
# (instant, whether it may match)
Edge = tuple[int, bool]


@dataclass(frozen=True, slots=True)
class IncumbentEdges:
    """`edges` are those that may match, by kind; `lost` old ones are missed by every plan.

    `cost` is what each change costs, 0 where the device is not in the plan in force.
    """

    cost: int = 0
    until: int = 0
    edges: dict[bool, list[int]] = field(default_factory=lambda: {ON: [], OFF: []})
    lost: int = 0

    def counted(self, kind: bool) -> list[int]:
        """Those that cost something where the new plan lacks them."""
        edges = self.edges[kind]
        return edges[bisect_left(edges, 0) : bisect_left(edges, self.until)]

    def between(self, low: int | None, high: int | None) -> "IncumbentEdges":
        """Only edges from `low` to `high`; what every plan misses counts without a `low`."""
        if not self.cost:
            return self
        edges = {
            kind: [at for at in found if (low is None or low <= at) and (high is None or at < high)]
            for kind, found in self.edges.items()
        }
        return replace(self, edges=edges, lost=self.lost if low is None else 0)

    def has_near(self, at: int) -> bool:
        """Whether any old edge lies so near that one there may stand for it."""
        return near(at, self.edges[ON]) or near(at, self.edges[OFF])

    def is_new(self, at: int, kind: bool) -> bool:
        """Whether an edge at `at`, of a run and a gap that last, costs something."""
        return 0 <= at < self.until and not near(at, self.edges[kind])

    def changes(
        self, runs: Sequence[Run], running_since: int | None = None, off_since: int | None = None
    ) -> int:
        """How many edges of these runs are new and how many old ones they lack."""
        return self.compared(edges_of(runs, running_since, off_since))

    def lenient_changes(self, runs: Sequence[Run], running_since: int | None = None) -> int:
        """The same as if edges of short runs and gaps matched too: never more than `changes`."""
        edges = edges_of(runs, running_since)
        lasting = {kind: [(at, True) for at, _ in edges[kind]] for kind in (ON, OFF)}
        return self.compared(lasting)

    def compared(self, found: dict[bool, list[Edge]]) -> int:
        count = self.lost
        for kind, edges in found.items():
            lasting = [at for at, lasts in edges if lasts]
            for at, lasts in edges:
                if 0 <= at < self.until and not (lasts and near(at, self.edges[kind])):
                    count += 1
            count += sum(not near(at, lasting) for at in self.counted(kind))
        return count


def near(at: int, edges: Sequence[int]) -> bool:
    """Whether one of the sorted edges is the same edge as one at `at`."""
    index = bisect_left(edges, at - SAME_EDGE_S)
    return index < len(edges) and edges[index] <= at + SAME_EDGE_S


def edges_of(
    runs: Sequence[Run], running_since: int | None = None, off_since: int | None = None
) -> dict[bool, list[Edge]]:
    """Edges of runs by kind. `running_since`, `off_since`: instants before now or at it."""
    spans = list(runs)
    running = running_since is not None
    if running_since is not None:
        if spans and spans[0][0] == 0:
            spans[0] = (running_since, spans[0][1])
        else:
            spans.insert(0, (running_since, 0))
    found: dict[bool, list[Edge]] = {ON: [], OFF: []}
    for k, (start, end) in enumerate(spans):
        lasts = end - start >= LASTING_S
        before = True
        if k:
            before = start - spans[k - 1][1] >= LASTING_S
        elif off_since is not None and not running:
            before = start - off_since >= LASTING_S
        after = k + 1 == len(spans) or spans[k + 1][0] - end >= LASTING_S
        if k or not running:
            found[ON].append((start, lasts and before))
        found[OFF].append((end, lasts and after))
    return found


def incumbent_edges(
    situation: Situation, id: str, max_power_w: float, cost: int, horizon: int
) -> IncumbentEdges:
    """Edges of one device in the plan in force. On is 5 % of `max_power_w` or more (0: any)."""
    plan = next((one for one in situation.planner.previous if one.id == id), None)
    if plan is None or not cost:
        return IncumbentEdges()
    runs: list[Run] = []
    for slot in plan.slots:
        if slot.power_w <= 0 or slot.power_w < max_power_w / 20:
            continue
        start, end = slot.start - situation.now, slot.end - situation.now
        if runs and runs[-1][1] >= start:
            runs[-1] = (runs[-1][0], max(end, runs[-1][1]))
        else:
            runs.append((start, end))
    change_until = situation.planner.change_until
    until = horizon if change_until is None else change_until - situation.now
    edges = edges_of(runs)
    return IncumbentEdges(
        cost,
        until,
        {kind: sorted(at for at, lasts in edges[kind] if lasts) for kind in (ON, OFF)},
        sum(0 <= at < until and not lasts for kind in (ON, OFF) for at, lasts in edges[kind]),
    )
