"""Calls to FlatPeak's HTTP API: who is asking, what an answer that is no success means.

`base_url` and `auth` are settings, so that a device maker's backend can stand between: the account
key is a business customer's and does not belong on every gateway.

Every answer and every failure becomes a result or one of `agent.errors`; no key or token is ever
logged or put into a message.
"""

import asyncio
import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from agent.clock import Clock
from agent.energy.sentences import sentence
from agent.energy.text import clean_text
from agent.errors import Malformed, Misdirected, Refused, Unavailable
from integrations.tariffs.flatpeak_parse import (
    parse_error,
    parse_http_date,
    parse_number,
    parse_object,
)
from integrations.tariffs.http_client import HttpClient, Response

BASE_URL = "https://api.flatpeak.com"
TIMEOUT_S = 20.0
NO_LOGIN = sentence("there is no login at this address; is base_url right?")
A_PAGE = sentence(
    "a web page came in the place of an answer; is base_url right, and no log-in page of the "
    "network in between?"
)
# 422 codes that pass by themselves; FlatPeak asks not to repeat these calls sooner than this.
TRANSIENT_CODES = ("pending_connect", "no_price_data")
TRANSIENT_WAIT = timedelta(minutes=15)
# Answers that pass by themselves, besides every 5xx: a slow network, a replay, too many calls.
TRANSIENT_STATUSES = (408, 425, 429)
TOKEN_MARGIN_S = 60.0
TOKEN_MARGIN_SHARE = 0.1
DEFAULT_TOKEN_LIFE_S = 600.0
MAX_TOKEN_LIFE_S = 86400.0
MAX_TOKEN_CHARACTERS = 8192
MAX_HOST = 100
HIDDEN = "…"


@dataclass(frozen=True, slots=True)
class BasicLogin:
    """Account id and API key, turned into a bearer token by `GET /login`."""

    account_id: str
    api_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Bearer:
    """A fixed `token`; or, with `token_url`, a backend that answers like `/login` does.

    The backend is shown `token`, where there is one, as the gateway's own bearer.
    """

    token: str = field(default="", repr=False)
    token_url: str = ""


@dataclass(frozen=True, slots=True)
class NoAuth:
    """Whoever stands at `base_url` knows this gateway without credentials."""


Auth = BasicLogin | Bearer | NoAuth


class Pending(Unavailable):
    """Not yet, said the other side: it works on it."""


@dataclass(frozen=True, slots=True)
class _Token:
    value: str = field(repr=False)
    renew_at: datetime


