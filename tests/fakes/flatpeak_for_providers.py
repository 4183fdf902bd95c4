"""FlatPeak as a provider sees it: session context, what was submitted, and its poller.

`generation` "session" is the guide's current text, "account-info" the older one.
"""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from integrations.provider.flatpeak_client import basic

USERNAME, PASSWORD = "prv_demo", "provider-secret"
APP = "http://127.0.0.1:9/app"


@dataclass
class FlatPeakForProviders:
    """`submitted` by token, in order. `failing` answers submits with that status."""

    generation: str = "session"
    return_url: str = APP
    account: dict[str, Any] = field(default_factory=lambda: {"display_name": "Acme Heat Pumps"})
    submitted: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    failing: int | None = None
    own_uri: str = "https://login.supplier.example/flatpeak"
    url: str = ""
    arrived: list[str] = field(default_factory=list)
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)
    _open: set[str] = field(default_factory=set)

    def new_token(self) -> str:
        token = f"cot_6731b0aa5b0c9e2d7f{next(self._numbers):06x}"
        self._open.add(token)
        return token

    def expire(self, token: str) -> None:
        self._open.discard(token)

    def outcome(self, token: str) -> dict[str, Any]:
        (body,) = self.submitted[token]
        return body

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/connect/{path}/{token}", self._context)
        app.router.add_post("/connect/session/{token}", self._submit)
        app.router.add_get("/app", self._back)
        return app

    def _is_ours(self, request: web.Request) -> bool:
        return request.headers.get("Authorization") == basic(USERNAME, PASSWORD)

    async def _context(self, request: web.Request) -> web.Response:
        if not self._is_ours(request):
            return web.json_response({"message": "Bad credentials"}, status=403)
        token, path = request.match_info["token"], request.match_info["path"]
        if path != self.generation or token not in self._open:
            return web.json_response({"message": "Not Found"}, status=404)
        body: dict[str, Any] = {"connect_token": token, "live_mode": False, "account": self.account}
        if path == "session":
            body |= {"redirect_uri": self.own_uri, "connect_web_uri": self.return_url}
        else:
            body |= {"credentials": {}, "redirect_uri": self.return_url}
        return web.json_response(body)

    async def _submit(self, request: web.Request) -> web.Response:
        if not self._is_ours(request):
            return web.json_response({"message": "Bad credentials"}, status=403)
        if self.failing is not None:
            return web.json_response({"message": "no"}, status=self.failing)
        token = request.match_info["token"]
        self.submitted.setdefault(token, []).append(await request.json())
        return web.json_response({"message": "Accepted"}, status=202)

    async def _back(self, request: web.Request) -> web.Response:
        self.arrived.append(request.query_string)
        return web.Response(
            text="<!doctype html><html lang=en><title>App</title><h1>Back in the app</h1>",
            content_type="text/html",
        )


@asynccontextmanager
async def flatpeak_for_providers(**options: Any) -> AsyncIterator[FlatPeakForProviders]:
    flatpeak = FlatPeakForProviders(**options)
    server = TestServer(flatpeak.app(), host="127.0.0.1")
    await server.start_server(access_log=None)
    flatpeak.url = str(server.make_url("")).rstrip("/")
    flatpeak.return_url = options.get("return_url", f"{flatpeak.url}/app")
    try:
        yield flatpeak
    finally:
        await server.close()


class Poller:
    """Reads one connection's tariff and renews its tokens, as `auth_data` says."""

    def __init__(self, auth_data: dict[str, Any], client_secret: str) -> None:
        self.data = dict(auth_data)
        self._client = {"Authorization": basic("flatpeak", client_secret)}

    async def poll(self, http: aiohttp.ClientSession) -> tuple[int, dict[str, Any]]:
        headers = {"Authorization": f"Bearer {self.data['access_token']}"}
        async with http.get(self.data["tariff_url"], headers=headers) as answer:
            return answer.status, await answer.json()

    async def renew(self, http: aiohttp.ClientSession) -> int:
        form = {"grant_type": "refresh_token", "refresh_token": self.data["refresh_token"]}
        async with http.post(self.data["token_url"], data=form, headers=self._client) as answer:
            if answer.status == 200:
                self.data |= await answer.json()
            return answer.status
