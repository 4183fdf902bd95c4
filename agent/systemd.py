"""Words to systemd, where it listens: ready, alive, stopping. A datagram needs no library."""

import asyncio
import os
import socket
from collections.abc import Mapping


def notify(text: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Send `READY=1`, `WATCHDOG=1`, `STOPPING=1` …; False where nobody listens."""
    address = environ.get("NOTIFY_SOCKET")
    if not address:
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.connect(address)
            sock.sendall(text.encode())
    except OSError:
        return False
    return True


async def feed_watchdog(environ: Mapping[str, str] = os.environ) -> None:
    """Tell systemd twice a watchdog period that the event loop turns."""
    period_us = environ.get("WATCHDOG_USEC", "")
    if not period_us.isdigit():
        return
    while True:
        notify("WATCHDOG=1", environ)
        await asyncio.sleep(int(period_us) / 2_000_000)
