"""How much energy a device has taken, by what it tells and, where it does not, by what it was told.

The rules are those of the wire contract's section 1a ("what a device does not tell", "energy"):
a meter that only grows wins over the counter of a session, a counter over the power, a power over
what was asked; a value that cannot be is not believed. Pure: all calls are given `now`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from agent.energy.sentences import sentence
from agent.home.model.commanded import CommandedSpan
from agent.home.model.counter_watch import NOTHING_SHARE, SLACK_SHARE, CounterWatch, Verdict
from agent.home.model.drawn_power import REPORTS_WITHIN, DrawnPower, hours_between

# The first value of a session may come a minute or two before what was counted up to it.
FIRST_SLACK_KWH = 0.5
# Of a session whose beginning nobody saw, more than this is not the counter of one session.
MOST_OF_A_SESSION_KWH = 100.0
# One that leaps so often within an hour, and comes back or goes on from there, counts two things in
# turn, or nothing.
LEAPS_AT_MOST, LEAPS_WITHIN = 3, timedelta(hours=1)
TOTAL, SESSION = "energy_total_kwh", "energy_kwh"


@dataclass(frozen=True, slots=True)
class MeteredInterval:
    """Energy taken over a span; a correction of what was counted before may be negative."""

    start: datetime
    end: datetime
    energy_kwh: float


@dataclass(frozen=True, slots=True)
class Counter:
    """A counter's value and when it stood so."""

    kwh: float
    at: datetime


