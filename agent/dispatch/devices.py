"""Every device as it is known: readings, session, wish. The inbox calls in; nothing here waits."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from agent.clock import Clock
from agent.config.devices import DeviceSection, ProgramAppliance, Switched
from agent.contracts.text import read_member
from agent.dispatch.device_store import DeviceStore
from agent.dispatch.documents import wish_document
from agent.dispatch.event_queue import EventQueue
from agent.energy.readings import Acknowledgement, AckStatus, Reading
from agent.errors import Refused
from agent.health import Health
from agent.home.demands import ask
from agent.home.device_state import PERSISTED_KINDS, DeviceState
from agent.home.planning_input import PlanningInput
from agent.home.switched import current_window
from agent.home.windows import SiteLocation
from agent.home.wishes import Wish, apply_request, expired, from_text, read_request, to_text
from agent.mqtt.topics import Topics
from agent.ports import OutgoingMessage, UntimedReading

STATE_KEPT_EVERY = timedelta(minutes=15)
SILENT_AFTER = timedelta(hours=24)
# A state after this silence is answered with the time, for devices without a clock.
SILENCE_BEFORE_TIME = timedelta(seconds=60)
ACTION_INSPECT = "owner: look at the device"


@dataclass(slots=True)
class ManagedDevice:
    section: DeviceSection
    tracker: DeviceState
    wish: Wish
    kept_state: str = ""
    keep_again_at: datetime | None = None


@dataclass(slots=True)
class DeviceManager:
    """`on_change(device, asked_anew)`: something matters for the plan; asked anew where a person
    did something, so that even small changes are published. `on_heard` comes after a silence.
    """

    clock: Clock
    device_store: DeviceStore
    health: Health
    topics: Topics
    events: EventQueue
    place: Callable[[], SiteLocation]
    on_change: Callable[[str, bool], None]
    on_reappeared: Callable[[], None]
    away_until: datetime | None = None
    _by_id: dict[str, ManagedDevice] = field(default_factory=dict)

    def restore(self, sections: Mapping[str, DeviceSection], powers: Mapping[str, int]) -> None:
        """Take up what an earlier life left: readings, sessions, wishes."""
        wishes, now = self.device_store.wishes(), self.clock.now()
        for name, section in sections.items():
            tracker = DeviceState(name, powers[name])
            tracker.restore(self.device_store.state(name), self.device_store.readings(name))
            wish = from_text(wishes[name]) if name in wishes else Wish()
            self._by_id[name] = ManagedDevice(section, tracker, wish)
            self._publish_wish(name, wish.id)
            self._update_health(name, now)

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_id)

    def __contains__(self, name: str) -> bool:
        return name in self._by_id

    def tracker(self, name: str) -> DeviceState:
        return self._by_id[name].tracker

    def is_program(self, name: str) -> bool:
        return isinstance(self._by_id[name].section, ProgramAppliance)

    # --- what comes in --------------------------------------------------------------------------

    def on_reading(self, name: str, item: Reading | UntimedReading, retained: bool) -> None:
        now, device = self.clock.now(), self._by_id[name]
        tracker = device.tracker
        silent = tracker.last_seen_at is None or now - tracker.last_seen_at > SILENCE_BEFORE_TIME
        if isinstance(item, UntimedReading):
            item = tracker.untimed_reading(item.kind, item.value, retained=retained, now=now)
        before = tracker.readings.get(item.kind)
        matters = tracker.note(item, now)
        if item.kind in PERSISTED_KINDS and matters and before != item:
            self.device_store.keep_reading(name, item)
        self._update_health(name, now)
        if silent:
            self.on_reappeared()
        if item.kind == "power_w" and self.is_program(name):
            matters = tracker.confirm_start(float(item.value)) or matters
        if matters:
            self.on_change(name, item.kind == "plugged")

    def on_ack(self, name: str, ack: Acknowledgement) -> None:
        if ack.status is AckStatus.REJECTED:
            why = f"rejected its schedule: {ack.diagnostic or 'no reason given'}"
            self.health.degraded(f"device:{name}", why, ACTION_INSPECT)
            self.events.event("device_refuses", name, why)
        if self._by_id[name].tracker.acknowledge(ack, self.clock.now()):
            self.on_change(name, False)

    def on_request(self, name: str, payload: bytes) -> None:
        device = self._by_id.get(name)
        if device is None:
            return
        now, tracker, request_id = self.clock.now(), device.tracker, _request_id(payload)
        try:
            outcome = apply_request(
                read_request(payload),
                device.wish,
                device.section,
                now=now,
                zone=self.place().zone,
                soc_percent=tracker.number("soc_percent", now),
                session_kwh=tracker.number("energy_kwh", now),
            )
        except Refused as refusal:
            self._publish_wish(name, request_id, str(refusal))
            return
        if outcome.wish.loaded_at != device.wish.loaded_at:
            tracker.session.started_at, tracker.session.confirmed = None, False
        self._save_wish(name, outcome.wish)
        tracker.boost_until = None
        tracker.session.opted_out_at = None
        if outcome.stated_soc_percent is not None:
            stated = Reading("soc_percent", outcome.stated_soc_percent, now)
            self.on_reading(name, stated, retained=False)
        self._publish_wish(name, request_id)
        self.on_change(name, True)

    # --- what is asked of it --------------------------------------------------------------------

    def ask(self, name: str, place: SiteLocation, now: datetime) -> PlanningInput:
        """What the device asks for now; what has ended by now is taken off its wish."""
        device = self._by_id[name]
        section, tracker = device.section, device.tracker
        tracker.integrate_to(now)
        if isinstance(section, Switched):
            tracker.window = current_window(section, place, now)
            tracker.forget_progress(now - timedelta(days=2))
        elif isinstance(section, ProgramAppliance):
            tracker.finish(timedelta(seconds=sum(part.duration_s for part in section.profile)), now)
        asked = ask(section, tracker, device.wish, place, now, self.away_until)
        over = self._session_over(device, now)
        wish = expired(device.wish, now, session_over=over, full=asked.full)
        if wish != device.wish:
            self._save_wish(name, wish)
            self._publish_wish(name, wish.id)
            asked = ask(section, tracker, wish, place, now, self.away_until)
        if asked.full and tracker.value("plugged", now) is True:
            tracker.session.satisfied_at = now
        override = asked.override
        tracker.boost_until = override.until if override and override.mode == "boost" else None
        self._save_state(name, now)
        self._update_health(name, now)
        return asked

    def _session_over(self, device: ManagedDevice, now: datetime) -> bool:
        if isinstance(device.section, ProgramAppliance):
            loaded, met = device.wish.loaded_at, device.tracker.session.satisfied_at
            return loaded is not None and met is not None and met > loaded
        return device.tracker.value("plugged", now) is False

    def _save_wish(self, name: str, wish: Wish) -> None:
        self._by_id[name].wish = wish
        self.device_store.keep_wish(name, to_text(wish))

    def _publish_wish(self, name: str, request_id: str | None, refusal: str | None = None) -> None:
        text = wish_document(self._by_id[name].wish, request_id, refusal)
        self.events.put(OutgoingMessage(self.topics.wish(name), text))

    def _save_state(self, name: str, now: datetime) -> None:
        """At once where the session changed, the energy taken only now and then: an SD card."""
        device = self._by_id[name]
        text = device.tracker.to_text()
        same_session = _session_part(text) == _session_part(device.kept_state)
        soon = device.keep_again_at is not None and now < device.keep_again_at
        if text == device.kept_state or (same_session and soon):
            return
        self.device_store.keep_state(name, text)
        device.kept_state, device.keep_again_at = text, now + STATE_KEPT_EVERY

    def _update_health(self, name: str, now: datetime) -> None:
        part, tracker = f"device:{name}", self._by_id[name].tracker
        error = tracker.value("error", now)
        ack = tracker.acknowledged
        if error:
            self.health.degraded(part, f"says {error}", ACTION_INSPECT)
        elif tracker.last_seen_at is None:
            self.health.degraded(part, "not heard from yet")
        elif now - tracker.last_seen_at > SILENT_AFTER:
            why = "silent for a day"
            known = self.health.parts.get(part)
            if known is None or known.why != why:
                self.events.event("device_silent", name, why)
            self.health.degraded(part, why, ACTION_INSPECT)
        elif ack is None or ack.status is not AckStatus.REJECTED:
            self.health.ok(part)


def _session_part(text: str) -> str:
    return text.partition('"progress"')[0]


def _request_id(payload: bytes) -> str | None:
    found = read_member(payload, "id")
    return found if isinstance(found, str) else None
