"""Anything that is on or off: a pool pump, a dehumidifier. Pure."""

from typing import Literal

from agent.energy.profile import DeviceProfile
from agent.energy.schedule import DefaultCommand, DeviceType, OfflineRule
from agent.home.kinds.switched import Switched, SwitchedKind


class GenericLoad(Switched):
    type: Literal["load"]


class LoadKind(SwitchedKind[GenericLoad]):
    type = "load"
    section = GenericLoad

    def name(self) -> str:
        return "load"

    def profile(self, section: GenericLoad) -> DeviceProfile:
        return DeviceProfile(
            id=section.id,
            type=DeviceType.FLEXIBLE,
            on_mode="charge",
            pause_mode="idle",
            max_power_w=section.power_w,
            min_power_w=section.power_w,
            default=DefaultCommand("idle", 0),
            offline=OfflineRule(section.offline_after_s, "release", 0),
            priority=section.priority,
            min_on_s=section.min_on_s,
            min_off_s=section.min_off_s,
        )
