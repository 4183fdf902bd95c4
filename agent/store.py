"""The one SQLite database in the state directory. Rooms bring their own SQL.

What `write` answered True for survives a power cut. Writing happens in a thread of its own, in
order, so a disk that hangs holds up no setpoint; reading is a matter of microseconds and stays in
the event loop. Whoever writes has checked that something changed, for the disk is an SD card.
"""

import asyncio
import logging
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from agent.database.checking import distrust
from agent.database.connections import open_memory
from agent.database.opening import (
    OpenDatabase,
    StoreInUse,
    open_database,
    open_existing,
    read_copy,
)
from agent.database.problem import (
    HANGS,
    READ_ERRORS,
    REMOVED,
    DiskProblem,
    FilesGone,
    is_damage,
    is_disk,
    who_acts_on,
)
from agent.database.writer import (
    WRITE_ERRORS,
    QueueFull,
    Statement,
    Writer,
    execute,
    transaction,
)
from agent.energy.sentences import sentence
from agent.energy.text import clean_text

log = logging.getLogger(__name__)

T = TypeVar("T")

# After this an answer that waits for the disk is given without it.
WRITE_TIMEOUT_S = 5.0
# For whoever writes a named value together with other statements, or does not wait for it.
REPLACE_FACT = "INSERT OR REPLACE INTO facts VALUES (?, ?)"
# What a parser raises for a row that holds something else than was written.
UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, OSError)


