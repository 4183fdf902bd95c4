"""The file: locked, checked, moved aside where damaged, copied to memory where it is no use.

Nothing here raises for a bad disk: an agent without a disk is worth more than none. Only a second
agent on the same folder is turned away.
"""

import contextlib
import fcntl
import logging
import os
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from agent.database.checking import (
    LOG,
    SIDE_FILES,
    check_files,
    check_pages,
    check_version,
    distrust_mark,
    refuse_empty,
)
from agent.database.connections import open_connection, open_memory
from agent.database.copies import copy_of
from agent.database.log_check import frames_of, is_cut_short
from agent.database.problem import (
    NEW_CARD,
    READ_ERRORS,
    Damaged,
    DiskProblem,
    NewerSchema,
    is_damage,
    is_disk,
    reason_of,
    who_acts_on,
)
from agent.database.schema import VERSION, is_complete, migrate
from agent.energy.instants import format_instant
from agent.energy.sentences import Sentence, joined, sentence
from agent.errors import AgentError

log = logging.getLogger(__name__)

# A commit writes whole pages and mostly changes a row in each of a few tables: small pages spare
# the SD card. A file that was made with others keeps them.
PAGE_BYTES = 1024
# A card that dies leaves one at every start: older ones go, lest they fill it.
MAX_KEPT_ASIDE = 3


class StoreInUse(AgentError):
    """Another agent holds the state folder: two would publish and write against each other."""


@dataclass(slots=True)
class OpenDatabase:
    """`connection` is to the file, or to memory where `on_disk` is False; `lock` is a descriptor
    that holds the folder until it is closed; `moved_to` is where a damaged file lies now, `copied`
    whether memory holds what the file does.
    """

    connection: sqlite3.Connection
    on_disk: bool
    lock: int | None = None
    problem: DiskProblem | None = None
    moved_to: Path | None = None
    copied: bool = False


def open_database(path: Path, now: datetime) -> OpenDatabase:
    """The database at `path`, made where it is missing, in memory where that cannot be.

    Raises StoreInUse, nothing else.
    """
    lock = moved_to = problem = None
    try:
        # When somebody is at home is nobody else's to read.
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = _lock(path.parent)
        try:
            connection, lost = _checked(path)
        except (Damaged, *READ_ERRORS) as error:
            # A file that was written by us and does not open as such is damaged, whatever SQLite
            # calls it; the disk's own faults are none of the file.
            if is_disk(error) and not is_damage(error):
                raise
            moved_to = _move_aside(path, now, error)
            connection, lost = _checked(path)
    except NewerSchema as error:
        who_acts: str = sentence(
            "owner: update the agent, or move {file} away, then restart the service",
            file=path.name,
        )
        why = joined((error.args[0], sentence("it is left as it is")))
        return _in_memory(open_memory(), lock, why, who_acts)
    except (OSError, Damaged, *READ_ERRORS) as error:
        connection, is_read = _copy(path)
        why = _unusable(path, error)
        if is_read:
            why = joined((why, sentence("what it holds is used")))
        who_acts = sentence(
            "{deed}, then restart the service", deed=sentence(who_acts_on(error, path))
        )
        database = _in_memory(connection, lock, why, who_acts)
        database.copied = is_read
        return database
    if moved_to is not None:
        why = sentence("the database was damaged; moved to {file}, begun anew", file=moved_to.name)
    elif lost:
        why = sentence("the database's log was damaged: some of what was stored last is lost")
        log.error("%s (%s)", why, path)
    if moved_to is not None or lost:
        problem = DiskProblem(why, sentence("{deed} if this comes again", deed=sentence(NEW_CARD)))
    return OpenDatabase(connection, True, lock, problem, moved_to)