@dataclass(slots=True)
class EnergyMeter:
    """`total_kwh` grows for ever, `session_kwh` since the session began.

    `between_sessions`: nothing is plugged in; `before_session` is where the counter of a session
    stood then, for not every charger sets it to 0. `since_counter_kwh` was counted since the
    counter that counts stood as it does here. `counts_since`: nothing before it is in the count;
    None where an earlier life has counted. `is_resumed`: that life stored its count, and nothing
    has been counted since. `intervals` are what was counted since they were last taken away, for
    the ledger.
    """

    max_power_w: float
    total_kwh: float = 0.0
    session_kwh: float = 0.0
    session_since: datetime | None = None
    integrated_to: datetime | None = None
    counts_since: datetime | None = None
    is_resumed: bool = False
    counters: dict[str, Counter] = field(default_factory=dict)
    intervals: list[MeteredInterval] = field(default_factory=list)
    between_sessions: bool = False
    before_session: Counter | None = None
    since_counter_kwh: float = 0.0
    drawn: DrawnPower = field(init=False)
    _watches: dict[str, CounterWatch] = field(default_factory=dict)
    _frozen: dict[str, float] = field(default_factory=dict)
    _leaps: dict[str, list[datetime]] = field(default_factory=dict)
    _doubted: set[str] = field(default_factory=set)
    _session_beside: Counter | None = None
    _total_beside: float = 0.0
    _possible_kwh: float = 0.0

    def __post_init__(self) -> None:
        self.drawn = DrawnPower(self.max_power_w)

    # --- what is told to the device, and what it tells ------------------------------------------

    def command(
        self, spans: Sequence[CommandedSpan], now: datetime, *, free_outside: bool = False
    ) -> None:
        """From `now` on the device is taken to do this where it does not tell its power."""
        self.integrate_to(now)
        self.drawn.commanded.tell(spans, now, free_outside=free_outside)

    def catch_up(
        self, spans: Sequence[CommandedSpan], now: datetime, *, free_outside: bool
    ) -> None:
        """Count what came since an earlier life stored its count, by what was told then."""
        position = self.integrated_to
        if position is not None and position < now:
            self.drawn.commanded.tell(spans, position, free_outside=free_outside)
            self.integrate_to(now)

    def report_power(self, power_w: float, at: datetime, now: datetime) -> None:
        """It takes that power since `at`. One dated before what was counted corrects the count.

        One that is too old to count on says what was, as a message that the broker kept: nobody
        knows for how long it was so.
        """
        at = min(at, now)
        if self.drawn.told is not None and at < self.drawn.told[1] <= now:
            return
        if now - at > REPORTS_WITHIN:
            self.integrate_to(now)
            self.drawn.told = power_w, at
            return
        self.integrate_to(at)
        counted_to = self.integrated_to
        if counted_to is not None and at < counted_to:
            wrong = self.drawn.power_w(at)
            self._add((power_w - wrong) * hours_between(at, counted_to) / 1000, at, counted_to)
        elif counted_to is None:
            self.integrated_to = at
        self.drawn.told = power_w, at

    def fill(
        self,
        power_w: float,
        start: datetime,
        end: datetime,
        total_kwh: float,
        counted_until: datetime,
    ) -> None:
        """It took that all through `[start, end]`, W; the count stood at `total_kwh` at its start.

        What is missing came after `counted_until`.
        """
        counted = self.total_kwh - total_kwh - self._counted_after(end)
        missing = power_w * hours_between(start, end) / 1000 - counted
        self._add(max(0.0, missing), min(end, max(start, counted_until)), end)

    def add_run(self, span: CommandedSpan, counted_kwh: float) -> None:
        """It took that, of which only so much was counted."""
        taken_kwh = min(span.power_w, self.max_power_w) * hours_between(span.start, span.end) / 1000
        self._add(max(0.0, taken_kwh - counted_kwh), span.start, span.end)

    def forget_power(self, now: datetime) -> None:
        """What it told last holds no more, and nothing believable came instead."""
        self.integrate_to(now)
        self.drawn.told = None

    def report_counter(self, kind: str, kwh: float, at: datetime, now: datetime) -> str | None:
        """Take a counter's value in; what is wrong with it, or None where it is believed."""
        at = min(at, now)
        if self._is_erratic(kind, at):
            return _erratic_text(kind)
        if kind in self._frozen:
            if kwh == self._frozen[kind]:
                return _frozen_text(kind, kwh)
            del self._frozen[kind]
            self._count_from(kind, kwh, at)
            return None
        if kind == SESSION and self.between_sessions:
            self.before_session = Counter(kwh, at)
            return None
        if kind == SESSION and TOTAL in self.counters and not self._total_is_frozen(kwh, at):
            return None
        last = self.counters.get(kind)
        if last is None and kind == SESSION:
            return self._first_of_session(kwh, at)
        if last is None:
            self._count_from(kind, kwh, at)
            return None
        if at < last.at:
            return None
        self.integrate_to(at)
        watch = self._watch(kind, last)
        moved_at, in_wh = watch.moved_at, watch.could_be_wh(kwh, self.max_power_w, at)
        verdict = watch.judge(kwh, at, self.max_power_w)
        came_back = kind in self._doubted and verdict is not Verdict.CANNOT_BE
        if came_back or verdict is Verdict.BEGAN_ANEW:
            self._doubted.discard(kind)
            self._leaps.setdefault(kind, []).append(at)
            if self._is_erratic(kind, at):
                del self.counters[kind], self._watches[kind]
                return _erratic_text(kind)
        if verdict is Verdict.CANNOT_BE:
            self._doubted.add(kind)
            return _too_much_text(kind, kwh, in_wh=in_wh)
        if watch.moved_at != moved_at or verdict is Verdict.BEGAN_ANEW:
            self._session_beside = None
        if verdict is Verdict.BEGAN_ANEW:
            self._watches[kind] = CounterWatch.begin(kwh, at)
        elif kwh == last.kwh:
            return self._stands_at(kind, watch)
        else:
            correction = kwh - last.kwh - self.since_counter_kwh
            self._add(correction + self._counted_after(at), last.at, at)
        self._count_from(kind, kwh, at)
        return None

    def _stands_at(self, kind: str, watch: CounterWatch) -> str | None:
        """It counts in steps: up to one of them what was counted since it moved stands."""
        counted = self.since_counter_kwh - self._counted_after(watch.at)
        if watch.stands(watch.by_power_kwh, watch.at):
            self._add(watch.by_power_kwh - counted, watch.moved_at, watch.at)
            self._freeze(kind)
            return _frozen_text(kind, watch.kwh)
        self._add(min(0.0, watch.unseen_kwh - counted), self.counters[kind].at, watch.at)
        self.counters[kind] = Counter(watch.kwh, watch.at)
        return None

    def begin_session(self, at: datetime, now: datetime, *, seen: bool = True) -> None:
        """Plugged in, or begun: the session's energy counts from here.

        Not `seen`: it was under way when the device was heard for the first time.
        """
        self.integrate_to(min(at, now))
        self.session_kwh, self.session_since = 0.0, at if seen else None
        if (last := self.counters.pop(SESSION, None)) is not None:
            # It went on to count, told or not.
            self.before_session = Counter(last.kwh + max(0.0, self.since_counter_kwh), at)
        self.between_sessions = False
        self._watches.pop(SESSION, None)
        self._frozen.pop(SESSION, None)
        self._session_beside = None
        self._possible_kwh = 0.0
        if TOTAL not in self.counters:
            # The counter that only grows goes on over sessions.
            self.since_counter_kwh = 0.0

    def end_session(self, at: datetime, now: datetime) -> None:
        """Unplugged: until the next session its counter says nothing of what is taken."""
        self.begin_session(at, now)
        self.between_sessions = True

    def resume_session(self, taken_kwh: float, since: datetime | None) -> None:
        """The session that had ended goes on, after all."""
        self.session_kwh, self.session_since = self.session_kwh + taken_kwh, since
        if self.before_session is not None:
            self.counters[SESSION] = self.before_session

    # --- counting -------------------------------------------------------------------------------

    def integrate_to(self, now: datetime) -> None:
        """Count what was taken up to `now`."""
        start = self.integrated_to
        if start is None:
            self.integrated_to = self.counts_since = now
            return
        if now <= start:
            return
        self.is_resumed = False
        for begin, end in self.drawn.pieces(start, now):
            hours = hours_between(begin, end)
            self._add(self.drawn.power_w(begin) * hours / 1000, begin, end)
            self._possible_kwh += self.drawn.most_w(begin) * hours / 1000
            for watch in self._watches.values():
                watch.may_kwh += self.drawn.may_w(begin) * hours / 1000
                if self.drawn.followed_w(begin) > 0:
                    watch.asked_kwh += self.drawn.followed_w(begin) * hours / 1000
                    if self.drawn.reports(begin):
                        watch.by_power_kwh += self.drawn.power_w(begin) * hours / 1000
        self.integrated_to = now

    def counter_moved_at(self, now: datetime) -> datetime | None:
        """When the counter that counts last grew; None where none was told lately."""
        watch = self._counting_watch(now)
        return watch.moved_at if watch else None

    def counter_stands(self, now: datetime) -> bool:
        """Does the counter that counts stand still though the device was asked to take power?"""
        watch = self._counting_watch(now)
        return watch is not None and watch.stands(watch.asked_kwh, now)

    def pop_intervals(self) -> list[MeteredInterval]:
        intervals, self.intervals = self.intervals, []
        return intervals

    def _add(self, kwh: float, start: datetime, end: datetime) -> None:
        if not kwh:
            return
        self.intervals.append(MeteredInterval(start, end, kwh))
        self.total_kwh += kwh
        self.session_kwh = max(0.0, self.session_kwh + kwh)
        self.since_counter_kwh += kwh

    # --- counters -------------------------------------------------------------------------------

    def _first_of_session(self, kwh: float, at: datetime) -> str | None:
        """A charger sets it to 0 at the plug-in, when it begins to charge, or never.

        So it is all of this session's, or what came since the session before: whichever may be,
        and lies nearer to what was counted. Where neither may be, counting goes on from here.
        """
        if self.session_since is None:
            # Heard for the first time in its middle: it is all of this session's.
            if kwh <= MOST_OF_A_SESSION_KWH:
                self.session_kwh = max(self.session_kwh, kwh)
            self._count_from(SESSION, kwh, at)
            return None
        self.integrate_to(at)
        ahead = self._counted_after(at)
        counted = self.session_kwh - ahead
        most = max(self._possible_kwh, counted) * SLACK_SHARE + FIRST_SLACK_KWH
        before = self.before_session
        readings = [kwh] if before is None else [kwh, kwh - before.kwh]
        possible = [max(0.0, taken) for taken in readings if -FIRST_SLACK_KWH <= taken <= most]
        if possible:
            taken = min(possible, key=lambda taken: abs(taken - counted))
            self._add(taken - counted, self.session_since, at)
        self._count_from(SESSION, kwh, at)
        return None if possible else _too_much_text(SESSION, kwh)

    def _count_from(self, kind: str, kwh: float, at: datetime) -> None:
        self.counters[kind] = Counter(kwh, at)
        self.since_counter_kwh = self._counted_after(at)

    def _watch(self, kind: str, last: Counter) -> CounterWatch:
        if kind not in self._watches:
            self._watches[kind] = CounterWatch.begin(last.kwh, last.at)
        return self._watches[kind]

    def _counting_watch(self, now: datetime) -> CounterWatch | None:
        watch = self._watches.get(TOTAL if TOTAL in self.counters else SESSION)
        return watch if watch is not None and now - watch.at <= REPORTS_WITHIN else None

    def _total_is_frozen(self, kwh: float, at: datetime) -> bool:
        """Has the counter of the session grown while the meter beside it stood still?

        Then the session's counts, from where it stood when the meter froze.
        """
        beside = self._session_beside
        total = self.counters[TOTAL].kwh
        if beside is None or kwh < beside.kwh:
            self._session_beside, self._total_beside = Counter(kwh, at), total
            return False
        if total - self._total_beside > NOTHING_SHARE * (kwh - beside.kwh):
            return False
        watch = self._watch(TOTAL, self.counters[TOTAL])
        most = self.max_power_w * hours_between(beside.at, at) / 1000
        possible = kwh - beside.kwh <= SLACK_SHARE * most + FIRST_SLACK_KWH
        if not (possible and watch.stands(kwh - beside.kwh, at)):
            return False
        self._freeze(TOTAL)
        self.counters[SESSION] = beside
        self._watches[SESSION] = CounterWatch.begin(beside.kwh, beside.at)
        return True

    def _is_erratic(self, kind: str, at: datetime) -> bool:
        """It is not counted on until an hour after it was seen to leap."""
        times = self._leaps.get(kind, [])
        times[:] = [when for when in times if at - when < LEAPS_WITHIN]
        return len(times) >= LEAPS_AT_MOST

    def _freeze(self, kind: str) -> None:
        """It is not counted on until it moves."""
        self._frozen[kind] = self.counters.pop(kind).kwh
        self._watches.pop(kind, None)

    def _counted_after(self, at: datetime) -> float:
        """What was already counted beyond `at`."""
        start, end = max(at, self.counts_since or at), self.integrated_to
        if end is None or end <= start:
            return 0.0
        return self.drawn.energy_kwh(start, end)


def _too_much_text(kind: str, kwh: float, *, in_wh: bool = False) -> str:
    told = f"{kind} {kwh:g}"
    if in_wh:
        return sentence(
            "{told} is more than full power could have brought: is it in Wh?", told=told
        )
    return sentence("{told} is more than full power could have brought", told=told)


def _erratic_text(kind: str) -> str:
    return sentence("{kind} goes up and down: it does not count", kind=kind)


def _frozen_text(kind: str, kwh: float) -> str:
    return sentence(
        "{kind} stands at {told} though power is taken: it does not count",
        kind=kind,
        told=f"{kwh:g}",
    )
