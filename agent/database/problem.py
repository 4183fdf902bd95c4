"""What an error of the disk means, and who can do something about it."""

import errno
import os
import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from agent.energy.sentences import sentence

# The file does not hold what was written.
DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT}
# The disk does not take or give it.
DISK = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_AUTH,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_NOLFS,
    sqlite3.SQLITE_PROTOCOL,
}
MAKE_ROOM = "owner: make room on the disk"
MAY_WRITE = "owner: let the agent's user write to the state folder"
READ_ONLY = sentence("the disk is mounted to be read only")
REMOUNT = "owner: mount the disk to be written, or change the SD card that made it so"
NEW_CARD = "owner: check the disk, change the SD card"
# Below this not even the index of SQLite's log can be made, which it calls an I/O error.
FULL_BELOW_BYTES = 65_536
END_OTHER = "owner: end the other program that holds the database"


@dataclass(frozen=True, slots=True)
class DiskProblem:
    """`who_acts` is never empty: a disk does not mend itself."""

    why: str
    who_acts: str


REMOVED = DiskProblem(
    sentence(
        "the files of the database were removed or replaced while it was used; nothing new is kept"
    ),
    "owner: restart the service",
)
HANGS = DiskProblem(sentence("the disk does not keep up; what is new may not be kept"), NEW_CARD)


class Damaged(Exception):
    """What the file holds is not what was written."""


class Empty(Damaged):
    """Nothing was ever written to it, or it was cut to nothing."""


class FilesGone(OSError):
    """What is written goes to files that no start will find."""


class NewerSchema(Exception):
    """A later version of this program wrote the file."""


# What reading a file may raise. The last is Python's answer where SQLite quotes damaged text.
READ_ERRORS = (sqlite3.Error, UnicodeDecodeError)


def is_damage(error: BaseException) -> bool:
    return isinstance(error, Damaged | UnicodeDecodeError) or _code(error) in DAMAGE


def is_disk(error: BaseException) -> bool:
    """Is it the disk, as opposed to a statement or value of ours?"""
    return isinstance(error, OSError) or is_damage(error) or _code(error) in DISK


def who_acts_on(error: BaseException, path: Path | None) -> str:
    """`path` is where the file lies, None for one in memory."""
    code = _code(error)
    number = error.errno if isinstance(error, OSError) else None
    if code == sqlite3.SQLITE_FULL or number in (errno.ENOSPC, errno.EDQUOT):
        return MAKE_ROOM
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return END_OTHER
    if path is not None and reason_of(error, path) == READ_ONLY:
        return REMOUNT
    if code == sqlite3.SQLITE_IOERR and path is not None and _is_full(path.parent):
        return MAKE_ROOM
    if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM) or number == errno.EIO:
        return NEW_CARD
    return NEW_CARD if is_damage(error) else MAY_WRITE


def reason_of(error: BaseException, path: Path) -> str:
    """The error's words; of a disk that may not be written SQLite only says that it cannot open."""
    try:
        if os.statvfs(path.parent).f_flag & os.ST_RDONLY:
            return READ_ONLY
    except OSError:
        # Nothing is known of it but the error.
        pass
    return str(error)


def _is_full(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free < FULL_BELOW_BYTES
    except OSError:
        return False


def _code(error: BaseException) -> int:
    """SQLite's primary result code, 0 where the error is none of SQLite's."""
    if not isinstance(error, sqlite3.Error):
        return 0
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code & 0xFF
