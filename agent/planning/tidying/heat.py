"""Runs of a heater put beside others: as much energy, a little earlier or later."""

from collections.abc import Iterator, Mapping, Sequence
from math import inf

from agent.planning.devices.thermal import HOUR_S, SAME_C, ScaledThermal
from agent.planning.segments import Segment, energies, joined
from agent.planning.tidying.room import Room


def heat_in_runs(
    room: Room, model: ScaledThermal, segments: Sequence[Segment]
) -> Iterator[tuple[Segment, ...]]:
    """One run put right before or right behind another one, where it takes as many cells of the
    same lengths; or behind one and before the next, a part of it each. `room` is without it."""
    powers = {
        k: energy // room.cells[k].length
        for k, energy in energies(segments, room.pieces.starts, room.pieces.ends).items()
        if energy
    }
    runs = _runs(sorted(powers))
    comfort = _Comfort(room, model, powers)
    for n, run in enumerate(runs):
        rest = {k: power for k, power in powers.items() if k not in run}
        for behind, before in _places(runs, n, len(run)):
            if room.deadline.over():
                return
            target = [*behind, *before]
            if not _fits(room, model, [*run], target, rest):
                continue
            moved = dict(zip(target, (powers[old] for old in run), strict=True))
            # Looked at here, since most of them are too cold and a judge takes longer.
            if comfort.kept(run, moved):
                yield joined(
                    Segment(room.cells[k].start, room.cells[k].end, power)
                    for k, power in (rest | moved).items()
                )


class _Comfort:
    """Degree-hours outside comfort, looked at again from the first cell that changes."""

    def __init__(self, room: Room, model: ScaledThermal, powers: Mapping[int, int]) -> None:
        self.model, self.of_power = model, room.problem.units.watts
        self.watts = [0.0] * len(model.cells)
        for k, power in powers.items():
            self.watts[k] = self.of_power(power)
        self.hours = [cell.length / HOUR_S for cell in room.cells[: len(model.cells)]]
        # At the start of each cell, and at the end of the last.
        self.temperatures = model.temperatures(self.watts)
        # Hygiene waives the maximum, but not so that a start less makes the store hotter than that.
        peak = max(self.temperatures) if model.hygiene_by is not None else None
        self.bands = [
            (
                -inf if cell.min_c is None else cell.min_c,
                (inf if cell.max_c is None else cell.max_c) if peak is None else peak,
            )
            for cell in model.cells
        ]
        self.missed = [0.0]
        for k, at in enumerate(self.temperatures[1:]):
            self.missed.append(self.missed[-1] + self._missed(k, at))

    def _missed(self, k: int, at: float) -> float:
        low, high = self.bands[k]
        missed = max(low - at, at - high)
        return missed * self.hours[k] if missed > SAME_C else 0.0

    def kept(self, left: range, moved: Mapping[int, int]) -> bool:
        """Whether no more is missed with these powers in other cells and none in those of a run."""
        first = min(left.start, *moved)
        at, missed = self.temperatures[first], self.missed[first]
        enough = self.missed[-1] + SAME_C
        for k in range(first, len(self.watts)):
            cell, watts = self.model.cells[k], self.watts[k]
            if k in moved:
                watts = self.of_power(moved[k])
            elif k in left:
                watts = 0.0
            at = cell.keep * at + cell.constant + cell.rise_per_w * watts
            missed += self._missed(k, at)
            if missed > enough:
                return False
        return True


def _runs(cells: Sequence[int]) -> list[range]:
    out: list[range] = []
    for k in cells:
        if out and out[-1].stop == k:
            out[-1] = range(out[-1].start, k + 1)
        else:
            out.append(range(k, k + 1))
    return out


def _places(runs: Sequence[range], n: int, count: int) -> Iterator[tuple[range, range]]:
    """Cells behind a run and cells before one, nearest neighbours first."""
    none = range(0)
    for m in sorted(range(len(runs)), key=lambda m: abs(m - n)):
        if m != n:
            yield none, range(runs[m].start - count, runs[m].start)
            yield range(runs[m].stop, runs[m].stop + count), none
    if 0 < n < len(runs) - 1:
        last, following = runs[n - 1].stop, runs[n + 1].start
        for part in range(1, count):
            yield range(last, last + part), range(following - (count - part), following)


def _fits(
    room: Room,
    model: ScaledThermal,
    run: Sequence[int],
    target: Sequence[int],
    rest: dict[int, int],
) -> bool:
    if target[0] < 0 or target[-1] >= len(model.cells) or any(k in rest for k in target):
        return False
    return all(
        room.cells[a].length == room.cells[b].length for a, b in zip(run, target, strict=True)
    )