def open_existing(path: Path) -> OpenDatabase:
    """The database at `path` as it stands, for who needs what is in it: never made, moved aside or
    begun anew; in memory where the disk gives it and takes nothing.

    Raises StoreInUse, OSError, READ_ERRORS, Damaged, NewerSchema.
    """
    lock = _lock(path.parent)
    try:
        with path.open("rb"):
            pass  # SQLite would not say whether it is missing or may not be read.
        try:
            refuse_empty(path)
            connection, _ = _checked(path)
        except (OSError, Damaged, *READ_ERRORS) as error:
            connection, is_read = _copy(path)
            if not is_read:
                connection.close()
                raise
            why = joined((_unusable(path, error), sentence("what it holds is used")))
            problem = DiskProblem(why, who_acts_on(error, path))
            return OpenDatabase(connection, False, lock, problem, copied=True)
    except BaseException:
        if lock is not None:
            os.close(lock)
        raise
    return OpenDatabase(connection, True, lock)


def _lock(folder: Path) -> int | None:
    """Hold the folder as long as the process lives; no file is made, so it works on a full disk.

    Raises OSError, StoreInUse.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise StoreInUse(f"another agent uses the state folder {folder}") from None
    except OSError as error:
        # Some network file systems know no such lock.
        os.close(descriptor)
        log.warning("the state folder %s cannot be locked: %s", folder, error)
        return None
    return descriptor


def _checked(path: Path) -> tuple[sqlite3.Connection, bool]:
    """A connection to a whole file of this version that takes writes; whether some of what was
    stored is not in it.

    Raises OSError, READ_ERRORS, Damaged, NewerSchema.
    """
    check_files(path)
    frames = frames_of(path.with_name(path.name + LOG))
    check_version(path)
    connection = open_connection(path)
    try:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("PRAGMA journal_mode = WAL")
        # What it holds is in the file from here on, and the next transaction begins it anew.
        _, read, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        check_pages(connection)
        migrate(connection)
        if not is_complete(connection):
            raise Damaged("its tables are not those that were made")
        # Writes the value that stands there, to know now whether the disk takes anything.
        connection.execute(f"PRAGMA user_version = {VERSION}")
    except BaseException:
        connection.close()
        raise
    return connection, is_cut_short(frames, read)


def _unusable(path: Path, error: BaseException) -> Sentence:
    return sentence(
        "the database {path} cannot be used ({reason})",
        path=str(path),
        reason=reason_of(error, path),
    )


def _move_aside(path: Path, now: datetime, error: BaseException) -> Path:
    """Rename the file and what belongs to it. Raises OSError."""
    moved_to = path.with_name(f"{path.name}.damaged-{format_instant(now).replace(':', '')}")
    log.error("the database %s is damaged (%s)", path, error)
    for suffix in SIDE_FILES:
        file = path.with_name(path.name + suffix)
        if file.exists():
            file.rename(moved_to.with_name(moved_to.name + suffix))
    distrust_mark(path).unlink(missing_ok=True)
    kept = sorted(path.parent.glob(f"{path.name}.damaged-*Z"))
    for old in kept[:-MAX_KEPT_ASIDE]:
        for suffix in SIDE_FILES:
            with contextlib.suppress(OSError):
                old.with_name(old.name + suffix).unlink(missing_ok=True)
    return moved_to


def _in_memory(
    connection: sqlite3.Connection, lock: int | None, why: str, who_acts: str
) -> OpenDatabase:
    lost = sentence("nothing new is kept over a restart")
    problem = DiskProblem(joined((why, lost)), who_acts)
    return OpenDatabase(connection, False, lock, problem)


def read_copy(path: Path) -> OpenDatabase:
    """What the file holds, in memory.

    Raises READ_ERRORS, Damaged (Empty), NewerSchema.
    """
    return OpenDatabase(copy_of(path), on_disk=False)


def _copy(path: Path) -> tuple[sqlite3.Connection, bool]:
    """What can be read of a file that cannot be written: revisions, wishes and prices go on.

    The answer is False where that is nothing.
    """
    try:
        return copy_of(path), True
    except (Damaged, NewerSchema, *READ_ERRORS) as error:
        log.debug("copying %s: %s", path, error)
        return open_memory(), False
