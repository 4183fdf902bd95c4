"""Energy for cells that are on: what is too much is taken from ends of runs, then from power."""

from collections.abc import Sequence

from agent.planning.segments import Segment
from agent.planning.tidying.room import Option


def filled(
    options: Sequence[Option],
    powers: Sequence[tuple[int, int]],
    on: Sequence[int],
    energy: int,
    floor: int,
) -> dict[int, int] | None:
    """Energy by cell, this much in all; None where these cells hold less.

    `floor`: the least power in a cell; one cell at the end of a run may be left below it.
    """
    own = {k: powers[k][0] * options[k].length for k in on if options[k].points}
    above = sum(own.values()) - energy
    if above < 0:
        return None
    above = _shortened(options, set(on), own, above)
    # The dearest last: that is where less is taken, and of equal ones the latest.
    order = sorted(own, key=lambda k: (_margin(options[k], own[k]), k), reverse=True)
    for k in order:
        least = max(floor, options[k].least if options[k].needed else 0) * options[k].length
        less = min(above, max(0, own[k] - least))
        own[k] -= less
        above -= less
        if not above:
            return own
    for k in order:
        ends = not options[k].needed and k + 1 not in on
        if ends and own[k] > above:
            own[k] -= above
            return own
    return None


def _shortened(options: Sequence[Option], on: set[int], own: dict[int, int], above: int) -> int:
    """Leaves whole cells out at ends of runs; what is too much then."""
    while True:
        ends = [
            k
            for k in own
            if own[k] <= above and not options[k].needed and not (k - 1 in on and k + 1 in on)
        ]
        if not ends or not above:
            return above
        worst = max(ends, key=lambda k: (_average(options[k], own[k]), k))
        above -= own.pop(worst)
        on.discard(worst)


def _margin(option: Option, energy: int) -> float:
    """What the last of it costs."""
    power = energy / option.length
    before = (0, 0)
    for point in option.points:
        if power <= point[0] or point is option.points[-1]:
            return (point[1] - before[1]) / ((point[0] - before[0]) * option.length or 1)
        before = point
    return 0.0


def _average(option: Option, energy: int) -> float:
    power, before = energy / option.length, (0, 0)
    for point in option.points:
        if power <= point[0]:
            share = (power - before[0]) / ((point[0] - before[0]) or 1)
            return (before[1] + share * (point[1] - before[1])) / energy
        before = point
    return before[1] / energy


def whole_powers(options: Sequence[Option], own: dict[int, int], sign: int) -> list[Segment]:
    """For a store: one power a cell, rounded down."""
    return [
        Segment(options[k].start, options[k].end, sign * (energy // options[k].length))
        for k, energy in own.items()
        if energy >= options[k].length
    ]


def exact_powers(
    options: Sequence[Option], own: dict[int, int], floor: int, spare: int, demand: int
) -> list[Segment]:
    """For a demand: exactly its energy, or up to `spare` more where that gives one power a cell;
    what is below the least power is that power for a part of the cell."""
    out = []
    for k, energy in sorted(own.items()):
        one = options[k]
        if energy < floor * one.length:
            out.append(Segment(one.start, one.start + -(-energy // floor), floor, demand))
            continue
        power, rest = divmod(energy, one.length)
        if rest and one.length - rest <= spare and power + 1 <= one.most:
            spare -= one.length - rest
            power, rest = power + 1, 0
        if rest:
            out.append(Segment(one.start, one.start + rest, power + 1, demand))
        if power:
            out.append(Segment(one.start + rest, one.end, power, demand))
    return out
