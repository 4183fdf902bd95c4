"""Tries are counted in the database, so that more worker processes do not mean more tries.

A try is counted before it is made and given back when it was right: many at once get no further.
"""

from typing import Any

from sqlalchemy import case, delete, or_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningInsert

from agent.energy.network import network_of
from integrations.provider.schema import THROTTLE
from integrations.provider.secrets_kept import token_hash


def key_of(kind: str, name: str) -> str:
    """Names are hashed: what people type as a login is at times a password."""
    return f"{kind}:{token_hash(name)}"


def key_of_address(kind: str, address: str) -> str:
    """One for all addresses that a household's machine can change to at will."""
    return key_of(kind, network_of(address))


async def take(
    connection: AsyncConnection, key: str, most: int, window_s: int, now_s: int
) -> int | None:
    """Count one try; None where it may be made, else the seconds until the next one may."""
    statement = _counting(connection.dialect.name, key, window_s, now_s)
    count, until = (await connection.execute(statement)).one()
    return None if count <= most else max(1, until - now_s)


def take_sync(connection: Connection, key: str, most: int, window_s: int, now_s: int) -> int | None:
    """As `take`, for what runs inside `run_sync`."""
    statement = _counting(connection.dialect.name, key, window_s, now_s)
    count, until = connection.execute(statement).one()
    return None if count <= most else max(1, until - now_s)


def _counting(dialect: str, key: str, window_s: int, now_s: int) -> ReturningInsert[Any]:
    make = sqlite.insert if dialect == "sqlite" else postgresql.insert
    fresh = make(THROTTLE).values(key=key, count=1, until=now_s + window_s)
    # One that would last far longer than any can is of a clock that was wrong; workers' clocks
    # may differ a little.
    over = or_(THROTTLE.c.until <= now_s, THROTTLE.c.until > now_s + 2 * window_s)
    return fresh.on_conflict_do_update(
        index_elements=[THROTTLE.c.key],
        set_={
            "count": case((over, 1), else_=THROTTLE.c.count + 1),
            "until": case((over, now_s + window_s), else_=THROTTLE.c.until),
        },
    ).returning(THROTTLE.c.count, THROTTLE.c.until)


async def give_back(connection: AsyncConnection, key: str) -> None:
    """That try was right and counts for nothing."""
    at_least_one = (THROTTLE.c.key == key, THROTTLE.c.count > 0)
    await connection.execute(
        update(THROTTLE).where(*at_least_one).values(count=THROTTLE.c.count - 1)
    )


async def purge(connection: AsyncConnection, now_s: int) -> None:
    await connection.execute(delete(THROTTLE).where(THROTTLE.c.until <= now_s))
