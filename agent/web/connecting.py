"""What the owner does about the tariff's connection: for the page Tariff and for the API.

Each deed is recorded in the security log. Raises Refused and Unavailable with a sentence in the
visitor's language.
"""

from agent.connect_ports import TariffConnection
from agent.energy.connection import ConnectSession, SessionState, TariffStatus
from agent.energy.rates import Direction
from agent.errors import Malformed, Refused, Unavailable
from agent.web.visit import Visit

CALLBACK = "/tariff/callback"
MOST_CODE = 100


def connection_of(visit: Visit) -> TariffConnection:
    connection = visit.context.services.tariff_connection
    if connection is None:
        raise Refused(visit.words("tariff.not_here"), "no_source")
    return connection


def direction_of(text: object) -> Direction | None:
    return next((direction for direction in Direction if direction == text), None)


def is_connected(connection: TariffConnection, direction: Direction) -> bool:
    """By our own word; by the source's where the location is not one that was connected here."""
    if connection.location.location_id and not connection.conflict:
        return direction in connection.location.directions
    return any(
        item.direction is direction and item.status is not TariffStatus.NOT_CONNECTED
        for item in connection.summaries
    )


def is_shown(session: ConnectSession, visit: Visit) -> bool:
    """Is there something to say of it besides what is connected?"""
    if session.state is SessionState.OPEN:
        return is_open(session, visit)
    return session.state in (SessionState.PROCESSING, SessionState.FAILED)


def is_open(session: ConnectSession, visit: Visit) -> bool:
    """Does its link still lead somewhere?"""
    return session.state is SessionState.OPEN and session.expires_at > visit.now


async def begin(visit: Visit, direction: Direction, *, anew: bool = False) -> ConnectSession:
    """The session that is open (`anew`: never that one), or a new one; the way back is our page."""
    connection = connection_of(visit)
    if connection.api.pairs and not connection.paired:
        raise Refused(visit.words("tariff.pair_first"), "not_paired")
    scheme = "https" if visit.secure else "http"
    callback = f"{scheme}://{visit.request.host}{CALLBACK}"
    try:
        session = await connection.begin(direction, callback, anew=anew)
    except Refused as error:
        reason = visit.words("tariff.refused", reason=visit.words.plain(error.sentence))
        raise Refused(reason, error.code) from error
    except (Unavailable, Malformed) as error:
        raise Unavailable(visit.words("tariff.unavailable")) from error
    visit.context.security_log.record("config_changed", f"tariff: connect {direction}")
    return session


def cancel(visit: Visit, direction: Direction) -> None:
    connection_of(visit).cancel(direction)
    visit.context.security_log.record("config_changed", f"tariff: cancel {direction}")


async def disconnect(visit: Visit, direction: Direction) -> str:
    """It ends here in any case; a sentence where the source has kept it."""
    left = await connection_of(visit).disconnect(direction)
    visit.context.security_log.record("consent_withdrawn", f"tariff: {direction}")
    if not left:
        return ""
    return visit.words("tariff.left_there", reason=visit.words.plain(left))


async def pair(visit: Visit, code: str) -> None:
    connection = connection_of(visit)
    if not connection.api.pairs:
        raise Refused(visit.words("tariff.pairs_not"), "no_pairing")
    code = code.strip()
    if not 0 < len(code) <= MOST_CODE:
        raise Refused(visit.words("tariff.code_missing"), "code_missing")
    try:
        await connection.pair(code)
    except Refused as error:
        raise Refused(visit.words("tariff.code_refused"), error.code) from error
    except (Unavailable, Malformed) as error:
        raise Unavailable(visit.words("tariff.unavailable")) from error
    visit.context.security_log.record("config_changed", "tariff: paired")
