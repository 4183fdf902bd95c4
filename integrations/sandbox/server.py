"""A FlatPeak that lives on this machine: the HTTP API of release Zero over loopback.

It keeps the API's conduct (login, expiring tokens, windows, offsets, publication at a time of day,
both shapes of errors) and can be made to misbehave: `GET` and `POST /_sandbox/faults`. All its time
comes from a Clock, so a day may pass in a minute. It never listens on anything but loopback.
"""

import base64
import binascii
import json
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, time, timedelta
from email.utils import format_datetime
from typing import Any

from aiohttp import web

from agent.clock import Clock
from integrations.sandbox import resources
from integrations.sandbox.control import Call, ControlApi
from integrations.sandbox.fault_injection import inject_faults
from integrations.sandbox.faults import Faults
from integrations.sandbox.locations import Location, built_in, object_id
from integrations.sandbox.rates_answer import (
    BadRequestError,
    ResponseOptions,
    parse_request,
    rates_answer,
)
from integrations.sandbox.responses import error_object, error_time, plain
from integrations.sandbox.transport_faults import transport_fault

ACCOUNT_ID = object_id("acc", 1)
API_KEY = "sk_live_000000000000000000000001"
TEST_API_KEY = "sk_test_000000000000000000000001"
TOKEN_LIFE_S = 3600
SHORT_TOKEN_LIFE_S = 5
REMEMBERED_CALLS = 20_000
CODES_422 = {
    "pending_connect": "The tariff is being processed",
    "no_tariff_connected": "No tariff is connected for this direction",
    "no_price_data": "There is no price data",
    "unknown_code": "Something else is wrong",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class FlatPeakSandbox:
    """The server. `async with` starts and stops it; `url` is known while it runs.

    `calls` are the requests so far, `faults` what goes wrong on purpose; `locations` by id.
    `port` 0 takes any free one.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        locations: Sequence[Location] | None = None,
        port: int = 0,
        publish_at: time = time(13),
        predictions: bool = False,
        strict_offsets: bool = False,
        token_life_s: int = TOKEN_LIFE_S,
    ) -> None:
        self.clock = clock
        self.locations = {
            location.id: location for location in (built_in() if locations is None else locations)
        }
        self.faults = Faults()
        self.calls: deque[Call] = deque(maxlen=REMEMBERED_CALLS)
        self.events: list[resources.Happened] = []
        self.account_id = ACCOUNT_ID
        self.api_key = API_KEY
        self._port = port
        self._publish_at = publish_at
        self._predictions = predictions
        self._strict_offsets = strict_offsets
        self._token_life_s = token_life_s
        self._tokens: dict[str, tuple[datetime, bool]] = {}
        self._tokens_given = 0
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> "FlatPeakSandbox":
        await self.start()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen. Raises OSError where the port is taken."""
        # An answer that is slow on purpose ends with the client that gave up on it.
        runner = web.AppRunner(
            self._app(), access_log=None, handler_cancellation=True, shutdown_timeout=0.1
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", self._port).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def url(self) -> str:
        if self._runner is None:
            raise RuntimeError("the sandbox is not started")
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    def count(self, path_start: str = "/", since: datetime | None = None) -> int:
        """Calls to paths that begin so, at `since` or later."""
        return sum(
            call.path.startswith(path_start) and (since is None or call.at >= since)
            for call in self.calls
        )

    def _app(self) -> web.Application:
        app = web.Application(middlewares=[self._middleware])
        app.add_routes(
            [
                web.get("/login", self._login),
                web.get("/tariffs/rates/{id}", self._rates),
                web.get("/customers", self._customers),
                web.get("/locations", self._locations),
                web.get("/locations/{id}", self._location),
                web.get("/locations/{id}/status", self._location_status),
                web.get("/tariffs/elements", self._elements),
                web.get("/events", self._events),
                *ControlApi(self).routes(),
            ]
        )
        return app

    # What every request passes through.

    @web.middleware
    async def _middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        own = request.path.startswith("/_sandbox")
        try:
            response = await (handler(request) if own else self._handle_api(request, handler))
        except web.HTTPException as error:
            response = plain(error.status, error.reason)
        except BadRequestError as error:
            response = self._error(error.status, "invalid_request", error.code, str(error))
        if not own:
            query = dict(request.query)
            at = self.clock.now()
            self.calls.append(Call(at, request.method, request.path, query, response.status))
            ahead = timedelta(hours=5 if self.faults.consume("clock_wrong") else 0)
            response.headers["Date"] = format_datetime(at + ahead, usegmt=True)
        return response

    async def _handle_api(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == "/login":
            return await handler(request)
        broken = await transport_fault(request, self.faults, self.clock)
        if broken is not None:
            return broken
        if self.faults.consume("token_lapses"):
            self._tokens.clear()
        if self._live_mode_of(request) is None:
            return plain(401 if self.faults.consume("expired_401") else 403, "Bad credentials")
        if self.faults.consume("account_disabled"):
            return self._error(
                422, "invalid_request", "account_disabled", "The subscription is over"
            )
        return await handler(request)

    def _live_mode_of(self, request: web.Request) -> bool | None:
        """Whether the bearer is of a live key; None where it is not, or no longer, good."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        until, live = self._tokens.get(token, (None, False))
        if scheme.lower() != "bearer" or until is None or self.clock.now() >= until:
            return None
        return live

    def raise_event(self, kind: str, location_id: str) -> None:
        """Let `GET /events` tell from now on that this happened."""
        self.events.append(resources.Happened(kind, location_id, self.clock.now()))

    # The API.

    async def _login(self, request: web.Request) -> web.Response:
        if self.faults.consume("login_error"):
            return plain(500, "Internal Server Error")
        if self.faults.consume("login_garbage"):
            return web.json_response({"message": "ok"})
        account_id, api_key = _basic(request.headers.get("Authorization", ""))
        known = account_id == self.account_id and api_key in (self.api_key, TEST_API_KEY)
        if not known or self.faults.consume("login_refused"):
            return plain(403, "Bad credentials")
        now = self.clock.now()
        self._tokens = {token: kept for token, kept in self._tokens.items() if kept[0] > now}
        self._tokens_given += 1
        life_s = SHORT_TOKEN_LIFE_S if self.faults.consume("short_token") else self._token_life_s
        live = api_key.startswith("sk_live_")
        token = f"sandbox.{self._tokens_given}"
        self._tokens[token] = now + timedelta(seconds=life_s), live
        answer: dict[str, Any] = {"bearer_token": token, "expires_in": life_s, "live_mode": live}
        if self.faults.consume("no_live_mode"):
            del answer["live_mode"]
        return web.json_response(answer)

    async def _rates(self, request: web.Request) -> web.Response:
        location = self._requested_location(request)
        rates_request = parse_request(request.query, self.clock.now(), self._strict_offsets)
        refused = self._no_prices(location, rates_request.direction)
        if refused is not None:
            return refused
        consume, now = self.faults.consume, self.clock.now()
        options = ResponseOptions(
            time(23) if consume("publication_late") else self._publish_at,
            self._predictions or consume("predictions"),
            contract_ended=consume("contract_ended"),
            publication_fails=consume("publication_fails"),
            prices_late=consume("prices_late"),
            withdrawn=consume("rates_withdrawn"),
            short_horizon=consume("short_horizon"),
        )
        answer = rates_answer(
            location, rates_request, now, options, bool(self._live_mode_of(request))
        )
        text = json.dumps(inject_faults(answer, rates_request, now, self.faults))
        if consume("truncated"):
            text = text[: len(text) // 2]
        return web.Response(text=text, content_type="application/json")

    def _no_prices(self, location: Location, direction: str) -> web.Response | None:
        for code, message in CODES_422.items():
            if self.faults.consume(code):
                return self._error(422, "api_error", code, message)
        if self.faults.consume("plain_422"):
            return plain(422, "Unprocessable Entity")
        missing = direction not in location.series
        if missing or (direction == "EXPORT" and self.faults.consume("no_export")):
            code = "no_tariff_connected"
            return self._error(422, "api_error", code, CODES_422[code])
        return None

    async def _customers(self, request: web.Request) -> web.Response:
        live = bool(self._live_mode_of(request))
        items = resources.customers(list(self.locations.values()), live)
        return web.json_response(resources.page(items, request.query, "/customers", 30))

    async def _locations(self, request: web.Request) -> web.Response:
        live = bool(self._live_mode_of(request))
        items = [resources.location_object(location, live) for location in self.locations.values()]
        return web.json_response(resources.page(items, request.query, "/locations", 30))

    async def _location(self, request: web.Request) -> web.Response:
        live = bool(self._live_mode_of(request))
        return web.json_response(resources.location_object(self._requested_location(request), live))

    async def _location_status(self, request: web.Request) -> web.Response:
        live = bool(self._live_mode_of(request))
        return web.json_response(
            resources.location_status_object(self._requested_location(request), live)
        )

    async def _elements(self, request: web.Request) -> web.Response:
        query = request.query
        if not query.get("location_id"):
            raise BadRequestError("location_id_missing", "location_id is required")
        location = self.locations.get(query["location_id"])
        if location is None:
            raise web.HTTPNotFound
        items = [
            element
            for element in resources.elements(location, bool(self._live_mode_of(request)))
            if query.get("direction", element["direction"]) == element["direction"]
            and query.get("type", element["type"]) == element["type"]
        ]
        return web.json_response(resources.page(items, query, "/tariffs/elements", 30))

    async def _events(self, request: web.Request) -> web.Response:
        if self.faults.consume("no_events"):
            raise web.HTTPNotFound
        query = request.query
        live = bool(self._live_mode_of(request))
        items = [
            event
            for event in resources.events(list(self.locations.values()), self.events, live)
            if query.get("event_type", event["type"]) == event["type"]
            and ("object_id" not in query or query["object_id"] in event["data"].values())
        ]
        return web.json_response(resources.page(items, query, "/events", 100))

    def _requested_location(self, request: web.Request) -> Location:
        location = self.locations.get(request.match_info["id"])
        if location is None or self.faults.consume("deleted"):
            raise web.HTTPNotFound
        return location

    def _error(self, status: int, kind: str, code: str, message: str) -> web.Response:
        naive = self.faults.consume("naive_error_time")
        return error_object(status, kind, code, message, error_time(self.clock.now(), naive=naive))


def _basic(header: str) -> tuple[str, str]:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return user, password
