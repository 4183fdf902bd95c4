"""Every device as it is known: readings, session, wish. The inbox calls in; nothing here waits."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from agent.clock import Clock
from agent.config.devices import DeviceSection, ProgramAppliance, Switched
from agent.contracts.text import read_member
from agent.dispatch.bulletin import wish_document
from agent.dispatch.journal import Journal
from agent.dispatch.notices import Notices
from agent.energy.readings import Acknowledgement, AckStatus, Reading
from agent.errors import Refused
from agent.health import Health
from agent.home.asked import Asked
from agent.home.demands import ask
from agent.home.loads import current_window
from agent.home.tracker import STORED, Tracker
from agent.home.windows import Place
from agent.home.wishes import Wish, apply_request, expired, from_text, read_request, to_text
from agent.mqtt.topics import Topics
from agent.ports import OutMessage, Undated

STATE_KEPT_EVERY = timedelta(minutes=15)
SILENT_AFTER = timedelta(hours=24)
# A state after this silence is answered with the time, for devices without a clock.
SILENCE = timedelta(seconds=60)
LOOK = "owner: look at the device"


@dataclass(slots=True)
class Device:
    section: DeviceSection
    tracker: Tracker
    wish: Wish
    kept_state: str = ""
    keep_again_at: datetime | None = None


@dataclass(slots=True)
class Devices:
    """`on_change(device, asked_anew)`: something matters for the plan; asked anew where a person
    did something, so that even small changes are published. `on_heard` comes after a silence.
    """

    clock: Clock
    journal: Journal
    health: Health
    topics: Topics
    notices: Notices
    place: Callable[[], Place]
    on_change: Callable[[str, bool], None]
    on_heard: Callable[[], None]
    away_until: datetime | None = None
    _by_id: dict[str, Device] = field(default_factory=dict)

    def restore(self, sections: Mapping[str, DeviceSection], powers: Mapping[str, int]) -> None:
        """Take up what an earlier life left: readings, sessions, wishes."""
        wishes, now = self.journal.wishes(), self.clock.now()
        for name, section in sections.items():
            tracker = Tracker(name, powers[name])
            tracker.restore(self.journal.state(name), self.journal.readings(name))
            wish = from_text(wishes[name]) if name in wishes else Wish()
            self._by_id[name] = Device(section, tracker, wish)
            self._tell_wish(name, wish.id)
            self._judge(name, now)

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_id)

    def __contains__(self, name: str) -> bool:
        return name in self._by_id

    def tracker(self, name: str) -> Tracker:
        return self._by_id[name].tracker

    def is_program(self, name: str) -> bool:
        return isinstance(self._by_id[name].section, ProgramAppliance)

    # --- what comes in --------------------------------------------------------------------------

    def on_reading(self, name: str, item: Reading | Undated, retained: bool) -> None:
        now, device = self.clock.now(), self._by_id[name]
        tracker = device.tracker
        silent = tracker.heard_at is None or now - tracker.heard_at > SILENCE
        if isinstance(item, Undated):
            item = tracker.undated(item.kind, item.value, retained=retained, now=now)
        before = tracker.readings.get(item.kind)
        matters = tracker.note(item, now)
        if item.kind in STORED and matters and before != item:
            self.journal.keep_reading(name, item)
        self._judge(name, now)
        if silent:
            self.on_heard()
        if item.kind == "power_w" and self.is_program(name):
            matters = tracker.confirm_start(float(item.value)) or matters
        if matters:
            self.on_change(name, item.kind == "plugged")

    def on_ack(self, name: str, ack: Acknowledgement) -> None:
        if ack.status is AckStatus.REJECTED:
            why = f"rejected its schedule: {ack.diagnostic or 'no reason given'}"
            self.health.degraded(f"device:{name}", why, LOOK)
            self.notices.event("device_refuses", name, why)
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
            self._tell_wish(name, request_id, str(refusal))
            return
        if outcome.wish.loaded_at != device.wish.loaded_at:
            tracker.session.started_at, tracker.session.confirmed = None, False
        self._keep_wish(name, outcome.wish)
        tracker.boost_until = None
        tracker.session.opted_out_at = None
        if outcome.stated_soc_percent is not None:
            stated = Reading("soc_percent", outcome.stated_soc_percent, now)
            self.on_reading(name, stated, retained=False)
        self._tell_wish(name, request_id)
        self.on_change(name, True)

    # --- what is asked of it --------------------------------------------------------------------

    def ask(self, name: str, place: Place, now: datetime) -> Asked:
        """What the device asks for now; what has ended by now is taken off its wish."""
        device = self._by_id[name]
        section, tracker = device.section, device.tracker
        tracker.settle(now)
        if isinstance(section, Switched):
            tracker.window = current_window(section, place, now)
            tracker.forget_progress(now - timedelta(days=2))
        elif isinstance(section, ProgramAppliance):
            tracker.finish(timedelta(seconds=sum(part.duration_s for part in section.profile)), now)
        asked = ask(section, tracker, device.wish, place, now, self.away_until)
        over = self._session_over(device, now)
        wish = expired(device.wish, now, session_over=over, full=asked.full)
        if wish != device.wish:
            self._keep_wish(name, wish)
            self._tell_wish(name, wish.id)
            asked = ask(section, tracker, wish, place, now, self.away_until)
        if asked.full and tracker.value("plugged", now) is True:
            tracker.session.met_at = now
        override = asked.override
        tracker.boost_until = override.until if override and override.mode == "boost" else None
        self._keep_state(name, now)
        self._judge(name, now)
        return asked

    def _session_over(self, device: Device, now: datetime) -> bool:
        if isinstance(device.section, ProgramAppliance):
            loaded, met = device.wish.loaded_at, device.tracker.session.met_at
            return loaded is not None and met is not None and met > loaded
        return device.tracker.value("plugged", now) is False

    def _keep_wish(self, name: str, wish: Wish) -> None:
        self._by_id[name].wish = wish
        self.journal.keep_wish(name, to_text(wish))

    def _tell_wish(self, name: str, request_id: str | None, refusal: str | None = None) -> None:
        text = wish_document(self._by_id[name].wish, request_id, refusal)
        self.notices.put(OutMessage(self.topics.wish(name), text))

    def _keep_state(self, name: str, now: datetime) -> None:
        """At once where the session changed, the energy taken only now and then: an SD card."""
        device = self._by_id[name]
        text = device.tracker.to_text()
        same_session = _session_part(text) == _session_part(device.kept_state)
        soon = device.keep_again_at is not None and now < device.keep_again_at
        if text == device.kept_state or (same_session and soon):
            return
        self.journal.keep_state(name, text)
        device.kept_state, device.keep_again_at = text, now + STATE_KEPT_EVERY

    def _judge(self, name: str, now: datetime) -> None:
        part, tracker = f"device:{name}", self._by_id[name].tracker
        error = tracker.value("error", now)
        ack = tracker.acknowledged
        if error:
            self.health.degraded(part, f"says {error}", LOOK)
        elif tracker.heard_at is None:
            self.health.degraded(part, "not heard from yet")
        elif now - tracker.heard_at > SILENT_AFTER:
            why = "silent for a day"
            known = self.health.parts.get(part)
            if known is None or known.why != why:
                self.notices.event("device_silent", name, why)
            self.health.degraded(part, why, LOOK)
        elif ack is None or ack.status is not AckStatus.REJECTED:
            self.health.ok(part)


def _session_part(text: str) -> str:
    return text.partition('"progress"')[0]


def _request_id(payload: bytes) -> str | None:
    found = read_member(payload, "id")
    return found if isinstance(found, str) else None
