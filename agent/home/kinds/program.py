"""A dishwasher or the like: starts once a person has loaded it, and runs through. Pure."""

from collections.abc import Sequence
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
from agent.home.model.commanded import CommandedSpan
from agent.home.model.device_model import DeviceModel
from agent.home.model.following import Deviation
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
        now = context.now
        if model.session.started_at is None and _began_by_itself(model, wish):
            # Started at the machine, and it runs once what was loaded: nothing starts it again.
            model.begin_run(now)
            model.session.confirm_run()
        started = model.session.started_at
        if started is not None:
            model.operation.expect(_spans(section, started), now)
            if _runs(section, model, started):
                model.session.confirm_run()
        model.advance(now)
        model.pop_unassigned()
        if started is not None and (now >= started + section.duration or _ended_early(model)):
            # One that does not tell its end has ended when its time is over.
            model.end_run(now)

    def runs_until(
        self, section: ProgramAppliance, model: DeviceModel, now: datetime
    ) -> datetime | None:
        started = model.session.started_at
        if started is not None and now < started + section.duration:
            return started + section.duration
        # A profile is an estimate: what takes more than a waiting machine is not through.
        return now + LOOKED_AT_AGAIN if _takes_more_than_standby(section, model, now) else None

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
        now, zone = context.now, context.location.zone
        ready_by = section.ready_by
        if wish.values.ready_by_clock is not None:
            ready_by = ReadyBy(every_day=wish.values.ready_by_clock)
        deadline = wish.values.ready_by or next_ready_by(ready_by, wish.loaded_at, zone)
        if deadline is None:
            deadline = wish.loaded_at + WITHOUT_DEADLINE
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


def _runs(section: ProgramAppliance, model: DeviceModel, started: datetime) -> bool:
    """Does its power say that it has begun? A plug tells a few watts of any machine at rest."""
    told = model.readings.get("power_w")
    return told is not None and told.at >= started and float(told.value) > _standby_w(section)


def _takes_more_than_standby(section: ProgramAppliance, model: DeviceModel, now: datetime) -> bool:
    told = model.readings.get("power_w")
    return (
        told is not None
        and model.meter.drawn.reports(now)
        and float(told.value) > _standby_w(section)
    )


def _standby_w(section: ProgramAppliance) -> float:
    return max(STANDBY_W, STANDBY_SHARE * max(part.power_w for part in section.profile))


def _began_by_itself(model: DeviceModel, wish: Wish) -> bool:
    """Has it said since it was loaded that it runs?

    What it said of a run that has ended since says nothing: an end is told before the state.
    """
    mode, loaded, done = model.readings.get("mode"), wish.loaded_at, model.session.satisfied_at
    if mode is None or loaded is None or (done is not None and done >= loaded):
        return False
    return mode.value == "run" and mode.at >= loaded


def _ended_early(model: DeviceModel) -> bool:
    """Has one that ran stopped taking anything? Profiles are estimates: it was done before."""
    return model.session.confirmed and model.following.deviation is Deviation.TAKES_NOTHING


def _spans(section: ProgramAppliance, started: datetime) -> list[CommandedSpan]:
    out, at = [], started
    for part in section.profile:
        end = at + timedelta(seconds=part.duration_s)
        out.append(CommandedSpan(at, end, float(part.power_w)))
        at = end
    return out


def _remaining_parts(section: ProgramAppliance, ran_s: float) -> list[tuple[ProfilePart, float]]:
    """What is left of each part of the profile, in seconds."""
    out = []
    for part in section.profile:
        out.append((part, max(0.0, part.duration_s - max(0.0, ran_s))))
        ran_s -= part.duration_s
    return out
