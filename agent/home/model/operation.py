"""What a device was told, what it is taken to do by that, and whether it does. Pure.

Where it does not tell its power it is taken to have switched and taken what it was told to.
`free`: what it does is not for us to say, for it is full or a person has overridden it.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from agent.energy.instants import from_unix, to_unix_floor
from agent.energy.schedule import NOTHING_SHARE, DeviceType, Schedule
from agent.home.model.commanded import OBEYS_WITHIN, CommandedSpan
from agent.home.model.counter_watch import MOVES_WITHIN
from agent.home.model.drawn_power import REPORTS_WITHIN
from agent.home.model.following import LESS_SHARE, TAPER_FROM_PERCENT, Deviation, Following
from agent.home.model.held import HeldSchedules
from agent.home.model.meter import EnergyMeter
from agent.home.model.switching import ON_POWER_FRACTION, Switching
from agent.home.model.traits import Traits
from agent.home.model.unheard_run import UnheardRun

# At a target of 100 a charge ends when the car has taken no more for so long.
FULL_WHEN_IDLE_FOR = timedelta(minutes=10)


@dataclass(slots=True)
class Operation:
    """Between the schedules that a load holds, its switching and its meter: the model's parts."""

    traits: Traits
    schedules: HeldSchedules
    meter: EnergyMeter
    switching: Switching
    following: Following
    # What a program under way takes, whatever its schedule says; None where none is under way.
    run: tuple[CommandedSpan, ...] | None = None
    # What an earlier life saw it do unasked, until it is heard again.
    unheard: UnheardRun | None = None

    # --- what it was told -----------------------------------------------------------------------

    def tell(self, schedule: Schedule | None, now: datetime, *, free: bool) -> None:
        """It holds this schedule from now on; None: none, it is on its own logic."""
        self.schedules.tell(schedule, now)
        if self.unheard is not None and self.unheard.listens_since is None:
            self.unheard.listens_since, self.unheard.told = now, tuple(self.schedules.spans())
        if self.meter.is_resumed and not free:
            self._catch_up(now)
        self.command(now)

    def resume(self, power_w: float, at: datetime) -> None:
        """An earlier life heard last that it takes that power since `at`, W."""
        traits, meter = self.traits, self.meter
        meter.drawn.told = power_w, at
        counted_to, is_own = meter.integrated_to, self.switching.own_since is not None
        if traits.gives_back or traits.produces or traits.run_parts or not self._is_on(power_w):
            return
        if counted_to is not None and is_own and not meter.between_sessions:
            told_until = at + REPORTS_WITHIN
            self.unheard = UnheardRun(power_w, counted_to, meter.total_kwh, told_until)

    def _catch_up(self, now: datetime) -> None:
        """It is taken to have done what it was told while nobody counted, or none was stored."""
        held, counted_to = self.schedules.held, self.meter.integrated_to
        if held is None or counted_to is None or self.traits.produces:
            return
        if held.device_type is DeviceType.PROGRAM or self.meter.between_sessions:
            # A program takes what its run takes.
            return
        if to_unix_floor(now) >= held.valid_until:
            # So long after all that it was told nobody knows; or the clock is ahead.
            return
        issued_at = from_unix(held.issued_at)
        # The start of a slot under way is told five minutes early: it began when it was told, or
        # went on from what was told before.
        begun = issued_at if self.switching.on_since is None else counted_to
        spans = [
            replace(span, start=begun if span.start <= issued_at else span.start)
            for span in self.schedules.spans()
            if span.end > begun
        ]
        self.meter.catch_up(spans, now, free_outside=self.schedules.free_outside)
        self.follow_commands(now)

    def command(self, now: datetime) -> None:
        """What it holds is another than before."""
        if self.traits.produces:
            return
        self.follow_commands(now)
        schedules = self.schedules
        spans = schedules.spans() if self.run is None else self.run
        self.meter.command(spans, now, free_outside=schedules.free_outside)
        self.follow_commands(now)

    def expect(
        self, run: tuple[CommandedSpan, ...] | None, now: datetime, *, catches_up: bool
    ) -> None:
        """What a program under way takes; None: none is.

        `catches_up`: it has taken that already in the time that nobody has counted yet.
        """
        self.run = run
        if run is not None and catches_up:
            self.meter.catch_up(run, now, free_outside=False)
        self.command(now)

    def follow_commands(self, now: datetime) -> None:
        """A run that it was told to begin counts, where it does not tell its power."""
        if self.unheard is not None and self.unheard.is_awaited(now):
            return
        if not self.meter.drawn.reports(now) and not self.meter.drawn.takes_nothing:
            self.switching.follow(self.meter.drawn.arrived or self.meter.drawn.commanded, now)

    def arrives(self, power_w: float, now: datetime, lasts: timedelta | None) -> None:
        """A command has reached one that is told each; how long it does that by itself."""
        if (arrived := self.meter.drawn.arrived) is not None:
            self.meter.integrate_to(now)
            arrived.come(power_w, now, lasts)
            self.follow_commands(now)

    def is_there(self, now: datetime, *, there: bool) -> None:
        """It says, or the broker or its gateway in its place, whether it can be told anything."""
        arrived = self.meter.drawn.arrived
        if arrived is None or there is (arrived.absent_since is None):
            return
        self.meter.integrate_to(now)
        if there:
            arrived.come_back()
        else:
            arrived.leave(now)
        self.follow_commands(now)

    def shows(self, now: datetime, *, on: bool) -> None:
        """It tells whether it is on, as the command that reached it last would have it or not."""
        if (arrived := self.meter.drawn.arrived) is not None:
            self.meter.integrate_to(now)
            if on and (missed := arrived.missed(now)) is not None:
                counted_kwh = self.meter.drawn.energy_kwh(missed.start, missed.end)
                self.meter.add_run(missed, counted_kwh)
            arrived.show(now, on=on)
            if on:
                self.meter.drawn.takes_nothing = False
            self.follow_commands(now)

    # --- what it does ---------------------------------------------------------------------------

    def report_power(
        self, power_w: float, at: datetime, now: datetime, *, opted_out: bool, clock_is_ahead: bool
    ) -> None:
        """It takes that power since `at`, W, at least 0."""
        traits = self.traits
        self.meter.report_power(power_w, at, now)
        on = self._is_on(power_w)
        self._hear_again(power_w, at, now, on=on)
        # What a person decides needs no rest from us.
        least_s = 0 if opted_out else max(traits.min_on_s, traits.min_off_s)
        least, commanded = timedelta(seconds=least_s), self.meter.drawn.commanded
        self.switching.note_own(commanded, at, least, on=on, clock_is_ahead=clock_is_ahead)
        self.switching.report(at, on=on)

    def _is_on(self, power_w: float) -> bool:
        return power_w >= ON_POWER_FRACTION * self.traits.max_power_w

    def _hear_again(self, power_w: float, at: datetime, now: datetime, *, on: bool) -> None:
        unheard = self.unheard
        if unheard is None or not unheard.is_named_by(at):
            return
        self.unheard = None
        if unheard.goes_on(at, now, on=on):
            least_w = min(power_w, unheard.power_w)
            self.meter.fill(least_w, unheard.counted_to, at, unheard.total_kwh, unheard.told_until)

    def compare(
        self, soc_percent: float | None, now: datetime, *, free: bool, opted_out: bool
    ) -> None:
        """See whether it does what it was told."""
        drawn = self.meter.drawn
        told_w, told_at = None, None
        if drawn.told is not None and drawn.reports(now):
            told_w, told_at = drawn.told
        asked_w = self._asked_w(now, free=free)
        unasked = self.following.deviation is Deviation.TAKES_UNASKED
        if unasked and asked_w is None and told_w and not opted_out:
            # Whether it follows shows when it is told again to take nothing.
            return
        shown = self._shown_by_counter(asked_w, told_w, now)
        if shown is None and told_w is None:
            shown = self._shown_by_switch(asked_w, now)
        if shown is not None:
            told_w, told_at = shown
        self.following.observe(
            asked_w, told_w, soc_percent, now, told_at=told_at, measured=shown is None
        )
        drawn.takes_nothing = self.following.deviation is Deviation.TAKES_NOTHING

    def _asked_w(self, now: datetime, *, free: bool) -> float | None:
        """What is asked of it now; None where its own logic or a person decides."""
        asked = self.meter.drawn.commanded_w(now)
        by_itself = self.schedules.acts_by_itself and not self.schedules.blocked(now)
        return None if free or (by_itself and asked <= 0) else asked

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

    def _shown_by_switch(
        self, asked_w: float | None, now: datetime
    ) -> tuple[float, datetime] | None:
        """All or nothing, as it is switched, where no power is told."""
        arrived = self.meter.drawn.arrived
        if arrived is None or asked_w is None:
            return None
        if asked_w <= 0:
            if arrived.shown is None:
                return None
            shown = arrived.shown
            return (self.traits.max_power_w, shown.since) if shown.on else (0.0, shown.told_at)
        if arrived.off_since is not None:
            return 0.0, arrived.off_since
        deviates = self.following.deviation is Deviation.TAKES_NOTHING
        return (asked_w, now) if deviates and arrived.power_w(now) > 0 else None

    # --- what is seen of that -------------------------------------------------------------------

    def takes_by_counter(self, now: datetime, *, free: bool) -> bool:
        """Does its counter grow though its power says that it takes nothing?"""
        told_w = self.meter.drawn.told[0] if self.meter.drawn.told else None
        shown = self._shown_by_counter(self._asked_w(now, free=free), told_w, now)
        return shown is not None and shown[0] > 0

    def counts_as_told(self, now: datetime) -> bool:
        """It should run and told its power once, but its values have stopped coming.

        One that was off may have had nothing to tell: it is given its time from the start.
        """
        drawn = self.meter.drawn
        power, on_since = drawn.told, self.switching.on_since
        if power is None or on_since is None or drawn.takes_nothing:
            return False
        stopped = now - max(power[1], on_since) > REPORTS_WITHIN
        return stopped and drawn.commanded_w(now) > 0

    def stalled(self, now: datetime) -> bool:
        """Does it take nothing of what is planned for it?"""
        drawn = self.meter.drawn
        return drawn.takes_nothing or (self.schedules.refused and not drawn.power_w(now))

    def takes_no_more(self, now: datetime) -> bool:
        """Has a car at 100 % taken no more for ten minutes, as far as it tells?"""
        if not self.meter.drawn.reports(now):
            return True
        idle_since = self.switching.idle_since
        return idle_since is not None and now - idle_since >= FULL_WHEN_IDLE_FOR

    def tapering_w(self, soc_percent: float | None, now: datetime) -> float | None:
        """What a nearly full car still takes of what it was told; None where it takes all."""
        drawn = self.meter.drawn
        power = drawn.told
        nearly_full = soc_percent is not None and soc_percent >= TAPER_FROM_PERCENT
        if not (self.traits.has_stays and nearly_full and power and drawn.reports(now)):
            return None
        # What it told as it was told to take more says nothing of what it can take.
        asked = drawn.commanded_w(now), drawn.commanded_w(power[1] - OBEYS_WITHIN)
        taken_w, asked_w = drawn.power_w(now), min(asked)
        takes = taken_w >= ON_POWER_FRACTION * self.traits.max_power_w
        return taken_w if takes and taken_w < LESS_SHARE * asked_w else None
