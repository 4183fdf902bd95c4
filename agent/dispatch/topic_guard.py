"""Somebody else publishes where only we should: named, and what is true is put back.

At most once a minute a topic, and three times an hour: two agents on one base do not fight for
ever, and whoever acts finds the fault in health.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from agent.contracts.topics import Topics
from agent.dispatch.outbox import Outbox
from agent.energy.sentences import sentence
from agent.energy.text import clean_text
from agent.health import Health
from agent.ports import Message

PART = "other_agent"
WHO_ACTS = "owner: give each agent a site.id of its own, and let the broker take only ours there"
PUT_BACK_EVERY_S = 60.0
PUT_BACK_AT_MOST = 3
REMEMBERED_S = 3600.0
NAMED_AT_MOST = 3
SHOWN_TOPIC = 80


@dataclass(slots=True)
class TopicGuard:
    """Hears what is published on our topics, our own messages among it."""

    topics: Topics
    outbox: Outbox
    health: Health
    _put_back_at: dict[str, list[float]] = field(default_factory=dict, init=False)
    _due: dict[str, asyncio.TimerHandle] = field(default_factory=dict, init=False)
    _named: dict[str, float] = field(default_factory=dict, init=False)

    @property
    def subscriptions(self) -> Sequence[str]:
        return self.topics.published

    def receive(self, message: Message) -> None:
        """A message on one of our topics."""
        topic = message.topic
        # A retained one is older than this connection: on connect everything is published anew.
        if message.retain or self.outbox.current(topic) is None:
            return
        if self.outbox.has_said(topic, message.payload):
            return
        self.name(topic)
        self._put_back_in_turn(topic)

    def name(self, topic: str) -> None:
        """Say in health that somebody else publishes there; until an hour has passed without."""
        loop = asyncio.get_running_loop()
        self._named[clean_text(topic, SHOWN_TOPIC)] = loop.time()
        loop.call_later(REMEMBERED_S, self._say)
        self._say()

    def _say(self) -> None:
        now = asyncio.get_running_loop().time()
        self._named = {t: at for t, at in self._named.items() if now - at < REMEMBERED_S}
        if not self._named:
            self.health.ok(PART)
            return
        some = ", ".join(list(self._named)[:NAMED_AT_MOST])
        why = sentence(
            "another agent, or a program, publishes below {base}: {some}",
            base=self.topics.base,
            some=some,
        )
        self.health.degraded(PART, why, WHO_ACTS)

    def _put_back_in_turn(self, topic: str) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        times = [at for at in self._put_back_at.get(topic, []) if now - at < REMEMBERED_S]
        self._put_back_at[topic] = times
        if topic in self._due or len(times) >= PUT_BACK_AT_MOST:
            return
        due = max(now, times[-1] + PUT_BACK_EVERY_S) if times else now
        self._due[topic] = loop.call_later(due - now, self._put_back, topic)

    def _put_back(self, topic: str) -> None:
        del self._due[topic]
        self._put_back_at[topic].append(asyncio.get_running_loop().time())
        self.outbox.put_back(topic)
