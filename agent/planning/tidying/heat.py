"""Runs of a heater put beside others: as much energy, a little earlier or later."""

from collections.abc import Iterator, Sequence

from agent.planning.devices.thermal import ScaledThermal
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
    for n, run in enumerate(runs):
        rest = {k: power for k, power in powers.items() if k not in run}
        for behind, before in _places(runs, n, len(run)):
            target = [*behind, *before]
            if not _fits(room, model, [*run], target, rest):
                continue
            moved = {k: powers[old] for k, old in zip(target, run, strict=True)}
            yield joined(
                Segment(room.cells[k].start, room.cells[k].end, power)
                for k, power in {**rest, **moved}.items()
            )


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
