"""What a list of pieces is worth: every aim of a plan in its order, and the facts to report.

A piece is `(start, end, demand)`: the device is on and serves that demand (None: nobody, in a run
that must go on). The pieces are allowed and in order; whoever made them has seen to that.
"""

from dataclasses import dataclass
from fractions import Fraction

from agent.planning.load import Load
from agent.planning.timeline import Timeline

Piece = tuple[int, int, int | None]


@dataclass(frozen=True, slots=True)
class Score:
    """`levels`: missing, never served, too much, late, unknown, money, ties; less is better.

    Money is in units of the load: `objective` and `site_cost` less the idle house.
    """

    levels: tuple[int, ...]
    runs: tuple[tuple[int, int], ...]
    starts: int
    served: tuple[int, ...]
    missing: tuple[int, ...]
    objective: int
    cost: int
    site_cost: int


def runs_of(pieces: list[Piece]) -> list[tuple[int, int]]:
    """Pieces that touch are one run."""
    runs: list[tuple[int, int]] = []
    for start, end, _ in pieces:
        if runs and runs[-1][1] == start:
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((start, end))
    return runs


def score(timeline: Timeline, load: Load, pieces: list[Piece]) -> Score:
    runs = runs_of(pieces)
    going_on = load.going and bool(runs) and runs[0][0] == 0
    started = runs[1:] if going_on else runs
    short = never = excess = late = 0
    value = 0
    served, missing = [], []
    for index, need in enumerate(load.needs):
        mine = [(a, b) for a, b, demand in pieces if demand == index]
        total = sum(b - a for a, b in mine)
        served.append(total)
        if not need.hard:
            value += need.value(total)
            missing.append(0)
            continue
        on_time = sum(max(0, min(b, need.deadline) - a) for a, b in mine)
        miss = max(0, need.need - on_time)
        missing.append(miss)
        short += miss
        want = need.need
        if need.allowance is not None:
            want += min(miss, need.allowance) - miss
        never += max(0, want - total)
        excess += max(0, total - want)
        since = max(need.deadline, 0)
        for a, b in mine:
            if b > since:
                late += (b - since) ** 2 - (max(a, since) - since) ** 2
    excess += _uncounted(timeline, load, pieces, served)
    unknown = sum(timeline.unknown_until(b) - timeline.unknown_until(a) for a, b in runs)
    instants = sum(timeline.unknown_instants(a, b) for a, b in runs) if unknown else 0
    start_costs = load.start_cost * len(started)
    price = load.power * sum(timeline.price_until(b) - timeline.price_until(a) for a, b in runs)
    choice = load.power * sum(timeline.choice_until(b) - timeline.choice_until(a) for a, b in runs)
    objective = choice + start_costs - value
    objective -= load.power * timeline.choice_until(load.forced)
    ends = [b for _, b in runs]
    if load.going and not going_on:
        ends.insert(0, 0)
    objective += load.old.change([a for a, _ in started], ends)
    return Score(
        levels=(
            *(short, never, excess, late, unknown, objective, -instants),
            *(len(started), sum(a for a, _ in started)),
        ),
        runs=tuple(runs),
        starts=len(started),
        served=tuple(served),
        missing=tuple(missing),
        objective=objective,
        cost=price + start_costs,
        site_cost=price + start_costs - load.power * timeline.price_until(load.forced),
    )


def _uncounted(timeline: Timeline, load: Load, pieces: list[Piece], served: list[int]) -> int:
    """Seconds of a run that must go on which a split demand could have counted and did not."""
    total = 0
    for start, end, demand in pieces:
        if demand is not None:
            continue
        for a, b, cell in timeline.between(start, end):
            parts = []
            for need, got in zip(load.needs, served, strict=True):
                if need.contiguous or got >= need.need or not need.admits(cell):
                    continue
                until = b if need.hard else min(b, need.deadline)
                if max(a, need.earliest) < until:
                    parts.append((max(a, need.earliest), until))
            at = a
            for low, high in sorted(parts):
                total += max(0, high - max(low, at))
                at = max(at, high)
    return total


def energy_missing(load: Load, result: Score) -> Fraction:
    """kWh that hard demands lack at their deadlines; the last second may be a part."""
    total = Fraction(0)
    for need, miss in zip(load.needs, result.missing, strict=True):
        if miss:
            total += max(Fraction(0), need.energy_kwh - load.energy_kwh(need.need - miss))
    return total
