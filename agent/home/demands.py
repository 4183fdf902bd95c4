"""From what is configured, wished and known to what a device asks of the planner. Pure."""

from datetime import datetime

from agent.config.devices import (
    DeviceSection,
    EvCharger,
    HeatPump,
    ProgramAppliance,
    WaterHeater,
)
from agent.home.asked import Asked
from agent.home.ev import ask_ev
from agent.home.loads import ask_switched
from agent.home.programs import ask_program
from agent.home.tracker import Tracker
from agent.home.windows import Place
from agent.home.wishes import Wish


def ask(
    section: DeviceSection,
    tracker: Tracker,
    wish: Wish,
    place: Place,
    now: datetime,
    away_until: datetime | None = None,
) -> Asked:
    """What the device asks for now. While people are away no heat is made in advance."""
    if tracker.opted_out(now):
        return Asked(None)
    if isinstance(section, EvCharger):
        return ask_ev(section, tracker, wish, place, now)
    if isinstance(section, ProgramAppliance):
        return ask_program(section, tracker, wish, place, now)
    if away_until is None or not isinstance(section, HeatPump | WaterHeater):
        away_until = now
    return ask_switched(section, tracker, wish, place, now, away_until)
