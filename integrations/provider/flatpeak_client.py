"""The FlatPeak API as an energy provider calls it: a session's context, and what came of it."""

import asyncio
import base64
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
from yarl import URL

from agent.energy.text import clean_text
from agent.energy.urls import same_page, with_parameters
from agent.errors import Malformed, Refused, Unavailable
from integrations.provider.rare_warnings import RareWarnings
from integrations.provider.settings import RETRY_DELAY_S, TOKEN, FlatPeakSection

# Both names under which a browser may bring the token, the guide's first.
TOKEN_PARAMETERS = ("connect_token", "fp_cot")
TOKEN_PATTERN = re.compile(r"[A-Za-z0-9_.~-]{8,200}")
LARGEST_ANSWER = 64 * 1024
# What a browser would run or read instead of going there.
NO_TARGETS = {
    "javascript",
    "data",
    "vbscript",
    "file",
    "blob",
    "filesystem",
    "about",
    "view-source",
}
# Under which an account may say who it is, the guide's first.
NAMES = ("display_name", "name", "company_name", "trading_name", "legal_name")
# Code of a refusal: FlatPeak knows the session, and nobody could come back from it.
NO_WAY_BACK = "no_way_back"
# Likewise: it does not know us.
CREDENTIALS = "credentials"
SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")


@dataclass(frozen=True, slots=True)
class SessionContext:
    """Who asks, and where the browser goes afterwards. Links are empty where none was given."""

    account_name: str
    return_url: str
    logo_url: str = ""
    terms_url: str = ""
    privacy_url: str = ""
    support_url: str = ""

    def to_json(self) -> str:
        return json.dumps(asdict(self))


class FlatPeakClient:
    """Calls of one process. `own_uri` is the provider's authentication URI.

    Raises Refused (token unknown, expired, or our credentials wrong), Unavailable, Malformed.
    `warnings` are told what only the provider can mend.
    """

    def __init__(
        self, settings: FlatPeakSection, own_uri: str, warnings: RareWarnings | None = None
    ) -> None:
        self._settings = settings
        self._own_uri = own_uri
        self._warnings = warnings
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def context(self, token: str) -> SessionContext:
        for path in self._settings.context_paths:
            status, body = await self._call("GET", path, token, None)
            if status != 404:
                try:
                    _check(status, body)
                except Refused as error:
                    if error.code == CREDENTIALS:
                        self._warn("nobody can sign in", error)
                    raise
                return context_of(body, self._own_uri)
        raise Refused("FlatPeak does not know this connect token", "unknown")

    async def submit(self, token: str, body: Mapping[str, Any]) -> None:
        """`{"data": …}` or `{"action": …}`; tried again where FlatPeak is not reached."""
        try:
            await self._submit(token, body)
        except (Refused, Unavailable) as error:
            self._warn("what came of a sign-in is not taken", error)
            raise

    def _warn(self, kind: str, error: Refused | Unavailable) -> None:
        if self._warnings is None:
            return
        refused = isinstance(error, Refused) and error.code == CREDENTIALS
        mend = "check flatpeak.username and flatpeak.password" if refused else "audit has each one"
        self._warnings.say(kind, f"{kind}: {error}; {mend}")

    async def _submit(self, token: str, body: Mapping[str, Any]) -> None:
        for attempt in range(1, self._settings.attempts + 1):
            try:
                method, path = self._settings.submit_method, self._settings.submit_path
                _check(*await self._call(method, path, token, body))
                return
            except Unavailable:
                if attempt == self._settings.attempts:
                    raise
                await asyncio.sleep(RETRY_DELAY_S * attempt)

    async def _call(
        self, method: str, path: str, token: str, body: Mapping[str, Any] | None
    ) -> tuple[int, Any]:
        address = self._settings.url + path.replace(TOKEN, quote(token, safe=""))
        if self._session is None:
            settings = self._settings
            self._session = aiohttp.ClientSession(
                headers={
                    "Authorization": basic(settings.username, settings.password.get_secret_value())
                },
                timeout=aiohttp.ClientTimeout(total=settings.timeout_s),
            )
        try:
            # A redirect is not followed: credentials and token are for this host.
            async with self._session.request(
                method, URL(address, encoded=True), json=body, allow_redirects=False
            ) as answer:
                return answer.status, _json(await _whole(answer.content))
        # Their texts hold the address, and with it the token.
        except TimeoutError:
            raise Unavailable("FlatPeak does not answer") from None
        except aiohttp.ClientError as error:
            raise Unavailable(f"FlatPeak is not reached ({type(error).__name__})") from None


