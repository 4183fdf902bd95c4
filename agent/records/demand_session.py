"""A demand from its beginning to its end: a stay of a car, a run, a window of heat. Pure.

What it asks is frozen when it begins, and when it asks for more than was frozen; what a person
takes back was never planned. Energy goes to what was asked first; what nobody asked for belongs to
the session that began last.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from agent.energy.instants import to_unix_floor
from agent.home.planning_input import ActiveNeed, tolerance_kwh
from agent.records.day_book import BEYOND, NO_SESSION, Asked
from agent.records.sums import NOTHING, Sums, millionths

# A need that has grown by less is the same, measured better.
GROWN_BY = 500_000


@dataclass(slots=True)
class DemandSession:
    """`key` names it among those of its device; `until` None: open. Energies in millionths kWh.

    `asked` is frozen; `taken` counts by its parts.
    `seen` is what was missing and what had been taken when it was last looked at.
    `planned_cost` is that of the first plan, `best_cost` the least that its energy could have cost
    in its time, both in millionths of the currency and None where not known. `settled`: met, or
    its deadline has come; `met` says which.
    """

    device: str
    key: str
    since: int
    deadline: int
    currency: str
    contiguous: bool = False
    asked: list[Asked] = field(default_factory=list)
    taken: dict[int, int] = field(default_factory=dict)
    sums: Sums = NOTHING
    until: int | None = None
    planned_cost: int | None = None
    best_cost: int | None = None
    settled: bool = False
    met: bool = False
    seen: tuple[int, int] | None = None

    @property
    def is_open(self) -> bool:
        return self.until is None

    @property
    def row(self) -> str:
        """Names its row among those of the device: with another currency it is another."""
        return f"{self.since} {self.key}"

    @property
    def planned(self) -> int:
        return sum(part.energy for part in self.asked)

    def left(self) -> int:
        """What was asked and has not come yet."""
        return sum(
            max(0, part.energy - self.taken.get(place, 0)) for place, part in enumerate(self.asked)
        )

    def look(self, need: ActiveNeed, now: datetime) -> bool:
        """Freeze what the need asks more than before; whether that was so."""
        self.deadline = to_unix_floor(need.deadline)
        missing = millionths(need.missing_kwh)
        more = missing - self.left()
        if now >= need.deadline or (self.asked and more < GROWN_BY) or more <= 0:
            return False
        self.asked.append(Asked(to_unix_floor(now), max(1, need.power_w), more))
        self.settled = False
        return True

    def follow(self, missing: int, *, asked_anew: bool) -> bool:
        """Note what is missing now; where a person asked anew, what is asked no more was not
        planned. Whether that was so. A need that is only measured better stays as it was asked.
        """
        taken = sum(self.taken.values())
        before, self.seen = self.seen, (missing, taken)
        if not asked_anew or before is None:
            return False
        less = before[0] - missing - (taken - before[1])
        if less < GROWN_BY:
            return False
        for place, part in reversed(list(enumerate(self.asked))):
            spare = min(less, part.energy - max(0, self.taken.get(place, 0)))
            if spare > 0:
                self.asked[place] = part._replace(energy=part.energy - spare)
                less -= spare
        return True

    def settle(self, need: ActiveNeed, now: datetime) -> bool:
        """Is it met or over now, and was it not before?"""
        met = need.missing_kwh < tolerance_kwh(need.power_w)
        if self.settled or not (met or now >= need.deadline):
            return False
        self.settled, self.met = True, met
        return True


def begins(need: ActiveNeed, now: datetime) -> bool:
    """Does that need ask for anything that can still come in time?"""
    return need.missing_kwh >= tolerance_kwh(need.power_w) and now < need.deadline


def allocate(
    sessions: Sequence[DemandSession], energy: int
) -> list[tuple[DemandSession | None, int, int]]:
    """Whose energy it is: session, part of what it asked, amount. A correction is taken back."""
    out: list[tuple[DemandSession | None, int, int]] = []
    if energy < 0:
        for session in reversed(sessions):
            for place in (BEYOND, *reversed(range(len(session.asked)))):
                amount = max(energy, -max(0, session.taken.get(place, 0)))
                energy -= amount
                out.append((session, place, amount))
    else:
        for session in sessions:
            for place, part in enumerate(session.asked):
                amount = min(energy, max(0, part.energy - session.taken.get(place, 0)))
                energy -= amount
                out.append((session, place, amount))
    out.append((sessions[-1] if sessions else None, BEYOND, energy))
    found = [item for item in out if item[2]]
    for whose, place, amount in found:
        if whose is not None:
            whose.taken[place] = whose.taken.get(place, 0) + amount
    return found


def key_of(session: DemandSession | None) -> str:
    return NO_SESSION if session is None else session.key


def first_plan_cost(
    session: DemandSession, slots: Iterable[tuple[int, int, Decimal, Decimal]]
) -> int | None:
    """What the first plan says of its energy, given start, end, W and cost of the slots in order.

    None where the plan does not bring all of it.
    """
    left, cost = Decimal(session.left()), Decimal(0)
    for start, end, power_w, slot_cost in slots:
        energy = power_w * (end - start) * 1000 / 3600
        if start >= session.deadline or energy <= 0:
            continue
        share = min(Decimal(1), left / energy)
        cost += slot_cost * share
        left -= energy * share
        if left <= 0:
            break
    # A plan counts in whole seconds.
    return millionths(cost) if left <= GROWN_BY else None
