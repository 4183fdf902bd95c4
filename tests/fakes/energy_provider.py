"""An energy provider's machine side over loopback: a tariff endpoint and renewable tokens."""

from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from agent.clock import SteppedClock
from agent.energy.instants import format_instant
from integrations.sandbox.locations import ProviderName
from integrations.sandbox.provider_api.poller import ConnectedProvider

DYNAMIC = "DYNAMIC"


class EnergyProvider:
    """`async with` serves it. What it answers can be changed between polls."""

    def __init__(self, clock: SteppedClock) -> None:
        self.clock = clock
        self.structure = DYNAMIC
        self.start = datetime(2026, 1, 1, tzinfo=UTC)
        self.end: datetime | None = None
        self.price = 0.2
        self.revoked = False
        self.slow_s = 0.0
        self.answers: list[web.Response] = []
        self.polls: list[datetime] = []
        self.renewals = 0
        self._good_until = clock.now() + timedelta(hours=72)
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def __aenter__(self) -> "EnergyProvider":
        app = web.Application()
        app.add_routes(
            [web.get("/api/tariff", self._tariff), web.post("/oauth/token", self._token)]
        )
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_exc: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    def connected(self) -> ConnectedProvider:
        return ConnectedProvider(
            ProviderName("prv_000000000000000000000099", "Demo Energy"),
            f"{self.url}/flatpeak",
            "demo",
            "provider's password",
            client_secret="client's secret",
        )

    def auth_data(self) -> dict[str, Any]:
        return {
            "access_token": f"access{self.renewals}",
            "refresh_token": f"refresh{self.renewals}",
            "expires_at": format_instant(self._good_until),
            "tariff_url": f"{self.url}/api/tariff",
            "token_url": f"{self.url}/oauth/token",
        }

    async def _tariff(self, request: web.Request) -> web.Response:
        now = self.clock.now()
        self.polls.append(now)
        await self.clock.sleep(self.slow_s)
        if self.answers:
            return self.answers.pop(0)
        good = request.headers["Authorization"] == f"Bearer access{self.renewals}"
        if not good or self.revoked or now >= self._good_until:
            return web.json_response({"error": "invalid_token"}, status=401)
        begin = now.replace(minute=0, second=0, microsecond=0)
        half_hours = [begin + timedelta(minutes=30 * n) for n in range(96)]
        return web.json_response(
            {
                "display_name": "Agile",
                "structure_type": self.structure,
                "timezone": "Europe/London",
                "currency_code": "GBP",
                "contract_start_date": format_instant(self.start),
                "contract_end_date": self.end and format_instant(self.end),
                "data": [] if self.structure == DYNAMIC else [whole_day(self.price)],
                "rates": [
                    {
                        "valid_from": format_instant(at),
                        "valid_to": format_instant(at + timedelta(minutes=30)),
                        "value": self.price,
                    }
                    for at in half_hours
                ],
            }
        )

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        if self.revoked or form["refresh_token"] != f"refresh{self.renewals}":
            return web.json_response({"error": "invalid_grant"}, status=400)
        self.renewals += 1
        self._good_until = self.clock.now() + timedelta(hours=72)
        return web.json_response(
            {
                "access_token": f"access{self.renewals}",
                "refresh_token": f"refresh{self.renewals}",
                "expires_in": 72 * 3600,
            }
        )


def whole_day(price: float) -> dict[str, Any]:
    hours = {"valid_from": "00:00:00", "valid_to": "00:00:00"}
    tiers = [{"value": price, "to_kwh": 10}, {"value": price * 2, "to_kwh": None}]
    return {
        "months": ["All"],
        "days_and_hours": [{"days": ["All"], "hours": [{**hours, "rate": tiers}]}],
    }
