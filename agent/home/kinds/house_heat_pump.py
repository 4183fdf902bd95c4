"""A heat pump and the house it heats: warm while it is cheap, coasting while it is dear. Pure."""

from collections.abc import Sequence
from datetime import time
from typing import Literal

from pydantic import model_validator

from agent.config.base import KeyFault, refuse
from agent.config.heat import (
    AIR_TO_WATER,
    MILD_C,
    Band,
    ComfortBand,
    Cop,
    HeatStoreSection,
    HouseSection,
)
from agent.config.units import kw_meant
from agent.energy.schedule import DeviceType
from agent.energy.sentences import sentence
from agent.energy.situation import TemperatureSpan
from agent.home.estimates.heat_loss import HeatStore
from agent.home.kinds.thermal import ThermalKind, in_steps, outdoor_spans
from agent.home.model.thermal import ThermalState, ThermalTraits
from agent.home.planning_input import PlanningContext

LOWEST_ROOM_C, HIGHEST_ROOM_C = 5.0, 35.0
DAYTIME = ComfortBand(start=time(6), end=time(22, 30), min_c=20.0, max_c=22.5)


class HouseHeatPump(HeatStoreSection):
    """A heat pump that heats the house, planned by its warmth.

    `power_w` is what it takes from the grid at most. Its own thermostat is best set to the lowest
    temperature that the house may have: what is above it is planned.
    """

    type: Literal["house_heat_pump"]
    house: HouseSection = HouseSection()
    cop: Cop = AIR_TO_WATER
    comfort: tuple[ComfortBand, ...] = (DAYTIME,)
    setback: Band = Band(min_c=18.0, max_c=22.5)
    min_on_s: int = 1800
    min_off_s: int = 1800

    @model_validator(mode="after")
    def _check_reach(self) -> "HouseHeatPump":
        refuse(
            KeyFault(
                keys,
                f"is {band.min_c:g} to {band.max_c:g} °C; expected a room of "
                f"{LOWEST_ROOM_C:g} to {HIGHEST_ROOM_C:g}",
            )
            for keys, band in self.keyed_bands()
            if not (band.min_c >= LOWEST_ROOM_C and band.max_c <= HIGHEST_ROOM_C)
        )
        heat_w = self.power_w * self.heat_per_w(MILD_C) + self.house.gains
        reaches_c = MILD_C + heat_w / self.house.loss_w_per_c
        expected = (
            f"{self.power_w} W of power_w warm this house to {reaches_c:.1f} °C at most while it "
            f"is {MILD_C:g} outdoors; expected a lower min_c, a smaller loss of the house or more "
            f"power_w{kw_meant(self.power_w)}"
        )
        refuse(
            KeyFault((*keys, "min_c"), expected, band.min_c)
            for keys, band in self.keyed_bands()
            if band.min_c > reaches_c
        )
        return self


class HouseHeatPumpKind(ThermalKind[HouseHeatPump]):
    type = "house_heat_pump"
    section = HouseHeatPump
    device_type = DeviceType.SPACE_HEATING
    lowest_wish_c = LOWEST_ROOM_C
    unfelt_c = 0.2

    def thermal_traits(self, section: HouseHeatPump) -> ThermalTraits:
        house = section.house
        return ThermalTraits(
            HeatStore(house.capacity, house.loss_w_per_c, house.gains),
            lowest_c=-10.0,
            highest_c=40.0,
            slack_c=1.5,
            moves_c_per_h=4.0,
            settles_s=1200.0,
            # Doors, sun and guests hold a temperature for hours; no house is the same for days.
            stands_c=8.0,
            learns=True,
        )

    def highest_wish_c(self, section: HouseHeatPump) -> float:
        return 30.0

    def surrounding_c(
        self, section: HouseHeatPump, context: PlanningContext
    ) -> Sequence[TemperatureSpan]:
        return outdoor_spans(context)

    def describe(self, section: HouseHeatPump) -> str:
        house = section.house
        bands = ", ".join(
            f"{band.min_c:g} to {band.max_c:g} °C from {band.start:%H:%M} to {band.end:%H:%M}"
            for band in section.comfort
        )
        is_known = "type" in house.model_fields_set or house.design_loss_kw is not None
        assumed = "" if is_known else f" (as {house.type}: its type is not given)"
        return (
            f"heat pump of {section.power_w} W for a house that loses {house.loss_w_per_c:.0f} W "
            f"a degree and stores {house.capacity:.1f} kWh a degree{assumed}, "
            f"{bands or 'no bands'}, else {section.setback.min_c:g} to {section.setback.max_c:g} °C"
        )

    def beliefs(
        self, section: HouseHeatPump, state: ThermalState, context: PlanningContext
    ) -> tuple[str, ...]:
        estimate, house = state.estimate, section.house
        loss = house.loss_w_per_c * in_steps(estimate.loss_factor)
        capacity = house.capacity * in_steps(estimate.capacity_factor)
        whence = sentence("learned") if estimate.learned else sentence("as configured")
        return (
            sentence(
                "the house is taken to lose {loss:.0f} W and to store {capacity:.1f} kWh per "
                "degree ({whence})",
                loss=loss,
                capacity=capacity,
                whence=whence,
            ),
            sentence("outdoors: {source}", source=context.expected_outdoor.source),
        )
