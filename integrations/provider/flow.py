"""What a customer may do on the way from the connect token back to the app.

Every method takes the session as its page showed it; what another request has meanwhile done wins.
"""

import re
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pyotp
from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from agent.clock import Clock
from agent.energy.instants import format_instant
from agent.errors import Refused, Unavailable
from integrations.provider import sessions, throttle
from integrations.provider.audit import Entry, record
from integrations.provider.customers import Contract, Customer, CustomerSystem
from integrations.provider.database import Database
from integrations.provider.flatpeak_client import FlatPeakClient, return_address
from integrations.provider.schema import GRANT, USED_CODE
from integrations.provider.sessions import Session
from integrations.provider.settings import ProviderConfig
from integrations.provider.token_server import TokenServer

DISMISS_LOGIN, DISMISS_CONSENT, ERROR = "DISMISS_LOGIN", "DISMISS_CONSENT", "ERROR"
GIVEN = "CONSENT_GIVEN"
# What leaving a page means to FlatPeak.
LEAVING = {
    sessions.LOGIN: DISMISS_LOGIN,
    sessions.SECOND_FACTOR: DISMISS_LOGIN,
    sessions.CHOICE: DISMISS_CONSENT,
    sessions.CONSENT: DISMISS_CONSENT,
    sessions.NO_TARIFF: ERROR,
}
CODE_STEP_S = 30
CODE = re.compile("[0-9]{6}")
# For the database, and for the clocks of workers.
CLAIM_MARGIN_S = 30


@dataclass(frozen=True, slots=True)
class Said:
    """A text of the catalogue to show on the same page again, and for how long to wait."""

    text: str
    retry_after_s: int = 0


