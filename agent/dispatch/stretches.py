"""Where a device would do something else by another schedule, and how much of it. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise

from agent.energy.schedule import HEAT, DefaultCommand, DeviceType, Schedule, ScheduleSlot

# The power of a store is cut to fit what is left to fill: readings move it a little each time.
STORAGE_DRIFT_W = 300
# What a load is told by the watt so that it has its energy to the second.
LOAD_DRIFT_W = 100
# What these say of a power is all that they say.
OF_A_POWER = {"idle", "charge", "hold", "discharge"}

Command = ScheduleSlot | DefaultCommand


@dataclass(frozen=True, slots=True)
class Counts:
    """`by_energy`: another power counts with what it amounts to, else as if it were all.

    `block`: what a block counts that was not there; it keeps an appliance only from what its own
    logic might do. `self_use`: what a battery's own logic counts, whatever it is told instead: it
    takes and gives what the house has and lacks, of which a battery's power is a multiple.
    """

    by_energy: bool
    block: float
    self_use: float


BY_POWER = Counts(by_energy=False, block=1.0, self_use=1.0)
BY_ENERGY = Counts(by_energy=True, block=1 / 12, self_use=1 / 4)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Where it would do something else.

    `worth_s`: what that amounts to, in seconds of its full power. `more`: does it take more then?
    `price`: of what it takes by one schedule and the other, where that is one.
    """

    start: int
    end: int
    worth_s: float
    more: bool
    price: Decimal | None


def pieces(held: Schedule, wanted: Schedule, since: int, until: int) -> Iterator[tuple[int, int]]:
    """Spans in which both say one thing."""
    slots = (*held.slots, *wanted.slots)
    inside = {edge for slot in slots for edge in (slot.start, slot.end) if since < edge < until}
    return pairwise(sorted({since, until, *inside}))


def stretches(
    held: Schedule, wanted: Schedule, since: int, until: int, counts: Counts
) -> Iterator[Stretch]:
    """In order; those that touch are one where it takes more, or less, in both."""
    full_w = max((abs(slot.power_w) for slot in (*held.slots, *wanted.slots)), default=0) or 1
    last: Stretch | None = None
    for start, end in pieces(held, wanted, since, until):
        old, new = held.slot_at(start) or held.default, wanted.slot_at(start) or wanted.default
        share = _share(old, new, full_w, held, counts)
        if not share:
            continue
        one = Stretch(
            start, end, share * (end - start), new.power_w > old.power_w, _price(old, new)
        )
        if last is not None and last.end == start and last.more == one.more:
            price = one.price if one.price == last.price else None
            worth_s = last.worth_s + one.worth_s
            last = replace(last, end=end, worth_s=worth_s, price=price)
            continue
        if last is not None:
            yield last
        last = one
    if last is not None:
        yield last


def _share(old: Command, new: Command, full_w: int, held: Schedule, counts: Counts) -> float:
    """How much of something else it does: 1 is all, or what nobody knows."""
    if held.device_type in HEAT and old.mode == "block" and new == held.default:
        # Nothing is planned either way: what it is kept from is its own logic's.
        return 0.0
    if held.device_type in HEAT and old == held.default and new.mode == "block":
        return counts.block
    by_w, alike = abs(new.power_w - old.power_w), old.mode == new.mode
    if alike and _phases(old) != _phases(new):
        return 1.0
    stores = held.device_type in (DeviceType.BATTERY, *HEAT)
    if alike and by_w <= (STORAGE_DRIFT_W if stores else LOAD_DRIFT_W):
        return 0.0
    of_a_power = alike or {old.mode, new.mode} <= OF_A_POWER
    if counts.by_energy and of_a_power:
        return by_w / full_w
    if held.device_type is DeviceType.BATTERY:
        return max(counts.self_use, by_w / full_w)
    return 1.0


def _phases(command: Command) -> int | None:
    return command.phases if isinstance(command, ScheduleSlot) else None


def _price(old: Command, new: Command) -> Decimal | None:
    found = {
        one.price for one in (old, new) if isinstance(one, ScheduleSlot) and one.mode == "charge"
    }
    return found.pop() if len(found) == 1 else None
