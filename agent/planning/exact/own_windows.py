"""Each demand in one run, in the best time of its own window that others have left."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from agent.planning.devices.flexible import ScaledDemand, ScaledDevice
from agent.planning.exact.objectives import ServedSpan, Task
from agent.planning.exact.until_done import assigned
from agent.planning.segments import Run
from agent.planning.timeline import Timeline


def own_window_plans(task: Task) -> Iterator[list[ServedSpan]]:
    """One for each order in which demands may choose; a plan may leave some unserved, as those do
    whose turn comes when the time is over."""
    demands = task.device.demands
    indices = [i for i, demand in enumerate(demands) if demand.needed_s]
    by_deadline = sorted(indices, key=lambda i: demands[i].deadline)
    by_slack = sorted(indices, key=lambda i: demands[i].deadline - demands[i].needed_s)
    by_size = sorted(indices, key=lambda i: -demands[i].needed_s)
    seen: list[list[int]] = []
    for order in (by_deadline, by_slack, by_size):
        # What must be served chooses before what may be.
        hard_first = sorted(order, key=lambda i: not demands[i].hard)
        if hard_first not in seen:
            seen.append(hard_first)
            yield _Chooser(task).plan(hard_first)
        if task.deadline.over():
            return


@dataclass(frozen=True, slots=True)
class _Choice:
    rank: tuple[int, ...]
    start: int
    end: int


class _Chooser:
    def __init__(self, task: Task) -> None:
        self.deadline = task.deadline
        self.device: ScaledDevice = task.device
        self.timeline: Timeline = task.timeline
        self.taken: list[Run] = []
        self.spans: list[ServedSpan] = []
        self.barred_before: list[int] = []
        if self.device.mandatory_s:
            must = (0, self.device.mandatory_s)
            self.taken.append(must)
            self.spans += assigned(self.device, [must])
        self.left = [
            demand.needed_s - sum(b - a for a, b, who in self.spans if who == i)
            for i, demand in enumerate(self.device.demands)
        ]

    def plan(self, order: Sequence[int]) -> list[ServedSpan]:
        for i in order:
            if self.deadline.over():
                break
            if self.left[i] <= 0:
                continue
            demand = replace(self.device.demands[i], needed_s=self.left[i])
            self._bar(demand)
            best: _Choice | None = None
            for start in self._starts(demand):
                if self.deadline.over():
                    break
                choice = self._choice(demand, start)
                if choice is not None and (best is None or choice.rank < best.rank):
                    best = choice
            if best is not None:
                self.taken = sorted([*self.taken, (best.start, best.end)])
                self.spans.append((best.start, best.end, i))
        return sorted(self.spans, key=lambda span: span[0])

    def _bar(self, demand: ScaledDemand) -> None:
        """Sums up the time that the demand may not use."""
        self.barred_before = []
        total = 0
        for span in self.timeline.spans:
            self.barred_before.append(total)
            total += 0 if demand.admits(span) else span.end - span.start
        self.demand = demand

    def _barred_until(self, second: int) -> int:
        index = bisect_right(self.timeline.starts, second) - 1
        span = self.timeline.spans[index]
        before = self.barred_before[index]
        return before if self.demand.admits(span) else before + second - span.start

    def _lengths(self, demand: ScaledDemand) -> set[int]:
        """Alone a run lasts its minimum; where it joins another one it need not."""
        return {demand.needed_s, max(demand.needed_s, self.device.min_on_s)}

    def _starts(self, demand: ScaledDemand) -> list[int]:
        device = self.device
        gap = device.min_off_s
        edges = {demand.earliest, max(demand.earliest, device.blocked_s)}
        edges |= {demand.deadline, max(0, demand.deadline)}
        edges |= set(self.timeline.edges(demand.earliest, max(demand.earliest, demand.deadline)))
        for start, end in self.taken:
            edges |= {start, start - gap, end, end + gap}
        if device.running:
            edges |= {0, gap}
        found = {edge - length for edge in edges for length in (0, *self._lengths(demand))}
        if device.grid_s:
            found = {
                t + shift
                for t in found
                for shift in (
                    (demand.anchor - t) % device.grid_s,
                    -((t - demand.anchor) % device.grid_s),
                )
            }
        first = max(demand.earliest, device.blocked_s)
        return sorted(t for t in found if t >= first)

    def _choice(self, demand: ScaledDemand, start: int) -> _Choice | None:
        device = self.device
        joins = any(start == b for _, b in self.taken) or (device.running and start == 0)
        length = demand.needed_s if joins else max(demand.needed_s, device.min_on_s)
        end = start + length
        if device.grid_s:
            end += (demand.anchor - end) % device.grid_s
        joins_next = any(end == a for a, _ in self.taken)
        if not self._fits(start, end, joins=joins):
            return None
        if not demand.hard and end > demand.deadline:
            return None
        if self._barred_until(end) > self._barred_until(start):
            return None
        unknown = self.timeline.unknown_until(end) - self.timeline.unknown_until(start)
        late = max(0, end - max(start, demand.deadline))
        if late and demand.allowance_s is not None and late > demand.allowance_s:
            return None
        cost = device.power * (self.timeline.choice_until(end) - self.timeline.choice_until(start))
        cost += 0 if joins or joins_next else device.start_cost
        if not demand.hard:
            cost -= demand.value_of(demand.needed_s)
            if cost >= 0:
                return None
        on_time = max(0, min(end, demand.deadline) - start)
        missing = max(0, demand.needed_s - on_time) if demand.hard else 0
        return _Choice((missing, late and end, unknown, cost, start), start, end)

    def _fits(self, start: int, end: int, *, joins: bool) -> bool:
        gap = self.device.min_off_s
        for a, b in self.taken:
            if start < b and a < end:
                return False
            if b < start < b + gap or end < a < end + gap:
                return False
        nothing_before = not any(b <= start for _, b in self.taken)
        off_first = self.device.running and nothing_before and not joins
        return not (off_first and start < gap)
