"""What FlatPeak calls later, without the customer: renew a token, read a tariff."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web
from sqlalchemy import literal, or_, update

from agent.clock import Clock
from agent.energy.instants import parse_instant
from integrations.provider.audit import Entry, record
from integrations.provider.customers import CustomerSystem
from integrations.provider.database import Database
from integrations.provider.forwarded import client_address
from integrations.provider.rare_warnings import RareWarnings
from integrations.provider.schema import GRANT
from integrations.provider.settings import ProviderConfig
from integrations.provider.tariff_document import tariff_document
from integrations.provider.token_server import Answer, TokenServer
from integrations.provider.web import read_form

NEXT_DAY = timedelta(hours=24)
LONGEST_HISTORY = timedelta(days=31)
WRONG_CLIENT = "invalid_client"


class Api:
    """`POST /oauth/token`, `POST /oauth/revocation`, `GET /api/tariff`."""

    def __init__(
        self,
        config: ProviderConfig,
        database: Database,
        customers: CustomerSystem,
        clock: Clock,
        warnings: RareWarnings,
    ) -> None:
        self._config = config
        self._database = database
        self._customers = customers
        self._clock = clock
        self._warnings = warnings

    def add_to(self, app: web.Application) -> None:
        app.router.add_post("/oauth/{endpoint:token|revocation}", self.oauth)
        app.router.add_get("/api/tariff", self.tariff)

    async def oauth(self, request: web.Request) -> web.Response:
        form = await read_form(request)
        endpoint = request.match_info["endpoint"]
        now, address = self._clock.now(), self._address(request)
        async with self._database.writing() as connection:
            answer = await connection.run_sync(
                lambda sync: TokenServer(self._config, sync, now, address).answer(
                    endpoint, form, request.headers
                )
            )
        if answer.body.get("error") == WRONG_CLIENT:
            refused = "a request to /oauth is refused, its client id or secret is wrong"
            mend = "has FlatPeak the oauth.client_id and oauth.client_secret of this configuration?"
            self._warnings.say(WRONG_CLIENT, f"{refused}; {mend}")
        return _response(answer)

    async def tariff(self, request: web.Request) -> web.Response:
        """At least the next 24 hours of the contract whose access token comes along; with
        `start_time` from then on, at most 31 days back, for who has not read it for a while.
        """
        now, address = self._clock.now(), self._address(request)
        async with self._database.reading() as connection:
            found = await connection.run_sync(
                lambda sync: TokenServer(self._config, sync, now, address).bearer(request.headers)
            )
        if isinstance(found, Answer):
            detail = str(found.body.get("error", ""))
            await self._record(Entry(event="TOKEN_REFUSED", address=address, detail=detail))
            return _response(found)
        try:
            start = _start(request.query.get("start_time"), now)
        except ValueError:
            return _error(400, "invalid_request", "start_time is no instant of RFC 3339", {})
        now_s, least = int(now.timestamp()), self._config.polling.min_interval_s
        # A poll long after now was counted by a clock that was wrong.
        polled_at = found["polled_at"]
        if polled_at is not None and now_s - least < polled_at <= now_s + least:
            return await self._too_often(found, address, polled_at + least - now_s)
        end = _hour(now) + timedelta(hours=self._config.polling.horizon_hours + 1)
        tariff = await self._customers.tariff(found["contract_id"], start, end, now)
        if tariff is None:
            return _error(404, "not_found", "there is no such contract any more", {})
        until = tariff.contract.end
        soon = min(now + NEXT_DAY, until) if until else now + NEXT_DAY
        last = tariff.rates[-1].end if tariff.rates else start
        event = "TARIFF_READ" if last >= soon or soon <= now else "TARIFF_INCOMPLETE"
        async with self._database.writing() as connection:
            # Of polls at the same moment one alone counts, whichever worker has it.
            counted = await connection.execute(
                update(GRANT)
                .where(
                    GRANT.c.id == found["grant_id"],
                    GRANT.c.revoked_at.is_(None),
                    or_(
                        literal(not least),
                        GRANT.c.polled_at.is_(None),
                        GRANT.c.polled_at <= now_s - least,
                        GRANT.c.polled_at > now_s + least,
                    ),
                )
                .values(polled_at=now_s)
            )
            if counted.rowcount == 1:
                await record(connection, now, _entry(event, found, address))
        if counted.rowcount != 1:
            return await self._too_often(found, address, least)
        document = tariff_document(tariff, start, end, now)
        return web.json_response(document, headers={"Cache-Control": "no-store"})

    async def _too_often(self, row: Mapping[str, Any], address: str, wait_s: int) -> web.Response:
        await self._record(_entry("POLLED_TOO_OFTEN", row, address))
        headers = {"Retry-After": str(max(1, wait_s))}
        return _error(429, "rate_limit", "polled too often", headers)

    async def _record(self, entry: Entry) -> None:
        async with self._database.writing() as connection:
            await record(connection, self._clock.now(), entry)

    def _address(self, request: web.Request) -> str:
        return client_address(request, self._config.http.proxies)


def _start(asked: str | None, now: datetime) -> datetime:
    """To the hour, so that what is answered can be compared. Raises ValueError."""
    hour = _hour(now)
    if asked is None:
        return hour
    return min(hour, max(_hour(parse_instant(asked)), hour - LONGEST_HISTORY))


def _hour(when: datetime) -> datetime:
    return when.replace(minute=0, second=0, microsecond=0)


def _entry(event: str, row: Mapping[str, Any], address: str) -> Entry:
    return Entry(
        event=event,
        customer_id=row["customer_id"],
        contract_id=row["contract_id"],
        account_name=row["account_name"],
        address=address,
    )


def _response(answer: Answer) -> web.Response:
    kept = {key: value for key, value in answer.headers.items() if key.lower() != "content-type"}
    return web.json_response(answer.body, status=answer.status, headers=kept)


def _error(status: int, kind: str, message: str, headers: Mapping[str, str]) -> web.Response:
    body = {"object": "error", "type": kind, "message": message}
    return web.json_response(body, status=status, headers=headers)
