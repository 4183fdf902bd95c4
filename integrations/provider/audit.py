"""Who connected what, and what went wrong: rows without a secret, in the same transaction as the
deed that they tell of."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from agent.energy.instants import format_instant, from_unix
from agent.energy.text import clean_text
from integrations.provider import throttle
from integrations.provider.database import Database
from integrations.provider.schema import AUDIT

# The two ways a connect session ends, and security events. Stored as they stand here.
EVENTS = {
    "SESSION_OPENED": "a browser came with a connect token",
    "SESSION_REFUSED": "a token was unknown, expired, used or another browser's",
    "LOGIN_PASSED": "login and password belong together",
    "LOGIN_FAILED": "they do not, or the one-time code is wrong",
    "LOGIN_LOCKED": "too many tries for one login or from one address",
    "FORGED_FORM": "a form without the session's own sign",
    "CONSENT_GIVEN": "outcome: the customer agreed and FlatPeak took it",
    "DISMISS_LOGIN": "outcome: the customer would not log in",
    "DISMISS_CONSENT": "outcome: the customer would not share",
    "ERROR": "outcome: any other case, the reason stands beside it",
    "OUTCOME_NOT_SENT": "FlatPeak could not be told of a refusal",
    "CONSENT_WITHDRAWN": "the customer took a consent back",
    "TOKEN_RENEWED": "FlatPeak renewed its tokens",
    "TOKEN_REFUSED": "a token or client that is not valid",
    "TOKEN_REUSED": "a used refresh token came again: its consent is revoked",
    "TARIFF_READ": "FlatPeak read a tariff",
    "TARIFF_INCOMPLETE": "FlatPeak read a tariff whose rates do not cover the next 24 hours",
    "POLLED_TOO_OFTEN": "a tariff was asked for before its time",
}
REFUSALS = frozenset(
    {"SESSION_REFUSED", "LOGIN_LOCKED", "FORGED_FORM", "TOKEN_REFUSED", "POLLED_TOO_OFTEN"}
)
REFUSALS_AN_HOUR, HOUR_S = 60, 3600
COLUMNS = (
    "at",
    "event",
    "session",
    "customer_id",
    "contract_id",
    "account_name",
    "address",
    "detail",
)
PAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One event. `session` is the page address's short handle, good for nothing else."""

    event: str
    session: str = ""
    customer_id: str = ""
    contract_id: str = ""
    account_name: str = ""
    address: str = ""
    detail: str = ""

    def values(self, now: datetime) -> dict[str, Any]:
        assert self.event in EVENTS
        return {
            "at": int(now.timestamp()),
            "event": self.event,
            "session": self.session[:12],
            "customer_id": clean_text(self.customer_id, 64),
            "contract_id": clean_text(self.contract_id, 64),
            "account_name": clean_text(self.account_name, 200),
            "address": clean_text(self.address, 64),
            "detail": clean_text(self.detail, 200),
        }


async def record(connection: AsyncConnection, now: datetime, entry: Entry) -> None:
    """Refusals of one address beyond a number an hour leave no row: anybody can cause them."""
    if entry.event in REFUSALS:
        key, now_s = throttle.key_of_address("refusals", entry.address), int(now.timestamp())
        if await throttle.take(connection, key, REFUSALS_AN_HOUR, HOUR_S, now_s) is not None:
            return
    await connection.execute(insert(AUDIT).values(entry.values(now)))


def record_sync(connection: Connection, now: datetime, entry: Entry) -> None:
    """As `record`, for what runs inside `run_sync`."""
    if entry.event in REFUSALS:
        key, now_s = throttle.key_of_address("refusals", entry.address), int(now.timestamp())
        if throttle.take_sync(connection, key, REFUSALS_AN_HOUR, HOUR_S, now_s) is not None:
            return
    connection.execute(insert(AUDIT).values(entry.values(now)))


async def entries(
    database: Database, since: datetime | None = None
) -> AsyncIterator[dict[str, str]]:
    """All entries, oldest first, read a page at a time."""
    last = 0
    while True:
        query = select(AUDIT).where(AUDIT.c.id > last).order_by(AUDIT.c.id).limit(PAGE)
        if since is not None:
            query = query.where(AUDIT.c.at >= int(since.timestamp()))
        async with database.reading() as connection:
            rows = (await connection.execute(query)).mappings().all()
        for row in rows:
            out = {name: str(row[name]) for name in COLUMNS}
            yield out | {"at": format_instant(from_unix(row["at"]))}
        if len(rows) < PAGE:
            return
        last = rows[-1]["id"]
