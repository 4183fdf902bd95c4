"""Words to systemd, where it listens: ready, alive, stopping. A datagram needs no library."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Mapping

# Devices wait for their schedules, but units that wait for us must not wait for a broker.
READY_AFTER_S = 30.0


def notify(text: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Send `READY=1`, `WATCHDOG=1`, `STOPPING=1` …; False where nobody listens."""
    address = environ.get("NOTIFY_SOCKET")
    if not address:
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            # A systemd that does not listen holds up nothing.
            sock.setblocking(False)
            sock.connect(address)
            sock.sendall(text.encode())
    except OSError:
        return False
    return True


async def feed_watchdog(alive: Callable[[], bool], environ: Mapping[str, str] = os.environ) -> None:
    """Tell systemd twice a watchdog period that all parts are alive, and nothing while one is not.

    Without a watchdog `alive` is still asked, for what it says in health.
    """
    period_us = environ.get("WATCHDOG_USEC", "")
    period_s = int(period_us) / 1_000_000 if period_us.isdigit() and int(period_us) else 0.0
    while True:
        if alive() and period_s:
            notify("WATCHDOG=1", environ)
        await asyncio.sleep(period_s / 2 or READY_AFTER_S)


async def announce_ready(
    first_schedules: Callable[[], Awaitable[None]], environ: Mapping[str, str] = os.environ
) -> None:
    """READY=1 once the first schedules stand, or after half a minute without them."""
    try:
        async with asyncio.timeout(READY_AFTER_S):
            await first_schedules()
    except TimeoutError:
        pass
    notify("READY=1", environ)
