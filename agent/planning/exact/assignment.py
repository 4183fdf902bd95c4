"""Several interruptible demands whose seconds do not depend on each other: who gets which second.

Time is cut where a price or a window begins or ends; within a piece all seconds are alike. Hard
demands in time: the sets of seconds that can be served are the independent sets of a matroid, so
taking pieces from the cheapest on, each as far as others can make room for it by moving, is best.
Soft demands then take what pays, each by the cheapest way of moving others (successive shortest
paths; moving costs nothing, so only the piece that is added counts). Where something comes late its
cost depends on whose it is, and all is one flow of least cost, `late_assignment`.
"""

from collections import deque
from dataclasses import dataclass
from itertools import pairwise

from agent.planning.devices.flexible import ScaledDemand, ScaledDevice
from agent.planning.exact.objectives import ServedSpan, Task
from agent.planning.exact.outcome import Outcome
from agent.planning.exact.search import merged
from agent.planning.timeline import Timeline


def fits(device: ScaledDevice) -> bool:
    """Whether every second is for itself."""
    apart = device.min_on_s or device.min_off_s or device.start_cost or device.incumbent.cost
    if apart or device.grid_s or device.mandatory_s or device.blocked_s:
        return False
    return not any(demand.contiguous for demand in device.demands)


@dataclass(slots=True)
class Piece:
    """`[start, end)` of one price; `taken` seconds by demand; `open_to`: who may have it."""

    start: int
    end: int
    unknown: bool
    choice: int
    open_to: tuple[int, ...]
    taken: dict[int, int]
    free: int


def plan_assignment(task: Task) -> Outcome | None:
    """None where this does not fit or time is over."""
    device = task.device
    if not fits(device):
        return None
    assignment = Assignment(task)
    if not assignment.serve_hard_in_time():
        return None
    if any(assignment.late_need(i) for i in range(len(device.demands))):
        from agent.planning.exact.late_assignment import plan_late_assignment

        return plan_late_assignment(task)
    if not assignment.serve_soft():
        return None
    return Outcome(assignment.spans(), proved=True)


class Assignment:
    def __init__(self, task: Task) -> None:
        self.task = task
        self.device = task.device
        self.demands = task.device.demands
        self.left = [demand.needed_s for demand in self.demands]
        self.pieces = pieces_of(task.timeline, self.demands)
        count = range(len(self.demands))
        # Seconds that a demand holds and that another could have.
        self.movable = [[0 for _ in count] for _ in count]

    def late_need(self, i: int) -> int:
        """What a hard demand still needs and may get after its deadline."""
        demand = self.demands[i]
        if not demand.hard:
            return 0
        most = self.left[i] if demand.allowance_s is None else demand.allowance_s
        return min(self.left[i], most)

    def serve_hard_in_time(self) -> bool:
        """From the cheapest second on. Whether there was time for it."""
        hard = {i for i, demand in enumerate(self.demands) if demand.hard}
        for piece in sorted(self.pieces, key=_rank):
            if self.task.deadline.over():
                return False
            while piece.free and any(self.left[i] for i in hard):
                path = self._path_to_need([i for i in piece.open_to if i in hard])
                if path is None:
                    break
                self._push(piece, path)
        return True

    def serve_soft(self) -> bool:
        """While a second is worth more than it costs. Whether there was time for it."""
        room: dict[tuple[int, int], int] = {}
        for i, demand in enumerate(self.demands):
            if demand.hard or not demand.needed_s:
                continue
            # The last second may be worth less, as the need is rounded up.
            for value, seconds in (
                (demand.value_per_s, demand.needed_s - 1),
                (demand.value_of_last_s, 1),
            ):
                room[value, i] = room.get((value, i), 0) + seconds
        while True:
            if self.task.deadline.over():
                return False
            best: tuple[int, Piece, list[int], tuple[int, int]] | None = None
            for (value, i), seconds in room.items():
                # The last second counts less, so it comes last.
                if not seconds or (seconds and self._earlier(room, value, i)):
                    continue
                found = self._cheapest_way(i)
                if found is None:
                    continue
                piece, path = found
                gain = value - piece.choice * self.device.power
                if gain > 0 and (best is None or gain > best[0]):
                    best = (gain, piece, path, (value, i))
            if best is None:
                return True
            _, piece, path, tier = best
            before = self.left[tier[1]]
            self.left[tier[1]] = room[tier]
            moved = self._push(piece, path)
            self.left[tier[1]] = before - moved
            room[tier] -= moved

    @staticmethod
    def _earlier(room: dict[tuple[int, int], int], value: int, i: int) -> bool:
        """Whether the demand has a tier of more value that is not full."""
        return any(other > value and who == i and seconds for (other, who), seconds in room.items())

    def _path_to_need(self, begin: list[int]) -> list[int] | None:
        """From who may take a piece, by whom each can hand something on to, to who needs it."""
        came: dict[int, int | None] = dict.fromkeys(begin)
        queue = deque(begin)
        while queue:
            i = queue.popleft()
            if self.left[i] and self.demands[i].hard:
                return _way_to(i, came)
            for k, seconds in enumerate(self.movable[i]):
                if seconds and k not in came and self.demands[k].hard:
                    came[k] = i
                    queue.append(k)
        return None

    def _cheapest_way(self, i: int) -> tuple[Piece, list[int]] | None:
        """The cheapest free known second that a demand can have by moving others."""
        came: dict[int, int | None] = {i: None}
        queue = deque([i])
        while queue:
            k = queue.popleft()
            for n in range(len(self.demands)):
                if n not in came and self.movable[n][k]:
                    came[n] = k
                    queue.append(n)
        best: tuple[Piece, int] | None = None
        for piece in self.pieces:
            if not piece.free or piece.unknown:
                continue
            who = next((k for k in piece.open_to if k in came), None)
            if who is not None and (best is None or piece.choice < best[0].choice):
                best = (piece, who)
        if best is None:
            return None
        return best[0], _way_to(best[1], came)[::-1]

    def _push(self, piece: Piece, path: list[int]) -> int:
        """The first of the path takes the piece, each hands on to the next; the last is served."""
        amount = min(piece.free, self.left[path[-1]])
        for giver, taker in pairwise(path):
            amount = min(amount, self.movable[giver][taker])
        for giver, taker in pairwise(path):
            self._hand_on(giver, taker, amount)
        self._take(piece, path[0], amount)
        piece.free -= amount
        self.left[path[-1]] -= amount
        return amount

    def _take(self, piece: Piece, i: int, amount: int) -> None:
        piece.taken[i] = piece.taken.get(i, 0) + amount
        for k in piece.open_to:
            if k != i:
                self.movable[i][k] += amount

    def _hand_on(self, giver: int, taker: int, amount: int) -> None:
        for piece in self.pieces:
            if not amount:
                return
            has = piece.taken.get(giver, 0)
            if has and taker in piece.open_to:
                part = min(has, amount)
                self._take(piece, giver, -part)
                self._take(piece, taker, part)
                amount -= part

    def spans(self) -> list[ServedSpan]:
        return spans_of(self.pieces, self.demands)


