"""Our own contract: devices whose firmware speaks schedule, compact and setpoint.

Translates; the topics and sizes are those of the wire contract. The smallest real adapter.
"""

import dataclasses
from collections.abc import Sequence
from decimal import Decimal

from pydantic import ValidationError

from agent.contracts.text import wire_json
from agent.contracts.wire import Ack, DeviceState
from agent.energy.instants import from_unix
from agent.energy.readings import Acknowledgement, Reading
from agent.energy.schedule import (
    HEAT,
    MODES,
    DeviceType,
    Schedule,
    ScheduleSlot,
    Setpoint,
)
from agent.errors import Malformed
from agent.ports import Message, OutgoingMessage, UntimedReading

MAX_STATE_BYTES = 2048
MAX_SCHEDULE_BYTES = 8192
MAX_COMPACT_BYTES = 1000
MAX_COMPACT_PAIRS = 64
SETPOINT_OUTLIVES_S = 7 * 86_400


class NativeDevice:
    """One device below `<base>/device/<id>`."""

    def __init__(self, base_topic: str, device: str) -> None:
        self._topic = f"{base_topic}/device/{device}"

    @property
    def subscriptions(self) -> Sequence[str]:
        return (f"{self._topic}/state", f"{self._topic}/ack")

    def decode(self, message: Message) -> Sequence[Reading | UntimedReading | Acknowledgement]:
        if len(message.payload) > MAX_STATE_BYTES:
            raise Malformed(f"{message.topic}: {len(message.payload)} bytes, at most 2048 are read")
        try:
            if message.topic.endswith("/ack"):
                ack = Ack.model_validate_json(message.payload)
                return [Acknowledgement(ack.revision, ack.status_type, ack.diagnostic)]
            state = DeviceState.model_validate_json(message.payload)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise Malformed(
                f"{message.topic}: {where + ': ' if where else ''}{first['msg']}",
                message.payload.decode("utf-8", "replace"),
            ) from error
        values = state.model_dump(exclude={"at"}, exclude_none=True)
        if state.at is None:
            return [UntimedReading(kind, value) for kind, value in values.items()]
        return [Reading(kind, value, state.at) for kind, value in values.items()]

    def fit(self, schedule: Schedule) -> Schedule:
        """The schedule, cut at the end until all its forms fit; the earlier cut counts for all."""
        slots = joined(schedule.slots)
        fitted = dataclasses.replace(schedule, slots=slots)
        while not _fits(fitted):
            if not fitted.slots:
                raise ValueError(f"{schedule.device}: a schedule without slots is too long")
            last = fitted.slots[-1]
            fitted = dataclasses.replace(
                fitted, slots=fitted.slots[:-1], valid_until=max(last.start, schedule.issued_at)
            )
        return fitted

    def encode_schedule(self, schedule: Schedule) -> Sequence[OutgoingMessage]:
        return (
            OutgoingMessage(f"{self._topic}/schedule", wire_json(schedule_document(schedule))),
            OutgoingMessage(
                f"{self._topic}/schedule/compact", wire_json(compact_document(schedule))
            ),
        )

    def encode_setpoint(self, setpoint: Setpoint) -> OutgoingMessage:
        return OutgoingMessage(
            f"{self._topic}/setpoint",
            wire_json(setpoint_document(setpoint)),
            expires_at=setpoint.until + SETPOINT_OUTLIVES_S,
        )

    def withdraw(self) -> Sequence[OutgoingMessage]:
        forms = ("schedule", "schedule/compact", "setpoint")
        return [OutgoingMessage(f"{self._topic}/{form}", "") for form in forms]


def joined(slots: Sequence[ScheduleSlot]) -> tuple[ScheduleSlot, ...]:
    """Touching slots of equal mode and power as one; the price is their mean by energy."""
    out: list[ScheduleSlot] = []
    for slot in slots:
        last = out[-1] if out else None
        if (
            last is None
            or last.end != slot.start
            or (last.mode, last.power_w, last.phases) != (slot.mode, slot.power_w, slot.phases)
        ):
            out.append(slot)
            continue
        energy = last.energy_kwh + slot.energy_kwh
        price = None
        if last.price is not None and slot.price is not None and energy > 0:
            mean = (last.price * last.energy_kwh + slot.price * slot.energy_kwh) / energy
            price = mean.quantize(Decimal("1e-7"))
        out[-1] = dataclasses.replace(last, end=slot.end, energy_kwh=energy, price=price)
    return tuple(out)


def _fits(schedule: Schedule) -> bool:
    compact = compact_document(schedule)
    pairs = compact["p"]
    return (
        isinstance(pairs, list)
        and len(pairs) <= MAX_COMPACT_PAIRS
        and len(wire_json(compact).encode()) <= MAX_COMPACT_BYTES
        and len(wire_json(schedule_document(schedule)).encode()) <= MAX_SCHEDULE_BYTES
    )


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
            "energy_kwh": goal.energy_kwh,
            "target_soc_percent": goal.target_soc_percent,
            "ready_by": None if goal.ready_by is None else from_unix(goal.ready_by),
        },
        "cost": schedule.cost,
        "baseline_cost": schedule.baseline_cost,
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


def compact_document(schedule: Schedule) -> dict[str, object]:
    """The body of `schedule/compact`, as in the wire contract's section 3."""
    kind = schedule.device_type

    def value(mode: str, power_w: int) -> int | None:
        if kind in HEAT or kind is DeviceType.PROGRAM:
            return MODES[kind].index(mode) + 1
        return None if mode in ("release", "auto") else power_w

    default = value(schedule.default.mode, schedule.default.power_w)
    start = schedule.valid_from
    pairs: list[list[int | None]] = []
    end = None
    for slot in schedule.slots:
        if end is not None and end != slot.start:
            pairs.append([end - start, default])
        pairs.append([slot.start - start, value(slot.mode, slot.power_w)])
        end = slot.end
    if end is not None and end < schedule.valid_until:
        pairs.append([end - start, default])
    return {
        "r": schedule.revision,
        "s": start,
        "u": "M" if kind in HEAT or kind is DeviceType.PROGRAM else "W",
        "p": pairs,
        "e": schedule.valid_until,
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
