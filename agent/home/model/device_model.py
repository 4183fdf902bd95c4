"""What is known of one device: told, acknowledged, reported, believed, delivered, learned. Pure.

The rules are those of the wire contract's section 1a. Everything is given `now`; nothing waits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from agent.energy.readings import (
    Acknowledgement,
    AckStatus,
    Reading,
    Unreadable,
    UnreadableMessage,
)
from agent.energy.schedule import Schedule
from agent.energy.sentences import sentence
from agent.home.model.believed_power import believed_power
from agent.home.model.doubts import Doubts
from agent.home.model.following import LASTS, Following
from agent.home.model.generation import Generation
from agent.home.model.held import HeldSchedules
from agent.home.model.latest_readings import UNTIMED_RETAINED_AGE, LatestReadings, differs
from agent.home.model.meter import SESSION, TOTAL, EnergyMeter, MeteredInterval
from agent.home.model.once import OnceTaken
from agent.home.model.operation import Operation
from agent.home.model.plug import PlugContact
from agent.home.model.problems import problems_of
from agent.home.model.program_run import RUN, followed_alone_since, spans_from
from agent.home.model.session import Session, Stay
from agent.home.model.soc import FULL_PERCENT, STEP_PERCENT, SocEstimate
from agent.home.model.switching import Switching
from agent.home.model.thermal import ThermalState
from agent.home.model.traits import Traits

# A battery's charge moves all the time; what is not as expected by so much is worth a new plan.
UNEXPECTED_SOC_PERCENT = 2.0
OUT_OF_RANGE = "temperature_c that cannot be"


@dataclass(slots=True)
class DeviceModel:
    """`progress` is kWh taken by window (its start as text), `promised` the windows that were to
    be served to their end, `once` what came of what was last asked for once.

    `was_led`: it has been told a schedule in this life or an earlier one; what it did before that,
    nobody knows. `told_to_run_since`: since when the setpoint of a program says `run`, None where
    it does not; `was_in_vain`: its last run was told and never
    began. `operation` is over the schedules, the meter and the switching that stand here.
    """

    device: str
    traits: Traits
    readings: LatestReadings = field(default_factory=LatestReadings)
    doubts: Doubts = field(default_factory=Doubts)
    session: Session = field(default_factory=Session)
    progress: dict[str, float] = field(default_factory=dict)
    promised: set[str] = field(default_factory=set)
    once: OnceTaken | None = None
    last_seen_at: datetime | None = None
    online: bool | None = None
    boost_until: datetime | None = None
    was_led: bool = False
    told_to_run_since: datetime | None = None
    was_in_vain: bool = False
    schedules: HeldSchedules = field(default_factory=HeldSchedules)
    switching: Switching = field(default_factory=Switching)
    meter: EnergyMeter = field(init=False)
    soc: SocEstimate = field(init=False)
    thermal: ThermalState | None = field(init=False)
    following: Following = field(init=False)
    operation: Operation = field(init=False)
    generation: Generation = field(default_factory=Generation, init=False)
    plug: PlugContact = field(default_factory=PlugContact, init=False)
    _last_stay: Stay | None = field(default=None, init=False)
    _spans: list[MeteredInterval] = field(default_factory=list, init=False)
    _booked: list[MeteredInterval] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        traits = self.traits
        self.meter = EnergyMeter(traits.max_power_w)
        self.soc = SocEstimate(
            traits.battery_kwh,
            traits.charge_efficiency,
            max(traits.max_power_w, traits.max_discharge_w),
            traits.discharge_efficiency if traits.gives_back else None,
        )
        self.following = Following(traits.max_power_w, learns=traits.has_stays)
        self.operation = Operation(
            traits, self.schedules, self.meter, self.switching, self.following
        )
        if traits.thermal is None:
            self.thermal = None
        else:
            self.thermal = ThermalState(traits.thermal, traits.max_power_w)

    # --- what is believed -----------------------------------------------------------------------

    def soc_percent(self, now: datetime) -> float | None:
        """The state of charge in this stay, carried on by what was taken since it was told."""
        return self.soc.percent(self.meter.total_kwh, self.meter.session_kwh)

    def plugged(self, now: datetime) -> bool:
        """Is the car there? One that never tells its plug is there as long as it is heard."""
        if self.tells_plug:
            return self.readings.value("plugged", now) is True
        return self.last_seen_at is not None

    @property
    def tells_plug(self) -> bool:
        return self.readings.get("plugged") is not None

    @property
    def session_kwh(self) -> float:
        return self.meter.session_kwh

    def temperature_c(self, now: datetime) -> float | None:
        """As told; where that is doubted, what it is believed to be, if it is known at all."""
        told = self.readings.value("temperature_c", now)
        doubted = self.doubts.has("temperature_c") or self.doubts.has(OUT_OF_RANGE)
        if self.thermal is None or not doubted:
            return None if told is None else float(told)
        return self.thermal.temperature_c if self.thermal.tells(now) else None

    def tapering_w(self, now: datetime) -> float | None:
        """What a nearly full car still takes of what it was told; None where it takes all."""
        return self.operation.tapering_w(self.soc_percent(now), now)

    def is_limited(self, now: datetime) -> bool:
        """Does an inverter give as much as it may, so that nobody knows what it could?"""
        limit_w = self.schedules.limit_w(now)
        return self.traits.produces and self.generation.is_limited(limit_w, now)

    def takes_by_counter(self, now: datetime) -> bool:
        """Does its counter grow though its power says that it takes nothing?"""
        return self.operation.takes_by_counter(now, free=self._is_free(now))

    def opted_out(self, now: datetime) -> bool:
        """A person at the device has overridden it; for 24 hours at most."""
        return self.session.opted_out(now)

    def _is_free(self, now: datetime) -> bool:
        """Is what it takes not for us to say?

        A full car takes no more, a program under way what it needs, or a person decides.
        """
        runs = bool(self.traits.run_parts) and self.session.confirmed
        return runs or self.opted_out(now) or (self.soc_percent(now) or 0.0) >= FULL_PERCENT

    # --- what it was told -----------------------------------------------------------------------

    def told(self, schedule: Schedule | None, now: datetime) -> None:
        """It holds this schedule from now on; None: none, it is on its own logic."""
        self.was_led = self.was_led or schedule is not None
        if self.traits.run_parts:
            self._take_up_run(schedule, now)
        self.operation.tell(schedule, now, free=self._is_free(now))

    def _take_up_run(self, schedule: Schedule | None, now: datetime) -> None:
        """What it takes of a run that goes on, or has begun while nobody was there."""
        started = self.session.started_at
        if started is None:
            began = followed_alone_since(self, schedule, now)
            if began is not None:
                self.begin_run(began, now)
        elif self.operation.run is None:
            run, resumed = spans_from(self.traits.run_parts, started), self.meter.is_resumed
            self.operation.expect(run, now, catches_up=resumed)

    def block_history(self, now: datetime) -> tuple[int | None, int | None]:
        """Since when it has been blocked, or when its last block ended, Unix seconds."""
        self.schedules.note_block(now)
        return self.schedules.block_since, self.schedules.block_ended

    # --- what it tells --------------------------------------------------------------------------

    def report(self, reading: Reading, now: datetime, *, retained: bool = False) -> bool:
        """Take a reading in. True where it matters for the plan."""
        self.last_seen_at = now
        old = self.readings.get(reading.kind)
        taken = self.readings.take(reading, now, retained=retained)
        if taken is None:
            return False
        reading = taken
        if reading.kind == "plugged":
            return self._contact(old, reading, now)
        if reading.kind == "power_w":
            self._power(float(reading.value), reading.at, now)
            return False
        if reading.kind == "mode" and self.traits.run_parts:
            self.session.note_mode(reading.at, runs=reading.value == RUN)
        if reading.kind in (SESSION, TOTAL) and (self.traits.gives_back or self.traits.produces):
            # A counter of one direction says nothing of what is left.
            return False
        if reading.kind in (SESSION, TOTAL):
            doubt = self.meter.report_counter(reading.kind, float(reading.value), reading.at, now)
            self.doubts.note(reading.kind, doubt, now)
            matters = doubt is None
        elif reading.kind == "soc_percent":
            matters = self._charge(float(reading.value), reading.at, now)
        elif reading.kind == "temperature_c" and self.thermal is not None:
            # As it comes, not when the next plan is made.
            self.doubts.note(OUT_OF_RANGE, self.thermal.cannot_be(float(reading.value)), now)
            return self.thermal.is_news(float(reading.value))
        else:
            matters = True
        return matters and differs(old, reading)

    def state_soc(self, percent: float, now: datetime) -> None:
        """A person who can read the car has said so."""
        self.meter.integrate_to(now)
        self.soc.state(percent, now, self.meter.total_kwh)
        self.readings.put(Reading("soc_percent", percent, now))
        self.doubts.drop("soc_percent")

    def cannot_read(self, item: Unreadable | UnreadableMessage, now: datetime) -> None:
        """A key, or all that came on a topic, cannot be read; until something can."""
        self.last_seen_at = now
        self.readings.cannot_read(item)

    def acknowledge(self, ack: Acknowledgement, now: datetime) -> bool:
        """Take an acknowledgement in. True where it matters for the plan."""
        self.last_seen_at = now
        latest = self.schedules.latest
        named = latest is not None and ack.revision == latest.revision
        if self.schedules.answer(ack):
            self.operation.command(now)
        if ack.status is AckStatus.REJECTED:
            if latest is not None and not named:
                self.following.refuses(now)
            return False
        if ack.status is AckStatus.ACCEPTED and named:
            self.following.accepts()
        if self.session.is_ended_by(ack):
            self.end_run(now)
            return True
        if ack.status is AckStatus.STARTED and self.traits.run_parts:
            if latest is not None and not named and self._has_run_since(ack.revision):
                # The broker kept what it said of a run that has ended.
                return False
            if self.session.started_at is None:
                self.begin_run(now, now)
        return self.session.answer(ack, now)

    def _has_run_since(self, revision: int) -> bool:
        """Has a run ended since that revision was given? It is the time at which it was."""
        ended = self.session.satisfied_at
        return ended is not None and revision <= ended.timestamp()

    def _contact(self, old: Reading | None, reading: Reading, now: datetime) -> bool:
        """What the plug contact says: a loose one flickers, and no car has left by that."""
        was_in = old is not None and old.value is True
        if not reading.value:
            if old is not None and was_in and not self.plug.unplug(reading.at):
                self.readings.put(Reading("plugged", True, reading.at))
                return False
            if was_in:
                self.meter.integrate_to(min(reading.at, now))
                self._last_stay = self._stay()
            return self._plug(old, reading, now)
        stays = (not was_in or self.plug.unplugged_at is not None) and self.plug.plug(reading.at)
        changed = self._plug(old, reading, now)
        if changed and stays and self._last_stay is not None:
            self._resume(self._last_stay)
        return changed

    def _stay(self) -> Stay:
        return Stay(self.session, replace(self.soc), self.meter.session_kwh)

    def _resume(self, stay: Stay) -> None:
        """The car was never away: what was known of its stay goes on."""
        self.session, self.soc = stay.session, stay.soc
        self.meter.resume_session(stay.taken_kwh, stay.session.since)

    def _plug(self, old: Reading | None, reading: Reading, now: datetime) -> bool:
        if old is not None and old.value == reading.value:
            return False
        if reading.value:
            self.meter.begin_session(reading.at, now, seen=old is not None)
        else:
            self.meter.end_session(reading.at, now)
        self.soc.begin_session()
        self.following.begin_session(probe=False)
        self.doubts.clear()
        self.switching.begin_session()
        self.operation.unheard = None
        self.session = Session(since=reading.at if reading.value else None)
        first_heard = old is None and now - reading.at >= UNTIMED_RETAINED_AGE
        if reading.value and (first_heard or reading.at_is_guessed):
            self.session.heard_at = now
        soc = self.readings.get("soc_percent")
        if reading.value and soc is not None and soc.at >= reading.at:
            self._charge(float(soc.value), soc.at, now)
        return True

    def _power(self, power_w: float, at: datetime, now: datetime) -> None:
        if self.traits.gives_back:
            self.meter.report_power(power_w, at, now)
            return
        believed_w, doubt = believed_power(power_w, self.traits)
        self.doubts.note("power_w", doubt, now)
        if believed_w is None:
            # What it told before is not true any more either.
            self.meter.forget_power(now)
        elif self.traits.produces:
            self.generation.latest = believed_w, at
        else:
            if self.traits.run_parts:
                self.session.note_power(at, at_rest=believed_w <= self.traits.standby_w)
            self.operation.report_power(
                believed_w,
                at,
                now,
                opted_out=self.opted_out(now),
                clock_is_ahead=bool(self.readings.clock.lead),
            )

    def _charge(self, percent: float, at: datetime, now: datetime) -> bool:
        since = self.session.since
        if since is not None and at < since:
            return False
        self.meter.integrate_to(now)
        meter = self.meter
        total = meter.total_kwh - meter.drawn.power_w(at) * (now - at).total_seconds() / 3_600_000
        measured = meter.drawn.reports(now) or bool(meter.counters)
        before = self.soc_percent(now)
        believed = self.soc.report(percent, at, total, meter.session_kwh, now, measured=measured)
        # A gauge in steps is not worth a word.
        far = before is not None and abs(percent - before) > STEP_PERCENT
        doubt = None
        if far:
            told = f"{percent:g}"
            doubt = sentence("soc_percent {told} changed faster than it can", told=told)
        if believed or percent in (self.soc.stuck_at, self.soc.overruled_at):
            doubt = None
        self.doubts.note("soc_percent", doubt, now)
        if self.traits.gives_back and before is not None:
            return believed and abs(percent - before) >= UNEXPECTED_SOC_PERCENT
        return believed

    # --- time goes on ---------------------------------------------------------------------------

    def advance(self, now: datetime) -> None:
        """Count what was taken up to now, and see whether the device does what it was told."""
        if self.plug.has_left(now):
            old = self.readings.by_kind["plugged"]
            gone = Reading("plugged", False, max(old.at, self.plug.unplugged_at or now))
            self.plug.leave()
            self.readings.put(gone)
            self._plug(old, gone, now)
        self.schedules.note_block(now)
        self.operation.follow_commands(now)
        self.meter.integrate_to(now)
        self._collect()
        if self.soc.settle(now):
            self.doubts.drop("soc_percent")
        self.soc.look(self.meter.total_kwh, now, charges=self.switching.on_since is not None)
        if self.traits.produces:
            limit_w, given = self.schedules.limit_w(now), self.generation.given(now)
            self.following.observe_limit(limit_w, given, now)
            return
        self.operation.compare(
            self.soc_percent(now), now, free=self._is_free(now), opted_out=self.opted_out(now)
        )
        self.meter.drawn.rests = self.session.has_rested(now, LASTS)

    def pop_unassigned(self) -> list[MeteredInterval]:
        """What was counted since the last call, for whoever keeps count of windows."""
        spans, self._spans = self._spans, []
        return spans

    def pop_booked(self) -> list[MeteredInterval]:
        """All that was counted since the last call, for the ledger."""
        self._collect()
        booked, self._booked = self._booked, []
        return booked

    def pop_held(self) -> Sequence[MeteredInterval]:
        """What a plain thermostat would have taken since the last call; of heat alone."""
        return () if self.thermal is None else self.thermal.thermostat.pop()

    def _collect(self) -> None:
        new = self.meter.pop_intervals()
        self._spans += new
        self._booked += new

    def never_answers(self) -> bool:
        """Is it heard, and has not acknowledged what it was told?"""
        return self.schedules.never_answers(self.last_seen_at)

    def begin_stay(self, at: datetime) -> None:
        """Of one that tells no plug: what it needs is needed anew from here."""
        self.meter.begin_session(at, at)
        self.following.begin_session(probe=False)
        self.session = Session(since=at)

    # --- runs of a program ----------------------------------------------------------------------

    def begin_run(self, at: datetime, now: datetime) -> None:
        """A program has begun to run then, as it was told or as it says."""
        self.session.started_at = at
        self.meter.begin_session(at, now)
        run = spans_from(self.traits.run_parts, at)
        self.operation.expect(run, now, catches_up=True)

    def confirm_run(self) -> None:
        """It says that it runs."""
        self.session.confirm_run()
        self.following.begin_session(probe=False)
        self.meter.drawn.takes_nothing = False

    def drop_run(self, now: datetime) -> None:
        """A person says that it does not run, or is to run anew."""
        self.session.drop_run()
        self._expect_no_run(now)

    def end_run(self, now: datetime) -> None:
        """Nothing more is expected of it, and what it no longer takes is no deviation."""
        self.session.end_run(now)
        self._expect_no_run(now)

    def _expect_no_run(self, now: datetime) -> None:
        self.following.begin_session(probe=False)
        self.meter.drawn.takes_nothing = self.meter.drawn.rests = False
        self.operation.expect(None, now, catches_up=False)

    def problems(self, now: datetime) -> list[str]:
        """What a person should know of the device, in sentences; empty where all is well."""
        return problems_of(self, now)

    def restore_readings(self, readings: Mapping[str, Reading]) -> None:
        """What it told an earlier life."""
        self.readings.restore(readings)
        if readings and self.last_seen_at is None:
            self.last_seen_at = max(reading.at for reading in readings.values())
