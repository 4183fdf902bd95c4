"""Logging in and out for programs; browsers have a page for it."""

from typing import Any

from aiohttp import web

from agent.errors import Refused, Unavailable
from agent.web.access.passwords import Busy
from agent.web.api.route import Route
from agent.web.guard import csrf
from agent.web.logins import log_in, log_out, seconds_to_wait
from agent.web.visit import Visit

Body = dict[str, Any] | None


async def _log_in(visit: Visit, body: Body) -> object:
    password = (body or {}).get("password")
    if not isinstance(password, str) or len(body or {}) != 1:
        raise Refused('expected {"password": "..."}')
    if wait_s := seconds_to_wait(visit):
        raise web.HTTPTooManyRequests(headers={"Retry-After": str(wait_s)})
    try:
        token = await log_in(visit, password)
    except Busy:
        raise Unavailable(visit.words("login.busy")) from None
    if token is None:
        raise web.HTTPForbidden
    return {"csrf_token": csrf.token_for(token)}


async def _log_out(visit: Visit, _body: Body) -> object:
    log_out(visit)
    return None


ROUTES = (
    Route(
        "POST",
        "/sessions",
        "logIn",
        "Log in; the session is a cookie",
        _log_in,
        has_body=True,
        status=201,
        is_open=True,
    ),
    Route("DELETE", "/sessions/current", "logOut", "Log out", _log_out, status=204),
)
