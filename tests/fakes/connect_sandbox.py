"""The sandbox with plain pages in the place of Connect's, on an origin of their own.

Whoever opens them has connected a market tariff by a click, or has not. A maker's backend with a
pairing code is the same server.
"""

import asyncio
import html
from dataclasses import replace
from datetime import datetime, timedelta

from aiohttp import web

from agent.clock import Clock
from integrations.sandbox.connect.sessions import Choice, Session, default_region
from integrations.sandbox.locations import Location, ProviderName, built_in
from integrations.sandbox.responses import plain
from integrations.sandbox.server import FlatPeakSandbox, Handler

PAIRING_CODE = "K7-QX-22"
GATEWAY_TOKEN = "gateway-token-1"
PROVIDER = "Demo <b>Energy</b>"
LIFE_S = 86_400.0


class ConnectSandbox(FlatPeakSandbox):
    """`contract_end` is the end of each new contract. `silent`: no browser is sent back, as where
    the callback leads nowhere. `down`: Connect's calls answer 503. `keeps_tariffs`: none can be
    taken away. `keeps_status`: none tells how it does. `place` is a location that was always there.
    `busy_for_s`: exchanges are answered with 429, to come again then. `forgets_gateway`: its token
    is worth nothing. `answers` is cleared while exchanges are to wait for their answer.
    `leads_on`: the pages lead to another site, the provider's, at once.
    """

    def __init__(self, clock: Clock, processing_s: float = 0, life_s: float = LIFE_S) -> None:
        super().__init__(clock, processing_s=processing_s, session_life_s=life_s)
        self.place: Location = built_in()[0]
        self.contract_end: datetime | None = None
        self.gateway_token = GATEWAY_TOKEN
        self.silent = self.down = self.keeps_tariffs = self.keeps_status = False
        self.busy_for_s = 0
        self.calls_while_busy: list[datetime] = []
        self.forgets_gateway = self.leads_on = False
        self.answers = asyncio.Event()
        self.answers.set()
        self._pages: web.AppRunner | None = None

    async def start(self) -> None:
        await super().start()
        app = web.Application()
        app.add_routes([web.get("/", self._page), web.get("/do", self._do)])
        self._pages = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._pages.setup()
        await web.TCPSite(self._pages, "127.0.0.1", 0).start()

    async def stop(self) -> None:
        if self._pages is not None:
            await self._pages.cleanup()
        await super().stop()

    @property
    def connect_url(self) -> str:
        assert self._pages is not None
        return f"http://127.0.0.1:{self._pages.addresses[0][1]}/"

    @property
    def provider_host(self) -> str:
        """The same pages, which a browser takes for another site."""
        assert self._pages is not None
        return f"localhost:{self._pages.addresses[0][1]}"

    def tariff(self, **more: object) -> dict[str, object]:
        """The config's section for somebody who has connected nothing."""
        return {
            "source": "flatpeak",
            "base_url": self.url,
            "account_id": self.account_id,
            "api_key": self.api_key,
            "connect_url": self.connect_url,
            **more,
        }

    @property
    def last(self) -> Session:
        return self.sessions.all()[-1]

    @property
    def home_id(self) -> str:
        """The location that was connected first."""
        return next(item.location_id for item in self.sessions.all() if item.complete_action)

    @property
    def connected(self) -> set[str]:
        """The kinds that are connected there."""
        return set(self.locations[self.home_id].tariffs)

    def finish(self, token: str, action: str = "SAVE") -> None:
        """The person has finished on Connect's pages."""
        if action == "DISCONNECT":
            self.sessions.disconnect(token)
            return
        choice = Choice(
            default_region().market(),
            "Agile",
            "DIRECT",
            "MARKET",
            ProviderName(name=PROVIDER),
            contract_end=self.contract_end,
        )
        self.sessions.complete(token, choice)

    def renew(self, contract_end: datetime) -> None:
        """The contracts of the home end then."""
        home = self.locations[self.home_id]
        renewed = {
            kind: replace(tariff, contract_end=contract_end)
            for kind, tariff in home.connected.items()
        }
        self.locations[home.id] = replace(home, connected=renewed)

    def _app(self) -> web.Application:
        app = super()._app()
        app.add_routes([web.post("/pair", self._pair)])
        return app

    async def _handle_api(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == "/pair":
            return await handler(request)
        if self.down and request.path.startswith("/connect"):
            return plain(503, "Service Unavailable")
        if self.keeps_tariffs and request.method == "DELETE":
            return plain(405, "Method Not Allowed")
        if self.keeps_status and request.path.endswith("/status"):
            return plain(503, "Service Unavailable")
        if self.busy_for_s and request.method == "GET" and request.path.startswith("/connect"):
            busy = plain(429, "Too Many Requests")
            busy.headers["Retry-After"] = str(self.busy_for_s)
            self.calls_while_busy.append(self.clock.now())
            return busy
        if request.method == "GET" and request.path.startswith("/connect"):
            await self.answers.wait()
        if self.forgets_gateway:
            return plain(401, "Unauthorized")
        if request.headers.get("Authorization") == f"Bearer {GATEWAY_TOKEN}":
            until = self.clock.now() + timedelta(hours=1)
            self._login._tokens[GATEWAY_TOKEN] = until, True
        return await super()._handle_api(request, handler)

    async def _pair(self, request: web.Request) -> web.Response:
        if (await request.json()).get("pairing_code") != PAIRING_CODE:
            return plain(404, "Not Found")
        return web.json_response({"token": self.gateway_token} if self.gateway_token else {})

    # --- pages ------------------------------------------------------------------------------------

    async def _page(self, request: web.Request) -> web.Response:
        if self.leads_on and request.host != self.provider_host:
            raise web.HTTPFound(f"http://{self.provider_host}{request.rel_url}")
        token = html.escape(request.query.get("fp_cot", ""))
        links = "".join(
            f'<p><a href="/do?fp_cot={token}&amp;what={what}">{what}</a></p>'
            for what in ("SAVE", "DISCONNECT", "DISMISS_LOGIN", "DISMISS_CONSENT", "ERROR")
        )
        text = f"<!doctype html><title>Connect</title><h1>Connect</h1>{links}"
        return web.Response(text=text, content_type="text/html")

    async def _do(self, request: web.Request) -> web.Response:
        what = request.query["what"]
        session = self.sessions.get(request.query["fp_cot"])
        back = session.done_url
        if what in ("SAVE", "DISCONNECT"):
            self.finish(session.token, what)
        else:
            back += f"&error={what}"
        if self.silent:
            return web.Response(text="Finished")
        raise web.HTTPFound(back)
