"""The sandbox's own pages under `/_sandbox`: what it is, who called, what goes wrong."""

from aiohttp import web

from integrations.sandbox.connect.sessions import Sessions
from integrations.sandbox.responses import BadRequestError, json_object
from integrations.sandbox.state import ACCOUNT_ID, API_KEY, SandboxState


class ControlApi:
    def __init__(self, sandbox: SandboxState, sessions: Sessions) -> None:
        self._sandbox = sandbox
        self._sessions = sessions

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/_sandbox", self._about),
            web.get("/_sandbox/calls", self._calls),
            web.get("/_sandbox/faults", self._faults),
            web.post("/_sandbox/faults", self._set_fault),
            web.delete("/_sandbox/faults", self._clear_faults),
            web.post("/_sandbox/events", self._raise_event),
            web.get("/_sandbox/connect", self._connect_sessions),
            web.post("/_sandbox/connect", self._end_session),
        ]

    async def _about(self, _request: web.Request) -> web.Response:
        return web.json_response(
            {
                "now": self._sandbox.clock.now().isoformat(),
                "account_id": ACCOUNT_ID,
                "api_key": API_KEY,
                "locations": {
                    location.id: {
                        "name": location.name,
                        "timezone": location.timezone,
                        "currency": location.currency,
                        "directions": list(location.series),
                    }
                    for location in self._sandbox.locations.values()
                },
            }
        )

    async def _calls(self, _request: web.Request) -> web.Response:
        return web.json_response(
            [
                {
                    "at": call.at.isoformat(),
                    "method": call.method,
                    "path": call.path,
                    "query": dict(call.query),
                    "status": call.status,
                }
                for call in self._sandbox.calls
            ]
        )

    async def _faults(self, _request: web.Request) -> web.Response:
        return web.json_response(self._sandbox.faults.listing())

    async def _set_fault(self, request: web.Request) -> web.Response:
        """`{"name": …}`, with `"times": 3` for three uses, with `"on": false` to end it."""
        try:
            body = await request.json()
            name, times = str(body["name"]), body.get("times")
            if body.get("on", True):
                self._sandbox.faults.on(name, None if times is None else int(times))
            else:
                self._sandbox.faults.off(name)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadRequestError("fault_invalid", f"{type(error).__name__}: {error}") from error
        return await self._faults(request)

    async def _raise_event(self, request: web.Request) -> web.Response:
        """`{"type": "tariff.expiring", "location_id": …}`: it happened now."""
        try:
            body = await request.json()
            kind, location_id = str(body["type"]), str(body["location_id"])
        except (ValueError, KeyError, TypeError) as error:
            raise BadRequestError("event_invalid", f"{type(error).__name__}: {error}") from error
        if location_id not in self._sandbox.locations:
            raise BadRequestError("event_invalid", f"there is no location {location_id}")
        self._sandbox.raise_event(kind, location_id)
        return web.json_response({"message": "ok"})

    async def _clear_faults(self, request: web.Request) -> web.Response:
        self._sandbox.faults.clear()
        return await self._faults(request)

    async def _connect_sessions(self, _request: web.Request) -> web.Response:
        return web.json_response(
            [
                {
                    "connect_token": session.token,
                    "direction": session.direction,
                    "route": session.route,
                    "location_id": session.location_id,
                    "complete_action": session.complete_action,
                }
                for session in self._sessions.all()
            ]
        )

    async def _end_session(self, request: web.Request) -> web.Response:
        """`{"connect_token": …, "action": "SAVE"}`, `DISCONNECT` or `EXPIRE`: without any page."""
        body = json_object(await request.read())
        token, action = str(body.get("connect_token")), body.get("action")
        actions = {
            "SAVE": self._sessions.complete,
            "DISCONNECT": self._sessions.disconnect,
            "EXPIRE": self._sessions.expire,
        }
        if action not in actions:
            raise BadRequestError("action_invalid", f"action is one of {', '.join(actions)}")
        actions[action](token)
        return await self._connect_sessions(request)
