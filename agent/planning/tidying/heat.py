"""Runs of a heater put beside others: as much energy, a little earlier or later."""

from collections.abc import Iterator, Mapping, Sequence

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
    # Hygiene waives the maximum, but not so that a start less makes the store hotter than that.
    peak = max(_temperatures(room, model, powers)) if model.hygiene_by is not None else None
    enough = _missed(room, model, powers, peak) + SAME_C
    for n, run in enumerate(runs):
        rest = {k: power for k, power in powers.items() if k not in run}
        for behind, before in _places(runs, n, len(run)):
            target = [*behind, *before]
            if not _fits(room, model, [*run], target, rest):
                continue
            moved = rest | {k: powers[old] for k, old in zip(target, run, strict=True)}
            # Looked at here, since most of them are too cold and a judge takes longer.
            if _missed(room, model, moved, peak) <= enough:
                yield joined(
                    Segment(room.cells[k].start, room.cells[k].end, power)
                    for k, power in moved.items()
                )


def _temperatures(room: Room, model: ScaledThermal, powers: Mapping[int, int]) -> Sequence[float]:
    """At the start of each cell, and at the end of the last."""
    watts = [0.0] * len(model.cells)
    for k, power in powers.items():
        watts[k] = room.problem.units.watts(power)
    return model.temperatures(watts)


def _missed(
    room: Room, model: ScaledThermal, powers: Mapping[int, int], peak: float | None
) -> float:
    """Degree-hours outside comfort; where the maximum is waived, up to `peak` is none."""
    total, temperatures = 0.0, _temperatures(room, model, powers)
    for k, cell in enumerate(model.cells):
        at = temperatures[k + 1]
        most = cell.max_c if peak is None else peak
        cold = 0.0 if cell.min_c is None else cell.min_c - at
        hot = 0.0 if most is None else at - most
        if (missed := max(cold, hot)) > SAME_C:
            total += missed * room.cells[k].length / HOUR_S
    return total


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
