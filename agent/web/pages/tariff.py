"""The tariff: connect it at its source and come back, what is connected, change it, end it.

The session's token and link are secrets: they are in no page, only in a redirect.
"""

import re
from collections.abc import Sequence

from aiohttp import web

from agent.connect_ports import TariffConnection
from agent.energy.connection import (
    ConnectSession,
    SessionState,
    TariffStatus,
    TariffSummary,
)
from agent.energy.rates import Direction
from agent.errors import Refused, Unavailable
from agent.web import connecting
from agent.web.pages.page import Page
from agent.web.visit import Visit

PATH = "/tariff"
# FlatPeak's names for the token that a browser brings back, by its releases.
TOKEN_NAMES = ("fp_cot", "connect_token")
FAILURE_NAMES = ("error", "action", "failure_code")
STRUCTURES = ("fixed", "static", "time_of_day", "market", "dynamic")
# What either can be; anything else is no way back of ours.
TOKEN, FAILURE = re.compile(r"[A-Za-z0-9_.~-]{1,400}"), re.compile(r"[A-Za-z_]{0,40}")


async def show(visit: Visit) -> web.Response:
    if kept := visit.take_return():
        token, _, failure = kept.partition(":")
        return _returned(visit, token, failure)
    return await _page(visit)


async def connect(visit: Visit) -> web.Response:
    """To the source's pages: with the session that is open, or a new one."""
    direction = connecting.direction_of(visit.form.get("direction"))
    if direction is None:
        return visit.redirect(PATH)
    try:
        session = await connecting.begin(visit, direction)
    except (Refused, Unavailable) as error:
        return visit.redirect(PATH, str(error), is_error=True)
    if not session.url:
        return visit.redirect(PATH)
    return await visit.go_on_to(f"{PATH}/continue?direction={direction}")


async def go_on(visit: Visit) -> web.Response:
    """To the source's pages with the session that is open."""
    connection = visit.context.services.tariff_connection
    direction = connecting.direction_of(visit.request.query.get("direction"))
    if connection is None or direction is None:
        return visit.redirect(PATH)
    session = connection.sessions.get(direction)
    if session is None or not session.url or not connecting.is_open(session, visit):
        return visit.redirect(PATH)
    return visit.leave_for(session.url)


async def came_back(visit: Visit) -> web.Response:
    """Always to our own page, whatever the address says.

    In a browser in which nobody is logged in, after the log-in.
    """
    query = visit.request.query
    token = next((query[name] for name in TOKEN_NAMES if query.get(name)), "")
    failure = next((query[name] for name in FAILURE_NAMES if query.get(name)), "")
    if visit.session is not None:
        return _returned(visit, token, failure)
    if TOKEN.fullmatch(token):
        visit.keep_return(f"{token}:{failure if FAILURE.fullmatch(failure) else ''}")
    return visit.to_login(PATH)


def _returned(visit: Visit, token: str, failure: str) -> web.Response:
    """A foreign token changes nothing."""
    connection = visit.context.services.tariff_connection
    session = None if connection is None else connection.returned(token, failure)
    if session is None:
        return visit.redirect(PATH, visit.words("tariff.foreign"), is_error=True)
    return visit.redirect(PATH)


async def cancel(visit: Visit) -> web.Response:
    direction = connecting.direction_of(visit.form.get("direction"))
    if direction is not None and _is_here(visit):
        connecting.cancel(visit, direction)
    return visit.redirect(PATH)


async def confirm(visit: Visit) -> web.Response:
    """Before a connection is ended."""
    direction = connecting.direction_of(visit.request.query.get("direction"))
    if direction is None or not _is_here(visit):
        return visit.redirect(PATH)
    return await visit.page("tariff_disconnect.html", {"direction": direction})


async def disconnect(visit: Visit) -> web.Response:
    direction = connecting.direction_of(visit.form.get("direction"))
    if direction is None or not _is_here(visit):
        return visit.redirect(PATH)
    left = await connecting.disconnect(visit, direction)
    return visit.redirect(PATH, left or visit.words("tariff.disconnected"), is_error=bool(left))


async def pair(visit: Visit) -> web.Response:
    try:
        await connecting.pair(visit, visit.form.get("code", ""))
    except Refused as error:
        return await _page(visit, str(error), status=422)
    except Unavailable as error:
        return await _page(visit, str(error), status=503)
    return visit.redirect(PATH, visit.words("tariff.paired"))


async def _page(visit: Visit, error: str = "", *, status: int = 200) -> web.Response:
    connection = visit.context.services.tariff_connection
    values: dict[str, object] = {
        "changes": visit.context.changes.value,
        "connection": connection,
        "error": error,
    }
    if connection is not None:
        values["cards"] = [_card(visit, connection, direction) for direction in Direction]
        values["pairs"] = connection.api.pairs and not connection.paired
    return await visit.page("tariff.html", values, status)


def _card(visit: Visit, connection: TariffConnection, direction: Direction) -> dict[str, object]:
    """What one direction's part of the page shows."""
    session = connection.sessions.get(direction)
    summaries = connection.summaries
    summary = next((item for item in summaries if item.direction is direction), None)
    there = summary is not None and summary.status is not TariffStatus.NOT_CONNECTED
    shown = session is not None and connecting.is_shown(session, visit)
    return {
        "direction": direction,
        "connected": connecting.is_connected(connection, direction),
        "facts": _facts(visit, summary) if summary is not None and there else [],
        "state": _state(session) if session is not None and shown else "",
        "failure": session.failure if session is not None else "",
        "reason": session.reason if session is not None else "",
        "until": session.expires_at if session is not None else None,
    }


def _state(session: ConnectSession) -> str:
    """Who is back from the source's pages has nothing to press while it is asked what they did."""
    waits = session.state is SessionState.OPEN and session.checked_at is None
    return "returned" if waits and session.returned_at is not None else session.state


def _facts(visit: Visit, summary: TariffSummary) -> Sequence[tuple[str, str]]:
    """Name and value of what the source says; what it does not say is left out."""
    words = visit.words
    begin, end = summary.contract_start, summary.contract_end
    structure = summary.structure
    if structure in STRUCTURES:
        structure = words(f"tariff.structure_{structure}")
    values = {
        "name": summary.name,
        "provider": summary.provider,
        "structure": structure,
        "status": words(f"tariff.status_{summary.status}"),
        "contract_start": words.day(begin.astimezone(words.zone).date()) if begin else "",
        # With its time: of a day alone nobody knows whether it is the last.
        "contract_end": words.instant(end, "%Y") if end else "",
    }
    return [(words(f"tariff.{name}"), value) for name, value in values.items() if value]


def _is_here(visit: Visit) -> bool:
    """Can a tariff be connected at all?"""
    return visit.context.services.tariff_connection is not None


PAGE = Page(
    "tariff",
    PATH,
    show,
    parts={"callback": came_back, "continue": go_on, "disconnect": confirm},
    open_parts=("callback",),
    actions={"connect": connect, "cancel": cancel, "disconnect": disconnect, "pair": pair},
)
