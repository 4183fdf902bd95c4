"""What is true now on every retained topic; published when it changes, and all of it on connect."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from agent.clock import Clock
from agent.energy.instants import to_unix_floor
from agent.ports import MqttPublisher, OutgoingMessage


@dataclass(slots=True)
class Outbox:
    """Retained messages by topic, in the order in which they first came.

    While there is no connection `put` only remembers; `republish` sends everything once. While
    `holds` says so of a topic (the clock is not sane) it is remembered, not sent.
    """

    post: MqttPublisher
    clock: Clock
    blocks: Callable[[str], bool] = lambda topic: False
    _current: dict[str, OutgoingMessage] = field(default_factory=dict)
    _sent: dict[str, str] = field(default_factory=dict)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    published: int = 0

    async def put(self, *messages: OutgoingMessage) -> bool:
        """Make these true, each after the broker confirmed the one before.

        An empty payload takes its topic back. False where one is not confirmed yet.
        """
        for message in messages:
            self._current[message.topic] = message
        async with self._lock:
            return await self._send(messages)

    async def _send(self, messages: Sequence[OutgoingMessage]) -> bool:
        for message in messages:
            latest = self._current.get(message.topic)
            if latest is None or self._sent.get(message.topic) == latest.payload:
                continue
            if latest.payload and self.blocks(message.topic):
                continue
            if not await self.post.publish(
                latest.topic, latest.payload, expiry_s=self._expiry(latest)
            ):
                return False
            self.published += 1
            self._sent[latest.topic] = latest.payload
            if not latest.payload:
                self._current.pop(latest.topic, None)
        return True

    def _expiry(self, message: OutgoingMessage) -> int | None:
        if message.expires_at is None:
            return None
        return max(1, message.expires_at - to_unix_floor(self.clock.now()))

    async def resend_all(self) -> bool:
        """Everything once, as after a (re)connect."""
        async with self._lock:
            self._sent.clear()
            return await self._send(list(self._current.values()))

    async def flush(self) -> None:
        """Send what was held back."""
        async with self._lock:
            await self._send(list(self._current.values()))

    def current(self, topic: str) -> str | None:
        message = self._current.get(topic)
        return message.payload if message else None
