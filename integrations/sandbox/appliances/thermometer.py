"""A thermometer outdoors, on a topic of its own beside the agent's base."""

from collections.abc import Callable
from datetime import datetime, timedelta

from agent.clock import Clock
from integrations.sandbox.appliances.link import Link

TELLS_EVERY = timedelta(minutes=15)


class OutdoorThermometer:
    """`outdoor_c(now)` is what it measures."""

    def __init__(
        self, topic: str, clock: Clock, link: Link, outdoor_c: Callable[[datetime], float]
    ) -> None:
        self._topic = topic
        self._clock = clock
        self._link = link
        self._outdoor_c = outdoor_c

    async def run(self) -> None:
        while True:
            told = f"{self._outdoor_c(self._clock.now()):.1f}"
            await self._link.publish(self._topic, told, retain=True)
            await self._clock.sleep(TELLS_EVERY.total_seconds())
