"""One request of a visitor, and all ways to answer it. Pages and the API are given one."""

import secrets
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from agent.energy.network import network_of
from agent.web.access.sessions import Session
from agent.web.context import WebContext
from agent.web.guard import csrf
from agent.web.guard.headers import add_headers
from agent.web.guard.hosts import is_loopback
from agent.web.words import Words

# aiohttp before 3.14 has no typed keys for what a request carries, and later ones warn of others.
_current: ContextVar["Visit"] = ContextVar("visit")
SESSION_COOKIE, FORM_COOKIE, LANGUAGE_COOKIE = "flatpeak_session", "flatpeak_form", "language"
RETURN_COOKIE, KNOWN_COOKIE = "flatpeak_return", "flatpeak_known"
COOKIE_LASTS_S = 30 * 86_400
KNOWN_LASTS_S = 400 * 86_400
# As long as a log-in takes.
RETURN_LASTS_S = 15 * 60
MOST_SECRET = 100


class Visit:
    """`session` is None for who is not logged in. `form` is what a POST brought, else empty."""

    def __init__(self, request: web.Request, context: WebContext, words: Words) -> None:
        self.request = request
        self.context = context
        self.words = words
        self.form: Mapping[str, str] = {}
        self.page_name = ""
        self.session: Session | None = context.sessions.find(self.session_token)
        self._form_secret = request.cookies.get(FORM_COOKIE, "")[:MOST_SECRET]
        self._new_cookies: dict[str, tuple[str | None, int]] = {}

    @classmethod
    def current(cls) -> "Visit":
        """That of the request which is being answered."""
        return _current.get()

    def make_current(self) -> None:
        _current.set(self)

    # --- who, and how ---------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        return self.context.clock.now()

    @property
    def session_token(self) -> str:
        return self.request.cookies.get(self._name(SESSION_COOKIE), "")

    @property
    def known_browser(self) -> str:
        """Which it is of those in which somebody has logged in; empty for any other."""
        cookie = self.request.cookies.get(self._name(KNOWN_COOKIE), "")
        return self.context.known_browsers.name_of(cookie)

    @property
    def remote(self) -> str:
        return self.request.remote or "unknown"

    @property
    def network(self) -> str:
        return network_of(self.remote)

    @property
    def secure(self) -> bool:
        return self.request.secure

    @property
    def plain_http(self) -> bool:
        """Would a secret that is typed here be readable in the network?"""
        return not self.secure and not is_loopback(self.remote)

    @property
    def wants_json(self) -> bool:
        return self.request.path.startswith("/api/")

    # --- forms ----------------------------------------------------------------------------------

    def csrf_secrets(self, *, is_open: bool) -> Sequence[str]:
        """From which of our cookies the token of a form may follow.

        Forms for who is not logged in are sent with a cookie of their own.
        """
        own = self.session_token if self.session is not None else ""
        return (own, self._form_secret) if is_open else (own,)

    @property
    def csrf_token(self) -> str:
        if self.session is not None:
            return csrf.token_for(self.session_token)
        if not self._form_secret:
            self._form_secret = secrets.token_urlsafe(32)
            self._new_cookies[FORM_COOKIE] = self._form_secret, COOKIE_LASTS_S
        return csrf.token_for(self._form_secret)

    # --- cookies --------------------------------------------------------------------------------

    def log_in(self, notice: str = "") -> str:
        """The token of a new session; one that the browser had ends. `notice` is shown next."""
        self.log_out()
        token = self.context.sessions.open(self.remote)
        session = self.context.sessions.find(token)
        if notice and session is not None:
            session.notice = (True, notice)
        self._new_cookies[self._name(SESSION_COOKIE)] = token, COOKIE_LASTS_S
        known = self.request.cookies.get(self._name(KNOWN_COOKIE), "")
        if not self.known_browser:
            known = self.context.known_browsers.issue()
        self._new_cookies[self._name(KNOWN_COOKIE)] = known, KNOWN_LASTS_S
        return token

    def log_out(self) -> None:
        if self.session is not None:
            self.context.sessions.close(self.session_token)
        self._new_cookies[self._name(SESSION_COOKIE)] = None, 0

    def remember_language(self, language: str) -> None:
        self._new_cookies[LANGUAGE_COOKIE] = language, COOKIE_LASTS_S

    def keep_return(self, text: str) -> None:
        """What a browser brought back from another site, until somebody has logged in on it.

        In its cookie: an address or a page would show it.
        """
        self._new_cookies[self._name(RETURN_COOKIE)] = text, RETURN_LASTS_S

    def take_return(self) -> str:
        """What was kept, once; empty where nothing was."""
        name = self._name(RETURN_COOKIE)
        if name in self.request.cookies:
            self._new_cookies[name] = None, 0
        return self.request.cookies.get(name, "")

    def _name(self, cookie: str) -> str:
        """With TLS a name that no page without it, and no other host, can have set."""
        return f"__Host-{cookie}" if self.secure else cookie

    # --- answers --------------------------------------------------------------------------------

    async def page(
        self, template: str, values: Mapping[str, object] | None = None, status: int = 200
    ) -> web.Response:
        """A page from `templates/`; `values` besides those that every page has."""
        notice = None
        if self.session is not None and self.session.notice is not None:
            notice, self.session.notice = self.session.notice, None
        everywhere = {
            "t": self.words,
            "visit": self,
            "now": self.now,
            "csrf_token": self.csrf_token,
            "form_number": secrets.token_urlsafe(12),
            "notice": notice,
            "page_name": self.page_name,
            "changes": self.context.changes.value,
        }
        text = await self.context.templates.render(template, {**everywhere, **(values or {})})
        return web.Response(status=status, text=text, content_type="text/html", charset="utf-8")

    def redirect(self, path: str, notice: str = "", *, is_error: bool = False) -> web.Response:
        """To a page of ours, by GET; `notice` is a sentence that it shows once."""
        if not path.startswith("/") or path.startswith(("//", "/\\")):
            raise ValueError(f"{path!r} is no page of ours")
        if notice and self.session is not None:
            self.session.notice = (is_error, notice)
        return web.Response(status=303, headers={"Location": path})

    def to_login(self, path: str, *, undone: bool = False) -> web.Response:
        """Who is not logged in logs in first, and comes to this page of ours then.

        `undone`: a button was pressed, and the log-in page says that nothing came of it.
        """
        if not self.context.account.claimed:
            return self.redirect("/claim")
        query = {"next": path} if path != "/" else {}
        if undone:
            query["undone"] = "1"
        return self.redirect(f"/login?{urlencode(query, safe='/')}" if query else "/login")

    def leave_for(self, url: str) -> web.Response:
        """To another site, from a link of ours or from `go_on_to`.

        `url` is the page's own, never the visitor's. Raises ValueError where it would answer a
        form: browsers hold every step of a form's way to the policy's `form-action`, and where the
        other site leads on to is not known here.
        """
        if self.request.method != "GET":
            raise ValueError("a form cannot lead to another site")
        return web.Response(status=303, headers={"Location": url})

    async def go_on_to(self, path: str) -> web.Response:
        """After a form: to a part of ours that leads to another site, by itself or by a link."""
        response = await self.page("leaving.html", {"path": path})
        response.headers["Refresh"] = f"0; url={path}"
        return response

    def finish(self, response: web.StreamResponse) -> None:
        """Cookies and headers, on every answer."""
        for name, (value, lasts_s) in self._new_cookies.items():
            if value is None:
                response.del_cookie(
                    name, path="/", secure=self.secure, httponly=True, samesite="Lax"
                )
                continue
            # Lax, so that whoever comes back from FlatPeak's pages is still logged in.
            response.set_cookie(
                name,
                value,
                max_age=lasts_s,
                path="/",
                secure=self.secure,
                httponly=True,
                samesite="Lax",
            )
        headers: Any = response.headers
        add_headers(headers, secure=self.secure)
