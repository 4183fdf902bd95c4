"""The demo's clock: as fast as was asked for, but never faster than the work gets done.

On a slow machine a clock that runs on regardless makes a plan come hours too late.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, timedelta

TICK_S = 0.01
# Simulated time that may pass at once: between two looks, where more means that the event loop was
# held up, or while a message is on its way.
LONGEST_STEP = timedelta(minutes=2)
SHORTEST_SLEEP_S = 0.001
JUDGED_EVERY_S = 1.0
KEEPS_UP = 0.8
REAL_TIME = 1.0
PULSE_EVERY_S = 0.02
# Then there is no broker any more to wait for.
PULSE_LOST_S = 30.0


class PacedClock:
    """`speed` times as fast as real time while the event loop keeps up; `run` is its heartbeat.

    At real time, or slower, it waits for nothing: then it is the time that people, their browsers
    and devices have.
    `achieved` is the speed of the last second or so, `slowed` whether it ever was clearly less
    than what was asked for.
    """

    def __init__(self, start: datetime, speed: float) -> None:
        self.speed = self.achieved = speed
        self.slowed = False
        self._start = start
        self._ran_s = 0.0
        self._holds = 0
        self._looked_at = asyncio.get_running_loop().time()

    def now(self) -> datetime:
        self._advance()
        return self._start + timedelta(seconds=self._ran_s)

    async def sleep(self, seconds: float) -> None:
        await self.sleep_until(self.now() + timedelta(seconds=seconds))

    async def sleep_until(self, when: datetime) -> None:
        while (left := (when - self.now()).total_seconds()) > 0:
            await asyncio.sleep(max(left / self.speed, SHORTEST_SLEEP_S))

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """The clock waits for what is done within the block."""
        if self.speed <= REAL_TIME:
            yield
            return
        self._advance()
        self._holds += 1
        try:
            yield
        finally:
            self._advance()
            self._holds -= 1

    def slow_down_to(self, speed: float) -> None:
        self._advance()
        self.speed = min(self.speed, speed)

    async def run(self) -> None:
        """Look often enough that a quiet time is told from a stall; judge the speed."""
        loop = asyncio.get_running_loop()
        judged_at, ran_s = loop.time(), self._ran_s
        while True:
            await asyncio.sleep(TICK_S)
            self._advance()
            passed = loop.time() - judged_at
            if passed >= JUDGED_EVERY_S:
                self.achieved = (self._ran_s - ran_s) / passed
                self.slowed |= self.achieved < self.speed * KEEPS_UP
                judged_at, ran_s = loop.time(), self._ran_s

    async def follow(self, send_pulse: Callable[[], Awaitable[None]], pulse: asyncio.Event) -> None:
        """Wait for messages too: `pulse` is set when what `send_pulse` sent has come back."""
        while True:
            pulse.clear()
            await send_pulse()
            try:
                async with asyncio.timeout(LONGEST_STEP.total_seconds() / self.speed):
                    await pulse.wait()
            except TimeoutError:
                with self.hold(), contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(PULSE_LOST_S):
                        await pulse.wait()
            await asyncio.sleep(PULSE_EVERY_S)

    def _advance(self) -> None:
        now = asyncio.get_running_loop().time()
        passed, self._looked_at = now - self._looked_at, now
        if self.speed <= REAL_TIME:
            self._ran_s += passed * self.speed
        elif not self._holds:
            self._ran_s += min(passed * self.speed, LONGEST_STEP.total_seconds())
