"""A heated house and a tank on MQTT: weeks on the virtual clock, with sensors as they are."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from agent.energy.plan import Engine, Plan
from agent.energy.situation import Situation
from agent.planning.joint.engine import JointEngine
from agent.planning.make import make_plan
from agent.planning.portfolio import ENGINES, Entry
from integrations.sandbox.appliances.followers import Command

# A Tuesday in the winter of the sandbox's prices.
START = datetime(2026, 1, 13, 12, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
NORMAL = Command("normal", 0)
PLANNED_EVERY_S = 3 * 3600
ALL_ENGINES = (*ENGINES, Entry(Engine.JOINT, JointEngine()))
HOUSE: Mapping[str, Any] = {
    "id": "heat_pump",
    "type": "house_heat_pump",
    "power_w": 4000,
    "min_power_w": 100,
    "control": "power",
    "min_on_s": 0,
    "min_off_s": 0,
    "house": {"type": "detached_1990", "area_m2": 140},
    "comfort": [
        {"start": "06:00", "end": "22:00", "min_c": 20, "max_c": 23},
    ],
    "setback": {"min_c": 19, "max_c": 23},
}
TANK: Mapping[str, Any] = {
    "id": "water_heater",
    "type": "hot_water_tank",
    "power_w": 2000,
    "litres": 200,
    "persons": 3,
    "control": "power",
    "min_power_w": 200,
    "comfort": [{"start": "05:30", "end": "06:00", "min_c": 50, "max_c": 60}],
    "setback": {"min_c": 42, "max_c": 60},
    "hygiene": {"programme": "ours", "every_days": 3},
}


@dataclass
class SparsePlanner:
    """The joint engine every few hours: what was planned holds in between."""

    every_s: int = PLANNED_EVERY_S
    seen: list[Situation] = field(default_factory=list)
    _last: Plan | None = None

    async def __call__(self, situation: Situation) -> Plan:
        last = self._last
        if last is None or situation.now - last.made_at >= self.every_s or self._changed(situation):
            self._last = last = make_plan(situation, time.monotonic, 20.0, ALL_ENGINES)
            self.seen.append(situation)
        return last

    def _changed(self, situation: Situation) -> bool:
        """Does anybody want something else than before?"""
        return [_wanted(one) for one in situation.devices] != [
            _wanted(one) for one in self.seen[-1].devices
        ]


def _wanted(device: Any) -> Any:
    return {(span.min_c, span.max_c) for span in device.comfort}, len(device.cop)
