"""Pages: a customer's browser on its way through the connect session, and "connected apps"."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from agent.clock import Clock
from agent.errors import Malformed, Refused, Unavailable
from integrations.provider import sessions, throttle
from integrations.provider.audit import Entry, record
from integrations.provider.database import Database
from integrations.provider.flatpeak_client import NO_WAY_BACK, FlatPeakClient, brought_token
from integrations.provider.flow import ConnectFlow, Said
from integrations.provider.forwarded import client_address
from integrations.provider.pages import Pages
from integrations.provider.sessions import Session
from integrations.provider.settings import ProviderConfig

APPS_OPENED_PER_WINDOW = 60
# Each has a cookie of some 350 bytes, of which a browser sends all with every request.
MOST_SESSIONS_OF_ONE = 10
# Signs of our own tokens alone: PostgreSQL takes no text with a zero byte.
SESSION_PATH = "/s/{name:[A-Za-z0-9_-]+}"


@dataclass(frozen=True, slots=True)
class Visit:
    """A session with what its browser holds."""

    session: Session
    secret: str
    token: str


class Website:
    """Handlers of the pages. `add_to` puts them into an application."""

    def __init__(
        self,
        config: ProviderConfig,
        database: Database,
        flow: ConnectFlow,
        flatpeak: FlatPeakClient,
        pages: Pages,
        clock: Clock,
    ) -> None:
        self._config = config
        self._database = database
        self._flow = flow
        self._flatpeak = flatpeak
        self._pages = pages
        self._clock = clock
        self._is_secure = config.public_url.startswith("https:")

    def add_to(self, app: web.Application) -> None:
        app.router.add_get(self._config.http.authentication_path, self.arrive)
        app.router.add_get("/apps", self.open_apps)
        app.router.add_get(SESSION_PATH, self.show)
        app.router.add_post(f"{SESSION_PATH}/{{deed}}", self.act)
        app.router.add_get("/static/{file}", self._pages.static)

    async def arrive(self, request: web.Request) -> web.StreamResponse:
        token = brought_token(request.query)
        if token is None:
            return await self._refuse(request, "no_token", 400)
        if own := self._own_session(request, token):
            raise web.HTTPSeeOther(f"/s/{own}")
        # Each token that nobody knows costs a call to FlatPeak.
        key = throttle.key_of_address("token", self.address(request))
        most = self._config.login.unknown_tokens_per_address
        async with self._database.writing() as connection:
            wait = await self._take(connection, key, most)
        if wait is not None:
            return self._pages.message(request, "too_many_tries", 429, retry_after_s=wait)
        try:
            context = await self._flatpeak.context(token)
        except Refused as error:
            if error.code == NO_WAY_BACK:
                await self._flow.end_before_it_begins(token)
                return await self._refuse(request, "failed", 502, str(error))
            return await self._refuse(request, "expired", 410, error.code)
        except Malformed as error:
            await self._give_back(key)
            return await self._refuse(request, "failed", 502, str(error))
        except Unavailable:
            await self._give_back(key)
            raise
        life_s = self._config.login.session_minutes * 60
        for attempt in (1, 2):
            try:
                async with self._database.writing() as connection:
                    await throttle.give_back(connection, key)
                    name, secret = await sessions.open_session(
                        connection, self._clock.now(), life_s, token, context
                    )
                    entry = Entry(
                        event="SESSION_OPENED",
                        session=name,
                        account_name=context.account_name,
                        address=self.address(request),
                    )
                    await record(connection, self._clock.now(), entry)
                break
            except Refused as error:
                return await self._refuse(request, error.code, 410, error.code)
            except IntegrityError:
                # The same link twice at the same moment: the second one finds the first.
                if attempt == 2:
                    raise
        raise self._opened(request, name, secret, token)

    async def open_apps(self, request: web.Request) -> web.StreamResponse:
        key = throttle.key_of_address("apps", self.address(request))
        now = self._clock.now()
        async with self._database.writing() as connection:
            wait = await self._take(connection, key, APPS_OPENED_PER_WINDOW)
            if wait is not None:
                return self._pages.message(request, "too_many_tries", 429, retry_after_s=wait)
            life_s = self._config.login.session_minutes * 60
            name, secret = await sessions.open_session(connection, now, life_s)
        raise self._opened(request, name, secret, "")

    async def _take(self, connection: AsyncConnection, key: str, most: int) -> int | None:
        window_s = self._config.login.window_minutes * 60
        return await throttle.take(
            connection, key, most, window_s, int(self._clock.now().timestamp())
        )

    async def _give_back(self, key: str) -> None:
        async with self._database.writing() as connection:
            await throttle.give_back(connection, key)

    def _opened(self, request: web.Request, name: str, secret: str, token: str) -> web.HTTPSeeOther:
        found = web.HTTPSeeOther(f"/s/{name}")
        # Browsers send the oldest first (RFC 6265, 5.4). Too many would be more than we read.
        kept = [key for key in request.cookies if key.startswith(self._cookie(""))]
        for key in kept[: max(0, len(kept) + 1 - MOST_SESSIONS_OF_ONE)]:
            found.del_cookie(key, path="/", httponly=True, secure=self._is_secure, samesite="Lax")
        found.set_cookie(
            self._cookie(name),
            f"{secret}:{token}",
            max_age=self._config.login.session_minutes * 60 + sessions.KEPT_S,
            path="/",
            httponly=True,
            secure=self._is_secure,
            samesite="Lax",
        )
        return found

    def _cookie(self, name: str) -> str:
        return f"{'__Host-' if self._is_secure else ''}s_{name}"

    def _own_session(self, request: web.Request, token: str) -> str | None:
        """The session that this browser has with that token: a second tab, or the back button."""
        prefix = self._cookie("")
        for cookie, value in request.cookies.items():
            if cookie.startswith(prefix) and value.partition(":")[2] == token:
                return cookie.removeprefix(prefix)
        return None

    async def _refuse(
        self, request: web.Request, text: str, status: int, detail: str = ""
    ) -> web.Response:
        entry = Entry(event="SESSION_REFUSED", address=self.address(request), detail=detail or text)
        async with self._database.writing() as connection:
            await record(connection, self._clock.now(), entry)
        return self._pages.message(request, text, status)

    async def show(self, request: web.Request) -> web.StreamResponse:
        visit = await self._visit(request)
        if visit is None:
            return self._pages.message(request, "foreign", 403)
        said = Said("withdrawn") if request.query.get("said") == "withdrawn" else None
        return await self._page(
            request, visit, said if visit.session.step == sessions.APPS else None
        )

    async def act(self, request: web.Request) -> web.StreamResponse:
        visit = await self._visit(request)
        if visit is None:
            return self._pages.message(request, "foreign", 403)
        form = await read_form(request)
        origin = request.headers.get("Origin")
        if form.get("form") != sessions.form_token(visit.secret) or (
            origin not in (None, "null", self._config.public_url)
        ):
            await self._forged(request, visit.session)
            return self._pages.message(request, "forged", 403)
        said = None
        # A form of an earlier step does nothing: the page that comes shows where things stand.
        if form.get("step") == visit.session.step and not self._is_over(visit.session):
            said = await self._do(request, visit, form)
        if said is None:
            raise web.HTTPSeeOther(f"/s/{visit.session.id}")
        visit = await self._visit(request) or visit
        return await self._page(request, visit, said, form.get("login", "")[:254])

    async def _do(self, request: web.Request, visit: Visit, form: Mapping[str, str]) -> Said | None:
        session, flow, address = visit.session, self._flow, self.address(request)
        deed, step = request.match_info["deed"], session.step
        if deed == "login" and step == sessions.LOGIN:
            return await flow.log_in(session, visit.secret, visit.token, form, address)
        if deed == "code" and step == sessions.SECOND_FACTOR:
            return await flow.check_code(session, visit.secret, visit.token, form, address)
        if deed == "choose" and step == sessions.CHOICE:
            return await flow.choose(session, form)
        if deed == "consent" and step == sessions.CONSENT:
            await flow.consent(session, visit.token, address)
        elif deed == "other" and step == sessions.CONSENT:
            await flow.choose_again(session)
        elif deed == "withdraw" and step == sessions.APPS:
            await flow.withdraw(session, form, address)
            # The page that comes may be loaded again, and gone back to.
            raise web.HTTPSeeOther(f"/s/{session.id}?said=withdrawn")
        elif deed == "leave" and session.kind == sessions.CONNECT:
            await flow.leave(session, visit.token, address)
        elif deed == "leave":
            await flow.sign_out(session)
        else:
            raise web.HTTPNotFound
        return None

    async def _page(
        self, request: web.Request, visit: Visit, said: Said | None, typed: str = ""
    ) -> web.StreamResponse:
        session, now = visit.session, self._clock.now()
        if session.kind == sessions.CONNECT:
            unfinished = session.step not in (sessions.DONE, sessions.SENDING)
            if session.is_abandoned(now, self._flow.claim_s) or (
                unfinished and session.is_expired(now)
            ):
                address = self.address(request)
                await self._flow.finish(session, visit.token, "ERROR", address, "expired")
                visit = await self._visit(request) or visit
                session = visit.session
            if session.step == sessions.DONE:
                # As it was given: a URL object would write an app's address in another way.
                target = self._flow.way_back(session, visit.token)
                return web.Response(status=303, headers={"Location": target})
        elif session.step == sessions.DONE or session.is_expired(now):
            return self._pages.message(request, "signed_out", 200)
        return self._pages.step(
            request,
            session,
            sessions.form_token(visit.secret),
            said,
            await self._things(session),
            typed,
        )

    async def _things(self, session: Session) -> dict[str, Any]:
        if session.step == sessions.CHOICE:
            return {"contracts": await self._flow.contracts(session)}
        if session.step == sessions.CONSENT:
            known = await self._flow.contracts(session)
            return {
                "contract": next((item for item in known if item.id == session.contract_id), None),
                "has_others": len(known) > 1,
                "shares_address": self._config.flatpeak.share_address,
            }
        if session.step == sessions.APPS:
            return {"apps": await self._flow.apps(session)}
        return {}

    def _is_over(self, session: Session) -> bool:
        return session.step in (sessions.DONE, sessions.SENDING) or session.is_expired(
            self._clock.now()
        )

    async def _visit(self, request: web.Request) -> Visit | None:
        name = request.match_info["name"]
        secret, _, token = request.cookies.get(self._cookie(name), "").partition(":")
        async with self._database.reading() as connection:
            session = await sessions.find_session(connection, name[:64], secret, token)
        return None if session is None else Visit(session, secret, token)

    async def _forged(self, request: web.Request, session: Session) -> None:
        entry = Entry(event="FORGED_FORM", session=session.id, address=self.address(request))
        async with self._database.writing() as connection:
            await record(connection, self._clock.now(), entry)

    def address(self, request: web.Request) -> str:
        return client_address(request, self._config.http.proxies)


async def read_form(request: web.Request) -> dict[str, str]:
    """The fields of a form in UTF-8. Raises HTTPException where the body is anything else."""
    is_form = request.content_type == "application/x-www-form-urlencoded"
    if not is_form or (request.charset or "utf-8").lower() != "utf-8":
        raise web.HTTPUnsupportedMediaType
    try:
        fields = await request.post()
    except UnicodeDecodeError:
        raise web.HTTPBadRequest from None
    if any("\0" in text for pair in fields.items() for text in pair if isinstance(text, str)):
        raise web.HTTPBadRequest
    return {key: value for key, value in fields.items() if isinstance(value, str)}
