"""Pages from templates, in the browser's language, each with its content security policy."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import jinja2
from aiohttp import web

from agent.energy.instants import from_unix
from integrations.provider import sessions
from integrations.provider.flow import Said
from integrations.provider.sessions import Session
from integrations.provider.settings import ProviderConfig
from integrations.provider.texts import CATALOGUE, day_text

FOLDER = Path(__file__).parent
STATIC = {"provider.css": "text/css"}
TEMPLATES = {
    sessions.LOGIN: "login.html",
    sessions.SECOND_FACTOR: "code.html",
    sessions.CHOICE: "choice.html",
    sessions.CONSENT: "consent.html",
    sessions.NO_TARIFF: "no_tariff.html",
    sessions.SENDING: "sending.html",
    sessions.APPS: "apps.html",
}
LANGUAGE_COOKIE = "language"


class Pages:
    """Renders; knows nothing of what led to a page."""

    def __init__(self, config: ProviderConfig) -> None:
        self._config = config
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(FOLDER / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._static = {name: (FOLDER / "static" / name).read_bytes() for name in STATIC}

    async def static(self, request: web.Request) -> web.Response:
        name = request.match_info["file"]
        if name not in self._static:
            raise web.HTTPNotFound
        return web.Response(
            body=self._static[name],
            content_type=STATIC[name],
            headers={"Cache-Control": "public, max-age=3600"},
        )

    def step(
        self,
        request: web.Request,
        session: Session,
        form_token: str,
        said: Said | None,
        things: Mapping[str, Any],
        typed: str = "",
    ) -> web.Response:
        context = session.context
        return self._render(
            request,
            TEMPLATES[session.step],
            session=session,
            context=context,
            form_token=form_token,
            said=said,
            typed=typed,
            is_apps=session.kind == sessions.APPS_KIND,
            account=context.account_name if context else "",
            **things,
        )

    def message(
        self, request: web.Request, text: str, status: int, retry_after_s: int = 0
    ) -> web.Response:
        said = Said(text, retry_after_s)
        return self._render(
            request, "message.html", status, said=said, context=None, account="", session=None
        )

    def _render(
        self, request: web.Request, template: str, status: int = 200, **values: Any
    ) -> web.Response:
        language = chosen_language(request)
        texts = CATALOGUE[language]
        said: Said | None = values.get("said")
        minutes = -(-said.retry_after_s // 60) if said else 0
        account = values["account"]

        def t(key: str, name: str = "") -> str:
            return texts[key].format(account=name or account, minutes=minutes)

        text = self._environment.get_template(template).render(
            t=t,
            language=language,
            other="de" if language == "en" else "en",
            path=request.path,
            brand=self._config.brand,
            day=lambda when, zone: _day(when, zone, language),
            last_day=lambda end, zone: _day(end - timedelta(seconds=1), zone, language),
            day_of=lambda seconds: _day(from_unix(seconds), "UTC", language),
            **values,
        )
        waits = said is not None and said.retry_after_s > 0
        response = web.Response(
            text=text, content_type="text/html", status=429 if waits else status
        )
        if said is not None and waits:
            response.headers["Retry-After"] = str(said.retry_after_s)
        response.headers["Content-Security-Policy"] = _policy(values.get("context"))
        response.headers["Content-Language"] = language
        if "lang" in request.query:
            response.set_cookie(
                LANGUAGE_COOKIE,
                language,
                httponly=True,
                samesite="Lax",
                secure=self._config.public_url.startswith("https:"),
            )
        return response


def _policy(context: Any) -> str:
    """No script at all. A form may end where its session returns to, and nowhere else."""
    form_action, images = "'self'", "'self'"
    if context is not None:
        url = urlsplit(context.return_url)
        origin = (
            f"{url.scheme}://{url.netloc}" if url.scheme in ("http", "https") else f"{url.scheme}:"
        )
        form_action += f" {origin}"
        if context.logo_url:
            logo = urlsplit(context.logo_url)
            images += f" {logo.scheme}://{logo.netloc}"
    return (
        f"default-src 'none'; style-src 'self'; img-src {images}; form-action {form_action}; "
        "frame-ancestors 'none'; base-uri 'none'"
    )


def chosen_language(request: web.Request) -> str:
    """By the page's link, the cookie that it set, or what the browser asks for."""
    asked = re.findall(r"[a-z]{2}", request.headers.get("Accept-Language", "").lower())[:10]
    known = (request.query.get("lang"), request.cookies.get(LANGUAGE_COOKIE), *asked)
    return next((name for name in known if name in CATALOGUE), "en")


def _day(when: datetime, zone: str, language: str) -> str:
    return day_text(when.astimezone(ZoneInfo(zone)).date(), language)
