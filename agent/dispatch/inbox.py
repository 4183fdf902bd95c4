"""Every message that comes in, to whom it concerns. A bad one is said once and harms nobody."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from agent.contracts.topics import Topics
from agent.energy.readings import UnreadableMessage
from agent.energy.text import clean_text
from agent.errors import Malformed
from agent.health import Health
from agent.ports import Companion, Decoded, DeviceAdapter, Message

log = logging.getLogger(__name__)

MAX_BYTES = 16_384
# The base, an id of 32 characters and what follows it are far below; others are nobody's.
MAX_TOPIC = 256
MOST_LOGGED_TOPICS = 64
SHOWN_TOPIC = 80
BAD = (Malformed, ValueError, OverflowError, RecursionError)


@dataclass(slots=True)
class Inbox:
    """Routes by topic. The handlers are plain calls; none of them waits.

    `site_topics` go to `on_site`, what is published on our own topics to `on_published`; what none
    of them subscribed goes to the companions that did.
    """

    topics: Topics
    adapters: Mapping[str, DeviceAdapter]
    health: Health
    site_topics: Sequence[str]
    on_decoded: Callable[[str, Decoded, bool], None]
    on_request: Callable[[str, bytes], object]
    on_site: Callable[[Message], None]
    on_schedule_seen: Callable[[str, bytes, bool], None]
    on_published: Callable[[Message], None]
    companions: Sequence[Companion] = ()
    _logged_topics: set[str] = field(default_factory=set, init=False)
    _by_topic: dict[str, list[str]] = field(default_factory=dict, init=False)
    _unreadable: set[tuple[str, str]] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        for device, adapter in self.adapters.items():
            for topic in adapter.subscriptions:
                # Two relays of one box share the topic that says whether it is there.
                self._by_topic.setdefault(topic, []).append(device)

    @property
    def subscriptions(self) -> list[str]:
        topics = self.topics
        own = [*self._by_topic, topics.any_request, *topics.published, *self.site_topics]
        others = [topic for item in self.companions for topic in item.subscriptions]
        return list(dict.fromkeys([*own, *others]))

    def receive(self, message: Message) -> None:
        """Take one message in; raises nothing for anything that a broker can send."""
        try:
            self._route(message)
        except BAD as error:
            self._drop(message.topic, error)

    def _drop(self, topic: str, error: Exception) -> None:
        self.health.count("unreadable_messages")
        shown = clean_text(topic, SHOWN_TOPIC)
        if shown in self._logged_topics or len(self._logged_topics) >= MOST_LOGGED_TOPICS:
            return
        self._logged_topics.add(shown)
        reason = clean_text(str(error).removeprefix(f"{shown}: "), 300)
        log.warning("%s: %s; later ones on this topic are only counted", shown, reason)

    def _decoded(self, device: str, message: Message) -> Sequence[Decoded]:
        """What a device said. That a whole message cannot be read is of the device too."""
        part = self.topics.device_part(message.topic)
        name = message.topic if part is None else part[1]
        try:
            found = self.adapters[device].decode(message)
        except BAD as error:
            self._drop(message.topic, error)
            news = (device, name) not in self._unreadable
            self._unreadable.add((device, name))
            return [UnreadableMessage(name)] if news else []
        if (device, name) not in self._unreadable:
            return found
        self._unreadable.discard((device, name))
        return [UnreadableMessage(name, over=True), *found]

    def _route(self, message: Message) -> None:
        topic, payload = message.topic, message.payload
        if len(topic) > MAX_TOPIC:
            raise Malformed(f"a topic of {len(topic)} characters is nobody's")
        part = self.topics.device_part(topic)
        if part is not None and part[1] == "schedule":
            self.on_schedule_seen(part[0], payload, message.retain)
        if self.topics.is_published(topic):
            self.on_published(message)
            return
        if topic == self.topics.site_request or (part is not None and part[1] == "request"):
            # One that the broker keeps would be asked again at every start.
            if message.retain:
                raise Malformed("a retained request is ignored")
            if not payload:
                return
        if topic in self.site_topics:
            self.on_site(message)
            return
        if part is not None and part[1] == "request":
            # However long it is, whoever asks has an answer.
            self.on_request(part[0], payload)
            return
        if len(payload) > MAX_BYTES:
            raise Malformed(f"{len(payload)} bytes are too many to read")
        devices = self._by_topic.get(topic)
        if devices is not None:
            for device in devices if payload else ():
                for item in self._decoded(device, message):
                    self.on_decoded(device, item, message.retain)
            return
        for companion in self.companions:
            companion.receive(message)
