"""What a device was told, in the words of the plan in force. Pure.

A plan that has the device do the same is no new revision, but its prices and reasons are newer than
those of the schedule that the device holds: people are told what is true now, of what it will do.
"""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from agent.energy.plan import Plan
from agent.energy.schedule import Schedule, ScheduleSlot

SIX_DIGITS = Decimal("1e-6")
# What a person or the device itself brought about, whatever the plan says of that time.
OF_ITS_OWN = frozenset({"boost", "pause", "floor", "topping_up"})


def in_words_of(held: Schedule, plan: Plan, planned: Sequence[ScheduleSlot]) -> Schedule:
    """`held` with what `planned`, the device's slots of `plan`, says of the same time.

    What it does and when is as it was told.
    """
    slots = tuple(_reworded(slot, planned) for slot in held.slots)
    return replace(held, slots=slots, currency=plan.currency or held.currency)


def _reworded(slot: ScheduleSlot, planned: Sequence[ScheduleSlot]) -> ScheduleSlot:
    """By the plan's slots of its mode, the longest first; as it was where the plan has none."""
    shared = [
        (min(slot.end, other.end) - max(slot.start, other.start), other)
        for other in planned
        if other.mode == slot.mode and other.start < slot.end and slot.start < other.end
    ]
    if not shared:
        return slot
    _, longest = max(shared, key=lambda found: found[0])
    reason = slot.reason if slot.reason in OF_ITS_OWN else longest.reason
    prices = [(seconds, other.price) for seconds, other in shared if other.price is not None]
    return replace(slot, reason=reason, price=_mean(prices))


def _mean(prices: Sequence[tuple[int, Decimal]]) -> Decimal | None:
    """By time, to six digits where it is not one price; None of none."""
    if len({price for _, price in prices}) <= 1:
        return prices[0][1] if prices else None
    total = sum(seconds for seconds, _ in prices)
    mean = sum((seconds * price for seconds, price in prices), Decimal(0)) / total
    return mean.quantize(SIX_DIGITS).normalize()
