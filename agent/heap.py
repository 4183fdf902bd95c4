"""Freed memory goes back to the kernel.

glibc gives back only what lies at the end of its heap. Large documents (prices, plans) leave holes
of whole pages in the middle, which count as resident until somebody asks for them; 1 MB measured
with the local pages. Other C libraries have no such call: nothing is done there.
"""

import asyncio
import ctypes

from agent.clock import Clock

EVERY_S = 900


async def trim_heap(clock: Clock) -> None:
    """Ends at once where the C library cannot, else never."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    while trim is not None:
        await clock.sleep(EVERY_S)
        # A millisecond or two, but no message waits for it.
        await asyncio.to_thread(trim, 0)


__all__ = ["trim_heap"]
