"""The sandbox with a Connect of its own: token and exchange, pages on an origin of their own.

Whoever opens the pages has connected one of the sandbox's locations by a click, or has not.
"""

import html
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from agent.clock import Clock
from agent.energy.instants import format_instant
from integrations.sandbox.locations import Location, built_in, object_id
from integrations.sandbox.rates_answer import ResponseOptions, parse_request, rates_answer
from integrations.sandbox.responses import plain
from integrations.sandbox.server import FlatPeakSandbox, Handler

PAIRING_CODE = "K7-QX-22"
GATEWAY_TOKEN = "gateway-token-1"
LIFE_S = 86_400


@dataclass
class Connecting:
    """One session as the other side knows it."""

    token: str
    direction: str
    callback: str
    location_id: str
    expires_at: datetime
    action: str = ""
    done_at: datetime | None = None


class ConnectSandbox(FlatPeakSandbox):
    """`connected` are the directions with a tariff; `processing_s` is how long one takes.

    `contract_end` is the end of each contract. `silent`: no browser is sent back, as where the
    callback leads nowhere. `down`: Connect's calls answer 503.
    """

    def __init__(self, clock: Clock, processing_s: float = 0, life_s: float = LIFE_S) -> None:
        self.place: Location = built_in()[0]
        super().__init__(clock, locations=[self.place])
        self.processing_s, self.life_s = processing_s, life_s
        self.connected: dict[str, datetime] = {}
        self.sessions: dict[str, Connecting] = {}
        self.contract_end: datetime | None = None
        self.silent = self.down = False
        self.keeps_tariffs = False
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

    def finish(self, token: str, action: str = "SAVE") -> None:
        """The person has finished on Connect's pages."""
        session = self.sessions[token]
        session.action, session.done_at = action, self.clock.now()
        if action == "SAVE":
            ready = self.clock.now() + timedelta(seconds=self.processing_s)
            self.connected[session.direction] = ready
        else:
            self.connected.pop(session.direction, None)

    @property
    def last(self) -> Connecting:
        return [*self.sessions.values()][-1]

    # --- the API ----------------------------------------------------------------------------------

    def _app(self) -> web.Application:
        app = super()._app()
        app.add_routes(
            [
                web.post("/connect/tariff/token", self._create),
                web.post("/connect/token", self._create),
                web.get("/connect/tariff/token", self._exchange),
                web.delete("/tariffs/elements/{id}", self._delete),
                web.post("/prices/{id}", self._prices),
                web.post("/prices", self._prices),
                web.post("/pair", self._pair),
            ]
        )
        return app

    async def _handle_api(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == "/pair":
            return await handler(request)
        if self.down and request.path.startswith("/connect"):
            return plain(503, "Service Unavailable")
        if request.headers.get("Authorization") == f"Bearer {GATEWAY_TOKEN}":
            self._tokens[GATEWAY_TOKEN] = self.clock.now() + timedelta(hours=1), True
        return await super()._handle_api(request, handler)

    async def _create(self, request: web.Request) -> web.Response:
        body = await request.json()
        token = object_id("cot", 1 + len(self.sessions))
        direction = body.get("direction") or body.get("tariff_direction", "IMPORT")
        callback = body.get("callback_uri") or body["callback_url"]
        until = self.clock.now() + timedelta(seconds=self.life_s)
        location_id = body.get("location_id", "")
        self.sessions[token] = Connecting(token, direction, callback, location_id, until)
        answer = {"connect_token": token, "expires_in": self.life_s, "live_mode": True}
        return web.json_response(answer)

    async def _exchange(self, request: web.Request) -> web.Response:
        session = self.sessions.get(request.query["connect_token"])
        if session is None or (session.done_at is None and not session.location_id):
            raise web.HTTPNotFound
        if self.clock.now() >= session.expires_at:
            text = f"the token {session.token} is over"
            return self._error(422, "invalid_request", "token_expired", text)
        ready = self.connected.get(session.direction)
        return web.json_response(
            {
                "id": session.token,
                "object": "connect_token",
                "location_id": self.place.id,
                "is_tariff_processed": ready is not None and ready <= self.clock.now(),
                "complete_action": session.action,
            }
        )

    async def _location_status(self, request: web.Request) -> web.Response:
        location = self._requested_location(request)
        kinds: dict[str, Any] = {}
        for direction in ("IMPORT", "EXPORT"):
            ready = self.connected.get(direction)
            there = ready is not None and ready <= self.clock.now()
            end = self.contract_end
            kinds[f"commodity_{direction.lower()}"] = {
                "status": "CONNECTED" if there else "NOT_CONNECTED",
                "connection_type": "DIRECT",
                "provider": {"id": object_id("prv", 1), "display_name": "Demo <b>Energy</b>"},
                "tariff": {
                    "display_name": location.name,
                    "structure_type": "MARKET",
                    "contract_end_date": format_instant(end) if end is not None else None,
                },
            }
        return web.json_response({"object": "location_status", "tariff_status": kinds})

    def _no_prices(self, location: Location, direction: str) -> web.Response | None:
        ready = self.connected.get(direction)
        if ready is None:
            return self._error(422, "api_error", "no_tariff_connected", "nothing is connected")
        if ready > self.clock.now():
            return self._error(422, "api_error", "pending_connect", "it is being processed")
        return super()._no_prices(location, direction)

    async def _delete(self, request: web.Request) -> web.Response:
        if self.keeps_tariffs:
            raise web.HTTPMethodNotAllowed("DELETE", [])
        number = int(request.match_info["id"][-8:], 16) % 10
        self.connected.pop({1: "IMPORT", 2: "EXPORT"}[number], None)
        return web.json_response({"message": "Accepted"}, status=202)

    async def _prices(self, request: web.Request) -> web.Response:
        """As Anode and Busbar tell them: no next_update."""
        body = await request.json()
        location = self.locations[request.match_info.get("id") or body["location_id"]]
        query = {**body, "direction": body["tariff_direction"]}
        now = self.clock.now()
        asked = parse_request(query, now, False)
        refused = self._no_prices(location, asked.direction)
        if refused is not None:
            return refused
        answer = rates_answer(location, asked, now, ResponseOptions(self._publish_at, False), True)
        for slot in answer["data"]:
            tariff = slot.pop("tariff")
            slot["price"] = {"value": tariff["rate"], "confidence": tariff["confidence"]}
        answer["tariff_direction"] = answer.pop("direction")
        del answer["next_update"], answer["request"]
        return web.Response(text=json.dumps(answer), content_type="application/json")

    async def _pair(self, request: web.Request) -> web.Response:
        if (await request.json()).get("pairing_code") != PAIRING_CODE:
            return plain(404, "Not Found")
        return web.json_response({"token": GATEWAY_TOKEN})

    # --- Connect's pages --------------------------------------------------------------------------

    async def _page(self, request: web.Request) -> web.Response:
        token = html.escape(request.query.get("fp_cot", ""))
        links = "".join(
            f'<p><a href="/do?fp_cot={token}&amp;what={what}">{what}</a></p>'
            for what in ("SAVE", "DISCONNECT", "DISMISS_LOGIN", "DISMISS_CONSENT", "ERROR")
        )
        text = f"<!doctype html><title>Connect</title><h1>Connect</h1>{links}"
        return web.Response(text=text, content_type="text/html")

    async def _do(self, request: web.Request) -> web.Response:
        session, what = self.sessions[request.query["fp_cot"]], request.query["what"]
        back = f"{session.callback}?fp_cot={session.token}"
        if what in ("SAVE", "DISCONNECT"):
            self.finish(session.token, what)
        else:
            back += f"&error={what}"
        if self.silent:
            return web.Response(text="Finished")
        raise web.HTTPFound(back)
