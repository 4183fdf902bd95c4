"""Time for the shell. Pure code takes `now`; everything that waits is given a Clock."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Protocol

# A sleeper looks at the wall clock at least this often, so a clock that was set is noticed.
MAX_SLEEP_S = 30.0


class Clock(Protocol):
    """Wall time as aware UTC, and ways to wait for it.

    `sleep` counts elapsed time, `sleep_until` follows the wall clock and survives its jumps.
    """

    def now(self) -> datetime: ...

    async def sleep(self, seconds: float) -> None: ...

    async def sleep_until(self, when: datetime) -> None: ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))

    async def sleep_until(self, when: datetime) -> None:
        while (left := (when - self.now()).total_seconds()) > 0:
            await asyncio.sleep(min(left, MAX_SLEEP_S))


class SteppedClock:
    """A clock that starts at `start` and runs `speed` times as fast as the event loop's.

    Demo and tests use it; with an event loop whose time jumps, days pass in seconds.
    """

    def __init__(self, start: datetime, speed: float = 1.0) -> None:
        self._start = start
        self._speed = speed
        self._began = asyncio.get_running_loop().time()

    def now(self) -> datetime:
        ran = asyncio.get_running_loop().time() - self._began
        return self._start + timedelta(seconds=ran * self._speed)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds) / self._speed)

    async def sleep_until(self, when: datetime) -> None:
        # A float cannot hold every instant: the loop ends when the instant is really reached.
        while (left := (when - self.now()).total_seconds()) > 0:
            await asyncio.sleep(max(left, 1e-6) / self._speed)


async def wait_for(
    event: asyncio.Event, clock: Clock, when: datetime, at_most: timedelta | None = None
) -> bool:
    """Until the event is set or the wall clock shows `when`; True where the event came.

    `at_most` counts elapsed time: a wall clock that is set back does not make it wait for years.
    """
    if event.is_set() or when <= clock.now():
        return event.is_set()
    waiting = [
        asyncio.ensure_future(event.wait()),
        asyncio.ensure_future(clock.sleep_until(when)),
    ]
    if at_most is not None:
        waiting.append(asyncio.ensure_future(clock.sleep(at_most.total_seconds())))
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    return event.is_set()
