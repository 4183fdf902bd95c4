"""What each device holds: revisions, schedules, the setpoint of the moment, acknowledgements.

Plain calls: what is published goes into the outbox, what has to survive into the store, and neither
is waited for here.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import pairwise

from agent.contracts.text import read_member
from agent.dispatch.due import EXACTLY, Leeway, needs_publishing
from agent.dispatch.finish import finished, without_restart
from agent.dispatch.limit import NO_LOADS, curtailed, granted, takes_less
from agent.dispatch.limit_proof import LimitProof
from agent.dispatch.outbid import Outbid
from agent.dispatch.outbox import Outbox, device_lane
from agent.dispatch.phases import PhaseHistory, carried_on, with_phases
from agent.dispatch.published import ANSWERS_WITHIN_S, NOTHING, Published
from agent.dispatch.revisions import Revisions
from agent.dispatch.schedules import describe_schedule, setpoint_at
from agent.dispatch.setpoints import SetpointSender, kept_running
from agent.energy.instants import from_unix, to_unix_floor
from agent.energy.profile import DeviceProfile
from agent.energy.readings import Acknowledgement, AckStatus
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


@dataclass(frozen=True, slots=True)
class Wanted:
    """A schedule that a device should hold. `urgent`: a person asked, or a limit came."""

    schedule: Schedule
    urgent: bool = False
    leeway: Leeway = EXACTLY


@dataclass(slots=True)
class Dispatcher:
    """What every device was told, and what it is told next.

    `on_told(device, schedule)` hears what a device holds from now on, `on_switch(device, is_on)`
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
    on_switch: Callable[[str, bool], None]
    on_headroom: Callable[[], None]
    runs_until: Callable[[str, int], int | None] = lambda device, now: None
    _published: dict[str, Published] = field(default_factory=dict, init=False)
    setpoints: SetpointSender = field(init=False)
    _revisions: Revisions = field(init=False)
    _unanswered: dict[str, dict[int, int]] = field(default_factory=dict, init=False)
    _last_revision_at: dict[str, int] = field(default_factory=dict, init=False)
    _retry_at: int | None = field(default=None, init=False)
    _waiting: set[str] = field(default_factory=set, init=False)
    _deferred: dict[str, tuple[Schedule, int]] = field(default_factory=dict, init=False)
    _answered_early: dict[str, int] = field(default_factory=dict, init=False)
    _proof: LimitProof = field(init=False)
    _outbid: Outbid = field(default_factory=Outbid, init=False)
    _phases: dict[str, tuple[PhaseHistory, int]] = field(default_factory=dict, init=False)
    # Devices of an earlier config, whose schedules the broker may still hold.
    _former: set[str] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        self._revisions = Revisions(self.store, self.health)
        self.setpoints = SetpointSender(self.adapters, self.outbox)
        self._proof = LimitProof(self.health)

    def restore(self, now: datetime) -> None:
        """What devices held when an earlier life ended is true until it is changed."""
        for device, schedule in self.store.schedules.stored().items():
            if device not in self.profiles:
                self._former.add(device)
                self.store.schedules.forget(device)
                continue
            if schedule.device_type is not self.profiles[device].type:
                continue
            if not self.store.schedules.is_last(schedule):
                # Whatever came after it was not stored: never an older one over it.
                self._published[device] = Published.unknown(self.profiles[device], schedule)
                continue
            self._published[device] = Published(schedule, [], schedule)
            self._revisions.issued(device, schedule.revision)
            self.outbox.set(device_lane(device), *self.adapters[device].encode_schedule(schedule))
            self.on_told(device, schedule)

    @property
    def holds_any(self) -> bool:
        return any(item.latest is not None for item in self._published.values())

    def held(self, device: str) -> Schedule | None:
        """What was published last for the device."""
        item = self._published.get(device)
        return item.latest if item else None

    def held_schedules(self) -> dict[str, Schedule]:
        """What was published last, by device."""
        return {
            device: item.latest
            for device, item in self._published.items()
            if item.latest is not None
        }

    def told_most(self, device: str) -> Steps:
        """The most that the device may be taking of what it was told and has answered."""
        item = self._published.get(device)
        return item.most(self.profiles[device]) if item else NOTHING

    def told_at(self, device: str) -> int:
        """When it was told something else last; 0: never."""
        held = self.held(device)
        return held.issued_at if held else 0

    def staying(self) -> dict[str, Steps]:
        """What those may take that say that they do not take what they are told."""
        return {
            device: item.whatever_is_told(self.profiles[device])
            for device, item in self._published.items()
            if item.stays
        }

    def sent_w(self, now: datetime) -> int:
        """The sum of what devices are told to take now."""
        second, total = to_unix_floor(now), 0
        for device, item in self._published.items():
            if item.latest is not None:
                slot = item.latest.slot_at(second)
                profile = self.profiles[device]
                total += profile.max_draw_w(slot.mode, slot.power_w) if slot else 0
        return total

    def next_change(self) -> datetime | None:
        """When the next setpoint is due or said again, or what had to wait may be published."""
        moments = [*self.setpoints.next_moments(), *(due for _, due in self._deferred.values())]
        return from_unix(min(moments)) if moments else None

    def next_end(self, now: datetime) -> datetime | None:
        """When the first of the slots under way ends."""
        at = to_unix_floor(now)
        slots = (schedule.slot_at(at) for schedule in self.held_schedules().values())
        ends = [slot.end for slot in slots if slot is not None]
        return from_unix(min(ends)) if ends else None

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
        if not self._waiting:
            return None
        times = [item.overdue_at for item in self._published.values()]
        known = [when for when in times if when is not None]
        return from_unix(min(known)) if known else None

    # --- what comes in --------------------------------------------------------------------------

    def revision_problem(self, device: str) -> str | None:
        """What is wrong with the revision that the device says it holds."""
        return self._revisions.problem(device)

    def on_ack(self, device: str, ack: Acknowledgement, now: int) -> None:
        if not self._revisions.acknowledged(device, ack.revision, now):
            refuses = ack.status is AckStatus.REJECTED and self.held(device) is not None
            if refuses and self._revisions.take_back(device, now):
                self.withdraw(device)
                self.on_headroom()
            return
        self._look_for_higher(device, ack.revision, now)
        if ack.status is AckStatus.ACCEPTED:
            self._count_followed(device, ack.revision)
        deferred = self._deferred.get(device)
        if deferred is not None and deferred[0].revision == ack.revision:
            # It took the setpoint. The schedule on the broker is still the one before.
            self._answered_early[device] = ack.revision
            return
        item = self._published.get(device)
        if item is not None and _did_not_take(ack) and item.refuse(ack):
            self.on_headroom()
        self._on_answer(device, ack.revision)

    def _on_answer(self, device: str, revision: int) -> None:
        item = self._published.get(device)
        if item is None:
            return
        if item.answer(revision) and self._waiting:
            self.on_headroom()
        if item.holds(revision):
            self._proof.has(device)

    def _count_followed(self, device: str, revision: int) -> None:
        """That one, and those before it that were replaced sooner than anybody has to answer."""
        waiting = self._unanswered.get(device, {})
        if revision not in waiting:
            return
        known = [at for at in waiting if at <= revision]
        replaced = [waiting[later] - waiting[old] for old, later in pairwise(known)]
        account = self.ledger.of(device)
        account.schedules_followed += 1 + sum(1 for age in replaced if age < ANSWERS_WITHIN_S)
        for old in known:
            del waiting[old]

    def on_schedule_seen(self, device: str, payload: bytes, now: int, *, retained: bool) -> bool:
        """A schedule on the broker: ours or an earlier life's (True), or another agent's."""
        if not payload:
            return True
        revision = read_member(payload, "revision")
        if isinstance(revision, bool) or not isinstance(revision, int):
            return True
        if device in self.profiles and self._revisions.on_broker(device, revision):
            self._look_for_higher(device, revision, now)
        if retained:
            return device in self.profiles or device in self._former
        return self._revisions.is_ours(device, revision)

    def _look_for_higher(self, device: str, revision: int, now: int) -> None:
        """A device takes no lower revision than it holds: then it is given ours anew."""
        held = self.held(device)
        if held is not None and self._outbid.seen(device, revision, held.revision, now):
            self.on_headroom()

    # --- what goes out --------------------------------------------------------------------------

    def issue(
        self,
        wanted: Mapping[str, Wanted],
        now: int,
        headroom: Steps | None = None,
        beside: Mapping[str, Steps] = NO_LOADS,
    ) -> list[str]:
        """Publish those schedules that are due; the devices whose schedule is new.

        `headroom` is what devices may draw together at each instant, None without a limit; `beside`
        what some of them draw whatever they are told.
        """
        limited = headroom is not None
        self._retry_at = None
        ready = {}
        for device, item in wanted.items():
            schedule = without_restart(item.schedule, self.held(device), now)
            ready[device] = self._finished(schedule, now, never_more=limited)
        if headroom is not None:
            self._look_for_overdue(now)
            self._proof.stay(name for name, item in self._published.items() if item.stays)
            known = {name: self._published.setdefault(name, Published()) for name in ready}
            whole = ready
            published = {**self._published, **known}
            ready, cut = granted(self.profiles, published, ready, headroom, now, beside)
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
            item, held = wanted[device], self.held(device)
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
        return needs_publishing(self.held(schedule.device), schedule, now, leeway)

    def _waits_to(self, device: str, now: int) -> int | None:
        """When the device may have its next revision, where that is not now."""
        if device in self._deferred:
            return self._deferred[device][1]
        last = self._last_revision_at.get(device)
        # One of the future was published before the clock was set back.
        if last is None or not last <= now < last + REVISION_EVERY_S:
            return None
        return last + REVISION_EVERY_S

    def _finished(self, schedule: Schedule, now: int, *, never_more: bool) -> Schedule:
        """With its last touches, as the device can take it."""
        device = schedule.device
        schedule = finished(schedule, now, never_more=never_more, held=self.held(device))
        phases = self.profiles[device].phases
        if phases is not None:
            schedule = with_phases(schedule, phases, self._phase_history(device, now), now)
        return self.adapters[device].fit(schedule)

    def _phase_history(self, device: str, now: int) -> PhaseHistory:
        """What it did by what it holds; of an earlier life its last schedule tells enough."""
        held = self.held(device)
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
    ) -> list[str]:
        """A stricter limit holds: in one step, setpoints first, nobody is waited for."""
        lower = curtailed(self.profiles, self._published, headroom, unswitchable, now, beside)
        for device, schedule in lower.items():
            schedule = self._finished(schedule, now, never_more=True)
            self._publish(device, replace(schedule, issued_at=now), now, setpoint_first=True)
        return list(lower)

    def withdraw(self, device: str) -> None:
        """Take everything back: the device is on its own logic."""
        if device not in self._published or self._published[device].latest is None:
            return
        self._published[device].withdraw()
        self._deferred.pop(device, None)
        self._outbid.forget(device)
        self._waiting.discard(device)
        self._proof.has(device)
        self._answered_early.pop(device, None)
        self._last_revision_at.pop(device, None)
        self.store.schedules.forget(device)
        self.setpoints.withdraw(device)
        self.on_told(device, None)

    def _look_for_overdue(self, now: int) -> None:
        late = [
            name
            for name, item in self._published.items()
            if item.overdue(
                now, is_out=name not in self._deferred and self.outbox.is_out(device_lane(name))
            )
        ]
        late = [name for name in late if self.adapters[name].acknowledges]
        if self._waiting:
            self._proof.misses(late)

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
        waiting = self._deferred.pop(device, None)
        self._answered_early.pop(device, None)
        revision = self._revisions.next(device, now)
        if waiting is not None and self._outbid.due_at(device) is None:
            revision = waiting[0].revision
        schedule = replace(schedule, revision=revision)
        stored = self.store.schedules.issue(schedule)
        self._revisions.issued(device, revision)
        self._outbid.answered(device, now)
        if waiting is None:
            self._last_revision_at[device] = now
            self.ledger.of(device).schedules += 1
        self._unanswered.setdefault(device, {}).setdefault(revision, now)
        self._published.setdefault(device, Published()).publish(schedule, now)
        if setpoint_first or forms_at is not None:
            self._publish_setpoint(device, schedule, now)
        if forms_at is not None and not setpoint_first:
            self._deferred[device] = schedule, forms_at
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
        for device, (deferred, due) in list(self._deferred.items()):
            if second >= due:
                del self._deferred[device]
                self._last_revision_at[device] = second
                forms = self.adapters[device].encode_schedule(deferred)
                self.outbox.set(device_lane(device), *forms)
                if (revision := self._answered_early.pop(device, None)) is not None:
                    self._on_answer(device, revision)
        for device, item in self._published.items():
            schedule, old = item.latest, self.setpoints.current(device)
            if schedule is None:
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


def _did_not_take(ack: Acknowledgement) -> bool:
    """Does it say that it holds something else than it was told last, or nothing?"""
    gone = ack.status is AckStatus.ABORTED and ack.revision == 0
    return gone or ack.status in (AckStatus.REJECTED, AckStatus.REVOKED)
