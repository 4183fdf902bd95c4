"""Our own contract: devices whose firmware speaks schedule, compact and setpoint.

Translates; the topics and sizes are those of the wire contract. The smallest real adapter.
"""

import dataclasses
from collections.abc import Sequence
from decimal import Decimal
from typing import Literal

from agent.config.devices import DeviceSection
from agent.contracts.schedule import (
    MAX_COMPACT_BYTES,
    MAX_COMPACT_PAIRS,
    MAX_COMPACT_S,
    MAX_SCHEDULE_BYTES,
    SETPOINT_OUTLIVES_S,
    compact_document,
    schedule_document,
    setpoint_document,
)
from agent.contracts.state import read_ack, read_info, read_presence
from agent.contracts.text import wire_json
from agent.energy.readings import Presence
from agent.energy.schedule import DeviceType, Schedule, ScheduleSlot, Setpoint
from agent.errors import Malformed
from agent.ports import Decoded, Message, OutgoingMessage
from integrations.devices.entities import EntitiesSection
from integrations.devices.state_reader import StateReader

MAX_BYTES = 2048
FORMS = ("schedule", "schedule/compact", "setpoint")
STORAGE_STEP_W = 100
LONGEST_REVISION = 2**32 - 1


class NativeSection(EntitiesSection):
    family: Literal["native"] = "native"


class NativeDevice:
    """One device below `<base>/device/<id>`."""

    acknowledges = True
    holds_schedule = True
    refresh_s = None
    keeps_run = True

    def __init__(self, base_topic: str, device: str) -> None:
        self._topic = f"{base_topic}/device/{device}"
        self._state = StateReader()

    @property
    def subscriptions(self) -> Sequence[str]:
        return tuple(f"{self._topic}/{name}" for name in ("state", "ack", "info", "status"))

    def decode(self, message: Message) -> Sequence[Decoded]:
        topic, payload = message.topic, message.payload
        if len(payload) > MAX_BYTES:
            raise Malformed(f"{topic}: {len(payload)} bytes, at most {MAX_BYTES} are read")
        name = topic.removeprefix(f"{self._topic}/")
        if name == "ack":
            return [read_ack(payload, topic)]
        if name == "info":
            return [read_info(payload, topic)]
        if name == "status":
            return [Presence(read_presence(payload, topic))]
        return self._state.read(message)

    def fit(self, schedule: Schedule) -> Schedule:
        """The schedule, cut at the end until all its forms fit; the earlier cut counts for all."""
        fitted = dataclasses.replace(schedule, slots=merge_adjacent(schedule.slots))
        if not _within_sizes(fitted) and schedule.device_type is DeviceType.BATTERY:
            fitted = dataclasses.replace(fitted, slots=merge_adjacent(_coarser(fitted.slots)))
        longest = fitted.valid_from + MAX_COMPACT_S
        if fitted.valid_until > longest:
            slots = tuple(slot for slot in fitted.slots if slot.end <= longest)
            fitted = dataclasses.replace(fitted, slots=slots, valid_until=longest)
        while not _within_sizes(fitted):
            if not fitted.slots:
                raise ValueError(f"{schedule.device}: a schedule without slots is too long")
            last = fitted.slots[-1]
            fitted = dataclasses.replace(
                fitted, slots=fitted.slots[:-1], valid_until=max(last.start, schedule.issued_at)
            )
        return fitted

    def encode_schedule(self, schedule: Schedule) -> Sequence[OutgoingMessage]:
        documents = schedule_document(schedule), compact_document(schedule)
        return tuple(
            OutgoingMessage(f"{self._topic}/{form}", wire_json(document), timed=True)
            for form, document in zip(FORMS, documents, strict=False)
        )

    def encode_setpoint(
        self, setpoint: Setpoint, *, repeated: bool = False
    ) -> Sequence[OutgoingMessage]:
        return (
            OutgoingMessage(
                f"{self._topic}/setpoint",
                wire_json(setpoint_document(setpoint)),
                timed=True,
                expires_at=setpoint.until + SETPOINT_OUTLIVES_S,
            ),
        )

    def lasts_s(self, setpoint: Setpoint) -> int | None:
        return None

    def queries(self) -> Sequence[OutgoingMessage]:
        return ()

    @property
    def harmless(self) -> str | None:
        return None

    def withdraw(self) -> Sequence[OutgoingMessage]:
        return [OutgoingMessage(f"{self._topic}/{form}", "") for form in FORMS]


def build(section: DeviceSection, base_topic: str) -> NativeDevice:
    return NativeDevice(base_topic, section.id)


def merge_adjacent(slots: Sequence[ScheduleSlot]) -> tuple[ScheduleSlot, ...]:
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


def _coarser(slots: Sequence[ScheduleSlot]) -> list[ScheduleSlot]:
    """Powers rounded towards 0 to steps that let neighbours be joined."""
    return [
        dataclasses.replace(slot, power_w=int(slot.power_w / STORAGE_STEP_W) * STORAGE_STEP_W)
        for slot in slots
    ]


def _within_sizes(schedule: Schedule) -> bool:
    """Whatever revision it gets: that is given later."""
    schedule = dataclasses.replace(schedule, revision=LONGEST_REVISION)
    compact = compact_document(schedule)
    pairs = compact["p"]
    return (
        isinstance(pairs, list)
        and len(pairs) <= MAX_COMPACT_PAIRS
        and len(wire_json(compact).encode()) <= MAX_COMPACT_BYTES
        and len(wire_json(schedule_document(schedule)).encode()) <= MAX_SCHEDULE_BYTES
    )
