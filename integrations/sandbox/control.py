"""The sandbox's own pages under `/_sandbox`: what it is, who called, what goes wrong."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from aiohttp import web

from agent.clock import Clock
from integrations.sandbox.faults import Faults
from integrations.sandbox.locations import Location
from integrations.sandbox.rates_answer import BadRequestError


@dataclass(frozen=True, slots=True)
class Call:
    """One request that came in, the sandbox's own pages left out."""

    at: datetime
    method: str
    path: str
    query: Mapping[str, str]
    status: int


class SandboxState(Protocol):
    """What the pages need of the sandbox."""

    clock: Clock
    account_id: str
    api_key: str
    locations: dict[str, Location]
    faults: Faults

    @property
    def calls(self) -> Iterable[Call]: ...

    def raise_event(self, kind: str, location_id: str) -> None: ...


class ControlApi:
    def __init__(self, sandbox: SandboxState) -> None:
        self._sandbox = sandbox

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/_sandbox", self._about),
            web.get("/_sandbox/calls", self._calls),
            web.get("/_sandbox/faults", self._faults),
            web.post("/_sandbox/faults", self._set_fault),
            web.delete("/_sandbox/faults", self._clear_faults),
            web.post("/_sandbox/events", self._raise_event),
        ]

    async def _about(self, _request: web.Request) -> web.Response:
        return web.json_response(
            {
                "now": self._sandbox.clock.now().isoformat(),
                "account_id": self._sandbox.account_id,
                "api_key": self._sandbox.api_key,
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
