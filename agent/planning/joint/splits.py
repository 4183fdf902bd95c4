"""Split demands: what each takes in which cell, what it misses, gets late and too much."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from agent.planning.devices.flexible import ScaledDemand, ScaledDevice
from agent.planning.joint.house import SHORTFALL, House
from agent.planning.joint.milp import INF, Term
from agent.planning.joint.switching import Part


@dataclass(slots=True)
class SplitDemand:
    """`power[k]`: mean power that it takes in whole cell k, `part[k]`: in a part of one at the
    least power; `top[k]`: what its cap and window leave."""

    index: int
    demand: ScaledDemand
    top: dict[int, float]
    power: dict[int, int] = field(default_factory=dict)
    first: dict[int, Part] = field(default_factory=dict)
    last: dict[int, Part] = field(default_factory=dict)
    missing: int | None = None

    def parts(self, k: int) -> list[Part]:
        return [side[k] for side in (self.first, self.last) if k in side]


def _energy(house: House, least: float, split: SplitDemand, k: int) -> list[Term]:
    hours = house.hours[k]
    terms = [(split.power[k], hours)]
    terms += [(part.share, hours * least) for part in split.parts(k)]
    return terms


def add_needs(
    house: House,
    device: ScaledDevice,
    least: float,
    splits: Sequence[SplitDemand],
    rounded_up: Callable[[ScaledDemand], int],
) -> None:
    """What each split demand gets, misses, gets late and too much. `rounded_up`: the energy up to
    which a hard one has nothing too much."""
    milp = house.milp
    for split in splits:
        demand = split.demand
        parts = [part for k in split.power for part in split.parts(k)]
        if parts:
            # Once per demand.
            milp.at_most([(part.on, 1.0) for part in parts], 1.0)
        need = house.kwh(demand.energy)
        rounded = house.kwh(rounded_up(demand))
        timely: list[Term] = []
        late: list[Term] = []
        for k in split.power:
            terms = _energy(house, least, split, k)
            cell = house.cells[k]
            (timely if cell.end <= demand.deadline else late).extend(terms)
            for column, amount in terms:
                if cell.unknown:
                    house.aim("unknown", column, amount)
                if cell.start >= demand.deadline:
                    since = max(demand.deadline, 0)
                    middle = (cell.start + cell.end) / 2 - since
                    house.aim("late", column, amount * middle / 3600)
        every = [*timely, *late]
        if not demand.hard:
            served = milp.column(0.0, need)
            milp.at_least(0.0, [*timely, (served, -1.0)])
            # Steps and minimum runs at its least power may give it more than it wants.
            rounded = max(demand.energy, demand.max_s * device.min_power)
            milp.at_most(timely, house.kwh(rounded))
            house.pay(served, -house.price(demand.value))
            continue
        short = milp.column(0.0, need)
        over = milp.column(0.0, INF)
        house.aim(f"{SHORTFALL}{device.priority}", short, 1.0)
        house.aim("excess", over, 1.0)
        milp.at_least(need, [*timely, (short, 1.0)])
        milp.at_most([*every, (over, -1.0)], rounded)
        if demand.allowance_s:
            # Late it gets no more than it would miss without its cap.
            allowed = demand.allowance_s * device.power
            milp.at_most(late, house.kwh(allowed))
            owed = max(0.0, house.kwh(allowed) - rounded + need)
            never = milp.column(0.0, need)
            house.aim("never", never, 1.0)
            milp.at_least(owed, [*late, (never, 1.0)])
        elif demand.cap is None:
            never = milp.column(0.0, need)
            house.aim("never", never, 1.0)
            milp.at_least(need, [*every, (never, 1.0)])
