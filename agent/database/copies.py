"""What a file holds, copied to memory: for who only looks, and for a disk that takes nothing."""

import contextlib
import logging
import os
import shutil
import sqlite3
import tempfile
from pathlib import Path

from agent.database.checking import LOG, check_pages, refuse_newer, refuse_unwritten
from agent.database.connections import empty_memory, read_only
from agent.database.problem import READ_ERRORS, Damaged
from agent.database.schema import is_complete, migrate, version_of

log = logging.getLogger(__name__)

MEMORY_FOLDER = Path("/dev/shm")  # a folder of our own is made in it


def copy_of(path: Path) -> sqlite3.Connection:
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
                return way(path)
            except (OSError, Damaged, *READ_ERRORS) as error:
                log.debug("%s of %s: %s", way.__name__, path, error)
    return _copied(path, "mode=ro&immutable=1")


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
    memory = empty_memory()
    try:
        with contextlib.closing(read_only(path, options)) as connection:
            connection.backup(memory)
        check_pages(memory)
        refuse_unwritten(version_of(memory))
        refuse_newer(version_of(memory))
        migrate(memory)
        if not is_complete(memory):
            raise Damaged("its tables are not those that were made")
    except BaseException:
        memory.close()
        raise
    return memory
