"""A heat pump and a water heater that take the hint to heat a little more (SG Ready). Pure."""

from typing import ClassVar, Literal

from agent.config.heat import HeatStoreSection
from agent.energy.profile import DeviceProfile
from agent.energy.schedule import DefaultCommand, DeviceType, OfflineRule
from agent.home.kinds.switched import Switched, SwitchedKind, W
from agent.home.wishes import MODE_KEYS


class HeatPump(Switched):
    type: Literal["heat_pump"]


class WaterHeater(Switched):
    type: Literal["water_heater"]


def heat_profile(section: Switched | HeatStoreSection, device_type: DeviceType) -> DeviceProfile:
    """What hints to heat (SG Ready) are told to: `normal` without one, also when nobody answers."""
    return DeviceProfile(
        id=section.id,
        type=device_type,
        on_mode="boost",
        pause_mode="block",
        max_power_w=section.power_w,
        min_power_w=section.power_w,
        default=DefaultCommand("normal", 0),
        offline=OfflineRule(section.offline_after_s, "normal", 0),
        priority=section.priority,
        min_on_s=section.min_on_s,
        min_off_s=section.min_off_s,
    )


class HeatKind(SwitchedKind[W]):
    """`normal` is the appliance's own logic; it may ask for more once."""

    device_type: ClassVar[DeviceType]
    rests_while_away = True

    def name(self) -> str:
        return self.type.replace("_", " ")

    def profile(self, section: W) -> DeviceProfile:
        return heat_profile(section, self.device_type)

    def wish_keys(self, section: W) -> frozenset[str]:
        return MODE_KEYS | {"price_cap", "hours", "energy_kwh", "ready_by"}


class HeatPumpKind(HeatKind[HeatPump]):
    type = "heat_pump"
    section = HeatPump
    device_type = DeviceType.SPACE_HEATING


class WaterHeaterKind(HeatKind[WaterHeater]):
    type = "water_heater"
    section = WaterHeater
    device_type = DeviceType.WATER_HEATING
