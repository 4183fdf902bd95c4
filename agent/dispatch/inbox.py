"""Every message that comes in, to whom it concerns. A bad one is said once and harms nobody."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from agent.energy.readings import Acknowledgement, Reading
from agent.errors import Malformed
from agent.health import Health
from agent.mqtt.topics import Topics
from agent.ports import DeviceAdapter, Message, UntimedReading

log = logging.getLogger(__name__)

MAX_BYTES = 16_384


@dataclass(slots=True)
class Inbox:
    """Routes by topic. The handlers are plain calls; none of them waits."""

    topics: Topics
    adapters: Mapping[str, DeviceAdapter]
    health: Health
    on_reading: Callable[[str, Reading | UntimedReading, bool], None]
    on_ack: Callable[[str, Acknowledgement], None]
    on_request: Callable[[str, bytes], None]
    on_site_request: Callable[[bytes], None]
    on_retained_schedule: Callable[[str, bytes], None]
    _logged_topics: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._by_topic = {
            topic: device
            for device, adapter in self.adapters.items()
            for topic in adapter.subscriptions
        }

    _by_topic: dict[str, str] = field(init=False)

    @property
    def subscriptions(self) -> list[str]:
        topics = self.topics
        return [
            *self._by_topic,
            topics.any_request,
            topics.site_request,
            topics.any_schedule,
        ]

    def receive(self, message: Message) -> None:
        try:
            self._route(message)
        except Malformed as error:
            self.health.count("unreadable_messages")
            if message.topic not in self._logged_topics:
                self._logged_topics.add(message.topic)
                log.warning("%s; later ones on this topic are only counted", error)

    def _route(self, message: Message) -> None:
        part = self.topics.device_part(message.topic)
        if part is not None and part[1] == "schedule":
            if message.retain and message.payload:
                self.on_retained_schedule(part[0], message.payload)
            return
        if len(message.payload) > MAX_BYTES:
            raise Malformed(f"{message.topic}: {len(message.payload)} bytes are too many to read")
        if message.topic == self.topics.site_request or (part and part[1] == "request"):
            if message.retain:
                raise Malformed(f"{message.topic}: a retained request is ignored")
            if not message.payload:
                return
            if part is not None:
                self.on_request(part[0], message.payload)
            else:
                self.on_site_request(message.payload)
            return
        device = self._by_topic.get(message.topic)
        if device is None or not message.payload:
            return
        for item in self.adapters[device].decode(message):
            if isinstance(item, Acknowledgement):
                self.on_ack(device, item)
            else:
                self.on_reading(device, item, message.retain)
