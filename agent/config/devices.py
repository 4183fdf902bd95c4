"""The appliances: one model a type, told apart by `type`.

Powers in W, energy in kWh, durations in seconds, clock times as local text.
"""

import re
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from agent.config.base import ClockTime, Name, Percent, Section, Watts, clock_time

Energy = Annotated[Decimal, Field(gt=0, le=1000)]
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

    start: WindowEdge = "00:00"
    end: WindowEdge = "00:00"
    days: tuple[Weekday, ...] = EVERY_DAY


class Need(Section):
    """Energy that a load takes once in each window: `hours` at full power, or `energy_kwh`."""

    hours: Decimal | None = Field(default=None, gt=0, le=24)
    energy_kwh: Energy | None = None
    window: Window = Window()
    contiguous: bool = False

    @model_validator(mode="after")
    def _one_amount(self) -> "Need":
        if (self.hours is None) == (self.energy_kwh is None):
            raise ValueError("give either hours or energy_kwh")
        return self


class ReadyBy(Section):
    """When the car must be ready, a weekday each; a day left out (or null) has no deadline.

    `every_day` fills the days that are not named. `exceptions` hold for one date.
    """

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


class DeviceBase(Section):
    id: Name
    priority: int = Field(default=0, ge=-100, le=100)


class EvCharger(DeviceBase):
    """A charger and the car at it.

    Demand comes from `target_soc_percent` with `battery_kwh` where the car's SoC is known, else
    from `energy_kwh` a session. `floor_soc_percent` is charged at once, whatever it costs.
    """

    type: Literal["ev_charger"]
    max_power_w: Watts = Field(gt=0)
    phases: Literal[1, 3] = 1
    voltage_v: int = Field(default=230, ge=100, le=260)
    battery_kwh: Energy | None = None
    target_soc_percent: Percent = 80
    floor_soc_percent: Percent = 0
    charge_efficiency: Decimal = Field(default=Decimal("0.9"), gt=0, le=1)
    energy_kwh: Energy | None = None
    ready_by: ReadyBy = ReadyBy(every_day="07:00")
    price_cap: Decimal | None = None
    contiguous: bool = False
    min_on_s: Seconds = 0
    min_off_s: Seconds = 0
    offline_power_w: Watts | None = None
    offline_after_s: Seconds = 900

    @property
    def min_power_w(self) -> int:
        """6 A on each phase, the least a charger can offer (IEC 61851)."""
        return 6 * self.voltage_v * self.phases

    @model_validator(mode="after")
    def _sizes(self) -> "EvCharger":
        if self.max_power_w < self.min_power_w:
            raise ValueError(
                f"max_power_w is {self.max_power_w}, but 6 A on {self.phases} phase(s) "
                f"is {self.min_power_w} W already"
            )
        if self.battery_kwh is None and self.energy_kwh is None:
            raise ValueError("give battery_kwh (with a car that tells its SoC) or energy_kwh")
        if self.offline_power_w and self.offline_power_w < self.min_power_w:
            raise ValueError(f"offline_power_w is 0 or at least {self.min_power_w} (6 A)")
        if self.floor_soc_percent > self.target_soc_percent:
            raise ValueError("floor_soc_percent lies above target_soc_percent")
        return self


class Switched(DeviceBase):
    """A load that is on or off and needs some hours or kWh in each window."""

    power_w: Watts = Field(gt=0)
    needs: tuple[Need, ...] = Field(min_length=1)
    price_cap: Decimal | None = None
    min_on_s: Seconds = 0
    min_off_s: Seconds = 0
    start_cost: Decimal = Field(default=Decimal(0), ge=0)
    offline_after_s: Seconds = 900

    @model_validator(mode="after")
    def _fits(self) -> "Switched":
        for index, need in enumerate(self.needs):
            if need.energy_kwh is not None and need.energy_kwh * 1000 > self.power_w * 24:
                raise ValueError(
                    f"needs[{index}].energy_kwh is more than {self.power_w} W give in a day"
                )
        return self


class HeatPump(Switched):
    type: Literal["heat_pump"]


class WaterHeater(Switched):
    type: Literal["water_heater"]


class Load(Switched):
    type: Literal["load"]


class ProfilePart(Section):
    duration_s: int = Field(gt=0, le=86_400)
    power_w: Watts


class ProgramAppliance(DeviceBase):
    """A dishwasher or the like: starts once a person has loaded it, runs through."""

    type: Literal["program"]
    profile: tuple[ProfilePart, ...] = Field(min_length=1, max_length=32)
    ready_by: ReadyBy = ReadyBy(every_day="07:00")
    offline_after_s: Seconds = 900


DeviceSection = Annotated[
    EvCharger | HeatPump | WaterHeater | Load | ProgramAppliance, Field(discriminator="type")
]
