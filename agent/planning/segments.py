"""What a device does over time, as every engine writes it and the judge reads it."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple


class Segment(NamedTuple):
    """A device at one power over `[start, end)`, in whole seconds from now.

    `power` is in units of `Problem.units` (storage: negative while it discharges); `demand` is the
    index of the demand that a flexible device serves, None where a run must go on for nobody.
    """

    start: int
    end: int
    power: int
    demand: int | None = None


# What each device does, by its id, in time order; a device that is missing is off.
Schedule = Mapping[str, tuple[Segment, ...]]

Run = tuple[int, int]


def runs_of(segments: Iterable[Segment], least: int = 1) -> list[Run]:
    """Stretches at `least` power or more; segments that touch are one run."""
    runs: list[Run] = []
    for segment in segments:
        if segment.power < least or segment.end <= segment.start:
            continue
        if runs and runs[-1][1] == segment.start:
            runs[-1] = (runs[-1][0], segment.end)
        else:
            runs.append((segment.start, segment.end))
    return runs


def joined(segments: Iterable[Segment]) -> tuple[Segment, ...]:
    """In time order, without empty ones; those that touch and are alike are one."""
    out: list[Segment] = []
    for one in sorted(segments, key=_in_time):
        if one.end <= one.start:
            continue
        last = out[-1] if out else None
        if last is not None and last.end == one.start and last[2:] == one[2:]:
            out[-1] = Segment(last.start, one.end, one.power, one.demand)
        else:
            out.append(one)
    return tuple(out)


def _in_time(one: Segment) -> tuple[int, int, int, int]:
    """Segments for nobody come before those of a demand; a judge refuses what overlaps."""
    return one.start, one.end, one.power, -1 if one.demand is None else one.demand


def clipped(segments: Iterable[Segment], start: int, end: int) -> list[Segment]:
    """The parts that lie in `[start, end)`."""
    return [
        Segment(max(one.start, start), min(one.end, end), one.power, one.demand)
        for one in segments
        if one.start < end and start < one.end
    ]


def energies(
    segments: Sequence[Segment], starts: Sequence[int], ends: Sequence[int]
) -> dict[int, int]:
    """Energy by piece, of those that are touched; pieces are in time order and do not overlap."""
    out: dict[int, int] = {}
    for one in segments:
        k = bisect_right(ends, one.start)
        while k < len(starts) and starts[k] < one.end:
            overlap = min(one.end, ends[k]) - max(one.start, starts[k])
            if overlap > 0:
                out[k] = out.get(k, 0) + one.power * overlap
            k += 1
    return out


def add_to(total: list[int], energy: Mapping[int, int]) -> None:
    """Adds energy by piece to what is known of all pieces."""
    for k, own in energy.items():
        # One number for both where nothing else is there yet.
        total[k] = total[k] + own if total[k] else own
