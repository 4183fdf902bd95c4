"""Rows that every plan keeps and that no price can say: to a programme without whole numbers a
device is on for a part of the time, and what it leaves then is there for others."""

from collections.abc import Sequence

from agent.planning.joint.house import House
from agent.planning.joint.milp import Term


def uncovered(house: House, k: int, sources: Sequence[int]) -> None:
    """What devices draw beyond the surplus of the roof comes from the grid or from a store.

    With S the surplus and y on or off, that is at least the sum of p - S y over any devices;
    without a y, where p is off or at least L > S, S p / L in place of S y. `sources`: columns of
    the import and of what stores give.
    """
    surplus = house.surplus(k)
    if surplus <= 0:
        return
    given = [(column, 1.0) for column in sources]
    together: list[Term] = []
    for draw in house.draws[k]:
        if draw.least > surplus:
            if draw.on is None:
                left = 1 - surplus / draw.least
                together += [(column, -left * share) for column, share in draw.power]
                together += draw.part
            else:
                together += [(column, -share) for column, share in draw.power]
                together.append((draw.on, surplus))
        elif draw.most > surplus and draw.on is not None:
            powers = [(column, -share) for column, share in draw.power]
            house.milp.at_least(0.0, [*given, *powers, (draw.on, surplus)])
    if together:
        house.milp.at_least(0.0, [*given, *together])


def below_the_limit(house: House, k: int, given: Sequence[int]) -> None:
    """Under an import limit, what one device cannot draw is room for another one only while that
    is on.

    With H what the limit leaves, M < H the most of one device and q its power, y on or off of
    others and p their powers, G what stores give: q + sum of p - G <= M + (H - M) x sum of y. It
    says something where M + p may be above H. `given`: columns of what stores give.
    """
    headroom = house.cells[k].headroom
    if headroom is None or k in house.forced:
        return
    room = house.kw(headroom)
    stores = [(column, -1.0) for column in given]
    for load in house.loads[k]:
        rest = room - load.most
        others = [
            draw
            for draw in house.draws[k]
            if draw.id != load.id and draw.on is not None and draw.most > rest
        ]
        if rest <= 0 or not others:
            continue
        groups = [[draw] for draw in others]
        if len(others) > 1:
            groups.append(others)
        for group in groups:
            terms = [*load.power, *stores]
            for draw in group:
                if draw.on is not None:
                    terms += [*draw.power, (draw.on, -rest)]
            house.milp.at_most(terms, load.most)
