"""All aims of a plan as one whole number: each aim weighs more than all after it together."""

from dataclasses import dataclass

from agent.planning.load import Load
from agent.planning.timeline import Timeline


@dataclass(frozen=True, slots=True)
class Weights:
    """What a unit of each aim weighs: seconds, but money in units of the load."""

    short: int
    never: int
    excess: int
    late: int
    unknown: int
    money: int
    instants: int
    starts: int
    sum_start: int


def weights_of(timeline: Timeline, load: Load, end: int) -> Weights:
    span = end + 2 + max([abs(need.deadline) for need in load.needs], default=0)
    most_starts = end // max(1, load.min_on + load.min_off) + 2
    money = load.power * sum(
        abs(cell.choice) * (b - a) for a, b, cell in timeline.between(0, max(1, end))
    )
    money += sum(abs(need.gain) * max(need.top, need.need) for need in load.needs)
    old = len(load.old.edges[True]) + len(load.old.edges[False])
    money += most_starts * load.start_cost + 2 * (most_starts + old) * load.old.cost + 1
    several = len(load.needs) + 1
    sizes = (
        *(span * most_starts, most_starts, 4 * span * span, money),
        *(span, 4 * span * span * several, span * several, span * several),
    )
    weights = [1]
    for size in sizes:
        weights.append(weights[-1] * (2 * size + 1))
    return Weights(*reversed(weights))
