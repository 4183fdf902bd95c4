"""A device as if money did not matter: only shortfall, energy and unknown time are left.

Its search has far fewer states to tell apart, so it ends where the search for the cheapest plan
does not. Every plan of it is a plan of the device, and as good as any in the aims before money
where it is proved.
"""

from dataclasses import replace

from agent.planning.devices.flexible import ScaledDevice
from agent.planning.exact.objectives import ServedSpan
from agent.planning.incumbent import IncumbentEdges
from agent.planning.timeline import PriceSpan, Timeline


def without_costs(
    timeline: Timeline, device: ScaledDevice
) -> tuple[Timeline, ScaledDevice, list[int]]:
    """Time and device without money; which demands are left: the hard ones.

    All that is left of a price is which caps it is above.
    """
    kept = [i for i, demand in enumerate(device.demands) if demand.hard]
    caps = sorted({cap for i in kept if (cap := device.demands[i].cap) is not None})

    def price_of(cell: PriceSpan) -> int:
        return 0 if cell.unknown else sum(cell.price > cap for cap in caps)

    demands = []
    for i in kept:
        cap = device.demands[i].cap
        demands.append(replace(device.demands[i], cap=None if cap is None else caps.index(cap)))
    bare = replace(device, start_cost=0, incumbent=IncumbentEdges(), demands=tuple(demands))
    return timeline.priced(price_of), bare, kept


def renamed(pieces: list[ServedSpan], kept: list[int]) -> list[ServedSpan]:
    """Spans of the device that is left as spans of the whole one."""
    return [(a, b, None if i is None else kept[i]) for a, b, i in pieces]
