"""The run that must go on, where a search for one demand begins."""

from bisect import bisect_left
from typing import TYPE_CHECKING

from agent.planning.exact.states import ON, Node

if TYPE_CHECKING:
    from agent.planning.exact.best_first import BestFirstSearch


class ForcedRun:
    """A split demand counts what it may of it, a block begins anywhere in it."""

    def __init__(self, search: "BestFirstSearch") -> None:
        self.search = search

    def put(self, left: int, cost: int, start: Node) -> None:
        """The states at its end."""
        search, model = self.search, self.search.model
        forced = search.device.mandatory_s
        j = bisect_left(search.points, forced)
        cost += model.base_until(forced)
        if not search.demand.contiguous:
            spans, extra, rest = self._counted(forced, left)
            extra += sum(model.extra_until(0, b) - model.extra_until(0, a) for a, b in spans)
            search.state(ON, j, rest, (0, 0), False, cost + extra, start, tuple(spans))
            return
        for begin in search.points[: j + 1]:
            end = min(forced, begin + search.demand.needed_s)
            if begin < end and not search.may(begin, end):
                continue
            gap, before = search.cross(0, begin, left)
            extra, rest = search.serve(begin, end, before)
            extra += model.extra_until(0, end) - model.extra_until(0, begin)
            more, rest = search.cross(end, forced, rest)
            total = cost + gap + extra + more
            search.state(ON, j, rest, (0, 0), begin < end, total, start, ((begin, end),))

    def _counted(self, forced: int, left: int) -> tuple[list[tuple[int, int]], int, int]:
        """The seconds of the forced run that count, what that adds to the cost, what is left."""
        demand, model = self.search.demand, self.search.model
        spans: list[tuple[int, int]] = []
        at = cost = 0
        edges = sorted({min(max(demand.deadline, 0), forced), forced, min(demand.earliest, forced)})
        for edge in edges:
            for a, b, cell in model.timeline.between(at, edge):
                free = demand.admits(cell) and a >= demand.earliest
                free = free and (demand.hard or a < demand.deadline)
                take = min(b - a, max(0, left)) if free else 0
                if take:
                    cost += model.surplus(0, left - take) - model.surplus(0, left)
                    left -= take
                    spans.append((a, a + take))
                extra, left = self.search.cross(a, b, left)
                cost += extra
            at = max(at, edge)
        return spans, cost, left
