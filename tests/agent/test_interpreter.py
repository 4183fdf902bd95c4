"""What was freed in the middle of the heap is the machine's again."""

import asyncio
import ctypes
from datetime import UTC, datetime

import pytest

from agent.clock import SteppedClock
from agent.interpreter import trim_heap
from tests.bench.child import resident_mb
from tests.fakes.virtual_loop import run_virtual

START = datetime(2026, 1, 15, tzinfo=UTC)
# Above what Python's own allocator takes, below what glibc maps apart from its heap.
BLOCK_BYTES = 32_768
BLOCKS = 2000


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="not glibc")
def test_holes_in_the_heap_are_given_back() -> None:
    async def live(clock: SteppedClock) -> tuple[float, float]:
        # Every second block stays, so that the heap cannot shrink from its end.
        blocks = [bytes([1]) * (BLOCK_BYTES if n % 2 else 600) for n in range(2 * BLOCKS)]
        del blocks[1::2]
        before = resident_mb()
        task = asyncio.create_task(trim_heap(clock))
        await clock.sleep(3600)
        after = resident_mb()
        task.cancel()
        assert len(blocks) == BLOCKS
        return before, after

    before, after = run_virtual(live, START)
    assert before - after > BLOCKS * BLOCK_BYTES / 1e6 / 2
