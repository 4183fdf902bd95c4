"""Who gets which second where not everything can be had in time: one flow of least cost.

Successive shortest paths over the demands: a demand takes a free piece, or one that another holds
and that finds something else. All aims are one whole number a second: missed first, then lateness,
unknown time, money. Lateness grows within a piece, so pieces that end up late in part are cut where
they end and the flow is made again, until none is.
"""

from dataclasses import replace
from itertools import pairwise

from agent.planning.exact.assignment import Piece, pieces_of, spans_of
from agent.planning.exact.objectives import ServedSpan, Task
from agent.planning.exact.outcome import Outcome

# Cutting settles in a few rounds; what it then is, is a plan.
MOST_ROUNDS = 8


def plan_late_assignment(task: Task) -> Outcome | None:
    """None where time is over."""
    cuts: set[int] = set()
    flow = LateAssignment(task, cuts)
    for _ in range(MOST_ROUNDS):
        flow = LateAssignment(task, cuts)
        if not flow.run():
            return None
        more = flow.late_in_part() - cuts
        if not more:
            return Outcome(flow.spans(), proved=True)
        cuts |= more
    return Outcome(flow.spans())


class LateAssignment:
    def __init__(self, task: Task, cuts: set[int]) -> None:
        self.task = task
        self.device = task.device
        given = task.device.demands
        # What a capped demand may get late is a demand of its own, which is late only.
        capped = [i for i, demand in enumerate(given) if demand.allowance_s]
        self.demands = (*given, *(given[i] for i in capped))
        self.who = [*range(len(given)), *capped]
        self.left = [demand.needed_s for demand in given]
        self.left += [given[i].allowance_s or 0 for i in capped]
        end = max(0, *(max(one.deadline, one.earliest) for one in given))
        if capped:
            end = max(end, task.timeline.horizon)
        end += sum(demand.needed_s for demand in given if demand.hard)
        self.pieces = self._cut(pieces_of(task.timeline, given, end), cuts)
        span = 2 * end + max(abs(one.deadline) for one in self.demands) * 2 + 2
        money = 1 + 2 * max(abs(piece.choice) for piece in self.pieces) * self.device.power
        money += max(abs(one.value_per_s) for one in self.demands)
        self.unknown_weight = money * 4 * (len(self.demands) + 2)
        self.late_weight = self.unknown_weight * 4 * (len(self.demands) + 2)
        self.miss_weight = self.late_weight * span * 4 * (len(self.demands) + 2)

    def _cut(self, pieces: list[Piece], cuts: set[int]) -> list[Piece]:
        out: list[Piece] = []
        for piece in pieces:
            at = piece.start
            for mark in sorted(cut for cut in cuts if piece.start < cut < piece.end):
                out.append(replace(piece, start=at, end=mark, free=mark - at, taken={}))
                at = mark
            out.append(replace(piece, start=at, free=piece.end - at, taken={}))
        return out

    def cost(self, i: int, piece: Piece) -> int | None:
        """What a second of a piece costs for a demand; None where it may not have it."""
        demand = self.demands[i]
        cost = piece.choice * self.device.power
        if i in piece.open_to:
            if demand.hard:
                cost -= self.miss_weight
            return cost + (self.unknown_weight if piece.unknown else 0)
        since = max(demand.deadline, 0)
        if not demand.hard or piece.start < max(since, demand.earliest):
            return None
        if demand.allowance_s is not None:
            late_only = i >= len(self.task.device.demands)
            if not late_only or not demand.admits(self.task.timeline.at(piece.start)):
                return None
        cost += self.unknown_weight if piece.unknown else 0
        return cost + self.late_weight * (piece.start + piece.end - 2 * since)

    def run(self) -> bool:
        costs = [[self.cost(i, piece) for piece in self.pieces] for i in range(len(self.demands))]
        for hard in (True, False):
            while True:
                if self.task.deadline.over():
                    return False
                path = self._shortest(costs, hard=hard)
                if path is None:
                    break
                self._push(path)
        return True

    def _shortest(
        self, costs: list[list[int | None]], *, hard: bool
    ) -> list[tuple[int, int]] | None:
        """(demand, piece that it takes) from who needs something to a free piece."""
        count = len(self.demands)
        distance: list[int | None] = [None] * count
        came: list[tuple[int, int] | None] = [None] * count
        for i, demand in enumerate(self.demands):
            if demand.hard == hard and self.left[i]:
                value = 0
                if not hard:
                    last = self.left[i] == 1
                    value = demand.value_of_last_s if last else demand.value_per_s
                distance[i] = -value
        swaps: dict[tuple[int, int], tuple[int, int]] = {}
        for n, piece in enumerate(self.pieces):
            for k, seconds in piece.taken.items():
                held = costs[k][n]
                if not seconds or held is None:
                    continue
                for i in range(count):
                    mine = costs[i][n]
                    if i == k or mine is None:
                        continue
                    known = swaps.get((i, k))
                    if known is None or mine - held < known[0]:
                        swaps[i, k] = (mine - held, n)
        for _ in range(count):
            changed = False
            for (i, k), (weight, n) in swaps.items():
                base = distance[i]
                if base is None:
                    continue
                other = distance[k]
                if other is None or base + weight < other:
                    distance[k], came[k], changed = base + weight, (i, n), True
            if not changed:
                break
        best: tuple[int, int, int] | None = None
        for i in range(count):
            base = distance[i]
            if base is None:
                continue
            for n, piece in enumerate(self.pieces):
                mine = costs[i][n]
                if not piece.free or mine is None:
                    continue
                if best is None or base + mine < best[0]:
                    best = (base + mine, i, n)
        if best is None or (not hard and best[0] >= 0):
            return None
        _, i, n = best
        path = [(i, n)]
        while (before := came[path[-1][0]]) is not None:
            path.append(before)
            if len(path) > count + 1:
                return None
        return path[::-1]

    def _push(self, path: list[tuple[int, int]]) -> None:
        first = path[0][0]
        soft = not self.demands[first].hard
        amount = min(
            self.pieces[path[-1][1]].free,
            self.left[first] - 1 if soft and self.left[first] > 1 else self.left[first],
        )
        for (_, n), (loser, _) in pairwise(path):
            amount = min(amount, self.pieces[n].taken[loser])
        for index, (taker, n) in enumerate(path):
            taken = self.pieces[n].taken
            taken[taker] = taken.get(taker, 0) + amount
            if index + 1 < len(path):
                taken[path[index + 1][0]] -= amount
            else:
                self.pieces[n].free -= amount
        self.left[first] -= amount

    def spans(self) -> list[ServedSpan]:
        spans = spans_of(self.pieces, self.demands)
        return [(a, b, None if i is None else self.who[i]) for a, b, i in spans]

    def late_in_part(self) -> set[int]:
        """Where late service ends within a piece."""
        out = set()
        for piece in self.pieces:
            late = sum(
                seconds
                for i, seconds in piece.taken.items()
                if self.demands[i].deadline <= piece.start
            )
            if 0 < late < piece.end - piece.start:
                out.add(piece.start + late)
        return out
