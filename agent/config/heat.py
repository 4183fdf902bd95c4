"""What owners say of a house or a tank: comfort by the week, loss by kind of house, hygiene.

Temperatures in °C, powers in W, a house's loss in kW at the temperature it was designed for. Pure.
"""

import math
from collections.abc import Iterator, Sequence
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from agent.config.base import ClockTime, EndTime, KeyFault, PositiveWatts, Section, refuse
from agent.config.devices import EVERY_DAY, Days, DeviceSection, Seconds
from agent.config.units import kw_meant
from agent.energy.curve import interpolated

Celsius = Annotated[float, Field(ge=0, le=95, allow_inf_nan=False)]
CopCurve = tuple[tuple[float, float], ...]
DAY_MINUTES = 24 * 60
COP_EXPECTED = (
    "expected a number such as 3.2, or points of outdoor temperature and number, [[-7, 2.4], "
    "[7, 3.7]], with numbers of 1 to 20"
)
MOST_POINTS = 32
# An air-to-water heat pump at 35 to 45 °C flow, by outdoor temperature.
AIR_TO_WATER: CopCurve = ((-15, 1.9), (-7, 2.4), (2, 3.1), (7, 3.7), (12, 4.4))
# Even on a mild day in autumn the heating has to reach what is asked of it.
MILD_C = 12.0


def _cop(value: object) -> CopCurve:
    """A number as a curve of one point."""
    points = value if isinstance(value, list | tuple) else [[7.0, value]]
    out = []
    for point in points:
        if not isinstance(point, list | tuple) or len(point) != 2:
            raise ValueError(COP_EXPECTED)
        numbers = [_number(part) for part in point]
        if not (-50 <= numbers[0] <= 60 and 1 <= numbers[1] <= 20):
            raise ValueError(COP_EXPECTED)
        out.append((numbers[0], numbers[1]))
    if not 1 <= len(out) <= MOST_POINTS or len({at for at, _ in out}) < len(out):
        raise ValueError(COP_EXPECTED)
    return tuple(sorted(out))


def _number(value: object) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(str(value))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(COP_EXPECTED)
    return number


Cop = Annotated[CopCurve, BeforeValidator(_cop)]


class Band(Section):
    """What the temperature is kept between."""

    EXAMPLE = "{min_c: 20, max_c: 22}"

    min_c: Celsius
    max_c: Celsius

    @model_validator(mode="after")
    def _check_order(self) -> "Band":
        if self.min_c >= self.max_c:
            expected = f"expected less than max_c, {self.max_c:g}"
            refuse([KeyFault(("min_c",), expected, self.min_c)])
        return self


class ComfortBand(Band):
    """The band of a span of the local day; an end that is not after the start is the next day's."""

    EXAMPLE = '{start: "06:00", end: "22:00", min_c: 20, max_c: 22}'

    start: ClockTime
    end: EndTime
    days: Days = EVERY_DAY

    def minutes(self) -> Iterator[tuple[int, int]]:
        """Its spans in minutes of the week from Monday 00:00; the last may end in the next week."""
        first = self.start.hour * 60 + self.start.minute
        last = self.end.hour * 60 + self.end.minute
        length = last - first + (DAY_MINUTES if last <= first else 0)
        for day in self.days:
            begin = EVERY_DAY.index(day) * DAY_MINUTES + first
            yield begin, begin + length


class HeatControl(StrEnum):
    """How it is steered: by the four states of SG Ready, or by a power that it keeps to."""

    SG_READY = "sg_ready"
    POWER = "power"