class FlatPeakClient:
    """One account, or one gateway at a maker's backend. Nothing is kept open between calls."""

    def __init__(
        self, auth: Auth, clock: Clock, base_url: str, version: str, timeout_s: float
    ) -> None:
        self._auth = auth
        self._clock = clock
        self._base_url = base_url.rstrip("/")
        self._version = version
        self._http = HttpClient(timeout_s)
        self._token: _Token | None = None
        self._login_lock = asyncio.Lock()

    def use_token(self, token: str) -> None:
        """What pairing gave, as the gateway's own bearer; other ways to log in stay as they are."""
        if isinstance(self._auth, Bearer):
            self._auth, self._token = replace(self._auth, token=token), None

    async def log_in(self) -> bool:
        """A token fetched and kept, where there is a login. Raises the errors of `agent.errors`."""
        if self._can_log_in:
            await self._bearer()
        return self._can_log_in

    async def get(
        self, path: str, params: Mapping[str, str] | None = None, *, secret: str = ""
    ) -> Response:
        return await self.call("GET", path, params=params, secret=secret)

    async def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
        secret: str = "",
        anonymous: bool = False,
    ) -> Response:
        """A success, with a fresh token where the one at hand is not accepted.

        `secret` is part of the request and is left out of every message; `anonymous`: without any
        credentials. Raises the errors of `agent.errors`.
        """
        url = f"{self._base_url}{path}"
        token = "" if anonymous else await self._bearer()
        response = await self._send(method, url, params, body, token)
        if response.status in (401, 403) and self._can_log_in and not anonymous:
            # The token lapsed before its time, or the account's keys were changed.
            if self._token is not None and self._token.value == token:
                self._token = None
            response = await self._send(method, url, params, body, await self._bearer())
        self._raise_for(response, secret)
        return response

    @property
    def _can_log_in(self) -> bool:
        return isinstance(self._auth, BasicLogin) or (
            isinstance(self._auth, Bearer) and bool(self._auth.token_url)
        )

    async def _bearer(self) -> str:
        """A token good for a while yet; empty where none is needed."""
        if isinstance(self._auth, NoAuth):
            return ""
        if isinstance(self._auth, Bearer) and not self._auth.token_url:
            return self._auth.token
        async with self._login_lock:
            if self._token is None or self._clock.now() >= self._token.renew_at:
                self._token = await self._log_in()
            return self._token.value

    async def _log_in(self) -> _Token:
        if isinstance(self._auth, BasicLogin):
            pair = f"{self._auth.account_id}:{self._auth.api_key}"
            basic = f"Basic {base64.b64encode(pair.encode()).decode()}"
            response = await self._send("GET", f"{self._base_url}/login", authorization=basic)
        elif isinstance(self._auth, Bearer):
            response = await self._send("GET", self._auth.token_url, token=self._auth.token)
        if response.status == 404:
            raise Refused(NO_LOGIN, "no_login")
        self._raise_for(response)
        try:
            parsed = parse_object(response.text)
        except Malformed as error:
            # Without the text: it may hold a token.
            raise Malformed("the login's answer is not a JSON object") from error
        token = parsed.get("bearer_token")
        if not isinstance(token, str) or not _is_header_value(token):
            raise Malformed("the login's answer has no bearer_token")
        stated_s = parse_number(parsed.get("expires_in"))
        life_s = DEFAULT_TOKEN_LIFE_S if stated_s is None else float(stated_s)
        life_s = min(max(life_s, 0.0), MAX_TOKEN_LIFE_S)
        good_for_s = life_s - max(TOKEN_MARGIN_S, TOKEN_MARGIN_SHARE * life_s)
        return _Token(token, self._clock.now() + timedelta(seconds=good_for_s))

    async def _send(
        self,
        method: str,
        url: str,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
        token: str = "",
        authorization: str = "",
    ) -> Response:
        headers = {"Accept": "application/json"}
        if token:
            authorization = f"Bearer {token}"
        if authorization:
            headers["Authorization"] = authorization
        if self._version:
            headers["Flatpeak-Version"] = self._version
        sent = b""
        if body is not None:
            sent = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        return await self._http.request(method, url, params=params, headers=headers, body=sent)

    def _raise_for(self, response: Response, secret: str = "") -> None:
        """Say who acts on an answer that is not a success, without the secret where it echoes."""
        status = response.status
        if status // 100 == 3:
            raise Misdirected(
                sentence(
                    "HTTP {status}: sent on to {where}, which is not followed; is base_url right, "
                    "and no log-in page of the network in between?",
                    status=status,
                    where=_host_of(response.headers.get("location", "")) or "-",
                )
            )
        if 200 <= status < 300:
            if response.text.lstrip().startswith("<"):
                raise Misdirected(A_PAGE)
            return
        code, message = parse_error(response.text)
        if secret:
            code, message = (text.replace(secret, HIDDEN) for text in (code, message))
        reason = ": ".join(part for part in (code, message) if part) or "no reason given"
        if status in (401, 403):
            raise Refused(
                sentence(
                    "the credentials were not accepted (HTTP {status}, {reason})",
                    status=status,
                    reason=reason,
                ),
                "forbidden",
            )
        if status == 404:
            raise Refused(sentence("the location is not known; connect it again"), "not_found")
        if status == 422 and code in TRANSIENT_CODES:
            raise Pending(reason, self._clock.now() + TRANSIENT_WAIT)
        if status in TRANSIENT_STATUSES or status >= 500 or status < 200:
            raise Unavailable(f"HTTP {status}, {reason}", self._retry_at(response))
        raise Refused(f"HTTP {status}, {reason}", code or f"http_{status}")

    def _retry_at(self, response: Response) -> datetime | None:
        """What Retry-After says, in our clock's time even where that clock is wrong."""
        header = response.headers.get("retry-after", "").strip()
        now = self._clock.now()
        if header.isascii() and header.isdigit():
            return now + timedelta(seconds=min(int(header[:12]), 86400))
        when = parse_http_date(header)
        if when is None:
            return None
        wait = when - (parse_http_date(response.headers.get("date", "")) or now)
        return now + min(max(wait, timedelta(0)), timedelta(days=1))


def _host_of(url: str) -> str:
    """Without the rest, which may hold a token; empty where there is none."""
    try:
        return clean_text(urlsplit(url).hostname or "", MAX_HOST)
    except ValueError:
        return ""


def _is_header_value(text: str) -> bool:
    return 0 < len(text) <= MAX_TOKEN_CHARACTERS and text.isascii() and text.isprintable()
