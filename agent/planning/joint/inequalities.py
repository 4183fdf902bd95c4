"""Rows that every plan keeps and that no price can say: to a programme without whole numbers a
device is on for a part of the time, and what it leaves then is there for others."""

from collections.abc import Container, Sequence
from itertools import permutations

from agent.planning.joint.house import Draw, House
from agent.planning.joint.milp import INF, Term


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
                # As a mean a part of a cell may be below the least.
                together += [(column, surplus * left) for column in draw.parts]
            else:
                together += [(column, -share) for column, share in draw.power]
                together.append((draw.on, surplus))
        elif draw.most > surplus and draw.on is not None:
            powers = [(column, -share) for column, share in draw.power]
            house.milp.at_least(0.0, [*given, *powers, (draw.on, surplus)])
    if together:
        house.milp.at_least(0.0, [*given, *together])
    for one, other in permutations(house.draws[k], 2):
        if one.on is not None and 0 < one.least <= surplus < one.least + other.least:
            _beside(house, given, surplus, one, other)


def _beside(house: House, given: Sequence[Term], surplus: float, one: Draw, other: Draw) -> None:
    """What two devices draw together where the surplus S is enough for one of them alone.

    With y and a of the one, z, q and b of the other: at least q - S z + a (y + z - 1). Without a z
    at least (a + b - S) q / b less what that is too much while the one is off.
    """
    least, powers = one.least, other.power
    assert one.on is not None, "on or off"
    if other.on is not None:
        terms = [(column, -share) for column, share in powers]
        terms += [(other.on, surplus - least), (one.on, -least)]
        house.milp.at_least(-least, [*given, *terms])
        return
    slope = (least + other.least - surplus) / other.least
    much = least if surplus < other.least else slope * surplus
    terms = [(column, -slope * share) for column, share in powers]
    terms += [(column, slope * (surplus - least)) for column in other.parts]
    house.milp.at_least(-much, [*given, *terms, (one.on, -much)])


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


def by_direction(
    house: House, k: int, way: int, imported: int, curtailed: int | None, kept: Container[int]
) -> None:
    """What flows while the grid gives (`way` is 1), told apart from what flows while it takes:
    somebody draws what is imported, and else there is no more for all than the roof leaves.

    `curtailed`: the column, where the roof is curtailed while something is imported; `kept`: what
    stores give while the grid gives only.
    """
    milp, surplus = house.milp, house.surplus(k)
    # One power each; what has demands has one for each of them.
    several = {load.id for load in house.loads[k]}
    draws = [one for one in house.draws[k] if one.on is not None and one.id not in several]
    switched = {column: draw for draw in draws for column, _ in draw.power}
    drawn: list[Term] = []
    for column, amount in [*house.balance[k], *([] if curtailed is None else [(curtailed, 1.0)])]:
        if column in kept:
            drawn.append((column, -amount))
            continue
        most = milp.upper[column]
        while_in = milp.column(0.0)
        milp.at_most([(while_in, 1.0), (column, -1.0)], 0.0)
        if column in switched:
            _on_by_direction(house, way, switched[column], (column, while_in))
        elif 0 < most < INF:
            # What is closed now may be opened later.
            milp.at_most([(while_in, 1.0), (way, -most)], 0.0)
        drawn.append((while_in, -amount))
    milp.equal([(imported, 1.0), (way, surplus), *drawn], 0.0)


def _on_by_direction(house: House, way: int, draw: Draw, powers: tuple[int, int]) -> None:
    """Whatever the grid does, a device is off or draws its least power. `powers`: its power, and
    that while the grid gives."""
    milp, (power, while_in) = house.milp, powers
    assert draw.on is not None, "on or off"
    on = draw.on
    on_in = milp.column(0.0, 1.0)
    milp.at_most([(on_in, 1.0), (way, -1.0)], 0.0)
    milp.at_most([(on_in, 1.0), (on, -1.0)], 0.0)
    milp.at_most([(on, 1.0), (on_in, -1.0), (way, 1.0)], 1.0)
    milp.at_most([(while_in, 1.0), (on_in, -draw.most)], 0.0)
    milp.at_least(0.0, [(while_in, 1.0), (on_in, -draw.least)])
    out = [(power, 1.0), (while_in, -1.0)]
    milp.at_least(0.0, [*out, (on, -draw.least), (on_in, draw.least)])
    milp.at_most([*out, (on, -draw.most), (on_in, draw.most)], 0.0)
