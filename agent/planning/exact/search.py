"""The core of every search for one device: best first with a proof, else a beam.

Best first: states come out of a heap by a lower bound of all aims in one number, so the first
complete plan that comes out is the best one. Where states or time run out, a beam over the instants
makes a good plan of what is left, and the bound of the heap stays proved.
"""

import heapq
from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Generic, Protocol, TypeVar

from agent.planning.engine import Deadline
from agent.planning.exact.objectives import ServedSpan

# States that a plan which need not be the best one looks at, and at least at each instant.
BEAM_STATES = 8000
LEAST_BEAM = 3
# Of an instant's states so many times the beam's width wait to be expanded.
WAITING = 8
# How often the clock is asked, in states.
CLOCK_EVERY = 32
# The beam has the rest of the time.
HEAP_SHARE = 0.7
# The heap may hold this many times as many states as may be expanded.
HEAP_FACTOR = 3


class SearchNode(Protocol):
    """`layer` is the index of its instant; a goal is a complete plan."""

    @property
    def cost(self) -> int: ...

    @property
    def bound(self) -> int: ...

    @property
    def is_goal(self) -> bool: ...

    @property
    def layer(self) -> int: ...


N = TypeVar("N", bound=SearchNode)


@dataclass(slots=True)
class SearchResult:
    """Spans; a lower bound of all aims in one number; whether the spans are proved best.

    `spans` is None where time was over before any plan was found.
    """

    spans: list[ServedSpan] | None
    bound: int
    cost: int
    proved: bool


class Search(ABC, Generic[N]):
    """`budget`: states to expand before the beam; `layers`: instants, the goal's is beyond."""

    def __init__(self, layers: int, budget: int, deadline: Deadline, beam_states: int) -> None:
        self.layers = layers
        self.budget = budget
        self.deadline = deadline
        self.beam_states = beam_states
        self.heap: list[tuple[int, int, N]] = []
        self.buckets: list[list[N]] | None = None
        self.count = count()
        self.width = LEAST_BEAM
        # The least cost with which each state was reached, by layer.
        self.cheapest: dict[int, dict[Hashable, int]] = {}

    def least_cost(self, layer: int, state: Hashable) -> int | None:
        return self.cheapest.get(layer, {}).get(state)

    def reached(self, layer: int, state: Hashable, cost: int) -> None:
        self.cheapest.setdefault(layer, {})[state] = cost

    @abstractmethod
    def put_roots(self) -> None:
        """Adds the states to begin with."""

    @abstractmethod
    def expand(self, node: N) -> None:
        """Adds the states that follow."""

    @abstractmethod
    def is_outdone(self, node: N) -> bool:
        """Whether a cheaper way to the same state is known by now."""

    @abstractmethod
    def spans_of(self, node: N) -> list[ServedSpan]:
        """The plan that a goal stands for."""

    def add(self, node: N) -> None:
        if self.buckets is not None:
            bucket = self.buckets[self.layers if node.is_goal else node.layer]
            bucket.append(node)
            if len(bucket) > 2 * WAITING * self.width:
                # Those that would hardly be expanded only take room.
                bucket.sort(key=lambda one: one.bound)
                del bucket[WAITING * self.width :]
            return
        heapq.heappush(self.heap, (node.bound, next(self.count), node))

    def run(self) -> SearchResult:
        self.put_roots()
        expanded = 0
        until = self.deadline.share(HEAP_SHARE)
        while self.heap:
            bound, _, node = heapq.heappop(self.heap)
            if node.is_goal:
                return SearchResult(self.spans_of(node), node.cost, node.cost, True)
            if self.is_outdone(node):
                continue
            expanded += 1
            late = expanded % CLOCK_EVERY == 0 and until.over()
            if late or expanded > self.budget or len(self.heap) > HEAP_FACTOR * self.budget:
                self.heap.clear()
                goal = self.beam()
                if goal is None:
                    return SearchResult(None, bound, bound, False)
                return SearchResult(self.spans_of(goal), bound, goal.cost, False)
            self.expand(node)
        raise AssertionError("being off all the time is always a plan")

    def beam(self) -> N | None:
        """Not the best but a good plan: only the most promising states at each instant go on."""
        self.cheapest.clear()
        self.buckets = [[] for _ in range(self.layers + 1)]
        self.put_roots()
        self.width = max(LEAST_BEAM, self.beam_states // self.layers)
        goal: N | None = None
        for layer, bucket in enumerate(self.buckets):
            bucket.sort(key=lambda node: node.bound, reverse=True)
            if self.deadline.over():
                return goal
            goal = self._through(bucket, self.width, goal)
            bucket.clear()
            # No way leads back to this instant.
            self.cheapest.pop(layer, None)
        return goal

    def _through(self, bucket: list[N], width: int, goal: N | None) -> N | None:
        """Expands the best of a bucket, which is sorted worst first and may grow meanwhile."""
        taken = 0
        while bucket and taken < width:
            node = bucket.pop()
            if node.is_goal:
                goal = node if goal is None or node.cost < goal.cost else goal
                continue
            if goal is not None and node.bound >= goal.cost:
                break
            taken += 1
            self.expand(node)
        return goal


def merged(spans: Sequence[ServedSpan]) -> list[ServedSpan]:
    """In time order, those that touch and serve the same demand as one."""
    out: list[ServedSpan] = []
    for start, end, demand in sorted(spans, key=lambda span: span[:2]):
        if out and out[-1][1] == start and out[-1][2] == demand:
            out[-1] = (out[-1][0], end, demand)
        elif end > start:
            out.append((start, end, demand))
    return out
