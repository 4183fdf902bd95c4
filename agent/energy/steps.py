"""Step functions of time: W (or any number) that holds until the next step.

Instants are whole Unix seconds. Before the first step and after the last the value there holds.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Steps:
    """`at[i]` is when `values[i]` begins; at least one step, in order."""

    at: tuple[int, ...]
    values: tuple[float, ...]

    @classmethod
    def constant(cls, value: float) -> "Steps":
        return cls((0,), (value,))

    @classmethod
    def of_spans(cls, spans: Iterable[tuple[int, int, float]], otherwise: float) -> "Steps":
        """From half-open spans; where several hold the lowest counts, where none `otherwise`."""
        given = list(spans)
        edges = sorted({0, *(edge for start, end, _ in given for edge in (start, end))})
        values = [
            min((value for start, end, value in given if start <= at < end), default=otherwise)
            for at in edges
        ]
        return cls(tuple(edges), tuple(values))

    def value(self, when: int) -> float:
        return self.values[max(0, bisect_right(self.at, when) - 1)]

    def lowest(self, start: int, end: int) -> float:
        """The least over `[start, end)`."""
        return min(self.value(at) for at in (start, *self.between(start, end)))

    def between(self, start: int, end: int) -> Sequence[int]:
        """The steps inside `(start, end)`."""
        first = bisect_right(self.at, start)
        return [at for at in self.at[first:] if at < end]


def overlaid(below: Steps, spans: Sequence[tuple[int, int, float]]) -> Steps:
    """`below`, but the spans' values where they reach; the spans in order and free of overlaps."""
    if not spans:
        return below
    at: list[int] = []
    values: list[float] = []

    def put(when: int, value: float) -> None:
        if at and at[-1] == when:
            values[-1] = value
        else:
            at.append(when)
            values.append(value)

    reached = min(0, spans[0][0])
    for start, end, value in spans:
        if reached < start:
            put(reached, below.value(reached))
            for edge in below.between(reached, start):
                put(edge, below.value(edge))
        put(start, value)
        reached = end
    put(reached, below.value(reached))
    for edge in below.at:
        if edge > reached:
            put(edge, below.value(edge))
    return Steps(tuple(at), tuple(values))


def combined(parts: Sequence[Steps], rule: Callable[[Sequence[float]], float]) -> Steps:
    """One function of several: `rule` of their values at each instant."""
    edges = sorted({edge for part in parts for edge in part.at})
    return Steps(tuple(edges), tuple(rule([part.value(at) for part in parts]) for at in edges))
