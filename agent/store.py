"""The one SQLite database in the state directory. Rooms bring their own SQL; the tables are here.

Every commit is on the disk before the call returns: what was answered survives a power cut.
Whoever writes has checked that something changed, for the disk is an SD card.
"""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from agent.energy.instants import format_instant

log = logging.getLogger(__name__)

# One entry a schema version, in order; an entry that was released is never edited.
MIGRATIONS = (
    """
    CREATE TABLE rates (
        direction TEXT NOT NULL, start INTEGER NOT NULL, end INTEGER NOT NULL, price TEXT NOT NULL,
        confidence REAL NOT NULL, carbon REAL,
        PRIMARY KEY (direction, start)
    ) WITHOUT ROWID;
    CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE revisions (device TEXT PRIMARY KEY, revision INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE schedules (device TEXT PRIMARY KEY, document TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE readings (
        device TEXT NOT NULL, kind TEXT NOT NULL, value TEXT NOT NULL, at INTEGER NOT NULL,
        PRIMARY KEY (device, kind)
    ) WITHOUT ROWID;
    CREATE TABLE wishes (device TEXT PRIMARY KEY, document TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE plans (made_at INTEGER PRIMARY KEY, situation BLOB NOT NULL, plan BLOB NOT NULL);
    """,
    """
    CREATE TABLE limits (at INTEGER PRIMARY KEY, limit_w REAL, sent_w REAL, measured_w REAL);
    """,
)


class Store:
    """An open database. `damaged` is where a broken one was moved to, None where all is well."""

    def __init__(self, connection: sqlite3.Connection, damaged: Path | None = None) -> None:
        # A damaged row may hold bytes that are no text; reading it must not fail.
        connection.text_factory = lambda found: found.decode("utf-8", "replace")
        self.connection = connection
        self.damaged = damaged

    @classmethod
    def open(cls, path: Path, now: datetime) -> "Store":
        """Open or make the database at `path`; a damaged one is moved aside, never deleted.

        Raises OSError or sqlite3.OperationalError where the folder cannot be written.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return cls(_connect(path))
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            aside = path.with_name(f"{path.name}.damaged-{format_instant(now).replace(':', '')}")
            log.error("the database %s is damaged (%s); moved to %s", path, error, aside.name)
            path.rename(aside)
            for suffix in ("-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            return cls(_connect(path), damaged=aside)

    @classmethod
    def in_memory(cls) -> "Store":
        connection = sqlite3.connect(":memory:", isolation_level=None)
        _migrate(connection)
        return cls(connection)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing: committed at the end, rolled back where an exception passes."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield self.connection
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def get_value(self, name: str) -> str | None:
        row = self.connection.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def set_value(self, name: str, value: str) -> None:
        """Store one named value; nothing is written where it stands already."""
        if self.get_value(name) != value:
            self.connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    def close(self) -> None:
        self.connection.close()


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        problem = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if problem != "ok":
            raise sqlite3.DatabaseError(problem)
        _migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _migrate(connection: sqlite3.Connection) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise sqlite3.OperationalError(
            f"the database is of version {version}, this program knows {len(MIGRATIONS)}"
        )
    for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.executescript(f"BEGIN; {script} PRAGMA user_version = {number}; COMMIT;")
