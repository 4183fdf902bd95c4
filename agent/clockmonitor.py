"""May the wall clock be believed? Until then nothing is switched on.

Confirmed by the kernel's synchronisation flag or by the Date header of the tariff source, never by
a device. Without either the agent goes on after ten minutes with the clock it has, unless that lies
behind the newest instant in its database.
"""

import asyncio
import ctypes
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from agent.clock import Clock
from agent.health import Health

log = logging.getLogger(__name__)

MAX_CLOCK_OFFSET = timedelta(minutes=1)
WAIT_FOR_CONFIRMATION_S = 600.0
LOOK_EVERY_S = 30.0
NOT_SYNCHRONISED = 5  # adjtimex(2) returns TIME_ERROR


def kernel_synchronised() -> bool:
    """The kernel's own word for it (Linux); False where it cannot be asked."""
    try:
        adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return False
    # struct timex is below 256 bytes on every Linux; all zero means: only look.
    code: int = adjtimex(ctypes.create_string_buffer(512))
    return 0 <= code < NOT_SYNCHRONISED


@dataclass(slots=True)
class ClockMonitor:
    """`sane` once confirmed; `on_sane` is called at that moment and after each jump mended."""

    clock: Clock
    health: Health
    newest_known: datetime | None = None
    synchronised: Callable[[], bool] = kernel_synchronised
    on_trusted: Callable[[], None] = lambda: None
    trusted: bool = False
    _confirmed: bool = False

    def on_server_time(self, server_time: datetime) -> None:
        """The Date header of an answer that just came."""
        off = abs(server_time - self.clock.now())
        if off <= MAX_CLOCK_OFFSET:
            self._confirm()
        elif not self.synchronised():
            self._distrust(f"the clock is {off} off the tariff source's")

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        began, steady, wall = loop.time(), loop.time(), self.clock.now()
        if not self.trusted:
            self.health.degraded("clock", "the time is not confirmed yet")
        while True:
            if self.synchronised():
                self._confirm()
            elif not self.trusted and loop.time() - began > WAIT_FOR_CONFIRMATION_S:
                self._trust_after_timeout()
            await asyncio.sleep(LOOK_EVERY_S if self.trusted else 1.0)
            ran = timedelta(seconds=loop.time() - steady)
            jumped = self.clock.now() - wall - ran
            steady, wall = loop.time(), self.clock.now()
            if abs(jumped) > MAX_CLOCK_OFFSET:
                log.warning("the clock jumped by %s", jumped)
                began = loop.time()
                self._distrust(f"the clock jumped by {jumped}")

    def _confirm(self) -> None:
        first = not self.trusted
        self.trusted = self._confirmed = True
        self.health.ok("clock")
        if first:
            self.on_trusted()

    def _trust_after_timeout(self) -> None:
        if self.newest_known is not None and self.clock.now() < self.newest_known:
            self.health.failed(
                "clock", f"the time lies before {self.newest_known}", "owner: set the clock"
            )
            return
        self.trusted = True
        self.health.degraded("clock", "nothing confirmed the time; deadlines come before prices")
        self.on_trusted()

    def _distrust(self, why: str) -> None:
        if self.trusted or self._confirmed:
            log.warning("%s: nothing is switched until it is confirmed", why)
        self.trusted = self._confirmed = False
        self.health.degraded("clock", why)
