"""A meter that tells a power and is told nothing."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta

from agent.clock import Clock
from agent.energy.instants import format_instant
from integrations.sandbox.appliances.link import Link

LOOKS_EVERY = timedelta(minutes=1)
TELLS_EVERY = timedelta(minutes=5)
WORTH_TELLING_W = 50.0


class SiteMeter:
    """`power_w(now)` is what it measures."""

    def __init__(
        self, name: str, base: str, clock: Clock, link: Link, power_w: Callable[[datetime], float]
    ) -> None:
        self.name = name
        self._topic = f"{base}/device/{name}/state"
        self._clock = clock
        self._link = link
        self._power_w = power_w

    async def run(self) -> None:
        told_w, told_at = 0.0, None
        while True:
            now = self._clock.now()
            power_w = self._power_w(now)
            due = told_at is None or now - told_at >= TELLS_EVERY
            if due or abs(power_w - told_w) >= WORTH_TELLING_W:
                told_w, told_at = power_w, now
                body = {"power_w": round(power_w), "at": format_instant(now)}
                text = json.dumps(body, separators=(",", ":"))
                await self._link.publish(self._topic, text, retain=True)
            await self._clock.sleep(LOOKS_EVERY.total_seconds())