class HeatStoreSection(DeviceSection):
    """What heats, and the bands it keeps; subclasses say what is heated.

    Outside of `comfort` the `setback` holds. `force`: may be told to run beyond its comfort
    maximum with all it has (SG Ready 4), for hygiene.
    """

    power_w: PositiveWatts
    min_power_w: PositiveWatts | None = None
    control: HeatControl = HeatControl.SG_READY
    cop: Cop
    comfort: tuple[ComfortBand, ...]
    setback: Band
    min_on_s: Seconds = 0
    min_off_s: Seconds = 0
    start_cost: Decimal = Field(default=Decimal(0), ge=0, le=1000)
    block_max_s: int = Field(default=7200, ge=0, le=7200)
    force: bool = False
    offline_after_s: Seconds = 900

    @property
    def least_power_w(self) -> int:
        """SG Ready knows on and off alone."""
        return self.power_w if self.min_power_w is None else self.min_power_w

    def heat_per_w(self, outdoor_c: float) -> float:
        return interpolated(self.cop, outdoor_c)

    @property
    def bands(self) -> Sequence[Band]:
        return (*self.comfort, self.setback)

    def keyed_bands(self) -> Iterator[tuple[tuple[str | int, ...], Band]]:
        """Every band and where it stands in the section."""
        for index, band in enumerate(self.comfort):
            yield ("comfort", index), band
        yield ("setback",), self.setback

    @model_validator(mode="after")
    def _check_control(self) -> "HeatStoreSection":
        least = self.min_power_w
        if least is not None and self.control is HeatControl.SG_READY:
            expected = "it goes with control: power; sg_ready knows on and off alone"
            refuse([KeyFault(("min_power_w",), expected, least)])
        if least is not None and least > self.power_w:
            expected = f"expected at most power_w, {self.power_w}{kw_meant(self.power_w)}"
            refuse([KeyFault(("min_power_w",), expected, least)])
        return self

    @model_validator(mode="after")
    def _check_comfort(self) -> "HeatStoreSection":
        spans = sorted(
            (begin, end, index)
            for index, band in enumerate(self.comfort)
            for begin, end in band.minutes()
        )
        week = 7 * DAY_MINUTES
        if spans:
            # The week goes round: Sunday night may reach into Monday.
            spans.append((spans[0][0] + week, spans[0][1] + week, spans[0][2]))
        for (_, end, index), (begin, _, other) in pairwise(spans):
            if begin < end:
                day = EVERY_DAY[begin // DAY_MINUTES % 7].value
                clock = f"{begin % DAY_MINUTES // 60:02}:{begin % 60:02}"
                raise ValueError(
                    f"comfort[{index}] and comfort[{other}] overlap on {day} at {clock}; "
                    "expected bands that touch at most"
                )
        return self


class HouseType(StrEnum):
    DETACHED_1960 = "detached_1960"
    DETACHED_1980 = "detached_1980"
    DETACHED_1990 = "detached_1990"
    DETACHED_2005 = "detached_2005"
    DETACHED_NEW = "detached_new"
    TERRACED_1960 = "terraced_1960"
    TERRACED_1990 = "terraced_1990"
    TERRACED_NEW = "terraced_new"
    APARTMENT_1960 = "apartment_1960"
    APARTMENT_1990 = "apartment_1990"
    APARTMENT_NEW = "apartment_new"


# Heat load in W/m² at the design temperature, as rules of thumb beside EN 12831 give it by the
# standard of the years; a start, corrected by what is measured.
DESIGN_W_PER_M2 = {
    HouseType.DETACHED_1960: 130.0,
    HouseType.DETACHED_1980: 95.0,
    HouseType.DETACHED_1990: 70.0,
    HouseType.DETACHED_2005: 50.0,
    HouseType.DETACHED_NEW: 35.0,
    HouseType.TERRACED_1960: 100.0,
    HouseType.TERRACED_1990: 55.0,
    HouseType.TERRACED_NEW: 30.0,
    HouseType.APARTMENT_1960: 80.0,
    HouseType.APARTMENT_1990: 45.0,
    HouseType.APARTMENT_NEW: 25.0,
}
# Between medium and heavy of ISO 13790, kWh per degree and m².
CAPACITY_KWH_PER_C_M2 = 0.06
GAINS_W_PER_M2 = 3.0
USUAL_AREA_M2 = 120.0
DESIGN_INDOOR_C = 20.0


class HouseSection(Section):
    """The house: its type and size, or what is known better; what is given counts first."""

    EXAMPLE = "{type: detached_1990, area_m2: 140}"

    type: HouseType = HouseType.DETACHED_1990
    area_m2: float = Field(default=USUAL_AREA_M2, ge=10, le=5000, allow_inf_nan=False)
    design_loss_kw: float | None = Field(default=None, gt=0, le=500, allow_inf_nan=False)
    design_outdoor_c: float = Field(default=-12.0, ge=-50, le=10, allow_inf_nan=False)
    capacity_kwh_per_c: float | None = Field(default=None, gt=0, le=1000, allow_inf_nan=False)
    gains_w: float | None = Field(default=None, ge=0, le=20_000, allow_inf_nan=False)

    @property
    def loss_w_per_c(self) -> float:
        design_w = DESIGN_W_PER_M2[self.type] * self.area_m2
        if self.design_loss_kw is not None:
            design_w = self.design_loss_kw * 1000
        return design_w / (DESIGN_INDOOR_C - self.design_outdoor_c)

    @property
    def capacity(self) -> float:
        known = self.capacity_kwh_per_c
        return self.area_m2 * CAPACITY_KWH_PER_C_M2 if known is None else known

    @property
    def gains(self) -> float:
        return self.area_m2 * GAINS_W_PER_M2 if self.gains_w is None else self.gains_w


class HygieneSection(Section):
    """Heat against legionella: by a programme of the tank's `own`, or of `ours`, or `none`."""

    programme: Literal["own", "ours", "none"] = "own"
    temp_c: float = Field(default=60.0, ge=55, le=80, allow_inf_nan=False)
    hold_s: int = Field(default=1800, ge=0, le=6 * 3600)
    every_days: int = Field(default=7, ge=1, le=31)