class ConnectFlow:
    """The deeds. Each returns None, or what the page should say to the customer."""

    def __init__(
        self,
        config: ProviderConfig,
        database: Database,
        customers: CustomerSystem,
        flatpeak: FlatPeakClient,
        clock: Clock,
    ) -> None:
        self._config = config
        self._database = database
        self._customers = customers
        self._flatpeak = flatpeak
        self._clock = clock

    @property
    def claim_s(self) -> float:
        """A worker that sends an outcome and dies leaves it to the next one so much later."""
        return self._config.flatpeak.outcome_within_s + CLAIM_MARGIN_S

    async def log_in(
        self, session: Session, secret: str, token: str, form: Mapping[str, str], address: str
    ) -> Said | None:
        login, password = form.get("login", ""), form.get("password", "")
        keys = {
            throttle.key_of("login", login.strip().casefold()): self._config.login.wrong_per_login,
            throttle.key_of_address("address", address): self._config.login.wrong_per_address,
        }
        if said := await self._locked(session, keys, address):
            return said
        customer = await self._customers.check_login(login, password)
        if customer is None:
            return await self._wrong(session, token, address, "wrong_login")
        next_step = await self._after_login(customer)
        if customer.totp_secret:
            next_step = (sessions.SECOND_FACTOR, "")
        step, contract_id = next_step
        seed = sessions.sealed(customer.totp_secret, secret) if customer.totp_secret else ""
        if session.kind == sessions.APPS_KIND and not seed:
            step = sessions.APPS
        async with self._database.writing() as connection:
            for key in keys:
                await throttle.give_back(connection, key)
            moved = await sessions.move(
                connection,
                session,
                step,
                seed=seed,
                # What was mistyped of the password is no wrong code.
                wrong=0,
                customer_id=customer.id,
                contract_id=contract_id,
            )
            if moved:
                entry = self._entry(session, "LOGIN_PASSED", address)
                await record(connection, self._now(), replace(entry, customer_id=customer.id))
        return None

    async def check_code(
        self, session: Session, secret: str, token: str, form: Mapping[str, str], address: str
    ) -> Said | None:
        code = "".join(form.get("code", "").split())
        if not CODE.fullmatch(code):
            # No try: it could not have been right.
            return Said("code_form")
        keys = {
            throttle.key_of("code", session.customer_id): self._config.login.wrong_per_login,
            throttle.key_of_address("address", address): self._config.login.wrong_per_address,
        }
        if said := await self._locked(session, keys, address):
            return said
        seed = sessions.unsealed(session.seed, secret)
        time_step = _step_of(code, seed, self._now())
        customer = Customer(session.customer_id, "")
        step, contract_id = await self._after_login(customer)
        if session.kind == sessions.APPS_KIND:
            step, contract_id = sessions.APPS, ""
        async with self._database.writing() as connection:
            good = time_step is not None and await _is_new(connection, customer.id, time_step)
            if good:
                for key in keys:
                    await throttle.give_back(connection, key)
                if await sessions.move(connection, session, step, contract_id=contract_id):
                    entry = self._entry(session, "LOGIN_PASSED", address, "second factor")
                    await record(connection, self._now(), entry)
        return None if good else await self._wrong(session, token, address, "wrong_code")

    async def choose(self, session: Session, form: Mapping[str, str]) -> Said | None:
        contracts = await self.contracts(session)
        chosen = form.get("contract", "")
        if chosen not in [contract.id for contract in contracts]:
            return Said("choose_one")
        async with self._database.writing() as connection:
            await sessions.move(connection, session, sessions.CONSENT, contract_id=chosen)
        return None

    async def choose_again(self, session: Session) -> None:
        async with self._database.writing() as connection:
            await sessions.move(connection, session, sessions.CHOICE, contract_id="")

    async def contracts(self, session: Session) -> Sequence[Contract]:
        return await self._customers.contracts(session.customer_id, self._now())

    async def contract(self, session: Session) -> Contract | None:
        found = await self.contracts(session)
        return next((item for item in found if item.id == session.contract_id), None)

    async def consent(self, session: Session, token: str, address: str) -> None:
        """Issue tokens and hand them to FlatPeak; what it does not take is revoked again."""
        contract = await self.contract(session)
        if contract is None:
            await self.finish(session, token, ERROR, address, "the contract is gone")
            return
        grant_id = secrets.token_urlsafe(16)
        now = self._now()
        async with self._database.writing() as connection:
            if not await sessions.claim(connection, session, now, self.claim_s):
                return
            await _revoke_of_session(connection, session, now)
            auth_data = await connection.run_sync(
                lambda sync: self._issue(sync, grant_id, session, now)
            )
        data = {
            "auth_data": {**auth_data, "contract_id": contract.id},
            **self._about(contract),
        }
        outcome, reason = GIVEN, ""
        try:
            await self._flatpeak.submit(token, {"data": data})
        except (Refused, Unavailable) as error:
            outcome, reason = ERROR, str(error)
            await self._tell(session, token, ERROR, address)
        async with self._database.writing() as connection:
            if outcome == ERROR:
                await connection.execute(
                    update(GRANT)
                    .where(GRANT.c.id == grant_id)
                    .values(revoked_at=int(now.timestamp()))
                )
            await sessions.close_session(connection, session, outcome)
            await record(connection, now, self._entry(session, outcome, address, reason))

    async def leave(self, session: Session, token: str, address: str) -> None:
        outcome = LEAVING.get(session.step)
        if outcome is not None:
            reason = "no suitable tariff" if outcome == ERROR else ""
            await self.finish(session, token, outcome, address, reason)

    async def finish(
        self, session: Session, token: str, outcome: str, address: str, reason: str = ""
    ) -> None:
        """End without a consent: FlatPeak is told once, the browser goes back in any case."""
        now = self._now()
        async with self._database.writing() as connection:
            if not await sessions.claim(connection, session, now, self.claim_s):
                return
            # What a worker that died had issued for this session.
            await _revoke_of_session(connection, session, now)
        await self._tell(session, token, outcome, address)
        async with self._database.writing() as connection:
            await sessions.close_session(connection, session, outcome)
            await record(connection, now, self._entry(session, outcome, address, reason))

    async def end_before_it_begins(self, token: str) -> None:
        """FlatPeak is told that a session cannot be held here, if it hears it."""
        with suppress(Refused, Unavailable):
            await self._flatpeak.submit(token, {"action": ERROR})

    def way_back(self, session: Session, token: str) -> str:
        assert session.context is not None
        failure = "" if session.outcome == GIVEN else session.outcome
        return return_address(session.context, self._config.flatpeak, token, failure)

    async def apps(self, session: Session) -> Sequence[Mapping[str, Any]]:
        """The consents of this customer that hold, newest first."""
        query = (
            select(GRANT)
            .where(GRANT.c.customer_id == session.customer_id, GRANT.c.revoked_at.is_(None))
            .order_by(GRANT.c.given_at.desc())
        )
        async with self._database.reading() as connection:
            return [dict(row) for row in (await connection.execute(query)).mappings()]

    async def withdraw(self, session: Session, form: Mapping[str, str], address: str) -> None:
        """End one of the customer's own consents; its tokens are worth nothing from then on."""
        query = (
            update(GRANT)
            .where(
                GRANT.c.id == form.get("consent", ""),
                GRANT.c.customer_id == session.customer_id,
                GRANT.c.revoked_at.is_(None),
            )
            .values(revoked_at=int(self._now().timestamp()))
            .returning(GRANT.c.contract_id, GRANT.c.account_name)
        )
        async with self._database.writing() as connection:
            row = (await connection.execute(query)).one_or_none()
            if row is not None:
                entry = self._entry(session, "CONSENT_WITHDRAWN", address, "by the customer")
                entry = replace(entry, contract_id=row[0], account_name=row[1])
                await record(connection, self._now(), entry)

    async def sign_out(self, session: Session) -> None:
        async with self._database.writing() as connection:
            await sessions.close_session(connection, session, "SIGNED_OUT")

    def _now(self) -> datetime:
        return self._clock.now()

    async def _locked(self, session: Session, keys: Mapping[str, int], address: str) -> Said | None:
        now_s, window_s = int(self._now().timestamp()), self._config.login.window_minutes * 60
        async with self._database.writing() as connection:
            waits = [
                await throttle.take(connection, key, most, window_s, now_s)
                for key, most in sorted(keys.items())
            ]
            wait = max((wait for wait in waits if wait is not None), default=None)
            if wait is None:
                return None
            await record(connection, self._now(), self._entry(session, "LOGIN_LOCKED", address))
        return Said("too_many_tries", wait)

    async def _wrong(self, session: Session, token: str, address: str, text: str) -> Said | None:
        async with self._database.writing() as connection:
            count = await sessions.count_wrong(connection, session)
            await record(
                connection, self._now(), self._entry(session, "LOGIN_FAILED", address, text)
            )
        if count < self._config.login.wrong_per_session:
            return Said(text)
        if session.kind == sessions.CONNECT:
            await self.finish(session, token, ERROR, address, "could not log in")
        else:
            await self.sign_out(session)
        return None

    async def _after_login(self, customer: Customer) -> tuple[str, str]:
        """The step that comes once the customer is known, and the contract if there is but one."""
        contracts = await self._customers.contracts(customer.id, self._now())
        if not contracts:
            return sessions.NO_TARIFF, ""
        if len(contracts) == 1:
            return sessions.CONSENT, contracts[0].id
        return sessions.CHOICE, ""

    def _issue(self, connection: Any, grant_id: str, session: Session, now: datetime) -> Any:
        assert session.context is not None
        connection.execute(
            GRANT.insert().values(
                id=grant_id,
                session_id=session.id,
                customer_id=session.customer_id,
                contract_id=session.contract_id,
                account_name=session.context.account_name,
                given_at=int(now.timestamp()),
            )
        )
        return TokenServer(self._config, connection, now).issue(grant_id)

    def _about(self, contract: Contract) -> dict[str, Any]:
        settings = self._config.flatpeak
        term = {settings.contract_start_key: format_instant(contract.start)}
        if contract.end is not None:
            term[settings.contract_end_key] = format_instant(contract.end)
        about: dict[str, Any] = {"contract_term": term}
        if settings.share_address and contract.address:
            about["postal_address"] = dict(contract.address)
        return about

    async def _tell(self, session: Session, token: str, outcome: str, address: str) -> None:
        try:
            await self._flatpeak.submit(token, {"action": outcome})
        except (Refused, Unavailable) as error:
            async with self._database.writing() as connection:
                entry = self._entry(session, "OUTCOME_NOT_SENT", address, str(error))
                await record(connection, self._now(), entry)

    def _entry(self, session: Session, event: str, address: str, detail: str = "") -> Entry:
        return Entry(
            event=event,
            session=session.id,
            customer_id=session.customer_id,
            contract_id=session.contract_id,
            account_name=session.context.account_name if session.context else "",
            address=address,
            detail=detail,
        )


def _step_of(code: str, seed: str, now: datetime) -> int | None:
    """The half minute that the code is of, one before or after for clocks that differ."""
    totp = pyotp.TOTP(seed)
    current = int(now.timestamp()) // CODE_STEP_S
    steps = (current, current - 1, current + 1)
    return next((at for at in steps if secrets.compare_digest(totp.generate_otp(at), code)), None)


async def _is_new(connection: AsyncConnection, customer_id: str, time_step: int) -> bool:
    """A one-time code counts once (RFC 6238, 5.2), whichever worker is shown it."""
    make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    fresh = make(USED_CODE).values(customer_id=customer_id, time_step=time_step)
    statement = fresh.on_conflict_do_update(
        index_elements=[USED_CODE.c.customer_id],
        set_={"time_step": time_step},
        where=USED_CODE.c.time_step < time_step,
    ).returning(USED_CODE.c.customer_id)
    return (await connection.execute(statement)).one_or_none() is not None


async def _revoke_of_session(connection: AsyncConnection, session: Session, now: datetime) -> None:
    await connection.execute(
        update(GRANT)
        .where(GRANT.c.session_id == session.id, GRANT.c.revoked_at.is_(None))
        .values(revoked_at=int(now.timestamp()))
    )
