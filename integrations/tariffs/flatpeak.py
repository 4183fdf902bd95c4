"""FlatPeak's HTTP API, release Zero, as a tariff source.

`base_url` and `auth` are settings, so that a device maker's backend can stand between: the account
key is a business customer's and does not belong on every gateway.

Every answer and every failure becomes a result or one of `agent.errors`; no key or token is ever
logged or put into a message. Connections are closed after each call: there are a few a day.
"""

import asyncio
import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import quote

import aiohttp

from agent.clock import Clock
from agent.energy.instants import format_instant
from agent.energy.rates import Direction
from agent.errors import Malformed, Refused, Unavailable
from agent.ports import FetchedRates
from integrations.tariffs.flatpeak_parse import parse_error, parse_object, parse_rates

BASE_URL = "https://api.flatpeak.com"
VERSION = "2024-08-24.zero"
TIMEOUT_S = 20.0
# A month of five-minute slots is about 1 MB.
MAX_ANSWER_BYTES = 4_000_000
# 422 codes that pass by themselves; FlatPeak asks not to repeat these calls sooner than this.
PASSING_CODES = ("pending_connect", "no_price_data")
PASSING_WAIT = timedelta(minutes=15)
TOKEN_MARGIN_S = 60.0
TOKEN_MARGIN_SHARE = 0.1
UNTOLD_TOKEN_LIFE_S = 600.0


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


@dataclass(frozen=True, slots=True)
class _Token:
    value: str = field(repr=False)
    renew_at: datetime


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    text: str
    headers: Mapping[str, str]


class FlatPeakTariff:
    """The rates of one FlatPeak location, for each connected direction."""

    def __init__(
        self,
        location_id: str,
        auth: Auth,
        clock: Clock,
        *,
        directions: Sequence[Direction] = (Direction.IMPORT,),
        base_url: str = BASE_URL,
        version: str = VERSION,
        include_carbon: bool = False,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self.identity = f"flatpeak:{location_id}"
        self.directions = tuple(directions)
        self._location_id = location_id
        self._auth = auth
        self._clock = clock
        self._base_url = base_url.rstrip("/")
        self._version = version
        self._include_carbon = include_carbon
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._http: aiohttp.ClientSession | None = None
        self._token: _Token | None = None
        self._login_lock = asyncio.Lock()

    async def fetch(self, direction: Direction, start: datetime, end: datetime) -> FetchedRates:
        """The rates over `[start, end)`, asked for in `Z`. Raises the errors of `agent.errors`."""
        url = f"{self._base_url}/tariffs/rates/{quote(self._location_id, safe='')}"
        answer = await self._get_authorised(
            url,
            {
                "start_time": format_instant(start),
                "end_time": format_instant(end),
                "direction": direction.name,
                "include_tariff": "true",
                "include_carbon": "true" if self._include_carbon else "false",
            },
        )
        self._raise_for(answer)
        fetched = parse_rates(answer.text, direction)
        return replace(fetched, server_time=_http_date(answer.headers.get("Date", "")))

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def _get_authorised(self, url: str, params: Mapping[str, str]) -> _Answer:
        token = await self._bearer()
        answer = await self._get(url, params, token)
        if answer.status in (401, 403) and self._can_log_in:
            # The token lapsed before its time, or the account's keys were changed.
            if self._token is not None and self._token.value == token:
                self._token = None
            answer = await self._get(url, params, await self._bearer())
        return answer

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
            answer = await self._get(f"{self._base_url}/login", {}, authorization=basic)
        elif isinstance(self._auth, Bearer):
            answer = await self._get(self._auth.token_url, {}, self._auth.token)
        if answer.status == 404:
            raise Refused("there is no login at this address; is base_url right?", "no_login")
        self._raise_for(answer)
        try:
            said = parse_object(answer.text)
        except Malformed as error:
            # Without the text: it may hold a token.
            raise Malformed("the login's answer is not a JSON object") from error
        token = said.get("bearer_token")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise Malformed("the login's answer has no bearer_token")
        try:
            life_s = min(max(float(said["expires_in"]), 0.0), 86400.0)
        except (KeyError, TypeError, ValueError):
            life_s = UNTOLD_TOKEN_LIFE_S
        good_for_s = life_s - max(TOKEN_MARGIN_S, TOKEN_MARGIN_SHARE * life_s)
        return _Token(token, self._clock.now() + timedelta(seconds=good_for_s))

    async def _get(
        self, url: str, params: Mapping[str, str], token: str = "", authorization: str = ""
    ) -> _Answer:
        headers = {"Accept": "application/json"}
        if token:
            authorization = f"Bearer {token}"
        if authorization:
            headers["Authorization"] = authorization
        if self._version:
            headers["Flatpeak-Version"] = self._version
        if self._http is None:
            connector = aiohttp.TCPConnector(force_close=True)
            self._http = aiohttp.ClientSession(connector=connector, timeout=self._timeout)
        try:
            # A redirect is not followed: it would carry the token to wherever it points.
            async with self._http.get(
                url, params=params, headers=headers, allow_redirects=False
            ) as response:
                body = await _read_limited(response)
                return _Answer(response.status, body.decode("utf-8", "replace"), response.headers)
        except TimeoutError as error:
            raise Unavailable(f"no answer within {self._timeout.total:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Unavailable(f"not reached: {str(error) or type(error).__name__}") from error

    def _raise_for(self, answer: _Answer) -> None:
        """Say who acts on an answer that is not a success."""
        status = answer.status
        if 200 <= status < 300:
            return
        code, message = parse_error(answer.text)
        said = ": ".join(part for part in (code, message) if part) or "no reason given"
        if status in (401, 403):
            raise Refused(f"the credentials were not accepted (HTTP {status}, {said})", "forbidden")
        if status == 404:
            raise Refused("the location is not known; connect it again", "not_found")
        if status == 422 and code in PASSING_CODES:
            raise Unavailable(said, self._clock.now() + PASSING_WAIT)
        if status == 429 or status >= 500 or status < 400:
            raise Unavailable(f"HTTP {status}, {said}", self._retry_at(answer))
        raise Refused(f"HTTP {status}, {said}", code or f"http_{status}")

    def _retry_at(self, answer: _Answer) -> datetime | None:
        """What Retry-After says, in our clock's time even where that clock is wrong."""
        said = answer.headers.get("Retry-After", "").strip()
        now = self._clock.now()
        if said.isascii() and said.isdigit():
            return now + timedelta(seconds=min(int(said[:12]), 86400))
        told = _http_date(said)
        if told is None:
            return None
        wait = told - (_http_date(answer.headers.get("Date", "")) or now)
        return now + min(max(wait, timedelta(0)), timedelta(days=1))


async def _read_limited(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise Malformed(f"the answer is longer than {MAX_ANSWER_BYTES} bytes")
    return bytes(body)


def _http_date(text: str) -> datetime | None:
    try:
        when = parsedate_to_datetime(text)
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


__all__ = ["Auth", "BasicLogin", "Bearer", "FlatPeakTariff", "NoAuth", "parse_rates"]
