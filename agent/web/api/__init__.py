"""The JSON API below `/api/v1`: the table of its parts, and what all of them share."""

import asyncio
import json
import math
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from agent.contracts.text import wire_json
from agent.errors import Refused, Unavailable
from agent.web.api import devices, house, sessions, tariff
from agent.web.api.problem import problem
from agent.web.api.route import MOST_BODY_BYTES, JsonText, Route
from agent.web.guard import csrf
from agent.web.visit import Visit

PREFIX = "/api/v1"
OPENAPI = "/openapi.json"
JSON = "application/json"
BODY_TIMEOUT_S = 15.0
CSRF_HEADER = "X-CSRF-Token"

ROUTES: tuple[Route, ...] = (*house.ROUTES, *tariff.ROUTES, *devices.ROUTES, *sessions.ROUTES)


def add_api(router: web.UrlDispatcher) -> None:
    for route in ROUTES:
        router.add_route(route.method, PREFIX + route.path, _handler(route))
    router.add_get(PREFIX + OPENAPI, _openapi)


def _handler(route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        visit = Visit.current()
        if not route.is_open and visit.session is None:
            return problem(401, visit.words("error.status_401"))
        if route.method != "GET" and not _comes_from_us(visit, route):
            return problem(403, visit.words("error.form"))
        try:
            body = await _body(request) if route.has_body else None
            answer = await route.handle(visit, body)
        except Refused as refusal:
            return problem(422, visit.words.plain(refusal.sentence))
        except Unavailable as error:
            return problem(503, visit.words.plain(error.sentence))
        if route.status == 204:
            return web.Response(status=204)
        text = answer if isinstance(answer, JsonText) else wire_json(answer)
        return web.Response(status=route.status, text=text, content_type=JSON)

    return handle


def _comes_from_us(visit: Visit, route: Route) -> bool:
    """A program that logs in has no token yet; a page of another site cannot send JSON so."""
    headers = visit.request.headers
    if not csrf.same_origin(headers.get("Origin"), headers.get("Host", "")):
        return False
    if route.is_open:
        return True
    return csrf.fits(headers.get(CSRF_HEADER, ""), visit.session_token)


async def _body(request: web.Request) -> dict[str, Any]:
    """Raises HTTPException, Refused, TimeoutError."""
    if request.content_type != JSON:
        raise web.HTTPUnsupportedMediaType
    async with asyncio.timeout(BODY_TIMEOUT_S):
        raw = await request.read()
    if len(raw) > MOST_BODY_BYTES:
        raise web.HTTPRequestEntityTooLarge(MOST_BODY_BYTES, len(raw))
    try:
        found = json.loads(raw, parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError):
        raise Refused("the body is no JSON") from None
    if not isinstance(found, dict):
        raise Refused("the body is no JSON object")
    return found


def _finite(text: str) -> float:
    """Raises ValueError for what JSON has no number for: NaN, Infinity, 1e999."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


async def _openapi(request: web.Request) -> web.StreamResponse:
    # Imported here: few look at it, and describing the models costs some megabytes.
    from agent.web.api.openapi import openapi

    document = await asyncio.to_thread(openapi)
    return web.Response(text=json.dumps(document, indent=1), content_type=JSON)
