"""Connections: to the file, to a file that is only read, and to memory."""

import contextlib
import os
import sqlite3
from pathlib import Path

from agent.database.schema import migrate

# Pages that wait in the log until they are written to the file, each once: 4 MB.
LOGGED_PAGES = 4096
# Of each connection; a year of rates is read once in a while.
CACHE_KB = 256
# How long one connection waits for another's lock before it gives up.
BUSY_TIMEOUT_S = 5.0


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
    connection = empty_memory()
    migrate(connection)
    return connection


def empty_memory() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    connection.text_factory = _text
    return connection


def read_only(path: Path, options: str = "mode=ro") -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?{options}", uri=True, timeout=1.0)


def _text(raw: bytes) -> str:
    """A flipped bit costs the row that holds it, not the reading of all rows."""
    return raw.decode("utf-8", "replace")
