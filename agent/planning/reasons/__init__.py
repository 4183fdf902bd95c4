"""Why a plan is as it is: a code for each slot, and sentences with their numbers for a device.

All of it is read off the judged plan, or off another plan judged beside it; nothing off what an
engine meant. A sentence is there because what it says is so, and each fact is told once.
"""

from typing import Protocol

from agent.energy.plan import Reason
from agent.planning.devices.program import ScaledProgram
from agent.planning.devices.storage import ScaledStorage
from agent.planning.devices.thermal import ScaledThermal
from agent.planning.engine import Deadline
from agent.planning.judge import Judged
from agent.planning.problem import Model
from agent.planning.reasons.flexible import FlexibleReasons
from agent.planning.reasons.house import House
from agent.planning.reasons.program import ProgramReasons
from agent.planning.reasons.storage import StorageReasons
from agent.planning.reasons.thermal import ThermalReasons
from agent.planning.segments import Segment


class DeviceReasons(Protocol):
    def slot(self, piece: int, segment: Segment) -> str:
        """The code of a part of a plan that lies within one piece of time."""

    def why(self) -> tuple[Reason, ...]:
        """The sentences, the weightiest first."""


class Reasons:
    """Of one judged plan. When the deadline is near no other plans are judged beside it."""

    def __init__(self, judged: Judged, deadline: Deadline) -> None:
        self._house = House(judged, deadline)

    def of(self, model: Model) -> DeviceReasons:
        if isinstance(model, ScaledStorage):
            return StorageReasons(self._house, model)
        if isinstance(model, ScaledThermal):
            return ThermalReasons(self._house, model)
        if isinstance(model, ScaledProgram):
            return ProgramReasons(self._house, model)
        return FlexibleReasons(self._house, model)
