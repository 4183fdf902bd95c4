"""Ending tasks for sure."""

import asyncio
from collections.abc import Iterable

AGAIN_AFTER_S = 0.1


async def cancel_all(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel until each has ended; how it ended is for whoever holds it to look at.

    Once is not enough: before Python 3.12 `wait_for`, which aiomqtt uses, may swallow one.
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=AGAIN_AFTER_S)
