"""The tariff's connection: what is, begin, give up, end, pair. How prices do is in `house.py`."""

from typing import Any

from aiohttp import web

from agent.connect_ports import TariffConnection
from agent.energy.connection import TariffSummary
from agent.energy.rates import Direction
from agent.errors import Refused
from agent.web import connecting
from agent.web.api.route import Route
from agent.web.visit import Visit

PATH = "/tariff/connections/{direction}"
Body = dict[str, Any] | None


async def _all(visit: Visit, _body: Body) -> object:
    connection = visit.context.services.tariff_connection
    if connection is None:
        return {"connectable": False, "pairing_needed": False, "conflict": "", "connections": []}
    return {
        "connectable": True,
        "pairing_needed": connection.api.pairs and not connection.paired,
        "conflict": connection.conflict,
        "connections": [_one(visit, connection, direction) for direction in Direction],
    }


def _one(visit: Visit, connection: TariffConnection, direction: Direction) -> object:
    summary = next((it for it in connection.summaries if it.direction is direction), None)
    session = connection.sessions.get(direction)
    return {
        "direction": direction,
        "connected": connecting.is_connected(connection, direction),
        "summary": None if summary is None else _summary(summary),
        # Without its link: that stands in the answer to who begins it, and nowhere else.
        "session": None
        if session is None or not connecting.is_shown(session, visit)
        else {
            "state": session.state,
            "expires_at": session.expires_at,
            "failure": session.failure or None,
            "reason": session.reason,
        },
    }


def _summary(summary: TariffSummary) -> object:
    return {
        "status": summary.status,
        "name": summary.name,
        "provider": summary.provider,
        "structure": summary.structure,
        "contract_start": summary.contract_start,
        "contract_end": summary.contract_end,
    }


async def _begin(visit: Visit, body: Body) -> object:
    wishes = body or {}
    if set(wishes) - {"anew"} or not isinstance(wishes.get("anew", False), bool):
        raise Refused('expected {} or {"anew": true}')
    session = await connecting.begin(visit, _direction(visit), anew=wishes.get("anew", False))
    return {"state": session.state, "expires_at": session.expires_at, "url": session.url}


async def _cancel(visit: Visit, _body: Body) -> object:
    connecting.cancel(visit, _direction(visit))
    return None


async def _disconnect(visit: Visit, _body: Body) -> object:
    return {"note": await connecting.disconnect(visit, _direction(visit))}


async def _pair(visit: Visit, body: Body) -> object:
    code = (body or {}).get("code")
    if not isinstance(code, str) or len(body or {}) != 1:
        raise Refused('expected {"code": "..."}')
    await connecting.pair(visit, code)
    return None


def _direction(visit: Visit) -> Direction:
    """Raises HTTPNotFound."""
    found = connecting.direction_of(visit.request.match_info["direction"])
    if found is None:
        raise web.HTTPNotFound
    return found


ROUTES = (
    Route("GET", "/tariff/connections", "connections", "What is connected, and how it goes", _all),
    Route(
        "POST",
        f"{PATH}/session",
        "beginConnection",
        "A link at which the tariff is connected, or changed; it is a secret",
        _begin,
        has_body=True,
        status=201,
    ),
    Route("DELETE", f"{PATH}/session", "cancelConnection", "Give the link up", _cancel, status=204),
    Route("DELETE", PATH, "disconnect", "End the connection", _disconnect),
    Route(
        "POST",
        "/tariff/pairing",
        "pair",
        "Pair with a maker's backend",
        _pair,
        has_body=True,
        status=204,
    ),
)
