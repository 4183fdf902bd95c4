"""What of each device survives a restart: taken up at the start, saved as an SD card allows."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from agent.config.devices import DeviceSection
from agent.control.managed_device import ManagedDevice
from agent.energy.profile import DeviceProfile
from agent.health import Health
from agent.home import stored_wishes
from agent.home.kinds import KINDS
from agent.home.model import stored
from agent.home.model.arrived import Arrived
from agent.home.model.device_model import DeviceModel
from agent.home.wishes import Wish
from agent.records.bookkeeper import Bookkeeper
from agent.records.device_store import UNBELIEVABLE, DeviceStore

# The SD card is spared: what came since is counted as told after a power cut, or by a meter.
STATE_SAVED_EVERY = timedelta(minutes=45)


@dataclass(slots=True)
class DeviceStates:
    """`devices` by id, as their manager has them."""

    store: DeviceStore
    health: Health
    bookkeeper: Bookkeeper
    devices: Mapping[str, ManagedDevice]
    _saved_at: datetime | None = field(default=None, init=False)

    def restored(
        self, name: str, section: DeviceSection, profile: DeviceProfile, *, holds_schedule: bool
    ) -> ManagedDevice:
        """The device with what an earlier life left: readings, model, wish."""
        model = DeviceModel(name, KINDS[section.type].traits(section))
        if not (holds_schedule or model.traits.produces or model.traits.run_parts):
            model.meter.drawn.arrived = Arrived()
        model.restore_readings(self.store.readings(name))
        text = self.store.state(name)
        if text is not None:
            try:
                stored.restore(model, text)
            except UNBELIEVABLE:
                self.health.count("unreadable_rows")
                text = None
        if (since := self.store.schedules.block_noted(name)) is not None:
            model.schedules.recall_block(since)
        device = ManagedDevice(section, profile, model, self._stored_wish(name))
        # Of a row only what was believed, so that what is compared with it later can be read.
        device.stored_text = stored.to_text(model) if text is not None else ""
        traits = model.traits
        self.bookkeeper.register(name, traits.round_trip_efficiency if traits.gives_back else None)
        return device

    def _stored_wish(self, name: str) -> Wish:
        text = self.store.wish(name)
        if text is None:
            return Wish()
        try:
            return stored_wishes.from_text(text)
        except UNBELIEVABLE:
            self.health.count("unreadable_rows")
            return Wish()

    def comes_due(self, now: datetime) -> bool:
        """Is it time to save what changes all the time? True once each time."""
        last = self._saved_at
        if last is not None and last <= now < last + STATE_SAVED_EVERY:
            return False
        self._saved_at = now
        return True

    def book(self, name: str, now: datetime) -> None:
        """Have the ledger book what the device took since it last did."""
        model = self.devices[name].model
        self.bookkeeper.book(name, model.pop_booked(), now, held=model.pop_held())

    def save(
        self, name: str, now: datetime, *, at_once: bool = False, everything: bool = False
    ) -> None:
        """At once where the session changed, else with all the others now and then: an SD card.

        The meter's position and what the ledger booked up to it are one write.
        """
        device = self.devices[name]
        text = stored.to_text(device.model)
        same_session = stored.urgent_part(text) == stored.urgent_part(device.stored_text)
        if same_session and not at_once:
            return
        self.book(name, now)
        same = stored.substance(text) == stored.substance(device.stored_text)
        worth_saving = self.bookkeeper.worth_saving(name, now, everything=everything)
        if same and not device.unsaved and not worth_saving:
            return
        booked, stored_by = self.bookkeeper.writes(name, now)
        readings = dict(device.unsaved)
        answer = self.store.save_state(name, text, list(readings.values()), booked)
        answer.add_done_callback(stored_by)

        def keep_unsaved(answer: asyncio.Future[bool]) -> None:
            # What is put next may replace what waits: it has to hold these as well.
            if not answer.cancelled() and not answer.result():
                device.unsaved = readings | device.unsaved

        answer.add_done_callback(keep_unsaved)
        device.unsaved.clear()
        device.stored_text = text
