"""At which instants a device may have to switch for its plan to be the best one.

Fix the order of the runs and the price at every edge: cost is linear in the edges, and each rule
bounds one edge, ties two neighbours (minimum times) or sums a whole demand. So at a best plan every
edge is a named instant, or hangs on one by a chain of minimum times, or belongs to the one free
chain of a demand that its energy fixes. `points` holds the first two kinds; the searches place the
free chain themselves.
"""

from dataclasses import dataclass
from math import gcd

from agent.planning.devices.flexible import ScaledDevice
from agent.planning.incumbent import SAME_EDGE_S
from agent.planning.timeline import Timeline

# More points than this are not searched; what is found is then not called proved.
MOST_POINTS = 1500
# Points times seconds needed: more make sets of reachable durations of more than 40 MB.
MOST_REACHABLE = 80_000_000
# Several demands are searched on steps of one size, where these are no more than this.
MOST_STEPS = 2400
# Steps of one size that are this few are searched instead, without any free chain.
FEW_STEPS = 300


@dataclass(frozen=True, slots=True)
class Points:
    """`named` instants, where cost or rules change; all `points` to switch at, in order.

    `closed`: no other instant is needed but for one free chain; `steps`: not even that.
    """

    named: list[int]
    points: list[int]
    closed: bool
    steps: bool
    # Instants from which tight edges lead back to a named one: of starts, of ends.
    back_on: frozenset[int] = frozenset()
    back_off: frozenset[int] = frozenset()


def points_of(timeline: Timeline, device: ScaledDevice, end: int) -> Points:
    named = _named(timeline, device, end)
    several = len(device.demands) > 1
    if device.grid_s and not several:
        on = _grid(device, end)
        return Points(named, sorted({0, device.mandatory_s, end, *on}), True, True)
    step = _common_step(device, named)
    if step and end // step <= (MOST_STEPS if several else FEW_STEPS):
        return Points(named, list(range(0, end + 1, step)), True, True)
    if device.grid_s:
        return Points(named, sorted({*named, *_grid(device, end)}), False, True)
    return _chains(device, named, end)


def common_step(timeline: Timeline, device: ScaledDevice, end: int) -> int:
    """The longest step of which every instant and every length is a multiple; 0: there is none."""
    return _common_step(device, _named(timeline, device, end))


def _common_step(device: ScaledDevice, named: list[int]) -> int:
    lengths = {device.min_on_s, device.min_off_s, device.grid_s}
    for demand in device.demands:
        lengths |= {demand.needed_s, demand.max_s, demand.allowance_s or 0}
        lengths |= {demand.anchor % device.grid_s} if device.grid_s else set()
    return gcd(*named, *lengths)


def _grid(device: ScaledDevice, end: int) -> set[int]:
    """Where the device may switch, for one demand or another."""
    anchors = {demand.anchor % device.grid_s for demand in device.demands}
    return {t for anchor in anchors for t in range(anchor, end + 1, device.grid_s)}


def _named(timeline: Timeline, device: ScaledDevice, end: int) -> list[int]:
    found = {0, end, device.mandatory_s, device.blocked_s, *timeline.edges(0, end)}
    for demand in device.demands:
        found |= {demand.earliest, demand.deadline}
        if demand.max_s > demand.needed_s:
            found.add(demand.deadline - demand.needed_s)
    if device.incumbent.cost:
        found |= {device.incumbent.until - 1, device.incumbent.until}
        for kind in (True, False):
            for edge in device.incumbent.edges[kind]:
                low, high = edge - SAME_EDGE_S, edge + SAME_EDGE_S
                found |= {low - 1, low, high, high + 1}
    return sorted(t for t in found if 0 <= t <= end)


def _chains(device: ScaledDevice, named: list[int], end: int) -> Points:
    """Named instants and what hangs on them, as far as they are not too many."""
    several = len(device.demands) > 1
    anchors = set(named)
    for demand in device.demands:
        lengths = {demand.needed_s, demand.max_s, demand.needed_s - 1}
        if demand.contiguous or several:
            anchors |= {t + sign * x for t in named for x in lengths for sign in (1, -1)}
    anchors = {t for t in anchors if 0 <= t <= end}
    if len(anchors) > MOST_POINTS:
        anchors = set(named)
    found = set(anchors)
    back: dict[bool, set[int]] = {True: set(), False: set()}
    # (instant, whether it is a start, direction of the chain)
    edge = [(t, kind, sign) for t in found for kind in (True, False) for sign in (1, -1)]
    seen = set(edge)
    closed = True
    while edge:
        following = []
        for t, is_start, sign in edge:
            length = device.min_on_s if is_start == (sign > 0) else device.min_off_s
            if not length:
                continue
            moved = (t + sign * length, not is_start, sign)
            if 0 <= moved[0] <= end and moved not in seen:
                seen.add(moved)
                found.add(moved[0])
                following.append(moved)
                if sign < 0:
                    back[moved[1]].add(moved[0])
        if len(found) > MOST_POINTS:
            closed = False
            break
        edge = following
    closed = closed and not several
    if closed and device.demands[0].needed_s * len(found) > MOST_REACHABLE:
        closed = False
    return Points(
        *(sorted(anchors), sorted(found), closed, False),
        *(frozenset(back[True]), frozenset(back[False])),
    )
