"""An MQTT broker within the event loop: retained messages, last will, wildcards; for virtual time.

What a real broker does is tested against real ones; this one lets days pass in seconds. Messages
are handed over in the loop's next turn, in order.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from agent.health import Health
from agent.ports import Message

SIGN_OF_LIFE_S = 50.0

Handler = Callable[[Message], None]


@dataclass
class Subscriber:
    patterns: list[str]
    handle: Handler


@dataclass(frozen=True)
class Said:
    """One publish; `at` is the loop's time."""

    at: float
    topic: str
    payload: bytes
    retain: bool


@dataclass
class MemoryBroker:
    """`log` holds every publish in order; what goes to `forbidden` topics is refused."""

    retained: dict[str, bytes] = field(default_factory=dict)
    forbidden: set[str] = field(default_factory=set)
    subscribers: list[Subscriber] = field(default_factory=list)
    log: list[Said] = field(default_factory=list)

    def publish(self, topic: str, payload: str | bytes, *, retain: bool) -> None:
        body = payload.encode() if isinstance(payload, str) else payload
        self.log.append(Said(asyncio.get_running_loop().time(), topic, body, retain))
        if retain and body:
            self.retained[topic] = body
        elif retain:
            self.retained.pop(topic, None)
        loop = asyncio.get_running_loop()
        for subscriber in list(self.subscribers):
            if any(matches(pattern, topic) for pattern in subscriber.patterns):
                loop.call_soon(subscriber.handle, Message(topic, body, retain=False))

    def subscribe(self, patterns: Sequence[str], handle: Handler) -> Subscriber:
        subscriber = Subscriber(list(patterns), handle)
        self.subscribers.append(subscriber)
        loop = asyncio.get_running_loop()
        for topic, body in self.retained.items():
            if any(matches(pattern, topic) for pattern in patterns):
                loop.call_soon(handle, Message(topic, body, retain=True))
        return subscriber

    def forget(self, handle: Handler) -> None:
        """As after a restart without persistence: nothing is retained, that client is gone."""
        self.retained.clear()
        self.unsubscribe(handle)

    def unsubscribe(self, handle: Handler) -> None:
        self.subscribers = [one for one in self.subscribers if one.handle != handle]

    def bodies(self, topic: str) -> list[bytes]:
        """Every payload that was published on the topic."""
        return [said.payload for said in self.log if said.topic == topic]


@dataclass
class MemoryConnection:
    """The agent's post on a MemoryBroker; `up` cleared means: the connection is lost."""

    broker: MemoryBroker
    will_topic: str
    client_id: str
    health: Health
    subscriptions: Callable[[], Sequence[str]]
    on_message: Callable[[Message], None]
    on_connect: Callable[[], Awaitable[None]]
    on_alive: Callable[[], None] = lambda: None
    on_refused: Callable[[str], None] = lambda topic: None
    connected: bool = False

    async def publish(
        self,
        topic: str,
        payload: str | bytes,
        *,
        retain: bool = True,
        qos: int = 1,
        expiry_s: int | None = None,
    ) -> bool:
        if not self.connected:
            return False
        if topic in self.broker.forbidden:
            self.on_refused(topic)
            return True
        self.broker.publish(topic, payload, retain=retain)
        await asyncio.sleep(0)
        return True

    async def run(self) -> None:
        await self.connect()
        while True:
            self.on_alive()
            await asyncio.sleep(SIGN_OF_LIFE_S)

    async def connect(self) -> None:
        self.connected = True
        self.health.ok("broker")
        self.broker.subscribe(self.subscriptions(), self.on_message)
        await self.on_connect()

    async def publish_offline(self, payload: str, timeout_s: float) -> None:
        await self.publish(self.will_topic, payload)
        self.connected = False
        self.broker.unsubscribe(self.on_message)


@dataclass
class MemoryLink:
    """An appliance's link on a MemoryBroker."""

    broker: MemoryBroker

    async def publish(self, topic: str, payload: str, *, retain: bool) -> None:
        self.broker.publish(topic, payload, retain=retain)
        await asyncio.sleep(0)

    async def subscribe(self, topics: Sequence[str], receive: Callable[[str, bytes], None]) -> None:
        self.broker.subscribe(topics, lambda message: receive(message.topic, message.payload))


def matches(pattern: str, topic: str) -> bool:
    """Does a topic match a subscription (`+` one level, `#` the rest)?"""
    wanted, given = pattern.split("/"), topic.split("/")
    for index, part in enumerate(wanted):
        if part == "#":
            return True
        if index >= len(given) or part not in ("+", given[index]):
            return False
    return len(wanted) == len(given)
