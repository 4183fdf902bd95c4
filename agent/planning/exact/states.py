"""States of the search for one demand: what is to be told apart, and a chain that floats."""

from dataclasses import dataclass

OFF, ON, STARTED, ENDED, GOAL, DRIFT = range(6)
# Below every bound.
NOTHING = -(1 << 2000)

# How an edge may come next: where it is named; also right here, as a minimum time is just over;
# only right here, as a chain that leads back from a named instant has begun.
LOOSE, TIGHT, OWED = range(3)

# (mode, point, seconds left, old edges decided, whether the free chain is used up or the block has
# begun, LOOSE or ..)
Key = tuple[int, int, int, tuple[int, int], bool, int]


@dataclass(slots=True)
class Node:
    key: Key
    cost: int
    bound: int
    parent: "Node | None"
    runs: tuple[tuple[int, int], ...]
    drift: "FloatingChain | None" = None

    @property
    def is_goal(self) -> bool:
        return self.key[0] == GOAL

    @property
    def layer(self) -> int:
        return self.key[1]


@dataclass(frozen=True, slots=True)
class FloatingChain:
    """A free chain that goes on: `edges` (starts and ends in turn) each d later, d in low..high.

    `on` after the last edge, whose minimum time is over at `ready` + d.
    """

    edges: tuple[int, ...]
    on: bool
    ready: int
    low: int
    high: int
