"""From what is configured, wished and known to what a device asks of the planner. Pure."""

from datetime import datetime

from agent.config.devices import (
    DeviceSection,
    EvCharger,
    HeatPump,
    ProgramAppliance,
    WaterHeater,
)
from agent.home.device_state import DeviceState
from agent.home.ev import ev_input
from agent.home.planning_input import PlanningInput
from agent.home.programs import program_input
from agent.home.switched import switched_input
from agent.home.windows import SiteLocation
from agent.home.wishes import Wish


def ask(
    section: DeviceSection,
    tracker: DeviceState,
    wish: Wish,
    place: SiteLocation,
    now: datetime,
    away_until: datetime | None = None,
) -> PlanningInput:
    """What the device asks for now. While people are away no heat is made in advance."""
    if tracker.opted_out(now):
        return PlanningInput(None)
    if isinstance(section, EvCharger):
        return ev_input(section, tracker, wish, place, now)
    if isinstance(section, ProgramAppliance):
        return program_input(section, tracker, wish, place, now)
    if away_until is None or not isinstance(section, HeatPump | WaterHeater):
        away_until = now
    return switched_input(section, tracker, wish, place, now, away_until)
