"""Does what we publish come back where we subscribed to it?

MQTT 3.1.1 confirms a publish that the broker's access rules forbid like any other: only the missing
echo tells. Rules are written by topic, so of each kind of topic (`schedule`, `setpoint`, `health`)
one is waited for.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from agent.mqtt.packets import matches

ECHO_WITHIN_S = 15.0


@dataclass(slots=True)
class EchoCheck:
    """For one connection. `filters` are the subscriptions that the broker granted.

    By kind: `_sent` the topic that was sent last, `_awaited` until when (loop's time) what the
    broker confirmed has to be back; `_back` are the kinds that were. An echo may be lost in a flood
    of what others say, so that of any later one counts too.
    """

    filters: Sequence[str]
    _sent: dict[str, str] = field(default_factory=dict, init=False)
    _awaited: dict[str, float] = field(default_factory=dict, init=False)
    _back: set[str] = field(default_factory=set, init=False)
    _changed: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def sending(self, topic: str) -> None:
        """Called before it is sent: its echo may be quicker than the confirmation."""
        kind = _kind(topic)
        if kind in self._back:
            return
        # Others of its kind are published where nobody listens.
        if any(matches(pattern, topic) for pattern in self.filters):
            self._sent[kind] = topic

    def sent(self, topic: str, *, confirmed: bool) -> None:
        kind = _kind(topic)
        if confirmed and self._sent.get(kind) == topic and kind not in self._awaited:
            self._awaited[kind] = asyncio.get_running_loop().time() + ECHO_WITHIN_S
            self._changed.set()

    def hear(self, topic: str, *, retained: bool) -> None:
        """A retained one may be years old: what was sent live comes without that flag."""
        kind = _kind(topic)
        if self._sent.get(kind) == topic and not retained:
            del self._sent[kind]
            self._back.add(kind)
            self._awaited.pop(kind, None)
            self._changed.set()

    async def missing(self) -> bool:
        """Once a topic's echo is late: True; when none is late any more: False. Asked by turns."""
        was_late = self._is_late()
        while self._is_late() == was_late:
            self._changed.clear()
            next_s = min(self._awaited.values(), default=None)
            wait_s = None
            if next_s is not None and not was_late:
                wait_s = max(0.0, next_s - asyncio.get_running_loop().time())
            try:
                async with asyncio.timeout(wait_s):
                    await self._changed.wait()
            except TimeoutError:
                continue
        return not was_late

    def _is_late(self) -> bool:
        now = asyncio.get_running_loop().time()
        return any(until <= now for until in self._awaited.values())


def _kind(topic: str) -> str:
    return topic.rpartition("/")[2]
