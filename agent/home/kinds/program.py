"""A dishwasher or the like: starts once a person has loaded it, and runs through. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from pydantic import Field

from agent.config.devices import DeviceSection, ProfilePart, ReadyBy, Seconds
from agent.energy.instants import format_instant, to_unix_floor
from agent.energy.plan import DevicePlan
from agent.energy.profile import DeviceProfile
from agent.energy.schedule import DefaultCommand, DeviceType, Goal, OfflineRule, ScheduleSlot
from agent.energy.sentences import sentence
from agent.energy.situation import ZERO, ProfileSegment, Program
from agent.home.kinds.kind import DeviceKind, one_slot
from agent.home.model import program_run
from agent.home.model.device_model import DeviceModel
from agent.home.model.traits import Traits
from agent.home.planning_input import (
    WITHOUT_DEADLINE,
    ActiveNeed,
    PlanningContext,
    PlanningInput,
    energy_kwh_of,
)
from agent.home.windows import next_ready_by
from agent.home.wishes import Wish

# What a machine takes that waits for its start, W: absolutely, and of its most.
STANDBY_W, STANDBY_SHARE = 10.0, 0.02
# A run that lasts longer than its profile is asked after so often.
LOOKED_AT_AGAIN = timedelta(minutes=5)


class ProgramAppliance(DeviceSection):
    """A dishwasher or the like: starts once a person has loaded it, runs through."""

    type: Literal["program"]
    profile: tuple[ProfilePart, ...] = Field(min_length=1, max_length=32)
    ready_by: ReadyBy = ReadyBy(every_day="07:00")
    offline_after_s: Seconds = 900

    @property
    def duration(self) -> timedelta:
        return timedelta(seconds=sum(part.duration_s for part in self.profile))


class ProgramKind(DeviceKind[ProgramAppliance]):
    type = "program"
    section = ProgramAppliance
    missing_action = sentence("Set a later ready by.")

    def profile(self, section: ProgramAppliance) -> DeviceProfile:
        return DeviceProfile(
            id=section.id,
            type=DeviceType.PROGRAM,
            on_mode="run",
            pause_mode="idle",
            max_power_w=max(part.power_w for part in section.profile),
            min_power_w=0,
            default=DefaultCommand("idle", 0),
            offline=OfflineRule(section.offline_after_s, "idle", 0),
            priority=section.priority,
            run_s=int(section.duration.total_seconds()),
            run_parts=tuple((part.duration_s, part.power_w) for part in section.profile),
        )

    def traits(self, section: ProgramAppliance) -> Traits:
        most_w = max(part.power_w for part in section.profile)
        return replace(
            super().traits(section),
            run_parts=tuple((part.duration_s, part.power_w) for part in section.profile),
            standby_w=max(STANDBY_W, STANDBY_SHARE * most_w),
        )

    def wish_keys(self, section: ProgramAppliance) -> frozenset[str]:
        return frozenset({"start", "ready_by"})

    def describe(self, section: ProgramAppliance) -> str:
        total_s = int(section.duration.total_seconds())
        return f"program of {f'{total_s / 60:.0f} minutes' if total_s >= 60 else f'{total_s} s'}"

    def advance(
        self,
        section: ProgramAppliance,
        model: DeviceModel,
        wish: Wish,
        context: PlanningContext,
    ) -> None:
        ready_by = None
        if wish.loaded_at is not None:
            ready_by = _ready_by(section, wish, wish.loaded_at, context)
        program_run.carry_on(model, wish.loaded_at, context.now, ready_by=ready_by)
        model.pop_unassigned()

    def runs_until(
        self, section: ProgramAppliance, model: DeviceModel, now: datetime
    ) -> datetime | None:
        started = model.session.started_at
        if started is not None and now < started + section.duration:
            return started + section.duration
        # A profile is an estimate: what takes more than a waiting machine is not through.
        takes_more = program_run.takes_more_than_standby(model, now)
        return now + LOOKED_AT_AGAIN if takes_more else None

    def session_over(
        self,
        section: ProgramAppliance,
        model: DeviceModel,
        wish: Wish,
        context: PlanningContext,
    ) -> bool:
        loaded, done = wish.loaded_at, model.session.satisfied_at
        return loaded is not None and done is not None and done > loaded

    def slots(
        self, profile: DeviceProfile, plan: DevicePlan, *, most_w: int | None = None
    ) -> Sequence[ScheduleSlot]:
        return one_slot(profile, plan)

    def planning_input(
        self,
        section: ProgramAppliance,
        model: DeviceModel,
        wish: Wish,
        context: PlanningContext,
    ) -> PlanningInput:
        if wish.loaded_at is None:
            return PlanningInput(None)
        now = context.now
        deadline = _ready_by(section, wish, wish.loaded_at, context)
        started = model.session.started_at
        energy = sum(
            (energy_kwh_of(part.power_w, part.duration_s) for part in section.profile), ZERO
        )
        ran = (now - started).total_seconds() if started else 0.0
        missing = sum(
            (energy_kwh_of(part.power_w, left) for part, left in _remaining_parts(section, ran)),
            ZERO,
        )
        peak = max(part.power_w for part in section.profile)
        device = Program(
            id=section.id,
            profile=tuple(
                ProfileSegment(part.duration_s, Decimal(part.power_w)) for part in section.profile
            ),
            deadline=to_unix_floor(deadline),
            started_at=None if started is None else min(to_unix_floor(started), to_unix_floor(now)),
            priority=section.priority,
        )
        return PlanningInput(
            device,
            Goal(energy, None, to_unix_floor(deadline)),
            full=False,
            latest=deadline,
            needs=(
                ActiveNeed(
                    format_instant(wish.loaded_at), missing, peak, deadline, contiguous=True
                ),
            ),
            running=model.session.confirmed,
        )


def _ready_by(
    section: ProgramAppliance, wish: Wish, loaded_at: datetime, context: PlanningContext
) -> datetime:
    ready_by = section.ready_by
    if wish.values.ready_by_clock is not None:
        ready_by = ReadyBy(every_day=wish.values.ready_by_clock)
    deadline = wish.values.ready_by or next_ready_by(ready_by, loaded_at, context.location.zone)
    return loaded_at + WITHOUT_DEADLINE if deadline is None else deadline


def _remaining_parts(section: ProgramAppliance, ran_s: float) -> list[tuple[ProfilePart, float]]:
    """What is left of each part of the profile, in seconds."""
    out = []
    for part in section.profile:
        out.append((part, max(0.0, part.duration_s - max(0.0, ran_s))))
        ran_s -= part.duration_s
    return out
