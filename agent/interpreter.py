"""What the interpreter is told for a process that runs for years beside planning threads."""

import asyncio
import ctypes
import gc
import sys

from agent.clock import Clock

# Of a thread that plans. Python's own 5 ms are waited for at every step that the event loop makes
# meanwhile, and a message to a device is a dozen of them.
SWITCH_EVERY_S = 0.0005
TRIM_EVERY_S = 900


def prepare() -> None:
    """Threads that plan give way at once, and no full collection walks through the libraries.

    To be called when everything is imported: what is there then stays for ever. A full collection
    stops everything for as long as it takes, 60 ms on a fast machine.
    """
    sys.setswitchinterval(SWITCH_EVERY_S)
    gc.freeze()


async def trim_heap(clock: Clock) -> None:
    """Give freed memory back to the kernel; ends at once where the C library cannot, else never.

    glibc gives back only what lies at the end of its heap. Large documents (prices, plans) leave
    holes of whole pages in the middle, which count as resident until somebody asks for them; 1 MB
    measured with the local pages.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    while trim is not None:
        await clock.sleep(TRIM_EVERY_S)
        # A millisecond or two, but no message waits for it.
        await asyncio.to_thread(trim, 0)
