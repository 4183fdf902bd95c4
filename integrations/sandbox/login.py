"""`GET /login` and the bearer tokens it gives."""

import base64
import binascii
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from integrations.sandbox.responses import plain
from integrations.sandbox.state import ACCOUNT_ID, API_KEY, TEST_API_KEY, SandboxState

SHORT_TOKEN_LIFE_S = 5


class Login:
    def __init__(self, state: SandboxState, token_life_s: int) -> None:
        self._state = state
        self._token_life_s = token_life_s
        self._tokens: dict[str, tuple[datetime, bool]] = {}
        self._given = 0

    def forget(self) -> None:
        self._tokens.clear()

    def live_mode_of(self, request: web.Request) -> bool | None:
        """Whether the bearer is of a live key; None where it is not, or no longer, good."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        until, live = self._tokens.get(token, (None, False))
        if scheme.lower() != "bearer" or until is None or self._state.clock.now() >= until:
            return None
        return live

    def is_live(self, request: web.Request) -> bool:
        return bool(self.live_mode_of(request))

    async def answer(self, request: web.Request) -> web.Response:
        faults = self._state.faults
        if faults.consume("login_error"):
            return plain(500, "Internal Server Error")
        if faults.consume("login_garbage"):
            return web.json_response({"message": "ok"})
        account_id, api_key = basic_pair(request.headers.get("Authorization", ""))
        known = account_id == ACCOUNT_ID and api_key in (API_KEY, TEST_API_KEY)
        if not known or faults.consume("login_refused"):
            return plain(403, "Bad credentials")
        now = self._state.clock.now()
        self._tokens = {token: kept for token, kept in self._tokens.items() if kept[0] > now}
        self._given += 1
        life_s = SHORT_TOKEN_LIFE_S if faults.consume("short_token") else self._token_life_s
        live = api_key.startswith("sk_live_")
        token = f"sandbox.{self._given}"
        self._tokens[token] = now + timedelta(seconds=life_s), live
        answer: dict[str, Any] = {"bearer_token": token, "expires_in": life_s, "live_mode": live}
        if faults.consume("no_live_mode"):
            del answer["live_mode"]
        return web.json_response(answer)


def basic_header(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def basic_pair(header: str) -> tuple[str, str]:
    """User and password of an Authorization header; empty where it has none."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return user, password
