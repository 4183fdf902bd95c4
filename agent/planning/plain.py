"""A device as if money did not matter: only shortfall, energy and unknown time are left.

Its search has far fewer states to tell apart, so it ends where the search for the cheapest plan
does not. Every plan of it is a plan of the device, and as good as any in the aims before money
where it is proved.
"""

from dataclasses import replace

from agent.planning.load import Load, OldEdges
from agent.planning.score import Piece
from agent.planning.timeline import Cell, Timeline


def plain(timeline: Timeline, load: Load) -> tuple[Timeline, Load, list[int]]:
    """Time and device without money; which demands are left: the hard ones.

    All that is left of a price is which caps it is above.
    """
    kept = [i for i, need in enumerate(load.needs) if need.hard]
    caps = sorted({cap for i in kept if (cap := load.needs[i].cap) is not None})

    def price_of(cell: Cell) -> int:
        return 0 if cell.unknown else sum(cell.price > cap for cap in caps)

    needs = []
    for i in kept:
        cap = load.needs[i].cap
        needs.append(replace(load.needs[i], cap=None if cap is None else caps.index(cap)))
    bare = replace(load, start_cost=0, old=OldEdges(), needs=tuple(needs))
    return timeline.priced(price_of), bare, kept


def renamed(pieces: list[Piece], kept: list[int]) -> list[Piece]:
    """Pieces of the device that is left as pieces of the whole one."""
    return [(a, b, None if i is None else kept[i]) for a, b, i in pieces]