def basic(username: str, password: str) -> str:
    """The header of HTTP Basic (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


async def _whole(content: aiohttp.StreamReader) -> bytes:
    """All of the body, in however many pieces it comes; nothing where it is too long."""
    body = bytearray()
    async for piece in content.iter_chunked(LARGEST_ANSWER):
        body += piece
        if len(body) > LARGEST_ANSWER:
            return b""
    return bytes(body)


def _json(text: bytes) -> Any:
    try:
        return json.loads(text or b"null")
    except (ValueError, RecursionError):
        return None


def _check(status: int, body: Any) -> None:
    if 200 <= status < 300:
        return
    code = clean_text(str(body.get("code", "")), 60) if isinstance(body, dict) else ""
    if status == 429 or status >= 500:
        raise Unavailable(f"FlatPeak answers {status}")
    if status in (401, 403):
        raise Refused("FlatPeak refuses the provider's credentials", CREDENTIALS)
    raise Refused(f"FlatPeak answers {status} {code}".strip(), code or "unknown")


def context_of(body: Any, own_uri: str) -> SessionContext:
    """The session context of both generations of the guide.

    Where `connect_web_uri` is there, it is the way back and `redirect_uri` is the provider's own
    address; where it is not, `redirect_uri` is the way back. Raises Malformed, and Refused with
    NO_WAY_BACK where neither can be one.
    """
    if not isinstance(body, dict):
        raise Malformed("FlatPeak's session context is no object")
    account = body.get("account")
    account = account if isinstance(account, dict) else {}
    candidates = (body.get("connect_web_uri"), body.get("redirect_uri"))
    target = next((uri for uri in candidates if uri and not _is_own(uri, own_uri)), None)
    if not isinstance(target, str) or not is_target(target):
        raise Refused("FlatPeak's session context has no address to return to", NO_WAY_BACK)
    links = {
        name: link
        for name in ("logo_url", "terms_url", "privacy_url", "support_url")
        if isinstance(link := account.get(name), str) and is_link(link)
    }
    named = (account.get(key) for key in NAMES)
    # Nobody can consent to an unnamed asker: where it has no name, it is called as where it is.
    name = next((name for name in named if isinstance(name, str) and clean_text(name)), None)
    name = name or urlsplit(target).hostname or urlsplit(target).scheme
    return SessionContext(account_name=clean_text(name, 120), return_url=target, **links)


def _is_own(uri: object, own_uri: str) -> bool:
    return isinstance(uri, str) and same_page(uri, own_uri)


def is_target(uri: str) -> bool:
    """May a browser be sent there? Web pages and apps' own schemes, nothing that runs."""
    if len(uri) > 2000 or not uri.isprintable() or not uri.isascii() or set(uri) & set(' \\"<>'):
        return False
    try:
        url = urlsplit(uri)
        host, _port = url.hostname, url.port
    except ValueError:
        return False
    # The origin stands in the pages' Content-Security-Policy, the rest nowhere but in `Location`.
    if set(url.netloc) & set(",;'"):
        return False
    if url.scheme in ("http", "https"):
        return bool(host) and url.username is None
    # Of an app, as `acme://back` or `com.acme.app:/back` (RFC 8252, 7.1).
    is_own = bool(SCHEME.fullmatch(url.scheme)) and url.scheme not in NO_TARGETS
    return is_own and uri[len(url.scheme) :].startswith(":/")


def is_link(uri: str) -> bool:
    return uri.startswith("https://") and is_target(uri)


def return_address(
    context: SessionContext, settings: FlatPeakSection, token: str, failure: str = ""
) -> str:
    """The way back, with the token once and, after a refusal, its code."""
    added = {settings.return_parameter: token}
    if failure and settings.failure_parameter:
        added[settings.failure_parameter] = failure
    return with_parameters(context.return_url, added)


def brought_token(query: Mapping[str, str]) -> str | None:
    """The token of the browser's arrival, or None where it has none that can be one."""
    found = [query[name] for name in TOKEN_PARAMETERS if name in query]
    return found[0] if found and TOKEN_PATTERN.fullmatch(found[0]) else None
