"""What one device may be following, by what was published and what it answered. Pure.

The rules are those of the wire contract's sections 1 (acknowledgements) and 2 ("under a site
limit"): `revision` is the one that the device holds, whatever it thinks of what came.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from agent.energy.profile import DeviceProfile
from agent.energy.readings import Acknowledgement, AckStatus
from agent.energy.schedule import Schedule, ScheduleSlot
from agent.energy.steps import Steps, combined

# One that never acknowledged counts as following what was published after this time.
ANSWERS_WITHIN_S = 60
NOTHING = Steps.constant(0)
# So many are known again where a device says that it holds an older one.
REMEMBERED = 8


def power_of(profile: DeviceProfile, schedule: Schedule | None) -> Steps:
    """The most that the device takes while it follows the schedule, to its end and beyond."""
    if schedule is None:
        return NOTHING
    rest = profile.max_draw_w(schedule.default.mode, schedule.default.power_w)
    at, values = [0], [float(rest)]
    for slot in schedule.slots:
        for start, power in draws_of(profile, slot, schedule.issued_at):
            if start == at[-1]:
                values[-1] = power
            else:
                at.append(start)
                values.append(power)
        at.append(slot.end)
        values.append(rest)
    return Steps(tuple(at), tuple(values))


def draws_of(
    profile: DeviceProfile, slot: ScheduleSlot, issued_at: int
) -> Sequence[tuple[int, float]]:
    """When the device begins to take how much at most while it follows the slot.

    A program takes what its parts do, one after the other.
    """
    if not profile.run_parts or slot.mode != profile.on_mode:
        return [(slot.start, profile.max_draw_w(slot.mode, slot.power_w))]
    # The slot of a run that begins now is told to have begun before, for clocks that are slow.
    latest = min(max(slot.start, issued_at), slot.end)
    spans = []
    ran_s = 0.0
    for seconds, watts in profile.run_parts:
        begin, end = slot.start + math.floor(ran_s), latest + math.ceil(ran_s + seconds)
        spans.append((begin, min(end, slot.end), watts))
        ran_s += seconds
    edges = sorted({slot.start, *(x for a, b, _ in spans for x in (a, b) if x < slot.end)})
    return [
        (at, float(max((watts for a, b, watts in spans if a <= at < b), default=slot.power_w)))
        for at in edges
    ]


@dataclass(slots=True)
class Published:
    """What one device may be following: what it acknowledged, and all that came after.

    `refused`: it has answered that it did not take what came up to that revision. `by_itself`: it
    has said that it holds nothing, or something unknown, and is on its own logic.
    """

    latest: Schedule | None = None
    unanswered: list[tuple[Schedule, int]] = field(default_factory=list)
    acknowledged: Schedule | None = None
    refused: int | None = None
    by_itself: bool = False
    _earlier: list[Schedule] = field(default_factory=list)

    @classmethod
    def unknown(cls, profile: DeviceProfile, like: Schedule) -> "Published":
        """Until it acknowledges something it may follow anything, so it counts with its most."""
        mode = replace(like.default, mode=profile.on_mode, power_w=round(profile.max_power_w))
        most = replace(like, revision=0, slots=(), default=mode)
        return cls(acknowledged=most, _earlier=[like])

    def publish(self, schedule: Schedule, now: int) -> None:
        self.latest = schedule
        self.unanswered.append((schedule, now))
        self._earlier = [*self._earlier[1 - REMEMBERED :], schedule]

    def withdraw(self) -> None:
        self.latest = self.acknowledged = self.refused = None
        self.by_itself = False
        self.unanswered.clear()
        self._earlier.clear()

    def answer(self, revision: int) -> bool:
        """It holds that revision: what came before is over. True where that is news."""
        for index, (schedule, _) in enumerate(self.unanswered):
            if schedule.revision == revision:
                self._holds(schedule)
                del self.unanswered[: index + 1]
                return True
        held = self._known(revision)
        if held is None or not (self.by_itself or self.refused is not None):
            return False
        # It has taken after all what it had refused, or lost.
        self._holds(held)
        return True

    def refuse(self, ack: Acknowledgement) -> bool:
        """It did not take what came, and says what it holds. True where that is news."""
        before = self.by_itself, self.refused, self.acknowledged
        latest = self.latest
        if ack.status is AckStatus.REVOKED or ack.revision == 0:
            self.by_itself, self.acknowledged = True, None
        elif latest is not None and ack.revision != latest.revision:
            self.acknowledged = self._known(ack.revision)
            self.by_itself = self.acknowledged is None
        if ack.status is AckStatus.REJECTED and latest and ack.revision != latest.revision:
            self.refused = latest.revision
        return (self.by_itself, self.refused, self.acknowledged) != before

    def _holds(self, schedule: Schedule) -> None:
        self.acknowledged, self.by_itself = schedule, False
        if self.refused is not None and self.latest is not None:
            self.refused = None if schedule is self.latest else self.refused

    def _known(self, revision: int) -> Schedule | None:
        known = (self.acknowledged, self.latest, *self._earlier)
        return next((item for item in known if item and item.revision == revision), None)

    def holds(self, revision: int) -> bool:
        """Does it count as following that revision, by its own word or for want of one?"""
        return self.acknowledged is not None and self.acknowledged.revision == revision

    @property
    def stays(self) -> bool:
        """Does it go on as it is, by its own word, whatever it was told?"""
        latest = self.latest
        return self.by_itself or (latest is not None and self.refused == latest.revision)

    def overdue(self, now: int, *, is_out: bool) -> bool:
        """Has it let the time pass? Then it counts as following what was published last.

        `is_out`: the broker has it. Before, nobody can answer, and the time does not run. One that
        has refused it, or is on its own logic, has not been silent: it counts as before.
        """
        if not self.unanswered:
            return False
        schedule, since = self.unanswered[-1]
        if not is_out:
            self.unanswered[-1] = schedule, now
            return False
        if now - since < ANSWERS_WITHIN_S:
            return False
        self.unanswered.clear()
        if self.stays:
            return False
        self.acknowledged = self.latest
        return True

    @property
    def overdue_at(self) -> int | None:
        return self.unanswered[-1][1] + ANSWERS_WITHIN_S if self.unanswered else None

    def most(self, profile: DeviceProfile) -> Steps:
        """The most it may take at each instant."""
        held = [schedule for schedule, _ in self.unanswered]
        parts = [power_of(profile, schedule) for schedule in (self.acknowledged, *held)]
        return combined([*parts, self.whatever_is_told(profile)], max)

    def whatever_is_told(self, profile: DeviceProfile) -> Steps:
        """What it may take whatever it is told now; nothing of one that does as it is told."""
        if self.by_itself:
            return Steps.constant(profile.max_draw_w("release", 0))
        return power_of(profile, self.acknowledged) if self.stays else NOTHING