def _way_to(i: int, came: dict[int, int | None]) -> list[int]:
    path = [i]
    while (before := came[path[-1]]) is not None:
        path.append(before)
    return path[::-1]


def _rank(piece: Piece) -> tuple[bool, int, int]:
    """Unknown time last, and of it the latest first; else the cheapest, then the earliest."""
    return piece.unknown, piece.choice, -piece.start if piece.unknown else piece.start


def pieces_of(
    timeline: Timeline, demands: tuple[ScaledDemand, ...], end: int | None = None
) -> list[Piece]:
    """Time up to the last deadline, or to `end`: who may be served when, late service left out."""
    last = max((demand.deadline for demand in demands), default=0) if end is None else end
    edges = {0, max(0, last)}
    edges |= {t for one in demands for t in (one.earliest, one.deadline) if 0 < t < last}
    marks = sorted(edges)
    out = []
    for low, high in pairwise(marks):
        for a, b, span in timeline.between(low, high):
            who = tuple(
                i
                for i, one in enumerate(demands)
                if one.earliest <= a and b <= one.deadline and one.admits(span)
            )
            out.append(Piece(a, b, span.unknown, span.choice, who, {}, b - a))
    return out


def spans_of(pieces: list[Piece], demands: tuple[ScaledDemand, ...]) -> list[ServedSpan]:
    """Within a piece those that are due first come first, next to what is on beside it."""
    out: list[ServedSpan] = []
    for n, piece in enumerate(pieces):
        order = sorted(
            (i for i, seconds in piece.taken.items() if seconds),
            key=lambda i: (demands[i].deadline, i),
        )
        used = sum(piece.taken[i] for i in order)
        late = any(demands[i].deadline <= piece.start for i in order)
        before = n > 0 and pieces[n - 1].taken and _full(pieces[n - 1])
        after = n + 1 < len(pieces) and any(pieces[n + 1].taken.values())
        to_the_end = piece.unknown or (after and not before)
        at = piece.end - used if to_the_end and not late else piece.start
        for i in order:
            out.append((at, at + piece.taken[i], i))
            at += piece.taken[i]
    return merged(out)


def _full(piece: Piece) -> bool:
    return piece.free == 0
