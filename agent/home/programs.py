"""What a program asks for that a person has loaded. Pure."""

from datetime import datetime
from decimal import Decimal

from agent.config.devices import ProfilePart, ProgramAppliance
from agent.energy.instants import format_instant, to_unix_floor
from agent.energy.schedule import Goal
from agent.energy.situation import ZERO, ProfileSegment, Program
from agent.home.device_state import DeviceState
from agent.home.planning_input import WITHOUT_DEADLINE, ActiveNeed, PlanningInput, energy_kwh_of
from agent.home.windows import SiteLocation, next_ready_by
from agent.home.wishes import Wish


def program_input(
    section: ProgramAppliance, tracker: DeviceState, wish: Wish, place: SiteLocation, now: datetime
) -> PlanningInput:
    if wish.loaded_at is None:
        return PlanningInput(None)
    deadline = wish.ready_by or next_ready_by(section.ready_by, wish.loaded_at, place.zone)
    if deadline is None:
        deadline = wish.loaded_at + WITHOUT_DEADLINE
    started = tracker.session.started_at
    profile = tuple(
        ProfileSegment(part.duration_s, Decimal(part.power_w)) for part in section.profile
    )
    energy = sum((energy_kwh_of(part.power_w, part.duration_s) for part in section.profile), ZERO)
    ran = (now - started).total_seconds() if started else 0.0
    missing = sum(
        (energy_kwh_of(part.power_w, seconds) for part, seconds in _remaining_parts(section, ran)),
        ZERO,
    )
    peak = max(part.power_w for part in section.profile)
    needs = (ActiveNeed(format_instant(wish.loaded_at), missing, peak, deadline),)
    device = Program(
        id=section.id,
        profile=profile,
        deadline=to_unix_floor(deadline),
        started_at=None if started is None else min(to_unix_floor(started), to_unix_floor(now)),
        priority=section.priority,
    )
    return PlanningInput(
        device,
        Goal(energy, None, to_unix_floor(deadline)),
        full=False,
        latest=deadline,
        needs=needs,
        running=tracker.session.confirmed,
    )


def _remaining_parts(section: ProgramAppliance, ran_s: float) -> list[tuple[ProfilePart, float]]:
    """What is left of each part of the profile, in seconds."""
    out = []
    for part in section.profile:
        out.append((part, max(0.0, part.duration_s - max(0.0, ran_s))))
        ran_s -= part.duration_s
    return out
