"""What tests of the provider share: a clock in the hand, a browser without a window."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pyotp

from integrations.provider.audit import entries
from integrations.provider.database import Database
from integrations.provider.settings import ProviderConfig
from tests.fakes.flatpeak_for_providers import (
    PASSWORD,
    USERNAME,
    FlatPeakForProviders,
    Poller,
)

START = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
SECRET = "client-secret-of-flatpeak"
ANNA = ("anna@example.org", "sunny-meadow-42")
BEN = ("ben@example.org", "quiet-harbour-17")
CLEO = ("cleo@example.org", "amber-window-88")
DORA = ("dora@example.org", "silver-bridge-23")
SEED = "JBSWY3DPEHPK3PXPJBSWY3DP"


class HandClock:
    """Shows what the test says."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> datetime:
        return self.time

    def forward(self, **span: float) -> None:
        self.time += timedelta(**span)

    async def sleep(self, seconds: float) -> None:
        await _never()

    async def sleep_until(self, when: datetime) -> None:
        await _never()


async def _never() -> None:
    await asyncio.Event().wait()


@dataclass
class Provider:
    """One that runs: its address, its FlatPeak and a way to look at what it wrote."""

    url: str
    config: ProviderConfig
    database: Database
    flatpeak: FlatPeakForProviders
    clock: HandClock

    def arrival(self, token: str, parameter: str = "connect_token") -> str:
        return f"{self.url}/flatpeak?{parameter}={token}"

    async def events(self) -> list[str]:
        return [entry["event"] async for entry in entries(self.database)]

    async def audit(self) -> list[dict[str, str]]:
        return [entry async for entry in entries(self.database)]

    def poller(self, token: str) -> Poller:
        return Poller(self.flatpeak.outcome(token)["data"]["auth_data"], SECRET)

    def code(self) -> str:
        return pyotp.TOTP(SEED).at(self.clock.now())


MakeProvider = Callable[..., Awaitable[Provider]]


def settings(own: str, database_url: str, flatpeak_url: str) -> dict[str, Any]:
    return {
        "public_url": own,
        "brand": {"name": "Demo Energy"},
        "database": {"url": database_url},
        "flatpeak": {"url": flatpeak_url, "username": USERNAME, "password": PASSWORD},
        "oauth": {"client_secret": SECRET},
    }


@dataclass
class Page:
    """What a browser has before it."""

    status: int
    text: str
    url: str
    headers: Any

    @property
    def title(self) -> str:
        found = re.search(r"<h1>(.*?)</h1>", self.text)
        return found[1] if found else ""


class Browser:
    """A cookie jar, and forms filled in as they stand on the page. Follows redirects to the
    provider itself; one that leads elsewhere ends in `left_for`."""

    def __init__(self, provider_url: str, *, keeps_connections: bool = True) -> None:
        self._own = provider_url
        self._http = aiohttp.ClientSession(
            cookie_jar=aiohttp.CookieJar(unsafe=True),
            connector=aiohttp.TCPConnector(force_close=not keeps_connections),
        )
        self.page = Page(0, "", "", {})
        self.left_for = ""

    async def close(self) -> None:
        await self._http.close()

    async def get(self, url: str, **options: Any) -> Page:
        return await self._go("GET", url, **options)

    async def submit(self, deed: str, page: Page | None = None, **fields: str) -> Page:
        """Send the form of that deed on the page (the one shown, or an earlier one)."""
        text = (page or self.page).text
        form = re.search(rf'<form method="post" action="([^"]*/{deed})">(.*?)</form>', text, re.S)
        assert form is not None, f"no form {deed} on {(page or self.page).title}"
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form[2]))
        return await self._go("POST", self._own + form[1], data=hidden | fields)

    async def _go(self, method: str, url: str, **options: Any) -> Page:
        for _ in range(10):
            async with self._http.request(method, url, allow_redirects=False, **options) as answer:
                text = await answer.text()
                target = answer.headers.get("Location", "")
                self.page = Page(answer.status, text, url, answer.headers)
            if not target:
                return self.page
            if not target.startswith(("/", self._own)):
                self.left_for = target
                return self.page
            method, url = "GET", target if target.startswith("http") else self._own + target
            options = {}
        raise AssertionError("redirected in a circle")


async def sign_in(browser: Browser, who: tuple[str, str]) -> Page:
    return await browser.submit("login", login=who[0], password=who[1])


NewBrowser = Callable[[Provider], Browser]
