"""Every device as it is known: its model, its wish, its health. Plain calls; nothing here waits."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from agent.clock import Clock
from agent.config.devices import DeviceSection
from agent.contracts.topics import Topics
from agent.control.device_report import DeviceReport
from agent.control.device_requests import DeviceRequests
from agent.control.device_states import DeviceStates
from agent.control.device_view import device_view
from agent.control.managed_device import ManagedDevice
from agent.dispatch.outbox import Outbox
from agent.energy.instants import from_unix, to_unix_ceil
from agent.energy.profile import DeviceProfile
from agent.energy.readings import (
    Acknowledgement,
    DeviceInfo,
    Presence,
    Reading,
    Unreadable,
    UnreadableMessage,
)
from agent.energy.schedule import Schedule, Setpoint
from agent.energy.sentences import sentence
from agent.energy.view import DeviceView, Planned
from agent.health import Health
from agent.home.kinds import KINDS
from agent.home.model import program_run
from agent.home.model.clock_changes import ClockJump, move_with_clock, moved_wish
from agent.home.model.device_model import DeviceModel
from agent.home.model.latest_readings import PERSISTED_KINDS
from agent.home.planning_input import PlanningContext, PlanningInput
from agent.home.wishes import Wish, expired
from agent.ports import Decoded, Forgotten, Switched, UnknownKeys, UntimedReading
from agent.records.bookkeeper import Bookkeeper
from agent.records.device_store import DeviceStore
from agent.report.event_queue import EventQueue

# A state after this silence is answered with the time, for devices without a clock.
SILENCE_BEFORE_TIME = timedelta(seconds=60)
NEVER_BEGAN = sentence("was told to run and never began; it has to be loaded anew")


@dataclass(slots=True)
class DeviceManager:
    """Every appliance of the config, by its id.

    `on_change(device, user_triggered)`: something matters for the plan; user-triggered where a
    person did something, so that even small changes are published. `on_asked(device)`: a person has
    asked for something by a request. `on_reappeared` comes after a silence, `on_unheard(device)`
    where it shows that what it was told has not reached it or is forgotten, `on_take_back(device)`
    when its schedule is to be taken back before it is given anew. `acknowledges(device)`: it is
    expected to confirm what it is told; `holds_schedule(device)`: it goes on by its schedule when
    the agent is gone; `revision_problem(device)`: what is wrong with the revision
    that it says it holds. `on_profile(device, profile)` hears what it is where the config leaves
    that to it to say. `look_at_clock()` notices a clock that was set, before anything is noted by
    it.
    """

    clock: Clock
    store: DeviceStore
    health: Health
    topics: Topics
    outbox: Outbox
    events: EventQueue
    context: Callable[[datetime], PlanningContext]
    clock_trusted: Callable[[], bool]
    on_change: Callable[[str, bool], None]
    on_asked: Callable[[str], None]
    on_reappeared: Callable[[], None]
    on_unheard: Callable[[str], None]
    on_take_back: Callable[[str], None]
    bookkeeper: Bookkeeper
    acknowledges: Callable[[str], bool] = lambda device: True
    holds_schedule: Callable[[str], bool] = lambda device: True
    revision_problem: Callable[[str], str | None] = lambda device: None
    on_profile: Callable[[str, DeviceProfile], None] = lambda device, profile: None
    look_at_clock: Callable[[], None] = lambda: None
    _by_id: dict[str, ManagedDevice] = field(default_factory=dict, init=False)
    _begun: datetime = field(init=False)
    _configured: Mapping[str, DeviceSection] = field(default_factory=dict, init=False)
    _states: DeviceStates = field(init=False)
    _report: DeviceReport = field(init=False)
    _requests: DeviceRequests = field(init=False)

    def __post_init__(self) -> None:
        self._begun = self.clock.now()
        self._report = DeviceReport(
            self.health, self.events, self.acknowledges, self.revision_problem
        )
        self._states = DeviceStates(self.store, self.health, self.bookkeeper, self._by_id)
        self._requests = DeviceRequests(
            self.clock,
            self.store,
            self.health,
            self.topics,
            self.outbox,
            self.events,
            self.context,
            self.clock_trusted,
            self._by_id,
            self.on_asked,
            self.on_take_back,
            save_state=lambda name, now: self._states.save(name, now, at_once=True),
        )
        self.store.on_wish_stored = self._requests.publish_wish

    def restore(
        self, sections: Mapping[str, DeviceSection], profiles: Mapping[str, DeviceProfile]
    ) -> None:
        """Take up what an earlier life left: readings, models, wishes."""
        self._configured = sections
        for name, section in sections.items():
            holds = self.holds_schedule(name)
            device = self._states.restored(name, section, profiles[name], holds_schedule=holds)
            self._by_id[name] = device
            self._complete(name, DeviceInfo(phases=self.store.told_phases(name)))
            self._requests.publish_wish(name, at=device.wish.asked_at)
        self.bookkeeper.restore()

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_id)

    def __contains__(self, name: str) -> bool:
        return name in self._by_id

    def model(self, name: str) -> DeviceModel:
        return self._by_id[name].model

    def section(self, name: str) -> DeviceSection:
        return self._by_id[name].section

    def wish(self, name: str) -> Wish:
        return self._by_id[name].wish

    def view(self, name: str, planned: Planned, now: datetime) -> DeviceView:
        """What is known of it now, for people."""
        return device_view(
            self._by_id[name], self.context(now), planned, acknowledges=self.acknowledges(name)
        )

    def runs_until(self, name: str, now: int) -> int | None:
        """Until when a run under way must not be cut, in Unix seconds; None where none is."""
        device = self._by_id[name]
        kind = KINDS[device.section.type]
        until = kind.runs_until(device.section, device.model, from_unix(now))
        return None if until is None else to_unix_ceil(until)

    def powers_w(self, now: datetime) -> list[float]:
        """What each of them takes now; negative: gives."""
        return [device.model.meter.drawn.power_w(now) for device in self._by_id.values()]

    def roof_limited(self, now: datetime) -> bool:
        """Does an inverter give as much as it may?"""
        return any(device.model.is_limited(now) for device in self._by_id.values())

    def clock_jumped(self, by: timedelta, zone: ZoneInfo) -> None:
        """The wall clock was set forward or back by so much; `zone` is where wishes are meant."""
        now = self.clock.now()
        jump = ClockJump(self._begun, now - by, by)
        for name, device in self._by_id.items():
            move_with_clock(device.model, jump)
            wish = moved_wish(device.wish, jump, zone)
            if wish != device.wish:
                device.wish = wish
                self._requests.save_wish(name)
                self._requests.publish_wish(name)
        self._begun = min(jump.moved(self._begun), now)

    # --- what comes in --------------------------------------------------------------------------

    def on_decoded(self, name: str, item: Decoded, *, retained: bool) -> None:
        """One thing that the device said."""
        now, device = self.clock.now(), self._by_id[name]
        model = device.model
        if isinstance(item, UnknownKeys):
            self._report.unknown_keys(name, device, item)
            return
        if isinstance(item, Forgotten):
            if not retained and model.following.forgets(now):
                self.on_unheard(name)
            return
        if model.online is False and not retained and not isinstance(item, Presence):
            # A last will that nobody took back: who speaks is there.
            self._presence(name, Presence(online=True), now)
        if isinstance(item, Switched):
            if not retained:
                model.operation.shows(now, on=item.on)
                self._tell_in_vain(name, now)
            return
        if isinstance(item, DeviceInfo):
            device.info = item
            if self._complete(name, item):
                self.store.save_told_phases(name, item.phases)
                self.on_change(name, True)
            self._update_health(name, now)
            return
        if isinstance(item, Presence):
            self._presence(name, item, now)
            return
        silent = model.last_seen_at is None or now - model.last_seen_at > SILENCE_BEFORE_TIME
        if isinstance(item, Acknowledgement):
            self._on_ack(name, item, now)
        elif isinstance(item, Unreadable | UnreadableMessage):
            model.cannot_read(item, now)
            self._update_health(name, now)
        else:
            if not (isinstance(item, UntimedReading) and item.misdated):
                model.readings.unreadable.pop("at", None)
            if isinstance(item, UntimedReading):
                item = model.readings.untimed(item.kind, item.value, retained=retained, now=now)
            self._on_reading(name, item, now, retained=retained)
        if silent and not retained:
            self.on_reappeared()

    def _complete(self, name: str, info: DeviceInfo) -> bool:
        """Take what the config leaves to the device to say. True where that is news."""
        device, configured = self._by_id[name], self._configured[name]
        kind = KINDS[configured.type]
        section = kind.as_told(configured, info)
        if section == device.section:
            return False
        profile = kind.profile(section)
        if device.profile.offline != kind.profile(device.section).offline:
            # It had to give way below the limit, and does so as anything else too.
            profile = replace(profile, offline=device.profile.offline)
        device.section, device.profile = section, profile
        self.on_profile(name, profile)
        return True

    def _on_reading(self, name: str, item: Reading, now: datetime, *, retained: bool) -> None:
        device = self._by_id[name]
        was_in = device.model.plugged(now)
        matters = device.model.report(item, now, retained=retained)
        if matters and item.kind in PERSISTED_KINDS:
            device.unsaved[item.kind] = device.model.readings.by_kind[item.kind]
        self._update_health(name, now)
        plug_changed = item.kind == "plugged" and device.model.plugged(now) != was_in
        if plug_changed:
            self._states.save(name, now, at_once=True)
        if matters or plug_changed:
            self.on_change(name, plug_changed)
        if not retained:
            self._tell_in_vain(name, now)

    def _tell_in_vain(self, name: str, now: datetime) -> None:
        """It speaks, but shows nothing of what it was told: that is said again now and then."""
        if self._by_id[name].model.following.asked_in_vain(now):
            self.on_unheard(name)

    def _on_ack(self, name: str, ack: Acknowledgement, now: datetime) -> None:
        device = self._by_id[name]
        was_out = device.model.opted_out(now)
        matters = device.model.acknowledge(ack, now)
        self._report.answered(name, device, ack, now)
        if device.model.opted_out(now) and not was_out:
            text = sentence(
                "a person at the device has overridden its schedule; it is planned around"
            )
            self.events.event("user_opt_out", name, text)
        self._update_health(name, now)
        if matters:
            self.on_change(name, False)

    def _presence(self, name: str, item: Presence, now: datetime) -> None:
        model = self._by_id[name].model
        came_back = item.online and model.online is False
        model.online = item.online
        model.operation.is_there(now, there=item.online)
        self._states.save(name, now)
        if item.online:
            model.last_seen_at = now
            self.on_reappeared()
        self._update_health(name, now)
        if came_back:
            self.on_change(name, False)

    def on_request(self, name: str, payload: bytes) -> str | None:
        """Returns why it is refused, None where it is not."""
        self.look_at_clock()
        return self._requests.receive(name, payload)

    # --- what is told to it ---------------------------------------------------------------------

    def on_restored(self, name: str, schedule: Schedule) -> None:
        """It was told that in an earlier life, and is told nothing else yet."""
        if name in self._by_id and self.holds_schedule(name):
            self._by_id[name].model.schedules.followed_alone = schedule
        self.on_told(name, schedule)

    def on_told(self, name: str, schedule: Schedule | None) -> None:
        device, now = self._by_id.get(name), self.clock.now()
        if device is None:
            return
        device.model.told(schedule, now)
        self._look_at_run(device, now)

    def on_switch(self, name: str, is_on: bool) -> None:
        """A setpoint turns it on or off."""
        if self.holds_schedule(name) or not is_on:
            self._tell_to_run(name, is_on=is_on)

    def on_arrived(self, name: str, setpoint: Setpoint | None, lasts_s: int | None) -> None:
        """It was told that, if it is there, and does it for so long; None: it is let go."""
        device, now = self._by_id.get(name), self.clock.now()
        if device is None:
            return
        lasts = None if lasts_s is None else timedelta(seconds=lasts_s)
        device.model.operation.arrives(float(setpoint.power_w) if setpoint else 0.0, now, lasts)
        if device.model.traits.run_parts and device.model.online is not False:
            is_on = setpoint is not None and setpoint.mode == device.profile.on_mode
            self._tell_to_run(name, is_on=is_on)
        self._states.save(name, now)

    def _tell_to_run(self, name: str, *, is_on: bool) -> None:
        device, now = self._by_id[name], self.clock.now()
        since = device.model.told_to_run_since
        device.model.told_to_run_since = (since or now) if is_on else None
        self._look_at_run(device, now)

    def _look_at_run(self, device: ManagedDevice, now: datetime) -> None:
        if device.model.traits.run_parts:
            program_run.look(device.model, device.wish.loaded_at, now)

    def say_less(self, name: str, why: str) -> None:
        """What a person asked for gets less, or waits: said on its wish."""
        self._requests.say_less(name, why)

    # --- what is asked of it --------------------------------------------------------------------

    def advance(self, now: datetime) -> None:
        """Carry every device on to now: energy counted, wishes that have ended taken off."""
        context = self.context(now)
        self._requests.look_at_clock()
        due = self._states.comes_due(now)
        for name, device in self._by_id.items():
            kind = KINDS[device.section.type]
            kind.advance(device.section, device.model, device.wish, context)
            self._end_wishes(name, context)
            self._states.save(name, now, at_once=due)
            self._update_health(name, now)

    def planning_input(self, name: str, now: datetime) -> PlanningInput:
        """What the device asks of the planner now; changes nothing."""
        device = self._by_id[name]
        if device.model.opted_out(now):
            return PlanningInput(None)
        kind = KINDS[device.section.type]
        return kind.planning_input(device.section, device.model, device.wish, self.context(now))

    def note_input(self, name: str, wanted: PlanningInput, now: datetime) -> None:
        """Remember what the plan in force was made from."""
        device = self._by_id[name]
        override = wanted.override
        boosts = override is not None and override.reason == "boost"
        device.model.boost_until = override.until if override is not None and boosts else None
        if (device.notes, device.beliefs) != (wanted.notes, wanted.beliefs):
            device.notes, device.beliefs = wanted.notes, wanted.beliefs
            self._update_health(name, now)

    def _end_wishes(self, name: str, context: PlanningContext) -> None:
        now, device = context.now, self._by_id[name]
        kind, model = KINDS[device.section.type], device.model
        wanted = kind.planning_input(device.section, model, device.wish, context)
        if wanted.full and kind.has_stays and model.plugged(now):
            model.session.satisfied_at = now
        over = kind.session_over(device.section, model, device.wish, context)
        plugged = model.plugged(now) if kind.has_stays else True
        wish = expired(
            device.wish,
            now,
            plugged=plugged,
            session_over=over,
            full=wanted.full,
            owed=kind.owes(device.section, model, device.wish, context),
        )
        if wish != device.wish:
            if over and model.was_in_vain and device.wish.loaded_at is not None:
                self.events.event("not_following", name, NEVER_BEGAN)
            device.wish, device.why_less = wish, ""
            self._requests.save_wish(name)
            self._requests.publish_wish(name)

    # --- what is kept and said ------------------------------------------------------------------

    def save_all(self) -> None:
        """At the end of a life: what was only to be stored later."""
        now = self.clock.now()
        for name in self._by_id:
            self._states.save(name, now, at_once=True, everything=True)

    def book(self, name: str, now: datetime) -> None:
        """Have the ledger book what the device took since it last did."""
        self._states.book(name, now)

    def _update_health(self, name: str, now: datetime) -> None:
        self._report.update(name, self._by_id[name], now)
