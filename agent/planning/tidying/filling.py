"""Energy for cells that are on: what is too much is taken where it costs most, at ends of runs in
whole cells, else from power."""

from collections.abc import Sequence

from agent.planning.segments import Segment
from agent.planning.tidying.room import Option

# Prices that differ by less, as a share, are equal.
SAME_SHARE = 1e-9


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
    running = set(on)
    above = _shortened(options, running, own, above, floor)
    steps = sorted(
        (step for k in own for step in _steps(options[k], own[k], k, floor)),
        key=lambda step: (_rounded(step[0]), step[1]),
        reverse=True,
    )
    for _, k, most in steps:
        less = min(above, most)
        own[k] -= less
        above -= less
        if not above:
            return own
    for k in sorted(own, reverse=True):
        if not options[k].needed and k + 1 not in running and own[k] > above:
            own[k] -= above
            return own
    return None


def _shortened(
    options: Sequence[Option], running: set[int], own: dict[int, int], above: int, floor: int
) -> int:
    """Leaves cells out at ends of runs, and beside cells in which it must be on, the dearest first,
    of equal ones the latest; where less power elsewhere saves more, none. What is too much then."""
    average = {k: _rounded(_average(options[k], own[k])) for k in own}
    dearest = {
        k: max((step[0] for step in _steps(options[k], own[k], k, floor)), default=0.0) for k in own
    }
    inner = {k for k in running if not options[k].needed}
    while above:
        ends = [
            k
            for k in own
            if own[k] <= above and not options[k].needed and not (k - 1 in inner and k + 1 in inner)
        ]
        if not ends:
            break
        worst = max(ends, key=lambda k: (average[k], k))
        if average[worst] < max(dearest[k] for k in own) * (1 - SAME_SHARE):
            break
        above -= own.pop(worst)
        running.discard(worst)
        inner.discard(worst)
    return above


def _rounded(price: float) -> float:
    """Equal prices from different sums are equal."""
    return float(f"{price:.9e}")


def _steps(option: Option, energy: int, k: int, floor: int) -> list[tuple[float, int, int]]:
    """(price, cell, energy) of what a cell may do with less of, by prices."""
    out = []
    least = max(floor, option.least if option.needed else 0) * option.length
    before = (0, 0)
    for power, cost in option.points:
        low, high = before[0] * option.length, power * option.length
        more = min(high, energy) - max(low, least)
        if more > 0:
            out.append(((cost - before[1]) / (high - low), k, more))
        before = power, cost
    return out


def _average(option: Option, energy: int) -> float:
    total = sum(price * part for price, _, part in _steps(option, energy, 0, 0))
    return total / energy


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
