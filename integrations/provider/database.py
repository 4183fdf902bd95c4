"""One database for all worker processes: SQLite in a file, or PostgreSQL. And its schema."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import event, insert, inspect, select, text, update
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from agent.energy.text import clean_text
from agent.errors import Refused, Unavailable
from integrations.provider.schema import METADATA, VERSION

BUSY_TIMEOUT_S = 20.0
# Any number of its own; workers that start together lay the schema out one after the other.
MIGRATION_LOCK = 7_283_190
# Each leads from its index to the next version; 0 to 1 is METADATA as it was then.
MIGRATIONS: tuple[Callable[[Connection], None], ...] = (METADATA.create_all,)


class Database:
    """Short transactions: `reading()` sees one state, `writing()` is alone and commits at its end.

    Raises Unavailable where the database cannot be reached.
    """

    def __init__(self, url: str, connections: int = 8) -> None:
        parsed = _driver(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        # Errors that quote what was written would bring personal data into the log.
        options: dict[str, Any] = {"pool_size": connections, "max_overflow": 0}
        options["hide_parameters"] = True
        if self.is_sqlite:
            options["connect_args"] = {"timeout": BUSY_TIMEOUT_S, "isolation_level": None}
        else:
            options["pool_pre_ping"] = True
        self._engine = create_async_engine(parsed, pool_timeout=BUSY_TIMEOUT_S, **options)
        if self.is_sqlite:
            event.listen(self._engine.sync_engine, "connect", _prepare_sqlite)
            event.listen(self._engine.sync_engine, "begin", _begin_sqlite)
        self._writer: contextlib.AbstractAsyncContextManager[object] = (
            asyncio.Lock() if self.is_sqlite else contextlib.nullcontext()
        )
        self._reading = self._engine.execution_options(read_only=True)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        with _translated(self._place):
            async with self._reading.connect() as connection:
                yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        # SQLite waits for another writer by sleeping and looking again, which is not fair.
        async with self._writer, contextlib.AsyncExitStack() as stack:
            stack.enter_context(_translated(self._place))
            yield await stack.enter_async_context(self._engine.begin())

    async def migrate(self) -> int:
        """Bring the schema to this program's version; the version from which it came.

        Raises Refused where a newer program has written the database.
        """
        if self._file_is_missing():
            # Seeds of second factors are nobody else's to read. Why it cannot be made SQLite says.
            with contextlib.suppress(OSError):
                os.close(os.open(self._file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        async with self.writing() as connection:
            if not self.is_sqlite:
                await connection.execute(
                    text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK}
                )
            return await connection.run_sync(_migrate)

    async def version(self) -> int | None:
        """Of the schema that stands there; None where there is none. Nothing is written.

        Raises Unavailable, and Refused where a newer program has written the database.
        """
        if self._file_is_missing():
            return None
        async with self.reading() as connection:
            return await connection.run_sync(_version) or None

    def _file_is_missing(self) -> bool:
        return self.is_sqlite and bool(self._file.name) and not self._file.exists()

    @property
    def _file(self) -> Path:
        return Path(self._engine.url.database or "")

    @property
    def _place(self) -> str:
        return f" at {self._file}" if self.is_sqlite else ""

    @property
    def address(self) -> str:
        """Without its password."""
        return self._engine.url.render_as_string(hide_password=True)

    async def close(self) -> None:
        await self._engine.dispose()


def _driver(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise Refused("the database's address cannot be read") from error
    driver = "sqlite+aiosqlite" if parsed.get_backend_name() == "sqlite" else "postgresql+psycopg"
    return parsed.set(drivername=driver)


def _prepare_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    # Readers do not wait for a writer, and a consent that was answered survives a power cut.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads before it writes would fail where another wrote in between.
    read_only = connection.get_execution_options().get("read_only")
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


@contextmanager
def _translated(place: str) -> Iterator[None]:
    try:
        yield
    except (PoolTimeout, DBAPIError) as error:
        lost = isinstance(error, PoolTimeout | OperationalError) or error.connection_invalidated
        if not lost:
            raise
        raise Unavailable(f"the database{place} cannot be reached ({_reason(error)})") from None


def _reason(error: BaseException) -> str:
    """The driver's first line: SQLAlchemy's own text and what follows quote statements."""
    said = str(error.orig).strip() if isinstance(error, DBAPIError) else ""
    return clean_text(said.partition("\n")[0]) or type(error).__name__


def _version(connection: Connection) -> int:
    """0 where there is no schema."""
    known = inspect(connection).has_table(VERSION.name)
    version = connection.execute(select(VERSION.c.version)).scalar_one() if known else 0
    if version > len(MIGRATIONS):
        raise Refused(f"the database is of a newer program (version {version})")
    return int(version)


def _migrate(connection: Connection) -> int:
    before = _version(connection)
    for step in MIGRATIONS[before:]:
        step(connection)
    if not before:
        connection.execute(insert(VERSION).values(version=len(MIGRATIONS)))
    else:
        connection.execute(update(VERSION).values(version=len(MIGRATIONS)))
    return before
