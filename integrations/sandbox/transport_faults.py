"""Faults of the http group: what stands for an answer before any endpoint is reached."""

from datetime import timedelta
from email.utils import format_datetime

from aiohttp import web

from agent.clock import Clock
from integrations.sandbox.faults import Faults
from integrations.sandbox.responses import error_object, error_time, html, plain

SLOW_S = 120
RETRY_AFTER = timedelta(minutes=30)
# Half of an emoji, as a text that was cut by counting UTF-16 units has it.
HALF_EMOJI = "cut short \ud83d"
PLAIN = {
    "server_error": (500, "Internal Server Error"),
    "request_timeout": (408, "Request Timeout"),
    "too_early": (425, "Too Early"),
}
PAGES = {"bad_gateway": (502, "Bad Gateway"), "html": (200, "Welcome to the hotel's network")}


async def transport_fault(
    request: web.Request, faults: Faults, clock: Clock
) -> web.Response | None:
    """The broken answer where one of these faults is on."""
    if faults.consume("slow"):
        await clock.sleep(SLOW_S)
    if faults.consume("reset"):
        if request.transport is not None:
            request.transport.abort()
        return web.Response()
    limited = _rate_limited(faults, clock)
    if limited is not None:
        return limited
    for name, (status, message) in PLAIN.items():
        if faults.consume(name):
            return plain(status, message)
    for name, (status, title) in PAGES.items():
        if faults.consume(name):
            return html(status, title)
    if faults.consume("half_emoji"):
        created = error_time(clock.now(), naive=False)
        return error_object(
            500, "api_error", HALF_EMOJI, f"{HALF_EMOJI}\r\nwarning: {HALF_EMOJI}", created
        )
    if faults.consume("redirect"):
        return web.Response(status=302, headers={"Location": "http://portal.invalid/"})
    if faults.consume("huge"):
        return web.Response(body=b'{"data": [' + b" " * 5_000_000)
    return None


def _rate_limited(faults: Faults, clock: Clock) -> web.Response | None:
    headers = {
        "rate_limit": {},
        "rate_limit_told": {"Retry-After": str(int(RETRY_AFTER.total_seconds()))},
        "rate_limit_date": {"Retry-After": format_datetime(clock.now() + RETRY_AFTER, usegmt=True)},
    }
    for name, extra in headers.items():
        if faults.consume(name):
            created = error_time(clock.now(), naive=False)
            response = error_object(429, "rate_limit", "rate_limit", "Too many requests", created)
            response.headers.update(extra)
            return response
    return None
