"""The house: its name on MQTT, where it stands, and what its connection can carry."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from agent.config.base import KeyFault, Name, PositiveWatts, Section, Watts, Zone, matching, refuse

WholeTopic = Annotated[
    str,
    matching(
        r"[^+#\x00]{1,256}",
        "the whole topic of one thermometer such as garden/temperature, no + or #",
    ),
]


class PvSection(Section):
    """A roof: its peak, how steep it is, and where it looks (180 south, 90 east, 270 west)."""

    EXAMPLE = "{peak_w: 6000, tilt_deg: 30, azimuth_deg: 180}"

    peak_w: PositiveWatts
    tilt_deg: float = Field(default=30.0, ge=0, le=90)
    azimuth_deg: float = Field(default=180.0, ge=0, le=360)


class LimitScope(StrEnum):
    """What a limit of the grid binds.

    All that the house imports, or, as §14a EnWG has it, what its controllable devices
    draw from the grid.
    """

    HOUSE = "house"
    CONTROLLABLE = "controllable"


class SiteSection(Section):
    """`timezone` is an IANA name; left out, the tariff's own zone counts.

    `outdoor_topic` is the whole topic of an outdoor thermometer, `outdoor_mean_c` the mean of these
    days where there is none; without both what is usual for the season counts.
    `controllable_devices` None: chargers, heat pumps and batteries above 4.2 kW.
    `simultaneity_factors` are for two devices, for three and so on; the last for all that follow.
    `export_limit_w` is the most that the grid takes from the roof.
    """

    id: Name = "home"
    timezone: Zone | None = None
    latitude: float | None = Field(default=None, ge=-90, le=90)
    longitude: float | None = Field(default=None, ge=-180, le=180)
    import_limit_w: PositiveWatts | None = None
    export_limit_w: Watts | None = None
    base_load_w: Watts = 0
    failsafe_limit_w: PositiveWatts | None = None
    limit_scope: LimitScope = LimitScope.HOUSE
    controllable_devices: tuple[Name, ...] | None = None
    simultaneity_factors: tuple[Annotated[float, Field(ge=0, le=1)], ...] = Field(
        default=(0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5, 0.45), min_length=1
    )
    pv: PvSection | None = None
    outdoor_topic: WholeTopic | None = None
    outdoor_mean_c: float | None = Field(default=None, ge=-50, le=50, allow_inf_nan=False)

    @model_validator(mode="after")
    def _whole_place(self) -> "SiteSection":
        place = {"latitude": self.latitude, "longitude": self.longitude}
        missing = [name for name, value in place.items() if value is None]
        if len(missing) == 1:
            expected = "is missing; latitude and longitude are given together or not at all"
            refuse([KeyFault((missing[0],), expected)])
        return self


class PlannerSection(Section):
    """`change_cost` (currency) is what one changed switching has to save to be worth it."""

    estimate_margin_per_kwh: float = Field(default=0.0, ge=0)
    change_cost: float = Field(default=0.01, ge=0)
    time_limit_s: float = Field(default=2.0, ge=0.1, le=60)
