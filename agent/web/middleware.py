"""What happens to every request before its page: host, rate, language, session, origin, errors."""

import asyncio
from collections.abc import Mapping

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from agent.serving.failures import failure_logger
from agent.web.api.problem import problem
from agent.web.context import WebContext
from agent.web.guard import csrf
from agent.web.guard.headers import add_headers
from agent.web.languages import LANGUAGES, preferred
from agent.web.settings import AUTO
from agent.web.visit import LANGUAGE_COOKIE, Visit
from agent.web.words import Words

MOST_BODY_BYTES = 64 * 1024
BODY_TIMEOUT_S = 15.0
FORM = "application/x-www-form-urlencoded"
MISDIRECTED, TOO_MANY = 421, 429


def middleware(context: WebContext) -> Middleware:
    """The one middleware, outermost first."""

    @web.middleware
    async def handle(request: web.Request, handler: Handler) -> web.StreamResponse:
        visit = _visit(request, context)
        response = await _answer(visit, handler)
        visit.finish(response)
        return response

    return handle


def _visit(request: web.Request, context: WebContext) -> Visit:
    asked = request.query.get("language", "")
    chosen = asked if asked in LANGUAGES else request.cookies.get(LANGUAGE_COOKIE, "")
    if chosen not in LANGUAGES:
        configured = context.section.language
        header = request.headers.get("Accept-Language", "")
        chosen = preferred(header) if configured == AUTO else configured
    visit = Visit(request, context, Words(chosen, context.services.zone))
    if asked in LANGUAGES:
        visit.remember_language(asked)
    visit.make_current()
    return visit


async def _answer(visit: Visit, handler: Handler) -> web.StreamResponse:
    request, context = visit.request, visit.context
    try:
        if not context.rates.take(visit.network):
            response = await refuse(visit, TOO_MANY, "too_many")
            response.force_close()
            return response
        if not context.hosts.is_ours(request.headers.get("Host", "")):
            return await refuse(visit, MISDIRECTED, "host")
        return await handler(request)
    except web.HTTPException as error:
        return await refuse(visit, error.status, f"status_{error.status}", error.headers)
    except web.RequestPayloadError:
        response = await refuse(visit, 400, "status_400")
        response.force_close()
        return response
    except TimeoutError:
        response = await refuse(visit, 408, "status_408")
        response.force_close()
        return response
    except Exception:
        # The last door: one page that fails takes neither the others nor the agent with it.
        failure_logger.error("%s failed", request.rel_url.path, exc_info=True)
        return await refuse(visit, 500, "status_500")


async def refuse(
    visit: Visit, status: int, reason: str, headers: Mapping[str, str] | None = None
) -> web.Response:
    """An error in plain words, as a page or as a problem document. `reason` is a key of `error`."""
    key = f"error.{reason}" if visit.words.has(f"error.{reason}") else "error.other"
    text = visit.words(key)
    if visit.wants_json:
        response = problem(status, text)
    else:
        response = await visit.page("error.html", {"status": status, "text": text}, status)
    for name in ("Allow", "Retry-After"):
        if headers is not None and name in headers:
            response.headers[name] = headers[name]
    return response


async def read_form(visit: Visit) -> Mapping[str, str]:
    """The form of a POST. Raises HTTPException, TimeoutError."""
    request = visit.request
    if request.content_type != FORM or (request.charset or "utf-8").lower() != "utf-8":
        raise web.HTTPUnsupportedMediaType
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            fields = await request.post()
    except UnicodeDecodeError:
        raise web.HTTPBadRequest from None
    return {name: value for name, value in fields.items() if isinstance(value, str)}


def comes_from_us(visit: Visit, token: str, *, is_open: bool) -> bool:
    request = visit.request
    if not csrf.same_origin(request.headers.get("Origin"), request.headers.get("Host", "")):
        return False
    return any(csrf.fits(token, secret) for secret in visit.csrf_secrets(is_open=is_open))


async def add_late_headers(request: web.Request, response: web.StreamResponse) -> None:
    """For answers that no page gave, such as to a request that cannot be read."""
    if "Content-Security-Policy" not in response.headers:
        add_headers(response.headers, secure=request.secure)
