"""Lines as they arrive, with a wait that Ctrl-C always ends."""

import os
import select
import signal
from collections.abc import Iterator

CHUNK_BYTES = 65_536


def arriving_lines(source: int) -> Iterator[bytes]:
    """The lines of a file descriptor, each as soon as it is whole; the last may lack its end.

    Python looks for signals between its steps. One that comes after the last look and before the
    read would be seen when the next line is there: it wakes this wait through a pipe of its own.
    """
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    before = signal.set_wakeup_fd(wake)
    try:
        rest = b""
        while True:
            ready, _, _ = select.select([source, woken], [], [])
            if woken in ready:
                os.read(woken, CHUNK_BYTES)
            if source not in ready:
                continue
            chunk = os.read(source, CHUNK_BYTES)
            if not chunk:
                break
            *whole, rest = (rest + chunk).split(b"\n")
            yield from whole
        if rest:
            yield rest
    finally:
        signal.set_wakeup_fd(before)
        os.close(woken)
        os.close(wake)
