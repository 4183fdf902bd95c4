"""What a device said last, when that was, and what of it cannot be read. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from agent.energy.instants import from_unix
from agent.energy.readings import Reading, Unreadable, UnreadableMessage, Value
from agent.home.model.device_clock import AHEAD, DeviceClock
from agent.home.model.meter import SESSION, TOTAL

# A retained reading without a time of its own may be this old.
UNTIMED_RETAINED_AGE = timedelta(days=1)
FIRST_BELIEVED = from_unix(1_577_836_800)  # 2020
# Smaller changes are not worth a new plan, nor a write to the SD card.
REPLAN_THRESHOLDS = {
    "soc_percent": 0.5,
    SESSION: 0.1,
    TOTAL: 0.1,
    "temperature_c": 0.5,
}
PERSISTED_KINDS = ("plugged", "soc_percent", SESSION, TOTAL, "mode", "error")


@dataclass(slots=True)
class LatestReadings:
    """The last reading of each kind; `unreadable` is why a kind, or a whole topic, is not read."""

    by_kind: dict[str, Reading] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    unreadable_topics: set[str] = field(default_factory=set)
    clock: DeviceClock = field(default_factory=DeviceClock)

    def get(self, kind: str) -> Reading | None:
        """The last one, however old."""
        return self.by_kind.get(kind)

    def value(self, kind: str, now: datetime) -> Value | None:
        """The last one of that kind; None where there is none or it is too old to believe."""
        reading = self.by_kind.get(kind)
        return reading.value if reading and reading.holds(now) else None

    def untimed(self, kind: str, value: Value, *, retained: bool, now: datetime) -> Reading:
        """A reading without a time: now, but a retained one is as old as what it repeats."""
        if not retained:
            return Reading(kind, value, now)
        old = self.by_kind.get(kind)
        if old is not None and old.value == value:
            return old
        return Reading(kind, value, now - UNTIMED_RETAINED_AGE, at_is_guessed=True)

    def take(self, reading: Reading, now: datetime, *, retained: bool) -> Reading | None:
        """The reading with the time that is believed; None where it says nothing new."""
        self.unreadable.pop(reading.kind, None)
        at = reading.at if reading.at >= FIRST_BELIEVED else now
        if not retained:
            at = self.clock.corrected(at, now)
        elif at > now + AHEAD:
            at = now
        reading = replace(reading, at=min(at, now))
        old = self.by_kind.get(reading.kind)
        if old is not None and reading.at < old.at:
            return None
        if old is None and reading.kind == "error" and not reading.value:
            # That nothing is wrong is no news where nothing was.
            return None
        self.put(reading)
        return reading

    def put(self, reading: Reading) -> None:
        """This is believed from now on, whatever was said."""
        self.by_kind[reading.kind] = reading

    def cannot_read(self, item: Unreadable | UnreadableMessage) -> None:
        """A key of its state, or all of what came on a topic; it stands until a good one comes."""
        if isinstance(item, Unreadable):
            # The first of them: with each value's own words health would be told anew all the time.
            self.unreadable.setdefault(item.kind, item.why)
        elif item.over:
            self.unreadable_topics.discard(item.topic)
        else:
            self.unreadable_topics.add(item.topic)

    def restore(self, readings: Mapping[str, Reading]) -> None:
        """What it told an earlier life."""
        self.by_kind.update(readings)


def differs(old: Reading | None, new: Reading) -> bool:
    """Is it another by so much that a plan may be another?"""
    if old is None or new.kind not in REPLAN_THRESHOLDS:
        return old is None or old.value != new.value
    return abs(float(new.value) - float(old.value)) >= REPLAN_THRESHOLDS[new.kind]
