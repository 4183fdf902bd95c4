"""Ctrl-C while a command only gets ready: it ends at once, for there is nothing to take back.

As an exception it would be lost where it strikes in a finaliser or a callback, with a traceback on
the terminal, and the command would go on.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

# As a shell reports a program that this signal ended.
EX_INTERRUPTED = 128 + signal.SIGINT


@contextlib.contextmanager
def ending_at_once() -> Iterator[None]:
    """Where somebody has chosen another answer to Ctrl-C, that one stays."""
    is_default = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not is_default or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(_number: int, _frame: FrameType | None) -> None:
    os._exit(EX_INTERRUPTED)
