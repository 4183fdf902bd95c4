"""What a device said of itself, and when."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

Value = float | bool | str

# How long a reading is believed: a car stays where it is until it says otherwise, its power not.
AGE_LIMITS = {
    "plugged": timedelta(days=7),
    "soc_percent": timedelta(days=7),
    "energy_kwh": timedelta(hours=24),
    "energy_total_kwh": timedelta(days=7),
    "power_w": timedelta(hours=1),
    "temperature_c": timedelta(hours=2),
    "mode": timedelta(hours=24),
    "error": timedelta(hours=24),
    "following": timedelta(hours=24),
}


@dataclass(frozen=True, slots=True)
class Reading:
    """One value of one kind (the keys of AGE_LIMITS), true at `at` (aware UTC).

    `at_is_guessed`: nobody said when; it is no older than that.
    """

    kind: str
    value: Value
    at: datetime
    at_is_guessed: bool = False

    def holds(self, now: datetime) -> bool:
        return now - self.at <= AGE_LIMITS[self.kind]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A key of a device's state that cannot be read, and why; the others count."""

    kind: str
    why: str


@dataclass(frozen=True, slots=True)
class UnreadableMessage:
    """A whole message of a device that cannot be read; `over`: what comes there now can."""

    topic: str
    over: bool = False


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """What a device says of itself once; powers in W. Every part may be missing.

    `phases`: 1 to 3, or `switched` between one and three.
    """

    maker: str = ""
    model: str = ""
    firmware: str = ""
    serial: str = ""
    follows: str = ""
    min_power_w: float | None = None
    max_power_w: float | None = None
    phases: int | str | None = None


@dataclass(frozen=True, slots=True)
class Presence:
    """The device's own `status`: is it there?"""

    online: bool


class AckStatus(StrEnum):
    """S2's words for what became of an instruction."""

    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"
    STARTED = "STARTED"
    SUCCEEDED = "SUCCEEDED"
    ABORTED = "ABORTED"
    REVOKED = "REVOKED"


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """`revision` is the one the device holds afterwards, 0 where it holds none."""

    revision: int
    status: AckStatus
    diagnostic: str = ""
