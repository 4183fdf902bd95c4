"""All aims of a plan as one whole number: each aim weighs more than all after it together."""

from dataclasses import dataclass

from agent.planning.devices.flexible import ScaledDevice
from agent.planning.timeline import Timeline


@dataclass(frozen=True, slots=True)
class Weights:
    """What a unit of each aim weighs: seconds, but money in units of the device."""

    short: int
    never: int
    excess: int
    late: int
    unknown: int
    money: int
    instants: int
    starts: int
    sum_start: int


def weights_of(timeline: Timeline, device: ScaledDevice, end: int) -> Weights:
    span = end + 2 + max([abs(demand.deadline) for demand in device.demands], default=0)
    most_starts = end // max(1, device.min_on_s + device.min_off_s) + 2
    money = device.power * sum(
        abs(cell.choice) * (b - a) for a, b, cell in timeline.between(0, max(1, end))
    )
    money += sum(
        abs(demand.value_per_s) * max(demand.max_s, demand.needed_s) for demand in device.demands
    )
    old = len(device.incumbent.edges[True]) + len(device.incumbent.edges[False])
    money += most_starts * device.start_cost + 2 * (most_starts + old) * device.incumbent.cost + 1
    several = len(device.demands) + 1
    sizes = (
        *(span * most_starts, most_starts, 4 * span * span, money),
        *(span, 4 * span * span * several, span * several, span * several),
    )
    weights = [1]
    for size in sizes:
        weights.append(weights[-1] * (2 * size + 1))
    return Weights(*reversed(weights))
