"""Writing beside the event loop: one thread, in order, whatever waits in one transaction."""

import asyncio
import logging
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from agent.database.checking import LOG
from agent.database.connections import open_connection
from agent.database.problem import FilesGone

log = logging.getLogger(__name__)

Statement = tuple[str, tuple[object, ...]]

# Whoever ends the program waits for no thread whose name begins with flatpeak-work.
THREAD_NAME = "flatpeak-work-disk"
CLOSE_TIMEOUT_S = 2.0
SLOW_AFTER_S = 3.0
# What may wait for a disk that hangs: transactions, and bytes in them.
MAX_WAITING = 500
MAX_WAITING_BYTES = 4_000_000
# What SQLite raises, and what its module raises for a value that it cannot bind.
WRITE_ERRORS = (sqlite3.Error, OverflowError, ValueError)


class QueueFull(Exception):
    """The disk does not keep up."""


@dataclass(slots=True, eq=False)
class _Write:
    statements: Sequence[Statement]
    size: int
    done: "asyncio.Future[bool]"


@dataclass(slots=True)
class Writer:
    """`on_done` is called in the event loop with what became of each write of a batch: an error of
    WRITE_ERRORS, FilesGone, or None; `on_slow` when one takes longer than any disk should.
    """

    path: Path
    on_done: Callable[[Sequence[Exception | None]], None]
    on_slow: Callable[[], None] = lambda: None
    _connection: sqlite3.Connection | None = field(default=None, init=False)
    _files: tuple[int, ...] = field(init=False)
    _executor: ThreadPoolExecutor = field(init=False)
    _waiting: deque[_Write] = field(default_factory=deque, init=False)
    _in_work: Sequence[_Write] = field(default=(), init=False)
    _size: int = field(default=0, init=False)
    _closed: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=THREAD_NAME)
        self._files = _files_at(self.path)

    def submit(self, statements: Sequence[Statement]) -> "asyncio.Future[bool]":
        """All of these or none, after what was submitted before; True once they are on the disk.

        Raises QueueFull.
        """
        write = _Write(statements, _size_of(statements), asyncio.get_running_loop().create_future())
        waiting = len(self._waiting) + len(self._in_work)
        if (
            self._closed
            or waiting >= MAX_WAITING
            or (waiting and self._size + write.size > MAX_WAITING_BYTES)
        ):
            raise QueueFull
        self._size += write.size
        self._waiting.append(write)
        if not self._in_work and len(self._waiting) == 1:
            # What is submitted in the same turn of the loop is one transaction.
            asyncio.get_running_loop().call_soon(self._start)
        return write.done

    def close(self) -> None:
        """Write what waits, as far as the disk takes it in time."""
        if self._closed:
            return
        self._closed = True
        rest = tuple(self._waiting)
        self._waiting.clear()
        ended = self._executor.submit(self._end, rest)
        self._executor.shutdown(wait=False)
        try:
            ended.result(CLOSE_TIMEOUT_S)
        except TimeoutError:
            log.error("the disk hangs; what waited for it may be lost")

    def _start(self) -> None:
        """Everything that waits becomes one transaction: one fsync, not one each."""
        if self._in_work or not self._waiting:
            return
        self._in_work = batch = tuple(self._waiting)
        self._waiting.clear()
        work = asyncio.get_running_loop().run_in_executor(self._executor, self._commit, batch)
        work.add_done_callback(self._finish)
        slow = asyncio.get_running_loop().call_later(SLOW_AFTER_S, self.on_slow)
        work.add_done_callback(lambda _: slow.cancel())

    def _finish(self, work: "asyncio.Future[list[Exception | None]]") -> None:
        batch, self._in_work = self._in_work, ()
        self._size -= sum(write.size for write in batch)
        if work.cancelled():
            return
        outcomes = work.result()
        for write, error in zip(batch, outcomes, strict=True):
            if not write.done.done():
                write.done.set_result(error is None)
        self._start()
        self.on_done(outcomes)

    # --- in the thread ----------------------------------------------------------------------------

    def _commit(self, batch: Sequence[_Write]) -> list[Exception | None]:
        """What became of each; one that cannot be written harms no other."""
        try:
            if self._connection is None:
                self._connection = open_connection(self.path)
            execute(self._connection, [item for write in batch for item in write.statements])
            if _files_at(self.path) != self._files:
                raise FilesGone
        except (FilesGone, *WRITE_ERRORS) as error:
            if len(batch) == 1:
                return [error]
            return [outcome for write in batch for outcome in self._commit((write,))]
        return [None] * len(batch)

    def _end(self, rest: Sequence[_Write]) -> None:
        if rest:
            self._commit(rest)
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Committed at the end, rolled back where an exception passes. Raises sqlite3.Error."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # A full disk rolls back by itself; a commit that failed leaves the transaction open.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def execute(connection: sqlite3.Connection, statements: Sequence[Statement]) -> None:
    """All of these or none. Raises WRITE_ERRORS."""
    with transaction(connection):
        for sql, values in statements:
            connection.execute(sql, values)


def _files_at(path: Path) -> tuple[int, ...]:
    """Which files they are, 0 for one that is missing."""
    found = []
    for file in (path, path.with_name(path.name + LOG)):
        try:
            found.append(file.stat().st_ino)
        except OSError:
            found.append(0)
    return tuple(found)


def _size_of(statements: Sequence[Statement]) -> int:
    values = (value for _, row in statements for value in row)
    return sum(len(value) for value in values if isinstance(value, str | bytes))
