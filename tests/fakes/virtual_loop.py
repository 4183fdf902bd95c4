"""An event loop whose time jumps: days of waiting pass in milliseconds, real sockets still work.

Whenever nothing is ready, time moves to the next timer instead of waiting for it. Before a jump
everything that may still arrive gets its chance: jobs in threads are waited for, bytes on their way
between two sockets too, and while a connection is open each jump waits `grace_s` of real time for
it. (An HTTP client that keeps idle connections makes each jump cost that; let it close them.)

Peers in *other* processes or threads do not share this time. Wrap what depends on them in
`loop.real_time()`, within which nothing jumps, or give them a longer grace.
"""

import asyncio
import contextlib
import math
import selectors
import socket
import struct
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import Executor
from datetime import datetime
from typing import Any, TypeVar

from agent.clock import SteppedClock

try:
    import fcntl
    import termios
except ImportError:  # not on Windows; there the plain grace must do
    fcntl = None  # type: ignore[assignment]

T = TypeVar("T")

GRACE_S = 0.002
IN_FLIGHT_S = 0.25
STUCK_S = 10.0
SETTLED_WITHIN_S = 3.0
NS = 1_000_000_000


class StuckError(RuntimeError):
    """Nothing is ready, no timer is set, no socket speaks: the coroutine would wait for ever."""


class _JumpingSelector(selectors.BaseSelector):
    """A real selector that moves the loop's time where a real one would wait."""

    def __init__(self, grace_s: float) -> None:
        self._real = selectors.DefaultSelector()
        self._grace_s = grace_s
        self.now_ns = 0
        self.jumps = 0
        self.in_threads = 0
        self.held = 0
        self.self_pipe = -1

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout <= 0:
            return self._real.select(0)
        if ready := self._real.select(0) or self._patiently(timeout):
            return ready
        if self.held or self.in_threads:
            return []
        if timeout is None:
            raise StuckError(f"nothing left to wait for at {self.now_ns / NS} s of virtual time")
        # Rounded up: a timer reached a nanosecond early would be asked for again and again.
        self.now_ns += max(1, math.ceil(timeout * NS))
        self.jumps += 1
        return []

    def _patiently(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait in real time for what is really under way."""
        if self.in_threads:
            # The end of a job wakes the loop through its self-pipe.
            return self._real.select(STUCK_S)
        if self.held:
            began = time.monotonic_ns()
            ready = self._real.select(timeout)
            self.now_ns += time.monotonic_ns() - began
            return ready
        if timeout is None:
            return self._real.select(STUCK_S)
        connections = self.connections()
        if not connections:
            return []
        if ready := self._real.select(self._grace_s):
            return ready
        until = time.monotonic() + IN_FLIGHT_S
        while time.monotonic() < until and any(_in_flight(key) for key in connections):
            if ready := self._real.select(self._grace_s):
                return ready
        return []

    def connections(self) -> list[selectors.SelectorKey]:
        """What is open to somebody else, in whatever state."""
        return [
            key
            for key in self._real.get_map().values()
            if key.fd != self.self_pipe and not _only_listens(key.fd)
        ]

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()

    def close(self) -> None:
        self._real.close()


class VirtualLoop(asyncio.SelectorEventLoop):
    """A selector event loop that starts at time 0 and jumps. `jumps` counts how often it did."""

    def __init__(self, grace_s: float = GRACE_S) -> None:
        self._virtual = _JumpingSelector(grace_s)
        super().__init__(self._virtual)
        self._virtual.self_pipe = getattr(self, "_ssock").fileno()  # noqa: B009 - not in typeshed
        # A float of seconds still holds microseconds after years of monotonic time.
        self._clock_resolution = 1e-6

    def time(self) -> float:
        return self._virtual.now_ns / NS

    @property
    def jumps(self) -> int:
        return self._virtual.jumps

    @contextlib.contextmanager
    def real_time(self) -> Iterator[None]:
        """Within this, waiting takes its real time: for peers that are other processes."""
        self._virtual.held += 1
        try:
            yield
        finally:
            self._virtual.held -= 1

    async def settle(self) -> None:
        """Give what came while a server was being stopped its end: the other side has closed it.

        What nobody closes stays open, and is named when it is collected.
        """
        until = time.monotonic() + SETTLED_WITHIN_S
        while self._virtual.connections() and time.monotonic() < until:
            await asyncio.sleep(0)
            await asyncio.sleep(GRACE_S)

    def run_in_executor(  # type: ignore[override] # typeshed's own type variables are too new
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        future = super().run_in_executor(executor, func, *args)
        self._virtual.in_threads += 1
        future.add_done_callback(self._thread_done)
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109  # asyncio's name
        """Since Python 3.12 this has a time limit, which a jump would use up."""
        with self.real_time():
            await super().shutdown_default_executor()

    def _thread_done(self, _future: Any) -> None:
        self._virtual.in_threads -= 1


def run_virtual(
    coro_fn: Callable[[SteppedClock], Coroutine[Any, Any, T]],
    start: datetime,
    grace_s: float = GRACE_S,
) -> T:
    """Run `coro_fn(clock)` to its end on a new virtual loop; the clock begins at `start`."""

    async def main() -> T:
        try:
            return await coro_fn(SteppedClock(start))
        finally:
            loop = asyncio.get_running_loop()
            assert isinstance(loop, VirtualLoop)
            await loop.settle()

    with asyncio.Runner(loop_factory=lambda: VirtualLoop(grace_s)) as runner:
        return runner.run(main())


def _only_listens(fd: int) -> bool:
    with _borrowed(fd) as sock:
        return sock is not None and bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def _in_flight(key: selectors.SelectorKey) -> bool:
    """Bytes were written here that the other end's kernel has not taken yet, or a connect runs."""
    with _borrowed(key.fd) as sock:
        if sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
            return False
        if key.events & selectors.EVENT_WRITE:
            return True
        if fcntl is None:
            return False
        try:
            waiting = fcntl.ioctl(key.fd, termios.TIOCOUTQ, b"\0\0\0\0")
        except OSError:
            return False
        return bool(struct.unpack("i", waiting)[0] > 0)


@contextlib.contextmanager
def _borrowed(fd: int) -> Iterator[socket.socket | None]:
    """A socket object over a descriptor that is not ours to close; None where it is no socket."""
    try:
        sock = socket.socket(fileno=fd)
    except OSError:
        yield None
        return
    try:
        yield sock
    finally:
        sock.detach()
