"""Does what we publish come back where we subscribed to it?

MQTT 3.1.1 confirms a publish that the broker's access rules forbid like any other: only the missing
echo tells.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from agent.mqtt.packets import matches

ECHO_WITHIN_S = 15.0


@dataclass(slots=True)
class EchoCheck:
    """For one connection. `filters` are the subscriptions that the broker granted."""

    filters: Sequence[str]
    _awaited: str | None = field(default=None, init=False)
    _confirmed: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _heard: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def sending(self, topic: str) -> None:
        """The first topic that we also subscribed to is enough; its echo may be quicker than the
        broker's confirmation."""
        if self._awaited is None and any(matches(pattern, topic) for pattern in self.filters):
            self._awaited = topic

    def sent(self, topic: str, *, confirmed: bool) -> None:
        if topic != self._awaited or self._confirmed.is_set():
            return
        if confirmed:
            self._confirmed.set()
        else:
            self._awaited = None

    def hear(self, topic: str, *, retained: bool) -> None:
        """A retained one may be years old: what was sent live comes without that flag."""
        if topic == self._awaited and not retained:
            self._heard.set()

    async def missing(self) -> bool:
        """Once something was published: True where it did not come back in time."""
        await self._confirmed.wait()
        try:
            async with asyncio.timeout(ECHO_WITHIN_S):
                await self._heard.wait()
        except TimeoutError:
            return True
        return False

    async def heard(self) -> None:
        await self._heard.wait()
