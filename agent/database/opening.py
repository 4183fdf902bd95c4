"""The file: locked, checked, moved aside where damaged, copied to memory where it is no use.

Nothing here raises for a bad disk: an agent without a disk is worth more than none. Only a second
agent on the same folder is turned away.
"""

import contextlib
import fcntl
import logging
import os
import shutil
import sqlite3
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from agent.database.log_check import frames_of, is_cut_short
from agent.database.problem import (
    NEW_CARD,
    READ_ERRORS,
    Damaged,
    DiskProblem,
    Empty,
    NewerSchema,
    is_damage,
    is_disk,
    reason_of,
    who_acts_on,
)
from agent.database.schema import VERSION, is_complete, migrate, version_of
from agent.energy.instants import format_instant
from agent.energy.sentences import Sentence, joined, sentence
from agent.errors import AgentError

log = logging.getLogger(__name__)

# A commit writes whole pages and mostly changes a row in each of a few tables: small pages spare
# the SD card. A file that was made with others keeps them.
PAGE_BYTES = 1024
# Pages that wait in the log until they are written to the file, each once: 4 MB.
LOGGED_PAGES = 4096
# Of each connection; a year of rates is read once in a while.
CACHE_KB = 256
# How long one connection waits for another's lock before it gives up.
BUSY_TIMEOUT_S = 5.0
# A card that dies leaves one at every start: older ones go, lest they fill it.
MAX_KEPT_ASIDE = 3
MAGIC = b"SQLite format 3\0"
LOG = "-wal"
SIDE_FILES = ("", LOG, "-shm")
MEMORY_FOLDER = Path("/dev/shm")  # a folder of our own is made in it


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
            _refuse_empty(path)
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


def open_connection(path: Path) -> sqlite3.Connection:
    """A connection to a file that was checked. Its use may move between threads.

    One that is made anew is its owner's alone: it holds who is at home when, and sessions.
    """
    with contextlib.suppress(OSError):
        # The log beside it is made by SQLite with the rights of the file.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    connection = sqlite3.connect(
        path, isolation_level=None, timeout=BUSY_TIMEOUT_S, check_same_thread=False
    )
    connection.text_factory = _text
    try:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KB}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {LOGGED_PAGES}")
    except BaseException:
        connection.close()
        raise
    return connection


def open_memory() -> sqlite3.Connection:
    connection = _empty_memory()
    migrate(connection)
    return connection


def distrust(path: Path) -> None:
    """Have the file moved aside at the next start, though its own check may find nothing."""
    with contextlib.suppress(OSError):
        _distrust_mark(path).touch()


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
    _check_files(path)
    frames = frames_of(path.with_name(path.name + LOG))
    _check_version(path)
    connection = open_connection(path)
    try:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("PRAGMA journal_mode = WAL")
        # What it holds is in the file from here on, and the next transaction begins it anew.
        _, read, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        _check_pages(connection)
        migrate(connection)
        if not is_complete(connection):
            raise Damaged("its tables are not those that were made")
        # Writes the value that stands there, to know now whether the disk takes anything.
        connection.execute(f"PRAGMA user_version = {VERSION}")
    except BaseException:
        connection.close()
        raise
    return connection, is_cut_short(frames, read)


def _check_files(path: Path) -> None:
    """What SQLite would take for a foreign or a read-only file."""
    for side in (path.with_name(path.name + suffix) for suffix in SIDE_FILES):
        if side.exists() and not side.is_file():
            raise Damaged(f"{side.name} is no file")
    if not path.exists():
        _distrust_mark(path).unlink(missing_ok=True)
        return
    if _distrust_mark(path).exists():
        raise Damaged("it was found damaged while it was used")
    # No connection is open yet: closing a second descriptor would drop SQLite's locks.
    with path.open("rb") as file:
        header = file.read(100)
    if header and (header[:16] != MAGIC or not {*header[18:20]} <= {1, 2}):
        raise Damaged("its header is not SQLite's")


