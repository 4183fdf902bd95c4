"""What each browser session has come to, in the database: any worker may take the next request.

A session moves only from the step that its form was made for, so a form sent twice, from a second
tab or after the back button moves nothing.
"""

import base64
import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography.fernet import Fernet
from sqlalchemy import RowMapping, delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from agent.errors import Refused
from integrations.provider.flatpeak_client import SessionContext
from integrations.provider.schema import SESSION
from integrations.provider.secrets_kept import new_token, token_hash

CONNECT, APPS_KIND = "CONNECT", "APPS"
LOGIN, SECOND_FACTOR, CHOICE, CONSENT = "LOGIN", "SECOND_FACTOR", "CHOICE", "CONSENT"
NO_TARIFF, SENDING, DONE, APPS = "NO_TARIFF", "SENDING", "DONE", "APPS"
KEPT_S = 86400


@dataclass(frozen=True, slots=True)
class Session:
    id: str
    kind: str
    step: str
    context: SessionContext | None
    seed: str
    customer_id: str
    contract_id: str
    outcome: str
    claimed_at: int | None
    expires_at: int

    def is_expired(self, now: datetime) -> bool:
        return self.expires_at <= now.timestamp()

    def is_abandoned(self, now: datetime, claim_s: float) -> bool:
        """Was it being sent by a worker that is no more?"""
        claimed = self.claimed_at or 0
        return self.step == SENDING and claimed <= now.timestamp() - claim_s


async def open_session(
    connection: AsyncConnection,
    now: datetime,
    life_s: int,
    token: str | None = None,
    context: SessionContext | None = None,
) -> tuple[str, str]:
    """A new session's id and its browser's secret.

    A token that comes a second time gets its session anew as long as nobody has logged in there;
    the browser that had it loses it. Raises Refused: `used`, or `foreign` where another is at it.
    """
    secret = new_token()
    values = {
        "browser_hash": token_hash(secret),
        "context": json.dumps({"flatpeak": json.loads(context.to_json()) if context else None}),
        "expires_at": int(now.timestamp()) + life_s,
    }
    if token is not None:
        query = select(SESSION).where(SESSION.c.token_hash == token_hash(token))
        row = (await connection.execute(query.with_for_update())).mappings().one_or_none()
        if row is not None:
            if row["step"] != LOGIN or row["expires_at"] <= now.timestamp():
                raise Refused(
                    "this connect token has a session", "used" if row["step"] == DONE else "foreign"
                )
            await connection.execute(
                update(SESSION).where(SESSION.c.id == row["id"]).values(values)
            )
            return str(row["id"]), secret
    name = new_token()
    await connection.execute(
        insert(SESSION).values(
            id=name,
            kind=CONNECT if token is not None else APPS_KIND,
            step=LOGIN,
            token_hash=None if token is None else token_hash(token),
            wrong=0,
            **values,
        )
    )
    return name, secret


async def find_session(
    connection: AsyncConnection, name: str, secret: str, token: str
) -> Session | None:
    """The session of that address, if the browser has its secret and its token."""
    row = (
        (await connection.execute(select(SESSION).where(SESSION.c.id == name)))
        .mappings()
        .one_or_none()
    )
    if row is None or row["browser_hash"] != token_hash(secret):
        return None
    if row["token_hash"] is not None and row["token_hash"] != token_hash(token):
        return None
    return _session(row)


def _session(row: RowMapping) -> Session:
    kept = json.loads(row["context"])
    context = SessionContext(**kept["flatpeak"]) if kept["flatpeak"] else None
    return Session(
        id=row["id"],
        kind=row["kind"],
        step=row["step"],
        context=context,
        seed=kept.get("seed", ""),
        customer_id=row["customer_id"] or "",
        contract_id=row["contract_id"] or "",
        outcome=row["outcome"] or "",
        claimed_at=row["claimed_at"],
        expires_at=row["expires_at"],
    )


async def move(
    connection: AsyncConnection, session: Session, step: str, *, seed: str = "", **values: Any
) -> bool:
    """From the step that `session` shows to `step`; False where another request was first."""
    context = {
        "flatpeak": json.loads(session.context.to_json()) if session.context else None,
        "seed": seed,
    }
    done = await connection.execute(
        update(SESSION)
        .where(SESSION.c.id == session.id, SESSION.c.step == session.step)
        .values(step=step, context=json.dumps(context), **values)
    )
    return bool(done.rowcount == 1)


async def claim(
    connection: AsyncConnection, session: Session, now: datetime, claim_s: float
) -> bool:
    """For sending its outcome: by one request alone, until that has had its time, `claim_s`."""
    now_s = int(now.timestamp())
    done = await connection.execute(
        update(SESSION)
        .where(
            SESSION.c.id == session.id,
            SESSION.c.step == session.step,
            or_(SESSION.c.step != SENDING, SESSION.c.claimed_at <= now_s - claim_s),
        )
        .values(step=SENDING, claimed_at=now_s)
    )
    return bool(done.rowcount == 1)


async def count_wrong(connection: AsyncConnection, session: Session) -> int:
    """One more wrong try of this session; how many there are."""
    query = (
        update(SESSION)
        .where(SESSION.c.id == session.id)
        .values(wrong=SESSION.c.wrong + 1)
        .returning(SESSION.c.wrong)
    )
    return int((await connection.execute(query)).scalar_one())


async def close_session(connection: AsyncConnection, session: Session, outcome: str) -> None:
    await connection.execute(
        update(SESSION).where(SESSION.c.id == session.id).values(step=DONE, outcome=outcome)
    )


async def purge(connection: AsyncConnection, now_s: int) -> None:
    """A used token is remembered as long as FlatPeak could let it live."""
    await connection.execute(delete(SESSION).where(SESSION.c.expires_at <= now_s - KEPT_S))


def sealed(seed: str, secret: str) -> str:
    """The second factor's seed between two requests, readable with the browser's secret alone."""
    return _box(secret).encrypt(seed.encode()).decode()


def unsealed(text: str, secret: str) -> str:
    return _box(secret).decrypt(text.encode()).decode()


def form_token(secret: str) -> str:
    """What a form of this browser's pages carries; the secret cannot be told from it."""
    return hashlib.sha256(b"form:" + secret.encode()).hexdigest()


def _box(secret: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(b"seed:" + secret.encode()).digest()))
