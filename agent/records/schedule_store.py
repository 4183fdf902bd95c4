"""The schedules that devices hold and their revisions, kept over a restart.

What lies there was published; what is stored is written before it is. Where the disk may take no
more of a device, a restart knows at least that the stored schedule is not the last.
"""

import dataclasses
import json
from collections.abc import Sequence
from decimal import Decimal

from agent.energy.schedule import (
    BLOCK,
    MODES,
    DefaultCommand,
    DeviceType,
    Goal,
    OfflineRule,
    Schedule,
    ScheduleSlot,
)
from agent.records.write_queue import Answer, WriteQueue
from agent.store import REPLACE_FACT, Store

SCHEDULE = "schedule"
REPLACE_REVISION = "INSERT OR REPLACE INTO revisions VALUES (?, ?)"
# A revision is the time in seconds, or one more than the last: so many last for some minutes.
RESERVED_REVISIONS = 600
BLOCK_START = "block_start:"
# A block that begins sooner after another one counts as that.
NOTED_EVERY_S = 900


class ScheduleStore:
    """Writes are handed over and answered later, as those of `DeviceStore`."""

    def __init__(self, store: Store, queue: WriteQueue) -> None:
        self._store, self._queue = store, queue
        self._revisions: dict[str, int] = {}
        # By device up to which one they may have been used, while the schedule is not stored.
        self._reserved: dict[str, tuple[int, Answer]] = {}
        self._blocks_noted: dict[str, int] = {}

    def highest_revision(self, device: str) -> int:
        if device not in self._revisions:
            sql = "SELECT revision FROM revisions WHERE device = ?"
            rows = self._store.rows(sql, (device,), lambda row: int(row[0]))
            self._revisions[device] = rows[0] if rows and 0 <= rows[0] < 2**32 else 0
        return self._revisions[device]

    def issue(self, schedule: Schedule) -> Answer:
        """The revision is written before it is published, so that none is ever used twice; where
        the schedule has to wait, some revisions together, and the start of a block."""
        device, revision = schedule.device, schedule.revision
        self._revisions[device] = revision
        answer = self._queue.put_first(
            device,
            SCHEDULE,
            (REPLACE_REVISION, (device, revision)),
            ("INSERT OR REPLACE INTO schedules VALUES (?, ?)", (device, _to_text(schedule))),
        )
        if not answer.done() or answer.result():
            self._reserved.pop(device, None)
            return answer
        self._note_block(schedule)
        reserved, written = self._reserved.get(device, (0, answer))
        if revision > reserved:
            reserved = revision + RESERVED_REVISIONS
            row = REPLACE_REVISION, (device, reserved)
            written = self._queue.submit(device, "revision", row)
            self._reserved[device] = reserved, written
        return written

    def _note_block(self, schedule: Schedule) -> None:
        """Whatever the budget, but not often: an earlier start leaves less of a block."""
        device, at = schedule.device, schedule.issued_at
        slot = schedule.slot_at(at)
        noted = self._blocks_noted.get(device)
        if slot is None or slot.mode != BLOCK or (noted is not None and at < noted + NOTED_EVERY_S):
            return
        self._blocks_noted[device] = since = max(slot.start, at)
        self._queue.submit(device, "block", (REPLACE_FACT, (f"{BLOCK_START}{device}", str(since))))

    def block_noted(self, device: str) -> int | None:
        """When (Unix seconds) a block began whose schedule had to wait for the disk."""
        text = self._store.get_value(f"{BLOCK_START}{device}")
        return int(text) if text is not None and text.isdecimal() else None

    def on_late(self, device: str) -> None:
        """What had to wait is stored, and its revision with it."""
        self._reserved.pop(device, None)

    def is_last(self, schedule: Schedule) -> bool:
        """Of what an earlier life stored: was no later one published and not stored?"""
        return self.highest_revision(schedule.device) <= schedule.revision

    def stored(self) -> dict[str, Schedule]:
        """By device what was stored last."""
        sql = "SELECT device, document FROM schedules"
        found = self._store.rows(sql, (), lambda row: _stored_schedule(*row))
        return {schedule.device: schedule for schedule in found}

    def forget(self, device: str) -> Answer:
        return self._queue.put(
            device, SCHEDULE, ("DELETE FROM schedules WHERE device = ?", (device,))
        )


def _stored_schedule(device: str, text: str) -> Schedule:
    schedule = _from_text(text)
    if schedule.device != device:
        raise ValueError(f"a schedule of {schedule.device}")
    words = MODES[schedule.device_type]
    modes = [*(slot.mode for slot in schedule.slots), schedule.default.mode, schedule.offline.mode]
    if not set(modes) <= set(words):
        raise ValueError(f"modes {modes}")
    instants = [schedule.issued_at, schedule.valid_from, schedule.valid_until, schedule.revision]
    instants += [edge for slot in schedule.slots for edge in (slot.start, slot.end)]
    if not all(slot.phases in (None, 1, 2, 3) for slot in schedule.slots):
        raise ValueError("phases that cannot be")
    powers = [slot.power_w for slot in schedule.slots]
    numbers: Sequence[object] = [*instants, *powers, schedule.offline.after_s]
    if not all(type(number) is int and -1_000_000 <= number < 2**32 for number in numbers):
        raise ValueError("a number that cannot be")
    ends = [0]
    for slot in schedule.slots:
        if not ends[-1] <= slot.start < slot.end:
            raise ValueError("slots out of order")
        ends.append(slot.end)
    return schedule


def _to_text(schedule: Schedule) -> str:
    return json.dumps(dataclasses.asdict(schedule), default=str, separators=(",", ":"))


def _decimal(value: str | None) -> Decimal | None:
    return None if value is None else Decimal(value)


def _from_text(text: str) -> Schedule:
    raw = json.loads(text)
    slots = tuple(
        ScheduleSlot(
            **{
                **slot,
                "energy_kwh": Decimal(slot["energy_kwh"]),
                "price": _decimal(slot["price"]),
            }
        )
        for slot in raw["slots"]
    )
    goal = raw["goal"]
    return Schedule(
        **{
            **raw,
            "device_type": DeviceType(raw["device_type"]),
            "slots": slots,
            "default": DefaultCommand(**raw["default"]),
            "offline": OfflineRule(**raw["offline"]),
            "goal": Goal(
                _decimal(goal["energy_kwh"]), _decimal(goal["target_soc_percent"]), goal["ready_by"]
            ),
            "cost": Decimal(raw["cost"]),
            "baseline_cost": Decimal(raw["baseline_cost"]),
        }
    )
