"""The tables, and how an older file gets them."""

import contextlib
import sqlite3

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
    """
    CREATE TABLE ledger_days (
        day INTEGER NOT NULL, device TEXT NOT NULL, currency TEXT NOT NULL,
        energy INTEGER NOT NULL, cost INTEGER NOT NULL, baseline INTEGER NOT NULL,
        pending INTEGER NOT NULL, estimated INTEGER NOT NULL, detail TEXT,
        PRIMARY KEY (day, device, currency)
    ) WITHOUT ROWID;
    CREATE TABLE ledger_sessions (
        since INTEGER NOT NULL, device TEXT NOT NULL, name TEXT NOT NULL, until INTEGER,
        deadline INTEGER NOT NULL, currency TEXT NOT NULL, energy INTEGER NOT NULL,
        cost INTEGER NOT NULL, baseline INTEGER NOT NULL, pending INTEGER NOT NULL,
        estimated INTEGER NOT NULL, planned_cost INTEGER, best_cost INTEGER, met INTEGER,
        asked TEXT NOT NULL,
        PRIMARY KEY (since, device, name)
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE web_sessions (
        token_hash TEXT PRIMARY KEY, created_at INTEGER NOT NULL, seen_at INTEGER NOT NULL,
        address TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE security_events (
        id INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL
    );
    """,
)
VERSION = len(MIGRATIONS)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the file to this program's version. Raises sqlite3.Error."""
    for number in range(version_of(connection) + 1, VERSION + 1):
        script = MIGRATIONS[number - 1]
        connection.executescript(f"BEGIN; {script} PRAGMA user_version = {number}; COMMIT;")


def version_of(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def is_complete(connection: sqlite3.Connection) -> bool:
    """Are the tables those that the migrations make, to the letter?"""
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        migrate(fresh)
        return _tables(connection) == _tables(fresh)


def _tables(connection: sqlite3.Connection) -> set[tuple[object, ...]]:
    return set(connection.execute("SELECT type, name, sql FROM sqlite_master"))