def _check_version(path: Path) -> None:
    """Before anything may write to it."""
    if not path.exists():
        return
    with contextlib.closing(_read_only(path)) as connection:
        version = version_of(connection)
    _refuse_newer(version)
    if version < 0:
        raise Damaged(f"its version is {version}")


def _refuse_empty(path: Path) -> None:
    """Raises Empty, READ_ERRORS."""
    with contextlib.closing(_read_only(path)) as connection:
        _refuse_unwritten(version_of(connection))


def _refuse_unwritten(version: int) -> None:
    # As SQLite reads a file of no bytes.
    if version == 0:
        raise Empty("it is empty")


def _check_pages(connection: sqlite3.Connection) -> None:
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise Damaged(str(found))


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
    _distrust_mark(path).unlink(missing_ok=True)
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
    """What the file holds, copied to memory and brought to this version. An agent that uses it
    is not disturbed, and nothing is made beside it where none does.

    Raises READ_ERRORS, Damaged (Empty), NewerSchema.
    """
    # With a log beside it the file is in use, or its program ended without a word; the log's index
    # may have to be made to read it. Where that cannot be, on a disk that takes nothing, both are
    # read elsewhere; and the file without its log is better than none.
    if _is_there(path.with_name(f"{path.name}{LOG}")):
        for way in (_copied, _copied_elsewhere):
            try:
                return OpenDatabase(way(path), on_disk=False)
            except (OSError, Damaged, *READ_ERRORS) as error:
                log.debug("%s of %s: %s", way.__name__, path, error)
    return OpenDatabase(_copied(path, "mode=ro&immutable=1"), on_disk=False)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        # In a folder that may not be looked into.
        return False


def _copied_elsewhere(path: Path) -> sqlite3.Connection:
    """By way of a folder of our own, in memory where there is one.

    Raises OSError, READ_ERRORS, Damaged, NewerSchema.
    """
    memory = MEMORY_FOLDER if os.access(MEMORY_FOLDER, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        for suffix in ("", LOG):
            name = f"{path.name}{suffix}"
            shutil.copyfile(path.with_name(name), Path(folder) / name)
        return _copied(Path(folder) / path.name, "mode=rw")


def _copied(path: Path, options: str = "mode=ro") -> sqlite3.Connection:
    """Raises READ_ERRORS, Damaged, NewerSchema."""
    memory = _empty_memory()
    try:
        with contextlib.closing(_read_only(path, options)) as connection:
            connection.backup(memory)
        _check_pages(memory)
        _refuse_unwritten(version_of(memory))
        _refuse_newer(version_of(memory))
        migrate(memory)
        if not is_complete(memory):
            raise Damaged("its tables are not those that were made")
    except BaseException:
        memory.close()
        raise
    return memory


def _copy(path: Path) -> tuple[sqlite3.Connection, bool]:
    """What can be read of a file that cannot be written: revisions, wishes and prices go on.

    The answer is False where that is nothing.
    """
    try:
        return read_copy(path).connection, True
    except (Damaged, NewerSchema, *READ_ERRORS) as error:
        log.debug("copying %s: %s", path, error)
        return open_memory(), False


def _refuse_newer(version: int) -> None:
    if version > VERSION:
        raise NewerSchema(
            sentence(
                "the database is of version {version}, this program knows {known}",
                version=version,
                known=VERSION,
            )
        )


def _empty_memory() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    connection.text_factory = _text
    return connection


def _read_only(path: Path, options: str = "mode=ro") -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?{options}", uri=True, timeout=1.0)


def _distrust_mark(path: Path) -> Path:
    return path.with_name(f"{path.name}.distrusted")


def _text(raw: bytes) -> str:
    """A flipped bit costs the row that holds it, not the reading of all rows."""
    return raw.decode("utf-8", "replace")
