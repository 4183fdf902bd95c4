"""The table of all addresses: pages, their actions, the API, the few files they load."""

import hashlib
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path

from aiohttp import web

from agent.web.api import add_api
from agent.web.context import WebContext
from agent.web.languages import LANGUAGES, catalogue, sentences
from agent.web.middleware import (
    MOST_BODY_BYTES,
    add_late_headers,
    comes_from_us,
    middleware,
    read_form,
    refuse,
)
from agent.web.pages import MENU, PAGES
from agent.web.pages.page import Handler, Page
from agent.web.visit import Visit

STATIC = Path(__file__).parent / "static"
FILES = {"style.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}
FILE_LASTS_S = 365 * 86_400

AioHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def prepare(context: WebContext) -> None:
    """What all pages have in common.

    Reads every file of texts and `static` once, so that no request does: not for the event loop.
    """
    for language in LANGUAGES:
        sentences(language)
    context.templates.everywhere = {
        "menu": MENU,
        "version": files_version(),
        "languages": LANGUAGES,
        "language_names": {name: catalogue(name)["layout.language"] for name in LANGUAGES},
    }


def make_application(context: WebContext) -> web.Application:
    application = web.Application(
        middlewares=[middleware(context)], client_max_size=MOST_BODY_BYTES
    )
    router = application.router
    for page in PAGES:
        router.add_get(page.path, _shown(page, page.show))
        for key, handler in page.parts.items():
            is_open = key in page.open_parts
            router.add_get(page.below(key), _shown(page, handler, is_open=is_open))
        for key, handler in page.actions.items():
            router.add_post(page.below(key), _done(page, handler))
            # A page that an action answered with stands at its address; whoever asks for it anew
            # gets the page itself.
            router.add_get(page.below(key), _shown(page, _to_page(page)))
    router.add_get("/static/{version}/{name}", _file)
    add_api(router)
    application.on_response_prepare.append(add_late_headers)
    return application


def _shown(page: Page, handler: Handler, *, is_open: bool = False) -> AioHandler:
    async def show(request: web.Request) -> web.StreamResponse:
        visit = Visit.current()
        _enter(visit, page)
        if not (page.is_open or is_open) and visit.session is None:
            return visit.to_login(page.path)
        return await handler(visit)

    return show


def _to_page(page: Page) -> Handler:
    async def go(visit: Visit) -> web.Response:
        return visit.redirect(page.path)

    return go


def _done(page: Page, handler: Handler) -> AioHandler:
    async def do(request: web.Request) -> web.StreamResponse:
        visit = Visit.current()
        _enter(visit, page)
        if not page.is_open and visit.session is None:
            return visit.to_login(page.path, undone=True)
        visit.form = await read_form(visit)
        token = visit.form.get("csrf_token", "")
        if not comes_from_us(visit, token, is_open=page.is_open):
            return await refuse(visit, 403, "form")
        number = visit.form.get("form_number", "")
        if not number:
            return await handler(visit)
        key = request.path, token, number
        # A new session's cookie is part of the answer.
        return await visit.context.repeats.once(key, lambda: _finished(visit, handler))

    return do


async def _finished(visit: Visit, handler: Handler) -> web.Response:
    response = await handler(visit)
    visit.finish(response)
    return response


def _enter(visit: Visit, page: Page) -> None:
    visit.page_name = page.name


async def _file(request: web.Request) -> web.StreamResponse:
    name = request.match_info["name"]
    if name not in FILES:
        raise web.HTTPNotFound
    headers = {"Cache-Control": f"public, max-age={FILE_LASTS_S}, immutable"}
    return web.Response(
        body=_content(name), content_type=FILES[name], charset="utf-8", headers=headers
    )


@cache
def _content(name: str) -> bytes:
    return (STATIC / name).read_bytes()


@cache
def files_version() -> str:
    """Part of their addresses, so that a browser asks anew after an update. Reads the files."""
    whole = b"".join(_content(name) for name in sorted(FILES))
    return hashlib.sha256(whole).hexdigest()[:12]
