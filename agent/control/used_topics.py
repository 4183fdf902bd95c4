"""Which retained topics are ours: only what our own database says was published is ever emptied."""

from collections.abc import Collection
from dataclasses import dataclass, field

from agent.contracts.topics import OBEYED, Topics
from agent.dispatch.outbox import Outbox
from agent.ports import OutgoingMessage
from agent.records.device_store import DeviceStore

CLEANING = "cleaning"


@dataclass(slots=True)
class UsedTopics:
    """Retained topics that were ever used, so that what is nobody's any more is emptied.

    `devices` are those of the config, `holders` those that are given schedules, `others` topics of
    companions, `ended` topics of ours that have nothing to say any more, such as prices of a
    direction without a tariff. Topics of an earlier base, site, device, companion or version are
    emptied, and the schedule of a device that is spoken to in another way now.
    """

    store: DeviceStore
    outbox: Outbox
    topics: Topics
    devices: Collection[str]
    holders: Collection[str]
    others: Collection[str] = ()
    ended: Collection[str] = ()
    _used: set[str] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        self._used = self.store.published_topics()

    def note(self, topic: str, published: bool) -> None:
        """A topic is used for the first time, or was emptied."""
        if published == (topic in self._used):
            return
        self._used ^= {topic}
        self.store.save_published_topics(self._used)

    def empty_what_is_nobodys(self) -> None:
        """Take back what an earlier life published under names that are no longer ours.

        Announcements first: whoever still shows what they announce would stumble over its end.
        """
        for topic in sorted(self._used, key=lambda name: (not name.endswith("/config"), name)):
            if not self._is_ours(topic):
                self.outbox.set(CLEANING, OutgoingMessage(topic, ""))

    def _is_ours(self, topic: str) -> bool:
        if topic in self.ended:
            return False
        if topic in self.others:
            return True
        part = self.topics.device_part(topic)
        if part is not None:
            return part[0] in (self.holders if part[1] in OBEYED else self.devices)
        companions = self.topics.companion("")
        return topic.startswith(f"{self.topics.base}/") and not topic.startswith(companions)
