"""A FlatPeak that lives on this machine: its HTTP API and Connect over loopback.

It keeps the API's conduct (login, expiring tokens, windows, offsets, publication at a time of day,
both shapes of errors) and can be made to misbehave: `GET` and `POST /_sandbox/faults`. All its time
comes from a Clock, so a day may pass in a minute. It never listens on anything but loopback.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, time, timedelta
from email.utils import format_datetime

from aiohttp import web

from agent.clock import Clock
from integrations.sandbox.connect.dialogue import Dialogue
from integrations.sandbox.connect.host import WEB_PATH, ConnectHost, cors_headers
from integrations.sandbox.connect.sessions import SESSION_LIFE_S, Sessions
from integrations.sandbox.connect.token_api import TokenApi
from integrations.sandbox.control import ControlApi
from integrations.sandbox.faults import Faults
from integrations.sandbox.locations import Location, built_in
from integrations.sandbox.login import Login
from integrations.sandbox.objects_api import ObjectsApi
from integrations.sandbox.provider_api.api import PATHS, ProviderApi
from integrations.sandbox.provider_api.poller import INTERVAL, ConnectedProvider, Poller
from integrations.sandbox.rates_api import Publication, RatesApi
from integrations.sandbox.responses import BadRequestError, live_mode, plain
from integrations.sandbox.state import (
    ACCOUNT_ID,
    API_KEY,
    TEST_API_KEY,
    Call,
    Event,
    SandboxState,
)
from integrations.sandbox.transport_faults import transport_fault

log = logging.getLogger(__name__)

TOKEN_LIFE_S = 3600

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class FlatPeakSandbox:
    """The server. `async with` starts and stops it; `url` is known while it runs.

    `calls` are the requests so far, `faults` what goes wrong on purpose; `locations` by id.
    `sessions` are those of Connect, which can be completed there without any page. `port` 0 takes
    any free one. `processing_s`: how long a newly connected tariff has no prices yet.
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
        session_life_s: float = SESSION_LIFE_S,
        processing_s: float = 30,
        providers: Sequence[ConnectedProvider] = (),
        poll_interval: timedelta = INTERVAL,
    ) -> None:
        self.account_id = ACCOUNT_ID
        self.api_key = API_KEY
        self._state = SandboxState(clock, built_in() if locations is None else locations)
        self._login = Login(self._state, token_life_s)
        self.sessions = Sessions(self._state, life_s=session_life_s, processing_s=processing_s)
        self.poller = Poller(self._state, clock, poll_interval)
        self._providers = {provider.name.id: provider for provider in providers}
        self._polling: asyncio.Task[None] | None = None
        self._publication = Publication(publish_at, predictions, strict_offsets)
        self._port = port
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
        self._polling = asyncio.create_task(self.poller.run(), name="sandbox poller")

    async def stop(self) -> None:
        if self._polling is not None:
            self._polling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._polling
            self._polling = None
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def url(self) -> str:
        if self._runner is None:
            raise RuntimeError("the sandbox is not started")
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    @property
    def connect_web_url(self) -> str:
        """The sandbox's own Connect pages; the Connect host itself is at `/`."""
        return f"{self.url}{WEB_PATH}"

    def integrate(self, provider: ConnectedProvider) -> None:
        """Let Connect offer this provider from now on, by redirect to its own pages."""
        self._providers[provider.name.id] = provider

    @property
    def clock(self) -> Clock:
        return self._state.clock

    @property
    def faults(self) -> Faults:
        return self._state.faults

    @property
    def locations(self) -> dict[str, Location]:
        return self._state.locations

    @property
    def calls(self) -> deque[Call]:
        return self._state.calls

    @property
    def events(self) -> list[Event]:
        return self._state.events

    def raise_event(self, kind: str, location_id: str) -> None:
        """Let `GET /events` tell from now on that this happened."""
        self._state.raise_event(kind, location_id)

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
                web.get("/login", self._login.answer),
                *RatesApi(self._state, self._login, self._publication).routes(),
                *ObjectsApi(self._state, self._login).routes(),
                *TokenApi(self._state, self._login, self.sessions).routes(),
                *ProviderApi(
                    self._state,
                    self.sessions,
                    self._providers,
                    self.poller,
                    lambda: self.connect_web_url,
                ).routes(),
                *ConnectHost(
                    Dialogue(self._state, self.sessions, self._providers, self.poller)
                ).routes(),
                *ControlApi(self._state, self.sessions).routes(),
            ]
        )
        return app

    # What every request passes through.

    @web.middleware
    async def _middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        own = request.path.startswith("/_sandbox")
        live_mode.set(self._login.is_live(request))
        try:
            response = await (handler(request) if own else self._handle_api(request, handler))
        except web.HTTPException as error:
            response = plain(error.status, error.reason)
        except BadRequestError as error:
            of_session = self.sessions.find(error.connect_token)
            if of_session is not None:
                live_mode.set(of_session.live)
            response = self._state.error(
                error.status,
                "invalid_request",
                error.code,
                str(error),
                context=error.context,
                connect_token=error.connect_token,
            )
        except ConnectionError:
            raise
        except Exception:
            # The last door: a fault of the sandbox's own has the shape of FlatPeak's, too.
            log.exception("%s %s failed", request.method, request.path)
            response = self._state.error(500, "api_error", "internal_error", "A fault of our own")
        if not own:
            query = dict(request.query)
            at = self.clock.now()
            self.calls.append(Call(at, request.method, request.path, query, response.status))
            ahead = timedelta(hours=5 if self.faults.consume("clock_wrong") else 0)
            response.headers.update(cors_headers(request))
            response.headers["Date"] = format_datetime(at + ahead, usegmt=True)
        return response

    async def _handle_api(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == "/login" or request.match_info.http_exception is not None:
            return await handler(request)
        broken = await transport_fault(request, self.faults, self.clock)
        if broken is not None:
            return broken
        # Here the connect token, or the provider's own password, is the credential.
        if request.path == "/" or request.path.startswith((*PATHS, WEB_PATH)):
            return await handler(request)
        if self.faults.consume("token_lapses"):
            self._login.forget()
        if self._login.live_mode_of(request) is None:
            return plain(401 if self.faults.consume("expired_401") else 403, "Bad credentials")
        if self.faults.consume("account_disabled"):
            return self._state.error(
                422, "invalid_request", "account_disabled", "The subscription is over"
            )
        return await handler(request)


__all__ = ["ACCOUNT_ID", "API_KEY", "TEST_API_KEY", "FlatPeakSandbox"]
