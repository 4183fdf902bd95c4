"""What the agent knows of a device at one moment, for those who show it: pages, home automation."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from agent.energy.plan import DevicePlan
from agent.energy.profile import DeviceProfile
from agent.energy.readings import DeviceInfo
from agent.energy.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Problem:
    """What a person should know, as a sentence, and what to do about it."""

    text: str
    what_to_do: str


@dataclass(frozen=True, slots=True)
class Setting:
    """What an owner may ask for: the value in force (None: none), and what is taken.

    Numbers have `least` and `most`, a clock time is local text such as "07:00".
    """

    value: float | str | None
    least: float | None = None
    most: float | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """What it was told, the plan behind it, and the deadline that it will miss.

    The deadline in Unix seconds, with how many kWh; None where there is none.
    """

    schedule: Schedule | None = None
    plan: DevicePlan | None = None
    at_risk: tuple[int, Decimal] | None = None


@dataclass(frozen=True, slots=True)
class DeviceView:
    """`kind` is the config's word, `settings` are keyed by the words of a request.

    `linked`: it is there and was heard of late. `ready_at` is when it has to be ready next, whether
    anything is planned for it yet or not. Where a value is None it is not known, or the
    device has no such thing. `problems` by name, only those that stand now. `tells_temperature`:
    one is to be expected of it.
    """

    id: str
    kind: str
    profile: DeviceProfile
    info: DeviceInfo
    wish_keys: frozenset[str]
    settings: Mapping[str, Setting]
    linked: bool
    opted_out: bool
    has_stays: bool
    plugged: bool
    power_w: float
    session_kwh: float
    soc_percent: float | None
    battery_kwh: float | None
    charge_efficiency: float
    discharge_efficiency: float
    temperature_c: float | None
    planned: Planned
    problems: Mapping[str, Problem]
    ready_at: datetime | None = None
    tells_temperature: bool = True


@dataclass(frozen=True, slots=True)
class EventView:
    """What has happened: `kind` is the wire's word, `device` None where it is of no device."""

    at: datetime
    kind: str
    device: str | None
    text: str


@dataclass(frozen=True, slots=True)
class SiteView:
    """`problems` as of a device; those of prices and of what the grid allows."""

    problems: Mapping[str, Problem]
