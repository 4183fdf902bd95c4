"""The last touches of a schedule before it is fitted to its forms. Pure.

No slot and no gap is shorter than a minute, so that rounding never makes a relay click, and what
holds now began five minutes ago, for device clocks are slow (wire contract, section 2).
"""

from dataclasses import replace
from decimal import Decimal

from agent.dispatch.schedules import CLOCK_SLACK_S
from agent.energy.schedule import Schedule, ScheduleSlot

SHORTEST_S = 60
# A run that has just ended is not begun anew for less.
WORTH_A_RESTART_S = 150
JUST_ENDED_S = 60
SIX_DIGITS = Decimal("1e-6")


def finished(
    schedule: Schedule, now: int, *, never_more: bool, held: Schedule | None = None
) -> Schedule:
    """`never_more`: a site limit holds, so nothing may take more at any instant than it did.

    By `held` the device ran until a moment ago or now, or has been off for longer.
    """
    slots = [slot for slot in schedule.slots if slot.end > now]
    slots = _without_slivers(slots, now, _ran_until(held, now), never_more=never_more)
    return replace(schedule, slots=tuple(_backdate_start(slot, now) for slot in slots))


def without_restart(schedule: Schedule, held: Schedule | None, now: int) -> Schedule:
    """Without the seconds that metering has added to a run which ended a moment ago.

    What is left of its need comes with a later slot; what a person asked for (no price) stays.
    """
    slots = schedule.slots
    ended = held is not None and any(
        now - JUST_ENDED_S <= slot.end <= now and held.slot_at(slot.end) is None
        for slot in held.slots
    )
    if not ended or not slots or slots[0].price is None:
        return schedule
    first, begins_now = slots[0], slots[0].start <= now + JUST_ENDED_S
    touches = len(slots) > 1 and slots[1].start <= first.end
    if not begins_now or touches or first.end - now >= WORTH_A_RESTART_S:
        return schedule
    return replace(schedule, slots=slots[1:])


def _ran_until(held: Schedule | None, now: int) -> int | None:
    """The end of the last slot, `now` for one under way; None where a minute off is over."""
    ends = [min(slot.end, now) for slot in held.slots if slot.start < now] if held else []
    return max((end for end in ends if end > now - SHORTEST_S), default=None)


def _without_slivers(
    slots: list[ScheduleSlot], now: int, ran_until: int | None, *, never_more: bool
) -> list[ScheduleSlot]:
    """One touch may make room for the next: what is left out leaves a gap, a gap a short slot."""
    for _ in range(len(slots) + 2):
        joined = _without_short_gaps(slots, now, ran_until, never_more=never_more)
        joined = _merge_short(joined, now, never_more=never_more)
        if joined == slots:
            break
        slots = joined
    return slots


def _without_short_gaps(
    slots: list[ScheduleSlot], now: int, ran_until: int | None, *, never_more: bool
) -> list[ScheduleSlot]:
    """Closed, or widened to a minute where nothing may take more."""
    out: list[ScheduleSlot] = []
    for slot in slots:
        end = out[-1].end if out else ran_until
        missing = 0 if end is None else SHORTEST_S - (max(slot.start, now) - end)
        if not 0 < missing < SHORTEST_S:
            out.append(slot)
        elif not never_more and out:
            out[-1] = _moved(out[-1], out[-1].start, slot.start)
            out.append(slot)
        elif end == now and not never_more:
            out.append(_moved(slot, now, slot.end))
        elif end != now and not out and slot.price is None:
            # A person asked for it: it goes at once.
            out.append(slot)
        elif slot.end - max(slot.start, now) - missing >= SHORTEST_S:
            out.append(_moved(slot, max(slot.start, now) + missing, slot.end))
        elif out and out[-1].end - max(out[-1].start, now) - missing >= SHORTEST_S:
            out[-1] = _moved(out[-1], out[-1].start, out[-1].end - missing)
            out.append(slot)
        # Else it is left out: both are too short to give way.
    return out


def _merge_short(slots: list[ScheduleSlot], now: int, *, never_more: bool) -> list[ScheduleSlot]:
    """Slots of less than a minute go to a neighbour that touches, else they last a minute."""
    out = list(slots)
    index = 0
    while index < len(out):
        slot = out[index]
        length = slot.end - max(slot.start, now)
        # What is under way ends when it ends: its beginning was long enough.
        if length >= SHORTEST_S or slot.start < now:
            index += 1
            continue
        before = out[index - 1] if index else None
        after = out[index + 1] if index + 1 < len(out) else None
        touches = [
            (one, place)
            for one, place in ((before, index - 1), (after, index + 1))
            if one is not None and slot.start <= one.end and one.start <= slot.end
        ]
        weaker = [item for item in touches if item[0].power_w <= slot.power_w]
        if weaker or (touches and not never_more):
            taker, place = (weaker or touches)[0]
            out[place] = _moved(taker, min(taker.start, slot.start), max(taker.end, slot.end))
            del out[index]
        elif never_more:
            del out[index]
        else:
            end = max(slot.end, slot.start + SHORTEST_S)
            if after is not None and after.start < end + SHORTEST_S:
                out[index + 1] = _moved(after, slot.start, after.end)
                del out[index]
            else:
                out[index] = _moved(slot, slot.start, end)
                index += 1
    return out


def _moved(slot: ScheduleSlot, start: int, end: int) -> ScheduleSlot:
    energy = slot.energy_kwh
    if slot.end > slot.start:
        energy = (energy * (end - start) / (slot.end - slot.start)).quantize(SIX_DIGITS)
    return replace(slot, start=start, end=end, energy_kwh=energy)


def _backdate_start(slot: ScheduleSlot, now: int) -> ScheduleSlot:
    return replace(slot, start=min(slot.start, now - CLOCK_SLACK_S)) if slot.start <= now else slot
