"""On and off cell by cell: starts and stops, minimum times, start costs, changes to the old plan.

A device is on in whole cells, or in the first or last part of one. Starts and stops need not be
declared whole: they follow from what is on.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.planning.incumbent import OFF, ON, SAME_EDGE_S, IncumbentEdges
from agent.planning.joint.house import House
from agent.planning.joint.milp import Term

# Edges within cells are put on whole seconds afterwards: a second of the distance that still counts
# as the same edge is kept for that.
NEAR_S = SAME_EDGE_S - 1
# What does not count as on lies below the least power that does by this, in kW.
BELOW_KW = 5e-6


@dataclass(frozen=True, slots=True)
class Part:
    """On for a part of a cell: whether, and for which share of it."""

    on: int
    share: int


@dataclass(slots=True)
class OnOff:
    """`whole[k]`: terms that are 1 where cell k is on from end to end; `first` and `last` parts of
    it; `opening[k]`: terms of blocks that are on from its start for a known share of it."""

    whole: list[list[Term]]
    first: list[list[Part]] = field(default_factory=list)
    last: list[list[Part]] = field(default_factory=list)
    opening: list[list[Term]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for parts in (self.first, self.last, self.opening):
            if not parts:
                parts.extend([] for _ in self.whole)

    def at_start(self, k: int) -> list[Term]:
        """Whether it is on when cell k begins."""
        return [
            *self.whole[k],
            *((part.on, 1.0) for part in self.first[k]),
            *((column, 1.0) for column, _ in self.opening[k]),
        ]

    def at_end(self, k: int) -> list[Term]:
        return [*self.whole[k], *((part.on, 1.0) for part in self.last[k])]

    def from_start(self, k: int) -> list[Term]:
        """The share of cell k that it is on from its start."""
        return [
            *self.whole[k],
            *((part.share, 1.0) for part in self.first[k]),
            *self.opening[k],
        ]


@dataclass(frozen=True, slots=True)
class Times:
    """`complete`: the last run is a whole one too; else the end of time may cut it."""

    min_on_s: int
    min_off_s: int
    running: bool
    blocked_s: int
    complete: bool


@dataclass(frozen=True, slots=True)
class Edges:
    """Columns by the cell at whose start the device goes on or off."""

    start: dict[int, int]
    stop: dict[int, int]


def switching(house: House, times: Times, state: OnOff) -> Edges:
    """Rows of starts, stops and minimum times."""
    milp, count = house.milp, len(state.whole)
    start: dict[int, int] = {}
    stop: dict[int, int] = {}
    before: list[Term] = []
    was = 1.0 if times.running else 0.0
    for k in range(count):
        now = state.at_start(k)
        if now or before or was:
            begun, ended = milp.column(0.0, 1.0), milp.column(0.0, 1.0)
            start[k], stop[k] = begun, ended
            old = [(column, -value) for column, value in before]
            milp.equal([*now, *old, (begun, -1.0), (ended, 1.0)], was)
            milp.at_most([(begun, 1.0), *((c, -v) for c, v in now)], 0.0)
            milp.at_most([(ended, 1.0), *now], 1.0)
        before, was = state.at_end(k), 0.0
        for part in state.last[k]:
            following = state.at_start(k + 1) if k + 1 < count else []
            milp.at_most([(part.on, 1.0), *((c, -v) for c, v in following)], 0.0)
    edges = Edges(start, stop)
    if times.min_on_s:
        _least_on(house, times, state, edges)
    if times.min_off_s:
        _least_off(house, times, state, edges)
    for k in range(count):
        if house.starts[k] < times.blocked_s:
            for column, _ in state.at_start(k):
                milp.upper[column] = 0.0
            if house.ends[k] <= times.blocked_s:
                for part in state.last[k]:
                    milp.upper[part.on] = 0.0
    return edges


def _least_on(house: House, times: Times, state: OnOff, edges: Edges) -> None:
    milp, least = house.milp, times.min_on_s
    starts, ends, count = house.starts, house.ends, len(state.whole)
    for j in range(count):
        length = ends[j] - starts[j]
        # Starts whose minimum reaches into cell j, and those whose minimum covers all of it.
        reach = bisect_right(starts, starts[j] - least)
        cover = bisect_left(starts, ends[j] - least)
        through = [(edges.start[k], -1.0) for k in range(cover, j + 1) if k in edges.start]
        if through:
            milp.at_least(0.0, [*state.whole[j], *through])
        for k in range(reach, min(cover, j + 1)):
            if k in edges.start:
                share = (starts[k] + least - starts[j]) / length
                milp.at_least(0.0, [*state.from_start(j), (edges.start[k], -share)])
        for k in range(bisect_right(ends, starts[j] - least), j):
            rest = ends[k] + least - starts[j]
            for part in state.last[k]:
                # What is missing of the minimum when cell j begins, less what the part gave.
                gave = (part.share, float(ends[k] - starts[k]))
                if rest <= length:
                    on = [(c, v * length) for c, v in state.from_start(j)]
                else:
                    on = [(c, v * rest) for c, v in state.whole[j]]
                    on += [(c, v * length) for c, v in state.from_start(j)[len(state.whole[j]) :]]
                milp.at_least(0.0, [*on, gave, (part.on, -float(rest))])
    if times.complete:
        end = ends[count - 1] if count else 0
        for k, column in edges.start.items():
            if starts[k] + least > end:
                milp.upper[column] = 0.0
        for k in range(count):
            over = ends[k] + least - end
            for part in state.last[k] if over > 0 else ():
                milp.at_least(0.0, [(part.share, float(ends[k] - starts[k])), (part.on, -over)])


def _least_off(house: House, times: Times, state: OnOff, edges: Edges) -> None:
    milp, least = house.milp, times.min_off_s
    starts, ends, count = house.starts, house.ends, len(state.whole)
    for j in range(count):
        live = state.at_start(j)
        reach = range(bisect_right(starts, starts[j] - least), j + 1)
        ended = [(edges.stop[k], 1.0) for k in reach if k in edges.stop]
        if ended and live:
            milp.at_most([*ended, *live], 1.0)
        length = float(ends[j] - starts[j])
        for part in state.last[j]:
            for k in reach:
                if k in edges.stop:
                    column, room = edges.stop[k], ends[j] - starts[k] - least
                    if room <= 0:
                        milp.at_most([(part.on, 1.0), (column, 1.0)], 1.0)
                    else:
                        terms = [(part.share, length), (column, length)]
                        milp.at_most(terms, room + length)
        for k in range(bisect_right(ends, starts[j] - least), j):
            width = float(ends[k] - starts[k])
            for part in state.first[k]:
                if live and starts[j] < starts[k] + least:
                    milp.at_most([(part.on, 1.0), *live], 1.0)
                elif live:
                    room = starts[j] - least - starts[k]
                    late = [(c, v * width) for c, v in live]
                    milp.at_most([(part.share, width), *late], room + width)
                for other in state.last[j]:
                    milp.at_most([(part.on, 1.0), (other.on, 1.0)], 1.0)


def change_costs(house: House, old: IncumbentEdges, state: OnOff, edges: Edges) -> None:
    """Edges that the old plan lacks, and its own that are missing.

    Edges of runs and gaps that are too short to match count as if they did: that is never more than
    the plan costs, so a bound stays one.
    """
    if not old.cost:
        return
    cost = house.currency(old.cost)
    house.constant += cost * old.lost
    matching: dict[tuple[bool, int], list[Term]] = {}

    def edge(column: int, kind: bool, at: int) -> None:
        """An edge at this instant where the column is 1."""
        found = [one for one in old.edges[kind] if abs(one - at) <= SAME_EDGE_S]
        for one in found:
            matching.setdefault((kind, one), []).append((column, 1.0))
        if not found and 0 <= at < old.until:
            house.pay(column, cost)

    def part_edge(part: Part, kind: bool, k: int) -> None:
        """An edge within cell k: off after the first part of it, on before the last."""
        low, high = house.starts[k], house.ends[k]
        found = [one for one in old.edges[kind] if low - NEAR_S < one < high + NEAR_S]
        paid = low >= 0 and high <= old.until
        excuses: list[Term] = []
        for one in found:
            same = house.milp.binary()
            # Seconds of the part that put its edge where the old one is.
            seconds = one - low if kind is OFF else high - one
            length = float(high - low)
            terms = [(part.share, length), (same, float(NEAR_S - seconds))]
            house.milp.at_least(0.0, terms)
            house.milp.at_most([(part.share, length), (same, length)], seconds + NEAR_S + length)
            house.milp.at_most([(same, 1.0), (part.on, -1.0)], 0.0)
            matching.setdefault((kind, one), []).append((same, 1.0))
            excuses.append((same, -1.0))
        if paid:
            house.pay(part.on, cost)
            if excuses:
                excused = house.milp.column(0.0, 1.0)
                house.milp.at_most([(excused, 1.0), *excuses], 0.0)
                house.milp.at_most([(excused, 1.0), (part.on, -1.0)], 0.0)
                house.pay(excused, -cost)

    for k, column in edges.start.items():
        edge(column, ON, house.starts[k])
    for k, column in edges.stop.items():
        edge(column, OFF, house.starts[k])
    for k in range(len(state.whole)):
        for part in state.first[k]:
            part_edge(part, OFF, k)
        for part in state.last[k]:
            part_edge(part, ON, k)
        for column, share in state.opening[k]:
            edge(column, OFF, house.starts[k] + round(share * (house.ends[k] - house.starts[k])))
    if state.whole:
        for column, _ in state.at_end(len(state.whole) - 1):
            edge(column, OFF, house.ends[len(state.whole) - 1])
    for kind in (ON, OFF):
        for at in old.counted(kind):
            missed = house.milp.column(0.0, 1.0)
            house.milp.at_least(1.0, [(missed, 1.0), *matching.get((kind, at), ())])
            house.pay(missed, cost)


def loud_enough(power: int, at_least: int) -> bool:
    """Whether a device that is on counts as on where changes are counted, whatever its power."""
    return at_least >= -(-power // 20)


def quiet_changes(
    house: House,
    power: int,
    running: bool,
    old: IncumbentEdges,
    powers: Mapping[int, list[Term]],
) -> None:
    """Changes of a device that may run so low that it does not count as on. `powers` by cell."""
    most, least = house.kw(power), house.kw(-(-power // 20))
    state = OnOff([[] for _ in house.cells])
    for k, terms in powers.items():
        loud = house.milp.binary()
        state.whole[k].append((loud, 1.0))
        house.milp.at_most([*terms, (loud, least - BELOW_KW - most)], least - BELOW_KW)
        house.milp.at_least(0.0, [*terms, (loud, -least)])
    times = Times(0, 0, running, 0, complete=False)
    change_costs(house, old, state, switching(house, times, state))
