"""What every device was told, and what it may be following by what it answered. Plain calls."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from agent.dispatch.published import NOTHING, Published
from agent.energy.instants import from_unix, to_unix_floor
from agent.energy.profile import DeviceProfile
from agent.energy.schedule import Schedule
from agent.energy.steps import Steps


@dataclass(slots=True)
class Deferred:
    """A schedule of which only the setpoint has gone; itself it follows at `due`, Unix seconds.

    `is_answered`: the device took the setpoint. The schedule on the broker is still the one before.
    """

    schedule: Schedule
    due: int
    is_answered: bool = False


@dataclass(slots=True)
class Holdings:
    """By device; `deferred` are those whose schedule had to wait."""

    profiles: Mapping[str, DeviceProfile]
    published: dict[str, Published] = field(default_factory=dict, init=False)
    deferred: dict[str, Deferred] = field(default_factory=dict, init=False)

    @property
    def any_held(self) -> bool:
        return any(item.latest is not None for item in self.published.values())

    def held(self, device: str) -> Schedule | None:
        """What was published last for the device."""
        item = self.published.get(device)
        return item.latest if item else None

    def schedules(self) -> dict[str, Schedule]:
        """What was published last, by device."""
        return {
            device: item.latest
            for device, item in self.published.items()
            if item.latest is not None
        }

    def told_most(self, device: str) -> Steps:
        """The most that the device may be taking of what it was told and has answered."""
        item = self.published.get(device)
        return item.most(self.profiles[device]) if item else NOTHING

    def told_at(self, device: str) -> int:
        """When it was told something else last; 0: never."""
        held = self.held(device)
        return held.issued_at if held else 0

    def staying(self) -> dict[str, Steps]:
        """What those may take that say that they do not take what they are told."""
        return {
            device: item.whatever_is_told(self.profiles[device])
            for device, item in self.published.items()
            if item.stays
        }

    def sent_w(self, now: datetime, devices: Collection[str]) -> int:
        """The sum of what those devices are told to take now."""
        second, total = to_unix_floor(now), 0
        for device, schedule in self.schedules().items():
            if device not in devices:
                continue
            slot = schedule.slot_at(second)
            profile = self.profiles[device]
            total += profile.max_draw_w(slot.mode, slot.power_w) if slot else 0
        return total

    def next_end(self, now: datetime) -> datetime | None:
        """When the first of the slots under way ends."""
        at = to_unix_floor(now)
        slots = (schedule.slot_at(at) for schedule in self.schedules().values())
        ends = [slot.end for slot in slots if slot is not None]
        return from_unix(min(ends)) if ends else None

    def overdue_at(self) -> datetime | None:
        """When the first that has not answered counts as following what it was told last."""
        times = [item.overdue_at for item in self.published.values()]
        known = [when for when in times if when is not None]
        return from_unix(min(known)) if known else None
