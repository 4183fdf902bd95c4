"""What a device was told, what of it it holds, and how long it has been blocked by that. Pure."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from agent.energy.instants import from_unix, to_unix_floor
from agent.energy.readings import Acknowledgement, AckStatus
from agent.energy.schedule import BLOCK, HEAT, DeviceType, Schedule
from agent.home.model.commanded import CommandedSpan

LIMIT = "limit"
# A compressor that has just begun ends its run in its own time.
DWELLS_S = 1200
# One that is heard so long after it was told something and has not answered never will.
ANSWERS_WITHIN = timedelta(minutes=10)


@dataclass(slots=True)
class HeldSchedules:
    """`latest` was told last; what it rejected it does not hold.

    `unanswered_since`: it has not acknowledged what it was told then, nor anything since.
    `followed_alone` was told by an earlier life, and followed while nobody was there.
    `block_since`, `block_ended` (Unix seconds): the block under way, and the end of the last one.
    """

    latest: Schedule | None = None
    unanswered_since: datetime | None = None
    followed_alone: Schedule | None = None
    block_since: int | None = None
    block_ended: int | None = None
    _held: list[Schedule] = field(default_factory=list)

    @property
    def held(self) -> Schedule | None:
        """What it is taken to follow; None: nothing, it is on its own logic."""
        return self._held[-1] if self._held else None

    @property
    def refused(self) -> bool:
        """Does it hold nothing of what it was told?"""
        return self.latest is not None and not self._held

    @property
    def acts_by_itself(self) -> bool:
        """Is what it does outside of its slots its own affair?"""
        held = self.held
        own = (*HEAT, DeviceType.PROGRAM, DeviceType.BATTERY, DeviceType.PV_INVERTER)
        return held is None or held.device_type in own

    @property
    def free_outside(self) -> bool:
        """Does it draw what it likes outside of its slots?"""
        held = self.held
        return held is None or held.device_type in (*HEAT, DeviceType.BATTERY)

    def blocked(self, now: datetime) -> bool:
        """Should it take nothing now, though it keeps its own time for ending a run?"""
        since = self.block_since
        return since is not None and to_unix_floor(now) - since >= DWELLS_S

    def spans(self) -> list[CommandedSpan]:
        slots = self.held.slots if self.held else ()
        return [
            CommandedSpan(from_unix(slot.start), from_unix(slot.end), float(slot.power_w))
            for slot in slots
        ]

    def limit_w(self, now: datetime) -> float | None:
        """The most that an inverter may give now; None: as much as it can."""
        held = self.held
        if held is None:
            return None
        command = held.slot_at(to_unix_floor(now)) or held.default
        return float(command.power_w) if command.mode == LIMIT else None

    def tell(self, schedule: Schedule | None, now: datetime) -> None:
        """It was told this; None: its schedule was taken back."""
        self.note_block(now)
        self.latest = schedule
        if schedule is None:
            self._held.clear()
            self.unanswered_since = None
        else:
            self._held = [*self._held[-1:], schedule]
            self.unanswered_since = self.unanswered_since or now

    def answer(self, ack: Acknowledgement) -> bool:
        """Take an acknowledgement in. True where it holds something else than was thought."""
        named = self.latest is not None and ack.revision == self.latest.revision
        if named or ack.status is AckStatus.REJECTED:
            self.unanswered_since = None
        if ack.status is AckStatus.REJECTED:
            self._held = [item for item in self._held if item.revision == ack.revision]
            return True
        if ack.status is AckStatus.ACCEPTED and named and self.latest and not self._held:
            # What was refused came before it.
            self._held = [self.latest]
            return True
        return False

    def never_answers(self, last_seen_at: datetime | None) -> bool:
        """Is it heard, and has not acknowledged what it was told?"""
        since = self.unanswered_since
        if since is None or last_seen_at is None:
            return False
        return last_seen_at - since >= ANSWERS_WITHIN

    def recall_block(self, since: int) -> None:
        """One began then (Unix seconds), of which no more may be known."""
        if self.block_since is None and since > (self.block_ended or 0):
            self.block_since = since

    def note_block(self, now: datetime) -> None:
        """A block is counted from its first second over every revision."""
        held, second = self.held, to_unix_floor(now)
        if held is None:
            # What it holds is not known yet, as at the start of a new life.
            return
        slot = held.slot_at(second)
        if slot is not None and slot.mode == BLOCK:
            # The start of a slot under way is told five minutes early: it began when it was told.
            self.block_since = self.block_since or max(slot.start, held.issued_at)
        elif self.block_since is not None:
            ends = [item.end for item in held.slots if item.mode == BLOCK and item.end <= second]
            self.block_since, self.block_ended = None, max(ends, default=second)
