"""What each device is told: its next schedule and the setpoint of the moment.

Plain calls: what is published goes into the outbox, what has to survive into the store, and neither
is waited for here.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from agent.dispatch.acknowledgements import Acknowledgements
from agent.dispatch.due import EXACTLY, Leeway, needs_publishing
from agent.dispatch.finish import finished, without_restart
from agent.dispatch.group_limit import GroupHeadroom, curtailed_in_both, granted_in_both
from agent.dispatch.holdings import Deferred, Holdings
from agent.dispatch.limit import NO_LOADS, takes_less
from agent.dispatch.limit_proof import LimitProof
from agent.dispatch.outbid import Outbid
from agent.dispatch.outbox import Outbox, device_lane
from agent.dispatch.phases import PhaseHistory, carried_on, with_phases
from agent.dispatch.published import Published
from agent.dispatch.revisions import Revisions
from agent.dispatch.schedules import describe_schedule, setpoint_at
from agent.dispatch.setpoints import SetpointSender, kept_running
from agent.energy.instants import from_unix, to_unix_floor
from agent.energy.profile import DeviceProfile
from agent.energy.schedule import (
    DeviceType,
    Schedule,
    Setpoint,
    spoken_mode,
)
from agent.energy.sentences import sentence
from agent.energy.steps import Steps
from agent.health import Health
from agent.home.windows import SiteLocation
from agent.ports import DeviceAdapter
from agent.records.device_store import DeviceStore
from agent.records.ledger import Ledger
from agent.report.event_queue import EventQueue

# One device causes at most one new revision in this time; a person's request does not wait.
# Whole seconds, rounded up: never less than five.
REVISION_EVERY_S = 6
# What an earlier life planned for one that is told each time may be over, or it has ended its run
# by itself: the first plan is waited for so long.
PLANNED_WITHIN_S = 60


@dataclass(frozen=True, slots=True)
class Wanted:
    """A schedule that a device should hold. `urgent`: a person asked, or a limit came."""

    schedule: Schedule
    urgent: bool = False
    leeway: Leeway = EXACTLY


@dataclass(slots=True)
class Dispatcher:
    """What every device is told next; `holdings` is what it holds, `acknowledgements` what it says.

    `on_told(device, schedule)` hears what a device holds from now on, `on_restored(device,
    schedule)` what it has held since an earlier life; `on_switch(device, is_on)`
    when a setpoint turns it on or off, `on_headroom` when what waited may now be raised, or what
    was taken back or refused be given anew. `runs_until(device, now)`: before then a run under way
    must not be cut, whatever its schedule says.
    """

    profiles: Mapping[str, DeviceProfile]
    adapters: Mapping[str, DeviceAdapter]
    outbox: Outbox
    store: DeviceStore
    events: EventQueue
    health: Health
    ledger: Ledger
    location: Callable[[], SiteLocation]
    on_told: Callable[[str, Schedule | None], None]
    on_restored: Callable[[str, Schedule], None]
    on_switch: Callable[[str, bool], None]
    on_headroom: Callable[[], None]
    runs_until: Callable[[str, int], int | None] = lambda device, now: None
    holdings: Holdings = field(init=False)
    acknowledgements: Acknowledgements = field(init=False)
    setpoints: SetpointSender = field(init=False)
    _revisions: Revisions = field(init=False)
    _last_revision_at: dict[str, int] = field(default_factory=dict, init=False)
    # By device, until when it is not told what an earlier life planned.
    _unplanned: dict[str, int] = field(default_factory=dict, init=False)
    _retry_at: int | None = field(default=None, init=False)
    _waiting: set[str] = field(default_factory=set, init=False)
    _proof: LimitProof = field(init=False)
    _outbid: Outbid = field(default_factory=Outbid, init=False)
    _phases: dict[str, tuple[PhaseHistory, int]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.holdings = Holdings(self.profiles)
        self.setpoints = SetpointSender(self.adapters, self.outbox)
        self._revisions = Revisions(self.store, self.health)
        self._proof = LimitProof(self.health)
        self.acknowledgements = Acknowledgements(
            self.adapters,
            self.outbox,
            self.ledger,
            self.holdings,
            self._revisions,
            self._outbid,
            self._proof,
            on_news=self.on_headroom,
            on_room=self._raise_who_waits,
            on_take_back=self.withdraw,
        )

    def restore(self, now: datetime) -> None:
        """What devices held when an earlier life ended is true until it is changed."""
        for device, schedule in self.store.schedules.stored().items():
            if device not in self.profiles:
                self.acknowledgements.former.add(device)
                self.store.schedules.forget(device)
                continue
            if schedule.device_type is not self.profiles[device].type:
                continue
            if not self.store.schedules.is_last(schedule):
                # Whatever came after it was not stored: never an older one over it.
                self.holdings.published[device] = Published.unknown(self.profiles[device], schedule)
                continue
            self.holdings.published[device] = Published(schedule, [], schedule)
            if not self.adapters[device].holds_schedule:
                self._unplanned[device] = to_unix_floor(now) + PLANNED_WITHIN_S
            self._revisions.issued(device, schedule.revision)
            self.outbox.set(device_lane(device), *self.adapters[device].encode_schedule(schedule))
            self.on_restored(device, schedule)

    def next_change(self) -> datetime | None:
        """When the next setpoint is due or said again, or what had to wait may be published."""
        deferred = self.holdings.deferred.values()
        moments = [*self.setpoints.next_moments(), *(item.due for item in deferred)]
        return from_unix(min(moments)) if moments else None

    @property
    def waiting_for_headroom(self) -> frozenset[str]:
        """Who has not got all that was planned, beside what others may still be taking."""
        return frozenset(self._waiting)

    @property
    def retry_at(self) -> datetime | None:
        """When a schedule that came too soon after another may be published."""
        return None if self._retry_at is None else from_unix(self._retry_at)

    @property
    def increase_due_at(self) -> datetime | None:
        """When what waits for an acknowledgement is raised without it."""
        return self.holdings.overdue_at() if self._waiting else None

    def _raise_who_waits(self) -> None:
        if self._waiting:
            self.on_headroom()

    # --- what goes out --------------------------------------------------------------------------

    def issue(
        self,
        wanted: Mapping[str, Wanted],
        now: int,
        headroom: Steps | None = None,
        beside: Mapping[str, Steps] = NO_LOADS,
        group: GroupHeadroom | None = None,
    ) -> list[str]:
        """Publish those schedules that are due; the devices whose schedule is new.

        `headroom` is what devices may draw together at each instant, None without a limit; `beside`
        what some of them draw whatever they are told, `group` a limit that binds only some.
        """
        limited = headroom is not None
        self._retry_at = None
        ready = {}
        for device, item in wanted.items():
            self._unplanned.pop(device, None)
            schedule = without_restart(item.schedule, self.holdings.held(device), now)
            ready[device] = self._finished(schedule, now, never_more=limited)
        if headroom is not None:
            late = self.acknowledgements.overdue(now)
            if self._waiting:
                self._proof.misses(late)
            self._proof.stay(name for name, item in self.holdings.published.items() if item.stays)
            known = {name: self.holdings.published.setdefault(name, Published()) for name in ready}
            whole = ready
            published = {**self.holdings.published, **known}
            ready, cut = granted_in_both(
                self.profiles, published, ready, headroom, now, beside, group
            )
            waited = self._waiting
            # Whose change can wait anyhow waits for nobody.
            waiting = {
                name
                for name in cut
                if name in waited or self._is_due(wanted[name], whole[name], now)
            }
            self._waiting = (waited - ready.keys()) | waiting
            rest_due = waited - self._waiting
            for device, schedule in ready.items():
                ready[device] = self._finished(schedule, now, never_more=True)
        else:
            rest_due, self._waiting = self._waiting, set()
            self._proof.is_not_needed()
        issued = []
        for device, schedule in ready.items():
            item, held = wanted[device], self.holdings.held(device)
            # The rest of what was planned, and what makes room for who waits, can not wait.
            makes_room = held is not None and takes_less(self.profiles[device], schedule, held, now)
            anyhow = device in rest_due or (bool(self._waiting) and makes_room)
            outbid_at = self._outbid.due_at(device)
            if outbid_at is not None and now < outbid_at:
                self._retry_at = min(self._retry_at or outbid_at, outbid_at)
                outbid_at = None
            if outbid_at is None and not self._is_due(item, schedule, now, anyhow=anyhow):
                continue
            waits_to = self._waits_to(device, now)
            if waits_to is not None and not item.urgent:
                self._retry_at = min(self._retry_at or waits_to, waits_to)
                self._waiting |= {device} & rest_due
                continue
            self._publish(device, schedule, now, forms_at=waits_to)
            issued.append(device)
        return issued

    def _is_due(self, item: Wanted, schedule: Schedule, now: int, *, anyhow: bool = False) -> bool:
        """Is it another than the device holds? `anyhow`: also where such a change could wait."""
        leeway = EXACTLY if anyhow else item.leeway
        return needs_publishing(self.holdings.held(schedule.device), schedule, now, leeway)

    def _waits_to(self, device: str, now: int) -> int | None:
        """When the device may have its next revision, where that is not now."""
        if device in self.holdings.deferred:
            return self.holdings.deferred[device].due
        last = self._last_revision_at.get(device)
        # One of the future was published before the clock was set back.
        if last is None or not last <= now < last + REVISION_EVERY_S:
            return None
        return last + REVISION_EVERY_S

    def _finished(self, schedule: Schedule, now: int, *, never_more: bool) -> Schedule:
        """With its last touches, as the device can take it."""
        device = schedule.device
        schedule = finished(schedule, now, never_more=never_more, held=self.holdings.held(device))
        phases = self.profiles[device].phases
        if phases is not None:
            schedule = with_phases(schedule, phases, self._phase_history(device, now), now)
        return self.adapters[device].fit(schedule)

    def _phase_history(self, device: str, now: int) -> PhaseHistory:
        """What it did by what it holds; of an earlier life its last schedule tells enough."""
        held = self.holdings.held(device)
        known = self._phases.get(device)
        history, since = known or (PhaseHistory(), held.issued_at if held else now)
        history = carried_on(history, held, since, now)
        self._phases[device] = history, now
        return history

    def curtail(
        self,
        headroom: Steps,
        unswitchable: Iterable[str],
        now: int,
        beside: Mapping[str, Steps] = NO_LOADS,
        group: GroupHeadroom | None = None,
    ) -> list[str]:
        """A stricter limit holds: in one step, setpoints first, nobody is waited for."""
        lower = curtailed_in_both(
            self.profiles, self.holdings.published, headroom, unswitchable, now, beside, group
        )
        for device, schedule in lower.items():
            schedule = self._finished(schedule, now, never_more=True)
            self._publish(device, replace(schedule, issued_at=now), now, setpoint_first=True)
        return list(lower)

    def withdraw(self, device: str) -> None:
        """Take everything back: the device is on its own logic."""
        if device not in self.holdings.published or self.holdings.published[device].latest is None:
            return
        self.holdings.published[device].withdraw()
        self.holdings.deferred.pop(device, None)
        self._outbid.forget(device)
        self._waiting.discard(device)
        self._proof.has(device)
        self._last_revision_at.pop(device, None)
        self.store.schedules.forget(device)
        self.setpoints.withdraw(device)
        self.on_told(device, None)

    def _publish(
        self,
        device: str,
        schedule: Schedule,
        now: int,
        *,
        setpoint_first: bool = False,
        forms_at: int | None = None,
    ) -> None:
        """The schedule under a new revision, to the device and into the store.

        `forms_at`: a person asked so soon after another revision that only the setpoint goes at
        once; the schedule follows then, with the revision that the setpoint already carries.
        """
        waiting = self.holdings.deferred.pop(device, None)
        revision = self._revisions.next(device, now)
        if waiting is not None and self._outbid.due_at(device) is None:
            revision = waiting.schedule.revision
        schedule = replace(schedule, revision=revision)
        stored = self.store.schedules.issue(schedule)
        self._revisions.issued(device, revision)
        self._outbid.answered(device, now)
        if waiting is None:
            self._last_revision_at[device] = now
            self.ledger.of(device).schedules += 1
        self.acknowledgements.expect(device, revision, now)
        self.holdings.published.setdefault(device, Published()).publish(schedule, now)
        if setpoint_first or forms_at is not None:
            self._publish_setpoint(device, schedule, now)
        if forms_at is not None and not setpoint_first:
            self.holdings.deferred[device] = Deferred(schedule, forms_at)
        else:
            forms = self.adapters[device].encode_schedule(schedule)
            # A revision ahead of the clock is only known not to be used twice once it is stored.
            after = stored if revision > now else None
            self.outbox.set(device_lane(device), *forms, after=after)
        self.on_told(device, schedule)
        text = describe_schedule(schedule, self.location().zone, now)
        self.events.event("plan_changed", device, text)

    def publish_due_setpoints(self, now: datetime) -> None:
        """Publish each setpoint whose time has come, and each schedule that had to wait.

        What a device wants to hear again is said again.
        """
        second = to_unix_floor(now)
        for device, deferred in list(self.holdings.deferred.items()):
            if second >= deferred.due:
                del self.holdings.deferred[device]
                self._last_revision_at[device] = second
                forms = self.adapters[device].encode_schedule(deferred.schedule)
                self.outbox.set(device_lane(device), *forms)
                if deferred.is_answered:
                    self.acknowledgements.holds(device, deferred.schedule.revision)
        for device, item in self.holdings.published.items():
            schedule, old = item.latest, self.setpoints.current(device)
            if schedule is None or second < self._unplanned.get(device, second):
                continue
            if old and old.revision == schedule.revision and second < old.until:
                continue
            self._publish_setpoint(device, schedule, second)
        self.setpoints.refresh(second)

    def _publish_setpoint(self, device: str, schedule: Schedule, second: int) -> None:
        profile, old = self.profiles[device], self.setpoints.current(device)
        new = setpoint_at(schedule, profile, second)
        if not self.adapters[device].keeps_run:
            new = kept_running(new, profile, self.runs_until(device, second))
        self.setpoints.tell(device, new)
        is_on = new.mode == profile.on_mode
        if is_on != (old is not None and old.mode == profile.on_mode):
            self._queue_switch_event(profile, new, is_on=is_on)
            self.on_switch(device, is_on)

    def _queue_switch_event(
        self, profile: DeviceProfile, setpoint: Setpoint, *, is_on: bool
    ) -> None:
        if is_on:
            mode = sentence(spoken_mode(profile.type, setpoint.mode))
            text = sentence("{mode} at {power} W", mode=mode, power=abs(setpoint.power_w))
            self.events.event("window_started", profile.id, text)
        elif profile.type is not DeviceType.PROGRAM:
            # A program runs on when nothing tells it to start any more.
            text = sentence("now {mode}", mode=sentence(setpoint.mode))
            self.events.event("window_ended", profile.id, text)
