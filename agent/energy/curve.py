"""A curve through points: linear between them, flat outside."""

from collections.abc import Sequence
from itertools import pairwise


def interpolated(points: Sequence[tuple[float, float]], at: float) -> float:
    """The curve's value; `points` in any order, at least one."""
    ordered = sorted(points)
    if at <= ordered[0][0]:
        return ordered[0][1]
    for (a, low), (b, high) in pairwise(ordered):
        if at <= b:
            return low + (high - low) * (at - a) / (b - a) if b > a else high
    return ordered[-1][1]
