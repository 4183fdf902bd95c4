"""What came from a device or stands on the broker for it, to everybody whom it concerns."""

from collections.abc import Callable
from dataclasses import dataclass

from agent.clock import Clock
from agent.contracts.topics import Topics
from agent.control.controller import Controller
from agent.control.device_manager import DeviceManager
from agent.control.site_meters import SiteMeters
from agent.dispatch.dispatcher import Dispatcher
from agent.dispatch.topic_guard import TopicGuard
from agent.energy.instants import to_unix_floor
from agent.energy.readings import Acknowledgement, Presence
from agent.ports import Decoded, UntimedReading


@dataclass(slots=True)
class Incoming:
    """Plain calls. `look_at_clock()` notices a clock that was set, before anything is noted by it;
    `on_change()` hears that something may look different now.
    """

    clock: Clock
    topics: Topics
    meters: SiteMeters
    devices: DeviceManager
    dispatcher: Dispatcher
    controller: Controller
    guard: TopicGuard
    look_at_clock: Callable[[], None]
    on_change: Callable[[], None]

    def on_decoded(self, device: str, item: Decoded, retained: bool) -> None:
        """One thing that a device said."""
        self.look_at_clock()
        if isinstance(item, UntimedReading) and item.current:
            retained = False
        if device in self.meters:
            self.meters.on_decoded(device, item, self.clock.now(), retained=retained)
        if device not in self.devices:
            return
        if isinstance(item, Acknowledgement):
            second = to_unix_floor(self.clock.now())
            self.dispatcher.acknowledgements.on_ack(device, item, second)
        was_offline = self.devices.model(device).online is False
        if isinstance(item, Presence) and item.online and was_offline:
            self.dispatcher.setpoints.tell_again(device)
        self.devices.on_decoded(device, item, retained=retained)
        self.controller.on_heard(device)
        self.on_change()

    def on_schedule_seen(self, device: str, payload: bytes, retained: bool) -> None:
        """A schedule on the broker: another agent's is named."""
        acknowledgements, second = self.dispatcher.acknowledgements, to_unix_floor(self.clock.now())
        if not acknowledgements.on_schedule_seen(device, payload, second, retained=retained):
            self.guard.name(self.topics.device(device, "schedule"))
