"""What is known of one device: told, acknowledged, reported, believed, delivered, learned. Pure.

The rules are those of the wire contract's section 1a. Everything is given `now`; nothing waits.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from agent.energy.instants import from_unix, to_unix_floor
from agent.energy.readings import (
    Acknowledgement,
    AckStatus,
    Reading,
    Unreadable,
    UnreadableMessage,
    Value,
)
from agent.energy.schedule import NOTHING_SHARE, DeviceType, Schedule
from agent.energy.sentences import sentence
from agent.home.model.commanded import OBEYS_WITHIN, CommandedSpan
from agent.home.model.counter_watch import MOVES_WITHIN
from agent.home.model.device_clock import AHEAD, DeviceClock
from agent.home.model.doubts import Doubts
from agent.home.model.following import (
    LESS_SHARE,
    TAPER_FROM_PERCENT,
    Deviation,
    Following,
)
from agent.home.model.held import HeldSchedules
from agent.home.model.meter import (
    REPORTS_WITHIN,
    SESSION,
    TOTAL,
    EnergyMeter,
    MeteredInterval,
)
from agent.home.model.own_switching import OwnSwitching
from agent.home.model.plug import PlugContact
from agent.home.model.problems import problems_of
from agent.home.model.session import Session, Stay
from agent.home.model.soc import STEP_PERCENT, SocEstimate
from agent.home.model.thermal import ThermalState
from agent.home.model.traits import Traits

# A retained reading without a time of its own may be this old.
UNTIMED_RETAINED_AGE = timedelta(days=1)
OPT_OUT_LASTS = timedelta(hours=24)
# Clocks of devices may differ so much, either way.
SWITCHES_WITHIN = timedelta(minutes=4)
FIRST_BELIEVED = from_unix(1_577_836_800)  # 2020
ON_POWER_FRACTION = 0.05
# A heat pump may well draw half as much again as its name plate says; more is a slip of the meter
# or of its unit.
BELIEVED_POWER = 1.5
# At a target of 100 a charge ends when the car has taken no more for so long.
FULL_WHEN_IDLE_FOR = timedelta(minutes=10)
FULL_PERCENT = 99.0
# An inverter that gives so much of its limit is held down by it.
AT_LIMIT_SHARE = 0.9
# Smaller changes are not worth a new plan, nor a write to the SD card.
REPLAN_THRESHOLDS = {
    "soc_percent": 0.5,
    SESSION: 0.1,
    TOTAL: 0.1,
    "temperature_c": 0.5,
}
# A battery's charge moves all the time; what is not as expected by so much is worth a new plan.
UNEXPECTED_SOC_PERCENT = 2.0
OUT_OF_RANGE = "temperature_c that cannot be"
PERSISTED_KINDS = ("plugged", "soc_percent", SESSION, TOTAL, "mode", "error")


@dataclass(slots=True)
class DeviceModel:
    """`progress` is kWh taken by window (its start as text).

    `was_led`: it has been told a schedule in this life or an earlier one; what it did before that,
    nobody knows. `was_seen_to_end`: `off_since` is the end of a run, not the first that was heard.
    """

    device: str
    traits: Traits
    readings: dict[str, Reading] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    unreadable_topics: set[str] = field(default_factory=set)
    doubts: Doubts = field(default_factory=Doubts)
    session: Session = field(default_factory=Session)
    progress: dict[str, float] = field(default_factory=dict)
    on_since: datetime | None = None
    off_since: datetime | None = None
    was_seen_to_end: bool = False
    idle_since: datetime | None = None
    last_seen_at: datetime | None = None
    online: bool | None = None
    boost_until: datetime | None = None
    was_led: bool = False
    schedules: HeldSchedules = field(default_factory=HeldSchedules)
    meter: EnergyMeter = field(init=False)
    soc: SocEstimate = field(init=False)
    thermal: ThermalState | None = field(init=False)
    following: Following = field(init=False)
    plug: PlugContact = field(default_factory=PlugContact, init=False)
    clock: DeviceClock = field(default_factory=DeviceClock, init=False)
    own_switching: OwnSwitching = field(default_factory=OwnSwitching, init=False)
    _given: tuple[float, datetime] | None = field(default=None, init=False)
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
        if traits.thermal is None:
            self.thermal = None
        else:
            self.thermal = ThermalState(traits.thermal, traits.max_power_w)

    # --- what is believed -----------------------------------------------------------------------

    def value(self, kind: str, now: datetime) -> Value | None:
        """The last reading of that kind; None where there is none or it is too old to believe."""
        reading = self.readings.get(kind)
        return reading.value if reading and reading.holds(now) else None

    def soc_percent(self, now: datetime) -> float | None:
        """The state of charge in this stay, carried on by what was taken since it was told."""
        return self.soc.percent(self.meter.total_kwh, self.meter.session_kwh)

    def plugged(self, now: datetime) -> bool:
        """Is the car there? One that never tells its plug is there as long as it is heard."""
        if self.tells_plug:
            return self.value("plugged", now) is True
        return self.last_seen_at is not None

    @property
    def tells_plug(self) -> bool:
        return "plugged" in self.readings

    @property
    def session_kwh(self) -> float:
        return self.meter.session_kwh

    def is_full_at_100(self, now: datetime) -> bool:
        """Has a car at 100 % taken no more for ten minutes, as far as it tells?"""
        if not self.meter.reports(now):
            return True
        return self.idle_since is not None and now - self.idle_since >= FULL_WHEN_IDLE_FOR

    def tapering_w(self, now: datetime) -> float | None:
        """What a nearly full car still takes of what it was told; None where it takes all."""
        soc, power = self.soc_percent(now), self.meter.power
        nearly_full = soc is not None and soc >= TAPER_FROM_PERCENT
        if not (self.traits.has_stays and nearly_full and power and self.meter.reports(now)):
            return None
        # What it told as it was told to take more says nothing of what it can take.
        asked = self.meter.commanded_w(now), self.meter.commanded_w(power[1] - OBEYS_WITHIN)
        taken_w, asked_w = self.meter.power_w(now), min(asked)
        takes = taken_w >= ON_POWER_FRACTION * self.traits.max_power_w
        return taken_w if takes and taken_w < LESS_SHARE * asked_w else None

    def opted_out(self, now: datetime) -> bool:
        """A person at the device has overridden it; for 24 hours at most."""
        since = self.session.opted_out_at
        return since is not None and now - since < OPT_OUT_LASTS

    # --- what it was told -----------------------------------------------------------------------

    def told(self, schedule: Schedule | None, now: datetime) -> None:
        """It holds this schedule from now on; None: none, it is on its own logic."""
        self.was_led = self.was_led or schedule is not None
        self.schedules.tell(schedule, now)
        if self.meter.is_resumed:
            self._catch_up(now)
        self._command(now)

    def _catch_up(self, now: datetime) -> None:
        """It is taken to have done what it was told while nobody counted, or none was stored."""
        held, counted_to = self.schedules.held, self.meter.integrated_to
        if held is None or counted_to is None or self.traits.produces:
            return
        if held.device_type is DeviceType.PROGRAM or self.meter.between_sessions:
            return
        if self.opted_out(now) or self._is_full(now) or to_unix_floor(now) >= held.valid_until:
            # So long after all that it was told nobody knows; or the clock is ahead.
            return
        issued_at = from_unix(held.issued_at)
        # The start of a slot under way is told five minutes early: it began when it was told, or
        # went on from what was told before.
        begun = issued_at if self.on_since is None else counted_to
        spans = [
            replace(span, start=begun if span.start <= issued_at else span.start)
            for span in self.schedules.spans()
            if span.end > begun
        ]
        self.meter.catch_up(spans, now, free_outside=self.schedules.free_outside)
        self._switch_as_commanded(now)

    def expect(self, spans: Iterable[CommandedSpan], now: datetime) -> None:
        """What it takes where its schedule does not say so: the profile of a program under way."""
        self.meter.command(tuple(spans), now)
        self._switch_as_commanded(now)

    def _command(self, now: datetime) -> None:
        if self.traits.produces:
            return
        self._switch_as_commanded(now)
        schedules = self.schedules
        self.meter.command(schedules.spans(), now, free_outside=schedules.free_outside)
        self._switch_as_commanded(now)

    def block_history(self, now: datetime) -> tuple[int | None, int | None]:
        """Since when it has been blocked, or when its last block ended, Unix seconds."""
        self.schedules.note_block(now)
        return self.schedules.block_since, self.schedules.block_ended

    # --- what it tells --------------------------------------------------------------------------

    def untimed_reading(self, kind: str, value: Value, *, retained: bool, now: datetime) -> Reading:
        """A reading without a time: now, but a retained one is as old as what it repeats."""
        if not retained:
            return Reading(kind, value, now)
        old = self.readings.get(kind)
        if old is not None and old.value == value:
            return old
        return Reading(kind, value, now - UNTIMED_RETAINED_AGE)

    def report(self, reading: Reading, now: datetime, *, retained: bool = False) -> bool:
        """Take a reading in. True where it matters for the plan."""
        self.last_seen_at = now
        self.unreadable.pop(reading.kind, None)
        at = reading.at if reading.at >= FIRST_BELIEVED else now
        if not retained:
            at = self.clock.corrected(at, now)
        elif at > now + AHEAD:
            at = now
        reading = replace(reading, at=min(at, now))
        old = self.readings.get(reading.kind)
        if old is not None and reading.at < old.at:
            return False
        if old is None and reading.kind == "error" and not reading.value:
            # That nothing is wrong is no news where nothing was.
            return False
        self.readings[reading.kind] = reading
        if reading.kind == "plugged":
            return self._contact(old, reading, now)
        if reading.kind == "power_w":
            self._power(float(reading.value), reading.at, now)
            return False
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
        return matters and _differs(old, reading)

    def temperature_c(self, now: datetime) -> float | None:
        """As told; where that is doubted, what it is believed to be, if it is known at all."""
        told = self.value("temperature_c", now)
        doubted = self.doubts.has("temperature_c") or self.doubts.has(OUT_OF_RANGE)
        if self.thermal is None or not doubted:
            return None if told is None else float(told)
        return self.thermal.temperature_c if self.thermal.tells(now) else None

    def state_soc(self, percent: float, now: datetime) -> None:
        """A person who can read the car has said so."""
        self.meter.integrate_to(now)
        self.soc.state(percent, now, self.meter.total_kwh)
        self.readings["soc_percent"] = Reading("soc_percent", percent, now)
        self.doubts.drop("soc_percent")

    def cannot_read(self, item: Unreadable, now: datetime) -> None:
        """A key of its state cannot be read; it stands until a good value comes."""
        self.last_seen_at = now
        # The first of them: with each value's own words health would be told anew all the time.
        self.unreadable.setdefault(item.kind, item.why)

    def cannot_read_message(self, item: UnreadableMessage, now: datetime) -> None:
        """Nothing of what came on that topic can be read; until something can."""
        self.last_seen_at = now
        if item.over:
            self.unreadable_topics.discard(item.topic)
        else:
            self.unreadable_topics.add(item.topic)

    def acknowledge(self, ack: Acknowledgement, now: datetime) -> bool:
        """Take an acknowledgement in. True where it matters for the plan."""
        self.last_seen_at = now
        session, latest = self.session, self.schedules.latest
        named = latest is not None and ack.revision == latest.revision
        if self.schedules.answer(ack):
            self._command(now)
        if ack.status is AckStatus.REJECTED:
            if latest is not None and not named:
                self.following.refuses(now)
            return False
        if ack.status is AckStatus.ACCEPTED and named:
            self.following.accepts()
        if ack.status is AckStatus.ABORTED and ack.diagnostic == "user_opt_out":
            changed = session.opted_out_at is None
            session.opted_out_at = session.opted_out_at or now
            return changed
        if ack.status is AckStatus.ACCEPTED and session.opted_out_at is not None:
            session.opted_out_at = None
            return True
        if ack.status is AckStatus.STARTED and not session.confirmed:
            session.started_at = session.started_at or now
            session.confirmed = True
            return True
        if ack.status in (AckStatus.SUCCEEDED, AckStatus.ABORTED) and session.started_at:
            self.end_run(now)
            return True
        return False

    def _contact(self, old: Reading | None, reading: Reading, now: datetime) -> bool:
        """What the plug contact says: a loose one flickers, and no car has left by that."""
        was_in = old is not None and old.value is True
        if not reading.value:
            if old is not None and was_in and not self.plug.unplug(reading.at):
                self.readings["plugged"] = Reading("plugged", True, reading.at)
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
        self.own_switching.clear()
        self.idle_since = None
        self.session = Session(since=reading.at if reading.value else None)
        if old is None and now - reading.at >= UNTIMED_RETAINED_AGE:
            self.session.heard_at = now
        soc = self.readings.get("soc_percent")
        if reading.value and soc is not None and soc.at >= reading.at:
            self._charge(float(soc.value), soc.at, now)
        return True

    def _power(self, power_w: float, at: datetime, now: datetime) -> None:
        if self.traits.gives_back:
            self.meter.report_power(power_w, at, now)
            return
        turned = power_w < -ON_POWER_FRACTION * self.traits.max_power_w
        # Nothing that is planned as a load gives power back: its meter sits the other way round.
        told, doubt = f"{power_w:g}", None
        if turned and self.traits.produces:
            doubt = sentence("power_w {told} is negative; it counts as given", told=told)
        elif turned:
            doubt = sentence("power_w {told} is negative; it counts as taken", told=told)
        power_w = abs(power_w) if turned else max(0.0, power_w)
        if power_w > BELIEVED_POWER * self.traits.max_power_w:
            doubt = sentence(
                "power_w {told} is more than full power ({most} W)",
                told=f"{power_w:.0f}",
                most=f"{self.traits.max_power_w:g}",
            )
            self.doubts.note("power_w", doubt, now)
            # What it told before is not true any more either.
            self.meter.forget_power(now)
            return
        self.doubts.note("power_w", doubt, now)
        if self.traits.produces:
            self._given = power_w, at
            return
        self.meter.report_power(power_w, at, now)
        on = power_w >= ON_POWER_FRACTION * self.traits.max_power_w
        self._note_own_switching(at, now, on=on)
        self._switch(on, at)
        self.idle_since = None if on else self.idle_since or at

    def _charge(self, percent: float, at: datetime, now: datetime) -> bool:
        since = self.session.since
        if since is not None and at < since:
            return False
        self.meter.integrate_to(now)
        meter = self.meter
        total = meter.total_kwh - meter.power_w(at) * (now - at).total_seconds() / 3_600_000
        measured = meter.reports(now) or bool(meter.counters)
        before = self.soc_percent(now)
        believed = self.soc.report(percent, at, total, meter.session_kwh, now, measured=measured)
        # A gauge in steps is not worth a word.
        far = before is not None and abs(percent - before) > STEP_PERCENT
        doubt = None
        if far:
            told = f"{percent:g}"
            doubt = sentence("soc_percent {told} changed faster than it can", told=told)
        if believed or percent == self.soc.stuck_at:
            doubt = None
        self.doubts.note("soc_percent", doubt, now)
        if self.traits.gives_back and before is not None:
            return believed and abs(percent - before) >= UNEXPECTED_SOC_PERCENT
        return believed

    # --- time goes on ---------------------------------------------------------------------------

    def advance(self, now: datetime) -> None:
        """Count what was taken up to now, and see whether the device does what it was told."""
        if self.plug.has_left(now):
            old = self.readings["plugged"]
            gone = Reading("plugged", False, max(old.at, self.plug.unplugged_at or now))
            self.plug.leave()
            self.readings["plugged"] = gone
            self._plug(old, gone, now)
        self.schedules.note_block(now)
        self._switch_as_commanded(now)
        self.meter.integrate_to(now)
        self._collect()
        if self.soc.settle(now):
            self.doubts.drop("soc_percent")
        self.soc.look(self.meter.total_kwh, now, charges=self.on_since is not None)
        if self.traits.produces:
            self.following.observe_limit(self.schedules.limit_w(now), self._gives(now), now)
            return
        told_w, told_at = None, None
        if self.meter.power is not None and self.meter.reports(now):
            told_w, told_at = self.meter.power
        soc, asked_w = self.soc_percent(now), self._asked_w(now)
        unasked = self.following.deviation is Deviation.TAKES_UNASKED
        if unasked and asked_w is None and told_w and not self.opted_out(now):
            # Whether it follows shows when it is told again to take nothing.
            return
        shown = self._shown_by_counter(asked_w, told_w, now)
        if shown is not None:
            told_w, told_at = shown
        self.following.observe(asked_w, told_w, soc, now, told_at=told_at, measured=shown is None)
        self.meter.takes_nothing = self.following.deviation is Deviation.TAKES_NOTHING

    def _shown_by_counter(
        self, asked_w: float | None, told_w: float | None, now: datetime
    ) -> tuple[float, datetime] | None:
        """All or nothing of what is asked, as its counter has it, where its power does not tell."""
        if not asked_w or asked_w <= 0 or (told_w or 0.0) >= NOTHING_SHARE * asked_w:
            return None
        moved_at = self.meter.counter_moved_at(now)
        if moved_at is None:
            return None
        if self.meter.counter_stands(now):
            return 0.0, moved_at
        since = self.following.asked_since
        moves = since is not None and moved_at > since and now - moved_at <= MOVES_WITHIN
        return (asked_w, now) if moves else None

    def takes_by_counter(self, now: datetime) -> bool:
        """Does its counter grow though its power says that it takes nothing?"""
        told_w = self.meter.power[0] if self.meter.power else None
        shown = self._shown_by_counter(self._asked_w(now), told_w, now)
        return shown is not None and shown[0] > 0

    def _gives(self, now: datetime) -> tuple[float, datetime] | None:
        """What an inverter told lately that it gives, and since when."""
        given = self._given
        return given if given is not None and now - given[1] <= REPORTS_WITHIN else None

    def is_limited(self, now: datetime) -> bool:
        """Does an inverter give as much as it may, so that nobody knows what it could?"""
        limit_w, given = self.schedules.limit_w(now), self._gives(now)
        if limit_w is None or not self.traits.produces:
            return False
        return given is None or given[0] >= AT_LIMIT_SHARE * limit_w

    def _asked_w(self, now: datetime) -> float | None:
        """What is asked of it now; None where its own logic or a person decides."""
        asked = self.meter.commanded_w(now)
        # A full car takes no more, and that is as it should be.
        full = self._is_full(now)
        by_itself = self.schedules.acts_by_itself and not self.schedules.blocked(now)
        free = self.opted_out(now) or full or (by_itself and asked <= 0)
        return None if free else asked

    def _is_full(self, now: datetime) -> bool:
        return (self.soc_percent(now) or 0.0) >= FULL_PERCENT

    def stalled(self, now: datetime) -> bool:
        """Does it take nothing of what is planned for it?"""
        return self.meter.takes_nothing or (self.schedules.refused and not self.meter.power_w(now))

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

    def counts_as_told(self, now: datetime) -> bool:
        """It should run and told its power once, but its values have stopped coming.

        One that was off may have had nothing to tell: it is given its time from the start.
        """
        power, on_since = self.meter.power, self.on_since
        if power is None or on_since is None or self.meter.takes_nothing:
            return False
        stopped = now - max(power[1], on_since) > REPORTS_WITHIN
        return stopped and self.meter.commanded_w(now) > 0

    def never_answers(self) -> bool:
        """Is it heard, and has not acknowledged what it was told?"""
        return self.schedules.never_answers(self.last_seen_at)

    def _switch_as_commanded(self, now: datetime) -> None:
        """A run that it was told to begin counts, where it does not tell its power."""
        if self.meter.reports(now) or self.meter.takes_nothing:
            return
        for span_start, on in self.meter.commanded.switchings(now):
            self._switch(on, span_start)

    def _switch(self, on: bool, at: datetime) -> None:
        if on and self.on_since is None:
            self.on_since, self.off_since = at, None
        elif not on and (self.on_since is not None or self.off_since is None):
            self.was_seen_to_end = self.on_since is not None
            self.on_since, self.off_since = None, at
            self.own_switching.ended()

    def _note_own_switching(self, at: datetime, now: datetime, *, on: bool) -> None:
        """It tells that it is on or off: was it told to switch, or is that its own doing?"""
        least = timedelta(seconds=max(self.traits.min_on_s, self.traits.min_off_s))
        if on is (self.on_since is not None) or not least or self.opted_out(now):
            return
        commanded, first, last = self.meter.commanded, at - SWITCHES_WITHIN, at + SWITCHES_WITHIN
        if on:
            # Heat begins runs of its own all the time, and what it is told carries them on.
            odd = bool(self.clock.lead or self.own_switching.refusals)
            if commanded.stays(first, last, on=False) and (odd or not commanded.free_outside):
                self.own_switching.began(at)
        elif commanded.stays(first, last, on=True) and commanded.is_new(at):
            # One that goes off in the middle has what it needs, or protects itself.
            self.own_switching.refused(at, least)

    def begin_stay(self, at: datetime) -> None:
        """Of one that tells no plug: what it needs is needed anew from here."""
        self.meter.begin_session(at, at)
        self.following.begin_session(probe=False)
        self.session = Session(since=at)

    # --- runs of a program ----------------------------------------------------------------------

    def begin_run(self, now: datetime) -> None:
        """A program was told to run."""
        if self.session.started_at is None:
            self.session.started_at = now
            self.meter.begin_session(now, now)

    def confirm_run(self) -> bool:
        """It says that it runs. True where that is news."""
        session = self.session
        if session.started_at is None or session.confirmed:
            return False
        session.confirmed = True
        return True

    def end_run(self, now: datetime) -> None:
        """Nothing more is expected of it, and what it no longer takes is no deviation."""
        self.session.started_at, self.session.confirmed = None, False
        self.session.satisfied_at = now
        self.following.begin_session(probe=False)
        self.meter.takes_nothing = False
        self._command(now)

    def problems(self, now: datetime) -> list[str]:
        """What a person should know of the device, in sentences; empty where all is well."""
        return problems_of(self, now)

    def restore_readings(self, readings: Mapping[str, Reading]) -> None:
        """What it told an earlier life."""
        self.readings.update(readings)
        if self.readings and self.last_seen_at is None:
            self.last_seen_at = max(reading.at for reading in self.readings.values())


def _differs(old: Reading | None, new: Reading) -> bool:
    if old is None or new.kind not in REPLAN_THRESHOLDS:
        return old is None or old.value != new.value
    return abs(float(new.value) - float(old.value)) >= REPLAN_THRESHOLDS[new.kind]
