"""What is promised survives a restart: the answer to a person says where it would not."""

import asyncio
from collections.abc import Callable

# A slow disk is waited for so long before a wish is answered without it.
STORED_WITHIN_S = 2.0
NOT_STORED = (
    "accepted, but it is not stored yet: after a power cut what held before would hold again"
)


def answer_when_stored(stored: asyncio.Future[bool], answer: Callable[[str], None]) -> None:
    """Have `answer(note)` called once: when it is known whether the wish is on the disk, or when
    that takes too long. The note is empty where it is.
    """
    answered = False

    def once() -> None:
        nonlocal answered
        if not answered:
            answered = True
            answer("" if stored.done() and stored.result() else NOT_STORED)

    stored.add_done_callback(lambda _: once())
    asyncio.get_running_loop().call_later(STORED_WITHIN_S, once)
