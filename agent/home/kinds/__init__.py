"""The kinds of devices: `KINDS` by the `type` of a config section. One file and one line each.

`READ_ONLY` are the sections of what is only read and never told anything.
"""

from collections.abc import Mapping
from typing import Any

from agent.config.devices import DeviceSection
from agent.config.document import Config
from agent.energy.profile import DeviceProfile
from agent.home.kinds.battery import BatteryKind
from agent.home.kinds.ev_charger import EvChargerKind
from agent.home.kinds.heat import HeatPumpKind, WaterHeaterKind
from agent.home.kinds.hot_water_tank import HotWaterTankKind
from agent.home.kinds.house_heat_pump import HouseHeatPumpKind
from agent.home.kinds.kind import DeviceKind
from agent.home.kinds.load import LoadKind
from agent.home.kinds.meter import Meter
from agent.home.kinds.program import ProgramKind
from agent.home.kinds.pv_inverter import PvInverterKind

_ALL: tuple[DeviceKind[Any], ...] = (
    EvChargerKind(),
    HeatPumpKind(),
    WaterHeaterKind(),
    LoadKind(),
    ProgramKind(),
    BatteryKind(),
    HouseHeatPumpKind(),
    HotWaterTankKind(),
    PvInverterKind(),
)
KINDS: Mapping[str, DeviceKind[Any]] = {kind.type: kind for kind in _ALL}

READ_ONLY: tuple[type[DeviceSection], ...] = (Meter,)


def profile_of(section: DeviceSection, config: Config) -> DeviceProfile:
    """The device as it is in that house."""
    kind = KINDS[section.type]
    return kind.at_site(kind.profile(section), config)


__all__ = ["KINDS", "READ_ONLY", "DeviceKind", "profile_of"]
