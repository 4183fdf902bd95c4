"""Is that a whole file of this version? What no check of SQLite's own finds is looked at here.

A file in which a damaged row was found bears a mark, so that the next start moves it aside.
"""

import contextlib
import sqlite3
from pathlib import Path

from agent.database.connections import read_only
from agent.database.problem import Damaged, Empty, NewerSchema
from agent.database.schema import VERSION, version_of
from agent.energy.sentences import sentence

MAGIC = b"SQLite format 3\0"
LOG = "-wal"
SIDE_FILES = ("", LOG, "-shm")


def check_files(path: Path) -> None:
    """What SQLite would take for a foreign or a read-only file."""
    for side in (path.with_name(path.name + suffix) for suffix in SIDE_FILES):
        if side.exists() and not side.is_file():
            raise Damaged(f"{side.name} is no file")
    if not path.exists():
        distrust_mark(path).unlink(missing_ok=True)
        return
    if distrust_mark(path).exists():
        raise Damaged("it was found damaged while it was used")
    # No connection is open yet: closing a second descriptor would drop SQLite's locks.
    with path.open("rb") as file:
        header = file.read(100)
    if header and (header[:16] != MAGIC or not {*header[18:20]} <= {1, 2}):
        raise Damaged("its header is not SQLite's")


def check_version(path: Path) -> None:
    """Before anything may write to it."""
    if not path.exists():
        return
    with contextlib.closing(read_only(path)) as connection:
        version = version_of(connection)
    refuse_newer(version)
    if version < 0:
        raise Damaged(f"its version is {version}")


def refuse_empty(path: Path) -> None:
    """Raises Empty, READ_ERRORS."""
    with contextlib.closing(read_only(path)) as connection:
        refuse_unwritten(version_of(connection))


def refuse_unwritten(version: int) -> None:
    # As SQLite reads a file of no bytes.
    if version == 0:
        raise Empty("it is empty")


def refuse_newer(version: int) -> None:
    if version > VERSION:
        raise NewerSchema(
            sentence(
                "the database is of version {version}, this program knows {known}",
                version=version,
                known=VERSION,
            )
        )


def check_pages(connection: sqlite3.Connection) -> None:
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise Damaged(str(found))


def distrust(path: Path) -> None:
    """Have the file moved aside at the next start, though its own check may find nothing."""
    with contextlib.suppress(OSError):
        distrust_mark(path).touch()


def distrust_mark(path: Path) -> Path:
    return path.with_name(f"{path.name}.distrusted")
