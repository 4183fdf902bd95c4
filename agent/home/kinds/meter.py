"""A meter that is only read: what the house takes from the grid, or what its roof gives. Pure."""

from enum import StrEnum
from typing import Literal

from agent.config.devices import DeviceSection


class MeterRole(StrEnum):
    GRID = "grid"
    PV = "pv"


class Meter(DeviceSection):
    """Its `power_w`: at the grid import positive and export negative; of a roof what it gives."""

    type: Literal["meter"]
    role: MeterRole

    @property
    def controlled(self) -> bool:
        return False
