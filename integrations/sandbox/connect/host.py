"""The Connect host, one POST to `/`, and small pages for a person without FlatPeak's own client.

The token in the message is the credential, there is no bearer; any origin may ask.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from aiohttp import web

from integrations.sandbox.connect.dialogue import Dialogue
from integrations.sandbox.connect.form import message_of
from integrations.sandbox.responses import BadRequestError, json_object

WEB_PATH = "/connect-web/"
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, OPTIONS",
    "Access-Control-Allow-Headers": "*",
    "Access-Control-Max-Age": "600",
}
PAGE_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
FOLDER = Path(__file__).parent
NOTHING: Mapping[str, str] = {}


class ConnectHost:
    def __init__(self, dialogue: Dialogue) -> None:
        self._dialogue = dialogue
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(FOLDER),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
        )

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/", self._message),
            web.options("/", self._preflight),
            web.get(WEB_PATH, self._show),
            web.post(WEB_PATH, self._answer),
            web.get(f"{WEB_PATH}style.css", self._style),
        ]

    async def _message(self, request: web.Request) -> web.Response:
        return web.json_response(await self._advance(json_object(await request.read())))

    async def _preflight(self, _request: web.Request) -> web.Response:
        return web.Response(status=204)

    async def _advance(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Raises BadRequestError."""
        try:
            return await self._dialogue.advance(message)
        except BadRequestError as error:
            token = message.get("connect_token")
            error.connect_token = error.connect_token or (token if isinstance(token, str) else "")
            raise
        except web.HTTPNotFound:
            text = "There is no such session"
            raise BadRequestError("token_invalid", text, 404, "connect.session") from None

    async def _show(self, request: web.Request) -> web.Response:
        token = request.query.get("fp_cot") or request.query.get("connect_token") or ""
        return await self._turn({"connect_token": token, "route": "session_restore"}, token)

    async def _answer(self, request: web.Request) -> web.Response:
        form = {key: str(value) for key, value in (await request.post()).items()}
        return await self._turn(message_of(form), form.get("connect_token", ""), form)

    async def _turn(
        self, message: Mapping[str, Any], token: str, entered: Mapping[str, str] = NOTHING
    ) -> web.Response:
        """The next page, or the way to the provider or back; a wrong entry shows its page again."""
        wrong = ""
        try:
            page = await self._advance(message)
        except BadRequestError as error:
            wrong = f"{error} ({error.code})"
            try:
                page = await self._advance({"connect_token": token, "route": "session_restore"})
            except BadRequestError as gone:
                return self._html({"route": "gone", "data": {}}, f"{gone} ({gone.code})", 404)
        data = page["data"]
        target = data.get("callback_uri") or data.get("redirect_url") or data.get("redirect_uri")
        if target and not wrong:
            # These are the session's own or a registered provider's, never the browser's.
            return web.Response(status=303, headers={**PAGE_HEADERS, "Location": target})
        again = wrong and page["route"] == entered.get("route")
        return self._html(page, wrong, 422 if wrong else 200, entered if again else NOTHING)

    def _html(
        self,
        page: Mapping[str, Any],
        wrong: str,
        status: int,
        entered: Mapping[str, str] = NOTHING,
    ) -> web.Response:
        """`entered`: what a person typed, to be corrected."""
        template = self._templates.get_template("page.html")
        text = template.render(page=page, wrong=wrong, entered=entered)
        return web.Response(
            text=text, content_type="text/html", status=status, headers=PAGE_HEADERS
        )

    async def _style(self, _request: web.Request) -> web.Response:
        text = (FOLDER / "style.css").read_text(encoding="utf-8")
        return web.Response(text=text, content_type="text/css")


def cors_headers(request: web.Request) -> Mapping[str, str]:
    """Also errors need them: without, the client's script cannot read what was wrong."""
    return CORS if request.path == "/" else {}
