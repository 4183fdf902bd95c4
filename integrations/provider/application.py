"""The provider as one aiohttp application: pages, OAuth and tariff endpoint on one database."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from agent.clock import Clock
from agent.errors import Unavailable
from agent.serving.failures import failure_logger
from integrations.provider import sessions, throttle
from integrations.provider.api import Api
from integrations.provider.customers import CustomerSystem
from integrations.provider.database import Database
from integrations.provider.flatpeak_client import FlatPeakClient
from integrations.provider.flow import ConnectFlow
from integrations.provider.pages import Pages
from integrations.provider.rare_warnings import RareWarnings
from integrations.provider.settings import ProviderConfig
from integrations.provider.web import Website

log = logging.getLogger("provider")
LARGEST_BODY = 16 * 1024
PURGE_EVERY_S = 3600.0
RETRY_AFTER_S = 5
# A page is its visitor's alone, nothing of it is kept or framed, its address goes nowhere.
HEADERS = {
    "Cache-Control": "no-store",
    "Server": "flatpeak-agent-provider",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
TEXTS = {400: "forged", 404: "not_found", 405: "not_found", 413: "too_large", 415: "forged"}


def make_application(
    config: ProviderConfig, database: Database, customers: CustomerSystem, clock: Clock
) -> web.Application:
    """To be served by any number of processes. The database's schema must stand already."""
    # At level debug these write whole tokens, or every statement with its values.
    for talkative in ("authlib", "aiosqlite", "psycopg", "sqlalchemy"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    pages = Pages(config)
    app = web.Application(client_max_size=LARGEST_BODY, middlewares=[_guard(config, pages)])
    warnings = RareWarnings(log)
    Api(config, database, customers, clock, warnings).add_to(app)

    async def live(_request: web.Request) -> web.Response:
        async with database.reading() as connection:
            await connection.exec_driver_sql("SELECT 1")
        return web.json_response({"status": "ok"})

    app.router.add_get("/healthz", live)
    own_uri = config.public_url + config.http.authentication_path
    flatpeak = FlatPeakClient(config.flatpeak, own_uri, warnings)
    flow = ConnectFlow(config, database, customers, flatpeak, clock)
    Website(config, database, flow, flatpeak, pages, clock).add_to(app)

    async def life(_app: web.Application) -> AsyncIterator[None]:
        purging = asyncio.create_task(_purge(database, clock), name="provider-purge")
        yield
        purging.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await purging
        await flatpeak.close()

    app.cleanup_ctx.append(life)
    return app


def _guard(config: ProviderConfig, pages: Pages) -> Middleware:
    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        response: web.StreamResponse
        try:
            response = await handler(request)
        except web.HTTPException as error:
            response = error
            if error.status >= 400:
                response = _failed(request, pages, error.status)
        except web.RequestPayloadError:
            response = _failed(request, pages, 400)
            response.force_close()
        except Unavailable as error:
            log.warning("%s", error)
            response = _failed(request, pages, 503)
            response.headers["Retry-After"] = str(RETRY_AFTER_S)
        except Exception:
            # The last door: a page for whoever asked, one line in the log.
            failure_logger.error("%s failed", request.rel_url.path, exc_info=True)
            response = _failed(request, pages, 500)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if config.public_url.startswith("https:"):
            response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
        if isinstance(response, web.HTTPException):
            raise response
        return response

    return guard


def _failed(request: web.Request, pages: Pages, status: int) -> web.StreamResponse:
    if request.path.startswith(("/api/", "/oauth/", "/healthz")):
        return web.json_response({"object": "error", "type": "api_error"}, status=status)
    return pages.message(request, TEXTS.get(status, "unavailable"), status)


async def _purge(database: Database, clock: Clock) -> None:
    while True:
        now_s = int(clock.now().timestamp())
        try:
            async with database.writing() as connection:
                await sessions.purge(connection, now_s)
                await throttle.purge(connection, now_s)
        except Unavailable as error:
            log.warning("what has expired is not cleared away: %s", error)
        await clock.sleep(PURGE_EVERY_S)
