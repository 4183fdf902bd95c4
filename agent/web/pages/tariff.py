"""The tariff: connect it at its source and come back, what is connected, change it, end it.

The session's token and link are secrets: they are in no page, only in the redirect of a form.
"""

from collections.abc import Sequence

from aiohttp import web

from agent.connect_ports import TariffConnection
from agent.energy.connection import ConnectSession, SessionState, TariffStatus, TariffSummary
from agent.energy.rates import Direction
from agent.errors import Malformed, Refused, Unavailable
from agent.web.context import WebContext
from agent.web.pages.page import Page
from agent.web.visit import Visit

PATH = "/tariff"
# FlatPeak's names for the token that a browser brings back, by its releases.
TOKEN_NAMES = ("fp_cot", "connect_token")
FAILURE_NAMES = ("error", "action", "failure_code")
STRUCTURES = ("fixed", "static", "time_of_day", "market", "dynamic")
MOST_CODE = 100


async def show(visit: Visit) -> web.Response:
    return await _page(visit)


async def connect(visit: Visit) -> web.Response:
    """To the source's pages: with the session that is open, or a new one."""
    connection, direction = _connection(visit), _direction(visit.form.get("direction", ""))
    if connection is None or direction is None:
        return visit.redirect(PATH)
    if connection.api.pairs and not connection.paired:
        return visit.redirect(PATH, visit.words("tariff.pair_first"), is_error=True)
    scheme = "https" if visit.secure else "http"
    callback = f"{scheme}://{visit.request.host}{PATH}/callback"
    try:
        session = await connection.begin(direction, callback)
    except Refused as error:
        return visit.redirect(PATH, visit.words("tariff.refused", reason=str(error)), is_error=True)
    except (Unavailable, Malformed):
        return visit.redirect(PATH, visit.words("tariff.unavailable"), is_error=True)
    visit.context.security_log.record("config_changed", f"tariff: connect {direction}")
    if not session.url:
        return visit.redirect(PATH)
    return visit.leave_for(session.url)


async def came_back(visit: Visit) -> web.Response:
    """Always to our own page, whatever the address says; a foreign token changes nothing."""
    connection, query = _connection(visit), visit.request.query
    token = next((query[name] for name in TOKEN_NAMES if query.get(name)), "")
    failure = next((query[name] for name in FAILURE_NAMES if query.get(name)), "")
    session = None if connection is None else connection.returned(token, failure)
    if session is None:
        return visit.redirect(PATH, visit.words("tariff.foreign"), is_error=True)
    return visit.redirect(PATH)


async def cancel(visit: Visit) -> web.Response:
    connection, direction = _connection(visit), _direction(visit.form.get("direction", ""))
    if connection is not None and direction is not None:
        connection.cancel(direction)
    return visit.redirect(PATH)


async def confirm(visit: Visit) -> web.Response:
    """Before a connection is ended."""
    direction = _direction(visit.request.query.get("direction", ""))
    if _connection(visit) is None or direction is None:
        return visit.redirect(PATH)
    return await visit.page("tariff_disconnect.html", {"direction": direction})


async def disconnect(visit: Visit) -> web.Response:
    connection, direction = _connection(visit), _direction(visit.form.get("direction", ""))
    if connection is None or direction is None:
        return visit.redirect(PATH)
    left = await connection.disconnect(direction)
    visit.context.security_log.record("consent_withdrawn", f"tariff: {direction}")
    if left:
        said = visit.words("tariff.left_there", reason=left)
        return visit.redirect(PATH, said, is_error=True)
    return visit.redirect(PATH, visit.words("tariff.disconnected"))


async def pair(visit: Visit) -> web.Response:
    connection, code = _connection(visit), visit.form.get("code", "").strip()
    if connection is None or not connection.api.pairs:
        return visit.redirect(PATH)
    if not 0 < len(code) <= MOST_CODE:
        return await _page(visit, visit.words("tariff.code_missing"), status=422)
    try:
        await connection.pair(code)
    except Refused:
        return await _page(visit, visit.words("tariff.code_refused"), status=422)
    except (Unavailable, Malformed):
        return await _page(visit, visit.words("tariff.unavailable"), status=503)
    visit.context.security_log.record("config_changed", "tariff: paired")
    return visit.redirect(PATH, visit.words("tariff.paired"))


async def _page(visit: Visit, error: str = "", *, status: int = 200) -> web.Response:
    connection = _connection(visit)
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
    connected = direction in connection.location.directions or there
    return {
        "direction": direction,
        "connected": connected,
        "facts": _facts(visit, summary) if summary is not None and there else [],
        "state": session.state if session is not None and _shown(session, visit) else "",
        "failure": session.failure if session is not None else "",
        "reason": session.reason if session is not None else "",
        "until": session.expires_at if session is not None else None,
    }


def _shown(session: ConnectSession, visit: Visit) -> bool:
    if session.state is SessionState.OPEN:
        return session.expires_at > visit.now
    return session.state in (SessionState.PROCESSING, SessionState.FAILED)


def _facts(visit: Visit, summary: TariffSummary) -> Sequence[tuple[str, str]]:
    """Name and value of what the source says; what it does not say is left out."""
    words, zone = visit.words, visit.words.zone
    structure = summary.structure
    if structure in STRUCTURES:
        structure = words(f"tariff.structure_{structure}")
    dates = {
        "contract_start": summary.contract_start,
        "contract_end": summary.contract_end,
    }
    values = {
        "name": summary.name,
        "provider": summary.provider,
        "structure": structure,
        "status": words(f"tariff.status_{summary.status}"),
        **{
            name: date.astimezone(zone).date().isoformat() if date is not None else ""
            for name, date in dates.items()
        },
    }
    return [(words(f"tariff.{name}"), value) for name, value in values.items() if value]


def _connection(visit: Visit) -> TariffConnection | None:
    return visit.context.services.tariff_connection


def _direction(text: str) -> Direction | None:
    return next((direction for direction in Direction if direction == text), None)


def _origins(context: WebContext) -> Sequence[str]:
    connection = context.services.tariff_connection
    return () if connection is None else (connection.api.origin,)


PAGE = Page(
    "tariff",
    PATH,
    show,
    parts={"callback": came_back, "disconnect": confirm},
    actions={"connect": connect, "cancel": cancel, "disconnect": disconnect, "pair": pair},
    form_targets=_origins,
)
