"""Why a plan is as it is: a code for each slot, and sentences with their numbers for a device.

All of it is read off the judged plan, or off another plan judged beside it; nothing off what an
engine meant. A sentence is there because what it says is so, and each fact is told once.
"""

import logging
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

log = logging.getLogger(__name__)

UNEXPLAINED = "unexplained"


class DeviceReasons(Protocol):
    def slot(self, piece: int, segment: Segment) -> str:
        """The code of a part of a plan that lies within one piece of time."""

    def why(self) -> tuple[Reason, ...]:
        """The sentences, the weightiest first."""


class Reasons:
    """Of one judged plan. When the deadline is near no other plans are judged beside it.

    Raises nothing: a plan counts more than its reasons.
    """

    def __init__(self, judged: Judged, deadline: Deadline) -> None:
        self._house = House(judged, deadline)
        self._known: dict[str, DeviceReasons] = {}

    def slot(self, model: Model, piece: int, segment: Segment) -> str:
        try:
            return self._of(model).slot(piece, segment)
        except Exception:
            # What nobody foresaw in a sentence must not lose the plan; it is not hidden either.
            log.exception("no reason for a slot of %s", model.id)
            return UNEXPLAINED

    def why(self, model: Model) -> tuple[Reason, ...]:
        try:
            return self._of(model).why()
        except Exception:
            # As above.
            log.exception("no reasons for %s", model.id)
            return ()

    def _of(self, model: Model) -> DeviceReasons:
        known = self._known.get(model.id)
        if known is None:
            known = self._known[model.id] = _reasons_of(self._house, model)
        return known


def _reasons_of(house: House, model: Model) -> DeviceReasons:
    if isinstance(model, ScaledStorage):
        return StorageReasons(house, model)
    if isinstance(model, ScaledThermal):
        return ThermalReasons(house, model)
    if isinstance(model, ScaledProgram):
        return ProgramReasons(house, model)
    return FlexibleReasons(house, model)