class Store:
    """An open database.

    `problem` says what is wrong with the disk now and who acts, None where all is well;
    `on_problem` is called when that or `unreadable_rows` changes. `on_recovered` is called when
    the disk takes writes again: what was answered False meanwhile is for its owner to write again.
    `durable` is False where everything is only in memory, `copied` where that is what a file holds
    which takes nothing. `damaged` is where a broken file went.
    """

    def __init__(self, database: OpenDatabase, path: Path | None = None) -> None:
        self.connection = database.connection
        self.damaged = database.moved_to
        self.durable = database.on_disk or path is None
        self.copied = database.copied
        self.unreadable_rows = 0
        self.on_problem: Callable[[], None] = lambda: None
        self.on_recovered: Callable[[], None] = lambda: None
        self._lasting = database.problem
        self._passing: DiskProblem | None = None
        self._lock = database.lock
        # Named values on their way to the disk, and how many writes of each there are.
        self._coming: dict[str, tuple[str, int]] = {}
        self._path = path
        self._writer: Writer | None = None
        if path and database.on_disk:
            self._writer = Writer(path, self._written, lambda: self._set_passing(HANGS))
        if self._lasting is not None:
            log.error("%s (%s)", self._lasting.why, self._lasting.who_acts)

    @classmethod
    def open(cls, path: Path, now: datetime) -> "Store":
        """The database at `path`, made where it is missing; in memory where the disk is no use.

        A damaged file is moved aside, one of a newer program left alone. Raises only StoreInUse.
        """
        return cls(open_database(path, now), path)

    @classmethod
    def existing(cls, path: Path) -> "Store":
        """The database at `path` as it stands: never made, moved aside or begun anew.

        Raises StoreInUse, OSError, READ_ERRORS, Damaged, NewerSchema (agent.database.problem).
        """
        return cls(open_existing(path), path)

    @classmethod
    def copy_of(cls, path: Path) -> "Store":
        """What the database at `path` holds now; a running agent is not disturbed.

        Raises READ_ERRORS, Damaged, NewerSchema (agent.database.problem).
        """
        return cls(read_copy(path))

    @classmethod
    def in_memory(cls) -> "Store":
        return cls(OpenDatabase(open_memory(), on_disk=False))

    @property
    def problem(self) -> DiskProblem | None:
        return self._passing or self._lasting

    @property
    def folder(self) -> Path | None:
        """Where the file is; None for one that was always in memory."""
        return None if self._path is None else self._path.parent

    # --- reading ----------------------------------------------------------------------------------

    def rows(self, sql: str, values: Sequence[object], parse: Callable[[Any], T]) -> list[T]:
        """Every row that can be read, parsed; the others are dropped, counted and logged once.

        `parse` is given the row as a tuple and may raise what a wrong value makes it raise. A file
        that turns out damaged on the way gives what came before.
        """
        found: list[T] = []
        try:
            for row in self.connection.execute(sql, tuple(values)):
                try:
                    found.append(parse(row))
                except UNREADABLE as error:
                    self._count_unreadable(sql, error)
        except READ_ERRORS as error:
            self._count_unreadable(sql, error)
            self._failed(error)
        return found

    def get_value(self, name: str) -> str | None:
        if name in self._coming:
            return self._coming[name][0]
        sql = "SELECT value FROM facts WHERE name = ?"
        found = self.rows(sql, (name,), lambda row: str(row[0]))
        return found[0] if found else None

    # --- writing beside the event loop ------------------------------------------------------------

    def submit(self, *statements: Statement) -> "asyncio.Future[bool]":
        """Have all of these executed or none, after what was submitted before.

        The answer is True once they are on the disk, False where they will not be; it never
        raises, and need not be waited for.
        """
        if self._writer is not None:
            try:
                return self._writer.submit(statements)
            except QueueFull:
                self._set_passing(HANGS)
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        answer.set_result(self._writer is None and self._write_to_memory(statements))
        return answer

    async def write(self, *statements: Statement, timeout_s: float = WRITE_TIMEOUT_S) -> bool:
        """Submit and wait: True only where all is on the disk.

        False after `timeout_s` too; what the disk took so long for may then still be written.
        """
        answer = self.submit(*statements)
        # Not wait_for: giving up must not take the write back.
        await asyncio.wait((answer,), timeout=timeout_s)
        if answer.done():
            return answer.result()
        self._set_passing(HANGS)
        return False

    def _write_to_memory(self, statements: Sequence[Statement]) -> bool:
        try:
            execute(self.connection, statements)
        except WRITE_ERRORS as error:
            self._failed(error)
            return False
        return self.durable

    def _written(self, outcomes: Sequence[Exception | None]) -> None:
        errors = [error for error in outcomes if error is not None]
        for error in errors:
            self._failed(error)
        if not any(is_disk(error) for error in errors):
            self._worked()

    # --- writing at once where no event loop turns (tools, tests, the start) ----------------------

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing: committed at the end, rolled back where an exception passes.

        Blocks until the disk has it. Raises sqlite3.Error.
        """
        try:
            with transaction(self.connection):
                yield self.connection
        except sqlite3.Error as error:
            self._failed(error)
            raise
        self._worked()

    def set_value(self, name: str, value: str) -> None:
        """Store one named value, where it is another; as `apply` does. Raises sqlite3.Error."""
        if self.get_value(name) == value:
            return
        answer = self.apply((REPLACE_FACT, (name, value)))
        if answer is None:
            return
        self._coming[name] = value, self._coming.get(name, ("", 0))[1] + 1
        answer.add_done_callback(lambda _: self._came(name))

    def _came(self, name: str) -> None:
        value, writes = self._coming[name]
        if writes > 1:
            self._coming[name] = value, writes - 1
        else:
            del self._coming[name]

    def apply(self, *statements: Statement) -> "asyncio.Future[bool] | None":
        """All or none of them: beside the event loop where one turns, whose answer comes as that of
        `submit`; else at once (None), and then it raises sqlite3.Error.
        """
        if self._writer is not None and _loop_turns():
            return self.submit(*statements)
        with self.transaction() as connection:
            for sql, values in statements:
                connection.execute(sql, values)
        return None

    def close(self) -> None:
        """Write what waits, as far as the disk takes it in time; a second call does nothing."""
        if self._writer is not None:
            self._writer.close()
        self.connection.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # --- what is wrong ----------------------------------------------------------------------------

    def _count_unreadable(self, sql: str, error: Exception) -> None:
        self.unreadable_rows += 1
        if self.unreadable_rows == 1:
            what = clean_text(f"{type(error).__name__}: {error}")
            log.warning("a stored row cannot be read (%s; %s); others are counted", sql, what)
        self.on_problem()

    def _failed(self, error: Exception) -> None:
        if not is_disk(error):
            log.error("a statement failed: %s", clean_text(f"{type(error).__name__}: {error}"))
            return
        if isinstance(error, FilesGone):
            self._set_passing(REMOVED)
            return
        if is_damage(error) and self._path is not None and self.durable:
            distrust(self._path)
            why = sentence(
                "the database is damaged ({error}); it is begun anew at the next start",
                error=str(error),
            )
            self._lasting = DiskProblem(why, "owner: restart the service")
            self._set_passing(self._lasting)
            return
        why = sentence(
            "the database cannot be used ({error}); what is new may not be kept", error=str(error)
        )
        self._set_passing(DiskProblem(why, who_acts_on(error, self._path)))

    def _worked(self) -> None:
        if self._passing is not None:
            log.warning("the database can be written again")
            self._set_passing(None)
            self.on_recovered()

    def _set_passing(self, problem: DiskProblem | None) -> None:
        if problem == self._passing:
            return
        if problem is not None and self._passing is None:
            log.error("%s (%s)", problem.why, problem.who_acts)
        self._passing = problem
        self.on_problem()


def _loop_turns() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


__all__ = ["DiskProblem", "Statement", "Store", "StoreInUse"]
