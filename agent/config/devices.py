"""What the sections of all appliances are made of; each kind's own is in agent.home.kinds.

Powers in W, energy in kWh, durations in seconds, clock times as local text.
"""

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field, model_validator

from agent.config.base import ClockTime, Name, Section, Watts, clock_time, end_time
from agent.config.calendar_words import days_of

Energy = Annotated[Decimal, Field(gt=0, le=1000)]
PriceCap = Annotated[Decimal, Field(ge=-1000, le=1000)]
Seconds = Annotated[int, Field(ge=0, le=86_400)]
SUN_TIME = re.compile(r"^(sunrise|sunset)([+-]\d{2}:[0-5]\d)?$")


class Weekday(StrEnum):
    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


EVERY_DAY = tuple(Weekday)


def _days(value: object) -> tuple[Weekday, ...]:
    return tuple(EVERY_DAY[index] for index in sorted(days_of(value)))


Days = Annotated[tuple[Weekday, ...], BeforeValidator(_days)]


def _window_edge(value: object) -> str:
    if isinstance(value, str) and SUN_TIME.match(value):
        return value
    try:
        return f"{clock_time(value):%H:%M}"
    except ValueError:
        raise ValueError(
            'expected a clock time such as "22:30" or a sun time such as "sunset-00:30"'
        ) from None


WindowEdge = Annotated[str, BeforeValidator(_window_edge)]


class Window(Section):
    """A span of the local day. An end that is not after the start lies on the next day."""

    EXAMPLE = '{start: "22:00", end: "06:00"}'

    start: WindowEdge = "00:00"
    end: Annotated[WindowEdge, BeforeValidator(end_time)] = "00:00"
    days: Days = EVERY_DAY

    def __str__(self) -> str:
        days = "" if self.days == EVERY_DAY else f" on {', '.join(self.days)}"
        if self.start == self.end == "00:00":
            return f"at any time{days or ' of the day'}"
        return f"from {self.start} to {self.end}{days}"


class EnergyNeed(Section):
    """Energy that a load takes once in each window: `hours` at full power, or `energy_kwh`.

    `late`: what is missing at the window's end is made good after it, until the next one begins;
    left out, only where no edge of the window follows the sun.
    """

    EXAMPLE = '{hours: 3, window: {start: "22:00", end: "06:00"}}'

    hours: Decimal | None = Field(default=None, gt=0, le=24)
    energy_kwh: Energy | None = None
    window: Window = Window()
    contiguous: bool = False
    late: bool | None = None

    @property
    def serves_late(self) -> bool:
        by_sun = self.window.start.startswith("sun") or self.window.end.startswith("sun")
        return not by_sun if self.late is None else self.late

    @model_validator(mode="after")
    def _one_amount(self) -> "EnergyNeed":
        if (self.hours is None) == (self.energy_kwh is None):
            raise ValueError("give either hours or energy_kwh")
        return self


class ReadyBy(Section):
    """When the car must be ready, a weekday each; a day left out (or null) has no deadline.

    `every_day` fills the days that are not named. `exceptions` hold for one date.
    """

    EXAMPLE = '{every_day: "07:00"}'

    every_day: ClockTime | None = None
    mon: ClockTime | None = None
    tue: ClockTime | None = None
    wed: ClockTime | None = None
    thu: ClockTime | None = None
    fri: ClockTime | None = None
    sat: ClockTime | None = None
    sun: ClockTime | None = None
    exceptions: dict[date, ClockTime | None] = Field(default_factory=dict)

    def on(self, day: date) -> ClockTime | None:
        """The clock time of that local date, None where it has no deadline."""
        if day in self.exceptions:
            return self.exceptions[day]
        name = EVERY_DAY[day.weekday()].value
        if name in self.model_fields_set:
            named: ClockTime | None = getattr(self, name)
            return named
        return self.every_day


class ProfilePart(Section):
    EXAMPLE = "{duration_s: 900, power_w: 2000}"

    duration_s: int = Field(gt=0, le=86_400)
    power_w: Watts


class AdapterSection(Section):
    """How a device is spoken to: `family` names the adapter, which may have keys of its own.

    `serves`: the types of devices that it can speak to, empty for all. `without_agent` says in
    words what such a device does when nobody speaks to it; empty where its schedule says that.
    """

    serves: ClassVar[frozenset[str]] = frozenset()
    without_agent: ClassVar[str] = ""

    family: str = "native"

    def controls(self) -> Mapping[str, str]:
        """What of another maker's it switches, by the key of the section that names it."""
        return {}

    def tells(self, kind: str) -> bool:
        """Can such a reading be expected of it? One that speaks our own contract tells any."""
        return True


class DeviceSection(Section):
    """What every appliance has; `type` names its kind, `adapter` how it is spoken to."""

    id: Name
    type: str
    adapter: AdapterSection = AdapterSection()
    priority: int = Field(default=0, ge=-100, le=100)

    @property
    def controlled(self) -> bool:
        """Is it told what to do, not only read?"""
        return True
