"""What a device is told: a complete schedule, and the one line to obey now.

Instants are whole Unix seconds, powers whole W (negative while discharging; of an inverter the most
it may give), as on the wire.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class DeviceType(StrEnum):
    EVSE = "evse"
    BATTERY = "battery_storage"
    SPACE_HEATING = "space_heating"
    WATER_HEATING = "water_heating"
    PROGRAM = "program"
    FLEXIBLE = "flexible"
    PV_INVERTER = "pv_inverter"


# The order numbers the modes of the compact form, from 1 (heat: SG Ready 1 2 3 4).
MODES = {
    DeviceType.EVSE: ("idle", "charge", "release"),
    DeviceType.FLEXIBLE: ("idle", "charge", "release"),
    DeviceType.PROGRAM: ("idle", "run"),
    DeviceType.BATTERY: ("auto", "hold", "charge", "discharge"),
    DeviceType.PV_INVERTER: ("auto", "limit"),
    DeviceType.SPACE_HEATING: ("block", "normal", "boost", "force"),
    DeviceType.WATER_HEATING: ("block", "normal", "boost", "force"),
}
BLOCK = "block"
HEAT = (DeviceType.SPACE_HEATING, DeviceType.WATER_HEATING)
# What takes less than this share of what is asked takes nothing (wire contract, section 1a).
NOTHING_SHARE = 0.05


def spoken_mode(device_type: DeviceType, mode: str) -> str:
    """The mode as people are told it: what stores nothing does not charge."""
    return "run" if (device_type, mode) == (DeviceType.FLEXIBLE, "charge") else mode


@dataclass(frozen=True, slots=True)
class ScheduleSlot:
    start: int
    end: int
    mode: str
    power_w: int
    energy_kwh: Decimal
    price: Decimal | None
    reason: str
    phases: int | None = None


@dataclass(frozen=True, slots=True)
class DefaultCommand:
    """What holds outside of slots."""

    mode: str
    power_w: int


@dataclass(frozen=True, slots=True)
class OfflineRule:
    """What holds `after_s` seconds after the schedule has run out."""

    after_s: int
    mode: str
    power_w: int


@dataclass(frozen=True, slots=True)
class Goal:
    """For people: what is still to come. Ends nothing."""

    energy_kwh: Decimal | None = None
    target_soc_percent: Decimal | None = None
    ready_by: int | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    device: str
    device_type: DeviceType
    revision: int
    issued_at: int
    valid_from: int
    valid_until: int
    currency: str
    slots: tuple[ScheduleSlot, ...]
    default: DefaultCommand
    offline: OfflineRule
    goal: Goal = Goal()
    cost: Decimal = Decimal(0)
    baseline_cost: Decimal = Decimal(0)
    status: str = "optimal"
    estimated: bool = False

    def slot_at(self, when: int) -> ScheduleSlot | None:
        for slot in self.slots:
            if slot.start <= when < slot.end:
                return slot
        return None

    def next_change(self, when: int) -> int:
        """The first instant after `when` at which what holds may change."""
        edges = [edge for slot in self.slots for edge in (slot.start, slot.end)]
        return min((edge for edge in edges if edge > when), default=self.valid_until)


@dataclass(frozen=True, slots=True)
class Setpoint:
    """The one line to obey from `at` until `until`."""

    revision: int
    at: int
    mode: str
    power_w: int
    until: int
    default: DefaultCommand
    offline: OfflineRule
    reason: str
    current_a: int | None = None
    phases: int | None = None
