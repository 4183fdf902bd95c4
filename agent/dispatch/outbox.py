"""What is true now on every retained topic; published when it changes, and all of it on connect.

Messages go out in lanes: within one each is sent after the broker confirmed the one before, and no
lane waits for another. Callers never wait: they say what is true, the lanes bring it out.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from agent.clock import Clock
from agent.energy.instants import to_unix_floor
from agent.health import Health
from agent.ports import MqttPublisher, OutgoingMessage

# Not retained and said while nobody listens: the newest of them are said on return.
KEPT_WHILE_AWAY = 100
# A disk that hangs holds nothing up for longer.
WAITS_FOR_DISK_S = 2.0
# What was sent comes back where we subscribe to our own topics, some of it late.
REMEMBERED_PAYLOADS = 16
DEVICE = "device:"
DOCUMENTS = "documents"
EVENTS = "events"
STATUS = "status"
# Long documents go last after a connect: a broker may hang up at one that is too big for it.
LARGE = "large"
# What companions publish: as long.
COMPANIONS = "companions"

Key = tuple[str, int]


def device_lane(device: str) -> str:
    """The lane of what a device obeys: schedule, compact, setpoint, in this order."""
    return f"{DEVICE}{device}"


@dataclass(slots=True)
class _Lane:
    """`after`: nothing goes out before that is done, or has taken too long."""

    pending: dict[Key, OutgoingMessage] = field(default_factory=dict)
    after: asyncio.Future[bool] | None = None
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    idle: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class Outbox:
    """What is true now, lane by lane, and what of it the broker has yet to get.

    `clock_doubted`: what is timed is remembered, not sent. `on_topic(topic, published)` is told
    when a retained topic is used for the first time and when it was emptied, `on_set(lane)` that
    something has become true, `on_sent(message)` that the broker has one that is not retained.
    """

    publisher: MqttPublisher
    clock: Clock
    health: Health
    clock_doubted: Callable[[], bool] = lambda: False
    on_topic: Callable[[str, bool], None] = lambda topic, published: None
    on_set: Callable[[str], None] = lambda lane: None
    on_sent: Callable[[OutgoingMessage], None] = lambda message: None
    _current: dict[str, OutgoingMessage] = field(default_factory=dict, init=False)
    _lane_of: dict[str, str] = field(default_factory=dict, init=False)
    _sent: dict[str, str] = field(default_factory=dict, init=False)
    _said: dict[str, deque[int]] = field(default_factory=dict, init=False)
    _lanes: dict[str, _Lane] = field(default_factory=dict, init=False)
    _group: asyncio.TaskGroup | None = field(default=None, init=False)
    _number: int = field(default=0, init=False)
    _open: list[Callable[[str], bool]] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self._open.append(lambda lane: True)

    def set(
        self, lane: str, *messages: OutgoingMessage, after: asyncio.Future[bool] | None = None
    ) -> None:
        """Make these true, in this order. An empty payload takes its topic back.

        `after`: the lane waits for it, a few seconds at most.
        """
        for message in messages:
            if not message.retain:
                self._number += 1
                self._queue(lane, (message.topic, self._number), message)
                continue
            if message.topic not in self._current and message.payload:
                self.on_topic(message.topic, True)
            known = message.topic in self._current
            self._current[message.topic] = message
            self._lane_of[message.topic] = lane
            number = 0
            if known and not message.payload:
                # What is taken back is really empty for a moment, whatever follows.
                self._number += 1
                number = self._number
            self._queue(lane, (message.topic, number), message)
        if after is not None and not after.done():
            self._lanes[lane].after = after
        self.on_set(lane)

    def repeat(self, topics: Iterable[str]) -> None:
        """Publish these once more as they are: somebody may have missed or lost them."""
        for topic in topics:
            if topic in self._current:
                self._sent.pop(topic, None)
                self._queue(self._lane_of[topic], (topic, 0), self._current[topic])

    def snapshot(self) -> Mapping[str, OutgoingMessage]:
        """Everything that is true now on retained topics, by topic."""
        return dict(self._current)

    def current(self, topic: str) -> str | None:
        """The payload that is true on a retained topic."""
        message = self._current.get(topic)
        return message.payload if message else None

    def has_said(self, topic: str, payload: bytes) -> bool:
        """Is it one of the last that we published there?"""
        return hash(payload) in self._said.get(topic, ())

    def put_back(self, topic: str) -> None:
        """Publish what is true there once more: somebody else has published on it."""
        message = self._current.get(topic)
        if message is not None:
            self._sent.pop(topic, None)
            self._queue(self._lane_of[topic], (topic, 0), message)

    def unsent(self) -> frozenset[str]:
        """Topics on which the broker does not have what is true."""
        current = self._current.items()
        return frozenset(t for t, message in current if self._sent.get(t) != message.payload)

    def is_out(self, lane: str) -> bool:
        """Does the broker have all that is true in the lane?"""
        unsent = self.unsent()
        return not any(name == lane and topic in unsent for topic, name in self._lane_of.items())

    async def run(self) -> None:
        """Never ends: a task a lane."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for name, lane in self._lanes.items():
                group.create_task(self._bring_out(name, lane), name=f"lane-{name}")
            await asyncio.Event().wait()

    def connected(self) -> None:
        """A new connection: the broker may have nothing, and no lane is open until it is resent."""
        self._sent.clear()
        self._open.clear()

    async def resend_all(self, lanes: Callable[[str], bool]) -> None:
        """Open these lanes and say all that is true in them, once; until it is out or cannot be."""
        self._open.append(lanes)
        unsent = self.unsent()
        for topic, name in self._lane_of.items():
            if lanes(name) and topic in unsent:
                self._queue(name, (topic, 0), self._current[topic])
        for name, lane in self._lanes.items():
            if lanes(name):
                lane.wake.set()
        await self.drained(lanes)

    async def drained(self, lanes: Callable[[str], bool] = lambda lane: True) -> None:
        """Until nothing waits in these lanes."""
        waiting = [lane for name, lane in self._lanes.items() if lanes(name)]
        for lane in waiting:
            await lane.idle.wait()

    def flush_timed(self) -> None:
        """The clock is trusted again: what was kept back goes out."""
        for topic, message in self._current.items():
            if message.timed and self._sent.get(topic) != message.payload:
                self._queue(self._lane_of[topic], (topic, 0), message)

    def _queue(self, name: str, key: Key, message: OutgoingMessage) -> None:
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = _Lane()
            lane.idle.set()
            if self._group is not None:
                self._group.create_task(self._bring_out(name, lane), name=f"lane-{name}")
        # The newest order counts: schedule, compact and setpoint of one revision stay together.
        lane.pending.pop(key, None)
        lane.pending[key] = message
        if not message.retain and len(lane.pending) > KEPT_WHILE_AWAY:
            lane.pending.pop(next(iter(lane.pending)))
            self.health.count("messages_dropped_while_away")
        lane.idle.clear()
        lane.wake.set()

    async def _bring_out(self, name: str, lane: _Lane) -> None:
        while True:
            await lane.wake.wait()
            lane.wake.clear()
            if not any(lanes(name) for lanes in self._open):
                continue
            while lane.pending:
                if (after := lane.after) is not None:
                    await asyncio.wait({after}, timeout=WAITS_FOR_DISK_S)
                    lane.after = None
                key = next(iter(lane.pending))
                message = lane.pending.pop(key)
                if not await self._send(message):
                    self._keep(lane, key, message)
                    break
            lane.idle.set()

    def _keep(self, lane: _Lane, key: Key, message: OutgoingMessage) -> None:
        """There is no connection: what is retained comes with the next one, events wait."""
        events = {k: m for k, m in lane.pending.items() if not m.retain and not m.timed}
        if not message.retain and not message.timed:
            events = {key: message, **events}
        lane.pending.clear()
        lane.pending.update(events)

    async def _send(self, message: OutgoingMessage) -> bool:
        if message.retain:
            latest = self._current.get(message.topic)
            if latest is None:
                return True
            # An empty payload is sent as it is, else the latest counts.
            message = latest if message.payload else message
            if self._sent.get(message.topic) == message.payload:
                return True
        if message.timed and message.payload and self.clock_doubted():
            return True
        if message.retain:
            said = self._said.setdefault(message.topic, deque(maxlen=REMEMBERED_PAYLOADS))
            # Before it goes: it may be back before the broker's confirmation.
            said.append(hash(message.payload.encode()))
        expiry_s = None
        if message.expires_at is not None:
            expiry_s = max(1, message.expires_at - to_unix_floor(self.clock.now()))
        if not await self.publisher.publish(
            message.topic, message.payload, retain=message.retain, expiry_s=expiry_s
        ):
            return False
        if message.retain:
            self._was_sent(message)
        else:
            self.on_sent(message)
        return True

    def _was_sent(self, message: OutgoingMessage) -> None:
        self._sent[message.topic] = message.payload
        if not message.payload and self._current.get(message.topic) is message:
            del self._current[message.topic], self._lane_of[message.topic]
            self.on_topic(message.topic, False)


def is_device_lane(lane: str) -> bool:
    return lane.startswith(DEVICE)


def in_lanes(names: Iterable[str]) -> Callable[[str], bool]:
    known = frozenset(names)
    return lambda lane: lane in known
