"""The three forms in which a device is told what to do: schedule, compact, setpoint.

Each writer gives the plain values of its document, as in the wire contract's sections 2 and 3.
"""

import dataclasses
from decimal import Decimal

from agent.energy.instants import from_unix
from agent.energy.schedule import HEAT, MODES, DeviceType, Schedule, ScheduleSlot, Setpoint

MAX_SCHEDULE_BYTES = 8192
MAX_COMPACT_BYTES = 1000
MAX_COMPACT_PAIRS = 64
# A follower takes a longer one for a Unix time.
MAX_COMPACT_S = 2_678_400
SETPOINT_OUTLIVES_S = 7 * 86_400
SIX_DIGITS = Decimal("1e-6")
MILLI = Decimal("0.001")


def schedule_document(schedule: Schedule) -> dict[str, object]:
    """The body of `schedule`, as in the wire contract's section 2."""
    goal = schedule.goal
    return {
        "schema": "schedule/1",
        "device": schedule.device,
        "device_type": schedule.device_type,
        "revision": schedule.revision,
        "issued_at": from_unix(schedule.issued_at),
        "valid_from": from_unix(schedule.valid_from),
        "valid_until": from_unix(schedule.valid_until),
        "currency": schedule.currency,
        "slots": [_slot_document(slot) for slot in schedule.slots],
        "default": dataclasses.asdict(schedule.default),
        "offline": dataclasses.asdict(schedule.offline),
        "goal": {
            "energy_kwh": None if goal.energy_kwh is None else goal.energy_kwh.quantize(MILLI),
            "target_soc_percent": goal.target_soc_percent,
            "ready_by": None if goal.ready_by is None else from_unix(goal.ready_by),
        },
        "cost": schedule.cost.quantize(SIX_DIGITS),
        "baseline_cost": schedule.baseline_cost.quantize(SIX_DIGITS),
        "status": schedule.status,
        "estimated": schedule.estimated,
    }


def _slot_document(slot: ScheduleSlot) -> dict[str, object]:
    out: dict[str, object] = {
        "start": from_unix(slot.start),
        "end": from_unix(slot.end),
        "mode": slot.mode,
        "power_w": slot.power_w,
    }
    if slot.phases is not None:
        out["phases"] = slot.phases
    out |= {"energy_kwh": slot.energy_kwh, "price": slot.price, "reason": slot.reason}
    return out


def is_told_modes(kind: DeviceType) -> bool:
    """In the compact form: numbers of modes, as they stand in MODES, from 1. All others: W."""
    return kind in HEAT or kind is DeviceType.PROGRAM


def compact_document(schedule: Schedule) -> dict[str, object]:
    """The body of `schedule/compact`, as in the wire contract's section 3."""
    kind = schedule.device_type

    def value(mode: str, power_w: int) -> int | None:
        if is_told_modes(kind):
            return MODES[kind].index(mode) + 1
        return None if mode in ("release", "auto") else power_w

    default = value(schedule.default.mode, schedule.default.power_w)
    start = schedule.valid_from
    pairs: list[list[int | None]] = []
    end = None
    for slot in schedule.slots:
        if end is not None and end != slot.start:
            pairs.append([end - start, default])
        # One under way may have begun before the schedule does; the form knows no time before it.
        pairs.append([max(0, slot.start - start), value(slot.mode, slot.power_w)])
        end = slot.end
    if end is not None and end < schedule.valid_until:
        pairs.append([end - start, default])
    return {
        "r": schedule.revision,
        "s": start,
        "u": "M" if is_told_modes(kind) else "W",
        "p": pairs,
        "e": min(schedule.valid_until - start, MAX_COMPACT_S),
        "d": default,
        "o": [schedule.offline.after_s, value(schedule.offline.mode, schedule.offline.power_w)],
    }


def setpoint_document(setpoint: Setpoint) -> dict[str, object]:
    """The body of `setpoint`, as in the wire contract's section 2."""
    out: dict[str, object] = {
        "revision": setpoint.revision,
        "at": from_unix(setpoint.at),
        "mode": setpoint.mode,
        "power_w": setpoint.power_w,
    }
    if setpoint.current_a is not None:
        out["current_a"] = setpoint.current_a
    if setpoint.phases is not None:
        out["phases"] = setpoint.phases
    out |= {
        "until": from_unix(setpoint.until),
        "default": dataclasses.asdict(setpoint.default),
        "offline": dataclasses.asdict(setpoint.offline),
        "reason": setpoint.reason,
    }
    return out
