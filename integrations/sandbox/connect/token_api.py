"""A device's calls: make a session, ask what came of it, in each release's way."""

from typing import Any

from aiohttp import web

from agent.energy.instants import format_instant
from integrations.sandbox.connect.addresses import is_address
from integrations.sandbox.connect.sessions import Session, Sessions
from integrations.sandbox.login import Login
from integrations.sandbox.regions import region_of
from integrations.sandbox.responses import BadRequestError, json_object
from integrations.sandbox.state import ACCOUNT_ID, SandboxState

CONTEXT = "api.connect_token_create"
TYPES = ("COMMODITY", "NON_COMMODITY")
REFERENCES = ("customer_id", "customer_reference_id", "location_id", "location_reference_id")
MAX_REFERENCE = 200


class TokenApi:
    def __init__(self, state: SandboxState, login: Login, sessions: Sessions) -> None:
        self._state = state
        self._login = login
        self._sessions = sessions

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/connect/tariff/token", self._create),
            web.get("/connect/tariff/token", self._exchange),
            web.post("/connect/token", self._create_anode),
            web.get("/connect/token", self._exchange),
            web.post("/connect", self._create_busbar),
            web.get("/connect/{token}", self._busbar_session),
        ]

    async def _create(self, request: web.Request) -> web.Response:
        body = json_object(await request.read())
        return self._created(self._session(body, self._login.is_live(request)))

    async def _create_anode(self, request: web.Request) -> web.Response:
        body = _in_zero_names(json_object(await request.read()))
        _require_addresses(body, "connect_url", "callback_url")
        return self._created(self._session(body, self._login.is_live(request)))

    async def _create_busbar(self, request: web.Request) -> web.Response:
        body = _in_zero_names(json_object(await request.read()))
        _require_addresses(body, "connect_url", "callback_url")
        if not body.get("location_id"):
            raise _refused("location_id_missing", "location_id is required")
        return web.json_response(
            self._busbar_object(self._session(body, self._login.is_live(request)))
        )

    def _session(self, body: dict[str, Any], live: bool) -> Session:
        """Checks in the order of the field table. Raises BadRequestError, HTTPNotFound."""
        if not body.get("callback_uri"):
            raise _refused("callback_uri_missing", "callback_uri is required")
        for name in ("callback_uri", "connect_web_uri"):
            if body.get(name) and not is_address(body[name]):
                raise _refused(f"{name}_invalid", f"{name} is no address to send a browser to")
        direction, kind = body.get("direction", "IMPORT"), body.get("type", "COMMODITY")
        if direction == "LOCAL":
            raise _refused("tariff_direction_not_supported", "LOCAL has to be enabled first")
        if direction not in ("IMPORT", "EXPORT"):
            raise _refused("tariff_direction_invalid", "direction is IMPORT or EXPORT")
        if kind not in TYPES:
            raise _refused("tariff_type_invalid", "type is COMMODITY or NON_COMMODITY")
        given = {name: self._reference(body, name) for name in (*REFERENCES, "device_id")}
        if given["location_id"] and given["location_reference_id"]:
            raise _refused(
                "location_id_invalid", "location_id and location_reference_id exclude each other"
            )
        location_id, tariff_id = given["location_id"], self._reference(body, "tariff_id")
        if location_id and location_id not in self._state.locations:
            raise web.HTTPNotFound
        if given["customer_id"] and given["customer_id"] not in self._state.customers:
            raise web.HTTPNotFound
        if tariff_id:
            location_id = self._location_of_tariff(tariff_id, location_id)
        region = None
        if (address := body.get("postal_address")) is not None:
            if not isinstance(address, dict):
                raise _refused("data_json_invalid", "postal_address is an object")
            # With less than city and country the address page asks for the rest.
            if address.get("city") and address.get("country_code"):
                region = region_of(address, CONTEXT)
        return self._sessions.create(
            {
                "live": live,
                "direction": direction,
                "type": kind,
                "callback": body["callback_uri"],
                "web": body.get("connect_web_uri") or "",
                "customer_id": given["customer_id"],
                "customer_reference": given["customer_reference_id"],
                "location_id": location_id,
                "location_reference": given["location_reference_id"],
                "device_id": given["device_id"],
                "tariff_id": tariff_id,
                "region": region,
            }
        )

    def _reference(self, body: dict[str, Any], name: str) -> str:
        value = body.get(name) or ""
        if not isinstance(value, str) or len(value) > MAX_REFERENCE:
            raise _refused(f"{name}_invalid", f"{name} is text")
        return value

    def _location_of_tariff(self, tariff_id: str, location_id: str) -> str:
        for place in self._state.locations.values():
            if location_id in ("", place.id) and any(
                tariff.id == tariff_id for tariff in place.tariffs.values()
            ):
                return place.id
        raise web.HTTPNotFound

    def _created(self, session: Session) -> web.Response:
        life = session.expires - session.created
        return web.json_response(
            {
                "connect_token": session.token,
                "expires_in": int(life.total_seconds()),
                "live_mode": session.live,
            }
        )

    async def _exchange(self, request: web.Request) -> web.Response:
        """404 before there is a location, 422 where a known one's session is not over yet."""
        session = self._sessions.get(
            request.query.get("connect_token"), "api.connect_token_exchange"
        )
        unfinished = not session.complete_action
        if unfinished and (session.location_id or self._state.faults.consume("exchange_422")):
            raise BadRequestError(
                "session_not_complete",
                "The session is not complete",
                422,
                "api.connect_token_exchange",
                session.token,
            )
        if unfinished:
            raise web.HTTPNotFound
        answer = {
            "id": session.token,
            "object": "connect_token",
            "live_mode": session.live,
            "customer_id": session.customer_id,
            "customer_reference_id": session.customer_reference,
            "location_id": session.location_id,
            "location_reference_id": session.location_reference,
            "is_tariff_processed": self._sessions.is_processed(session),
            "complete_action": session.complete_action,
            "time_created": format_instant(session.created),
            "time_expiry": format_instant(session.expires),
        }
        if self._state.faults.consume("exchange_foreign"):
            answer["id"] = "cot_000000000000000000000000"
        if self._state.faults.consume("exchange_old"):
            del answer["is_tariff_processed"], answer["complete_action"]
        return web.json_response(answer)

    async def _busbar_session(self, request: web.Request) -> web.Response:
        session = self._sessions.get(request.match_info["token"], "api.connect_session_get")
        return web.json_response(self._busbar_object(session))

    def _busbar_object(self, session: Session) -> dict[str, Any]:
        return {
            "id": session.token,
            "object": "connect_session",
            "live_mode": session.live,
            "location_id": session.location_id,
            "device_id": session.device_id,
            "connect_url": session.web,
            "callback_url": session.callback,
            "data_available": bool(session.complete_action)
            and self._sessions.is_processed(session),
            "time_created": format_instant(session.created),
            "time_expiry": format_instant(session.expires),
            "account_id": ACCOUNT_ID,
        }


def _in_zero_names(body: dict[str, Any]) -> dict[str, Any]:
    """A later release's body with release Zero's names added."""
    names = {
        "callback_url": "callback_uri",
        "connect_url": "connect_web_uri",
        "tariff_direction": "direction",
        "tariff_type": "type",
    }
    return {**body, **{zero: body[later] for later, zero in names.items() if later in body}}


def _require_addresses(body: dict[str, Any], *names: str) -> None:
    for name in names:
        if not body.get(name):
            raise _refused(f"{name}_missing", f"{name} is required")


def _refused(code: str, message: str) -> BadRequestError:
    return BadRequestError(code, message, 422, CONTEXT)
