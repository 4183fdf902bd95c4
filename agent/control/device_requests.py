"""What people ask of devices: read, judged, kept, and answered on the device's `wish`."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from agent.clock import Clock
from agent.contracts.topics import Topics
from agent.control.managed_device import ManagedDevice
from agent.control.stored_answer import answer_when_stored
from agent.dispatch.outbox import Outbox
from agent.energy.sentences import sentence
from agent.errors import Refused
from agent.health import Health
from agent.home import stored_wishes
from agent.home.kinds import KINDS
from agent.home.model import program_run
from agent.home.planning_input import PlanningContext
from agent.home.requests import RequestContext, apply_request, echoed_id, read_request
from agent.home.wishes import Wish
from agent.ports import OutgoingMessage
from agent.records.device_store import DeviceStore
from agent.report.documents import wish_document
from agent.report.event_queue import EventQueue

log = logging.getLogger(__name__)

WAITS_FOR_CLOCK = sentence("accepted; it waits until the gateway's clock is confirmed")


@dataclass(slots=True)
class DeviceRequests:
    """`devices` is shared with the device manager.

    `on_asked(device)`: a person has asked for something. `on_take_back(device)`: its schedule is
    to be taken back before it is given anew. `save_state(device, now)` stores its model at once.
    """

    clock: Clock
    store: DeviceStore
    health: Health
    topics: Topics
    outbox: Outbox
    events: EventQueue
    context: Callable[[datetime], PlanningContext]
    clock_trusted: Callable[[], bool]
    devices: Mapping[str, ManagedDevice]
    on_asked: Callable[[str], None]
    on_take_back: Callable[[str], None]
    save_state: Callable[[str, datetime], None]
    _waits_for_clock: set[str] = field(default_factory=set, init=False)

    def receive(self, name: str, payload: bytes) -> str | None:
        """Answered on the device's `wish`; returns why it is refused, None where it is not."""
        now = self.clock.now()
        request_id = echoed_id(payload)
        device = self.devices.get(name)
        if device is None:
            # Of one kind, however many names somebody thinks of.
            text = sentence(
                "{name}: there is no such device; known: {known}",
                name=name,
                known=", ".join(self.devices) or "-",
            )
            self.events.event("request_refused", None, text)
            return text
        if not device.requests.take(now):
            self.health.count("requests_dropped")
            return None
        try:
            request = read_request(payload)
            result = apply_request(request, device.wish, self._request_context(name, now))
            KINDS[device.section.type].check_request(device.section, request, result.wish)
        except Refused as refusal:
            why = refusal.sentence
            log.info("%s: request refused: %s", name, why)
            self.events.event("request_refused", name, why)
            device.answers.place()(lambda: self.publish_wish(name, request_id, refused=why))
            return why
        self._take_wish(name, result.wish, now)
        if result.stated_soc_percent is not None:
            device.model.state_soc(result.stated_soc_percent, now)
            device.unsaved["soc_percent"] = device.model.readings.by_kind["soc_percent"]
            self.save_state(name, now)
        in_turn = device.answers.place()
        answer_when_stored(
            self.save_wish(name),
            lambda note: in_turn(
                lambda: self.publish_wish(name, request_id, note=note, answers=True)
            ),
        )
        self.on_asked(name)
        return None

    def _request_context(self, name: str, now: datetime) -> RequestContext:
        device = self.devices[name]
        kind, model = KINDS[device.section.type], device.model
        model.advance(now)
        return RequestContext(
            device=name,
            kind=device.section.type,
            keys=kind.wish_keys(device.section),
            now=now,
            zone=self.context(now).location.zone,
            soc_percent=model.soc_percent(now),
            counter_kwh=model.session_kwh if kind.has_stays else model.meter.total_kwh,
            has_stays=kind.has_stays,
            plugged=model.plugged(now) if kind.has_stays else True,
            running=program_run.is_under_way(model, now),
        )

    def _take_wish(self, name: str, wish: Wish, now: datetime) -> None:
        device = self.devices[name]
        model = device.model
        goes_on = model.session.confirmed and program_run.is_under_way(model, now)
        # One that says that it runs goes on, whatever is wished.
        if wish.loaded_at != device.wish.loaded_at and model.session.started_at and not goes_on:
            model.drop_run(now)
        device.wish, model.boost_until = wish, None
        device.why_less = ""
        if model.opted_out(now):
            # The person's choice at the device ends: its schedule is taken back and given anew.
            model.session.opted_out_at = None
            self.on_take_back(name)

    def say_less(self, name: str, why: str) -> None:
        """What a person asked for gets less, or waits: said on its wish."""
        device = self.devices[name]
        if device.why_less != why:
            device.why_less = why
            # Behind an answer that waits for the disk, as it bears the same id.
            device.answers.place()(lambda: self.publish_wish(name))

    def look_at_clock(self) -> None:
        """Once it is confirmed nothing waits for that any more."""
        if self._waits_for_clock and self.clock_trusted():
            for name in sorted(self._waits_for_clock):
                self.devices[name].answers.place()(partial(self.publish_wish, name))
            self._waits_for_clock.clear()

    def save_wish(self, name: str) -> asyncio.Future[bool]:
        return self.store.save_wish(name, stored_wishes.to_text(self.devices[name].wish))

    def publish_wish(
        self,
        name: str,
        request_id: str | None = None,
        *,
        refused: str = "",
        note: str = "",
        at: datetime | None = None,
        answers: bool = False,
    ) -> None:
        """What holds, or why the last request is refused; `answers` one that is not."""
        device = self.devices[name]
        self._waits_for_clock.discard(name)
        if not refused:
            request_id = request_id or device.wish.id
            if (answers or device.wish.holds_anything) and not self.clock_trusted():
                # Nothing is switched by what was asked until then.
                self._waits_for_clock.add(name)
                note = note or WAITS_FOR_CLOCK
            note = note or device.why_less
        text = wish_document(
            device.wish,
            at or self.clock.now(),
            request_id,
            accepted=not refused,
            reason=refused or note,
        )
        self.outbox.set(f"wish:{name}", OutgoingMessage(self.topics.wish(name), text))
