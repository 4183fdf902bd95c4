"""An agent with its local pages on, on a real broker, as a visitor finds it."""

import asyncio
import contextlib
import json
import re
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import aiohttp

from agent.store import Store
from agent.web.claim_code import issue_claim_code
from integrations.sandbox.broker import HOST, free_port
from tests.fakes.real_home import RealHome, real_home

# For a condition on a machine that is busy with other tests.
PATIENCE_S = 60.0
PASSWORD = "correct horse battery"
MORNING = datetime(2026, 1, 15, 9, 0)  # noqa: DTZ001 - local time of the house
DEVICES: Sequence[Mapping[str, object]] = (
    {
        "id": "ev",
        "type": "ev_charger",
        "max_power_w": 11_000,
        "battery_kwh": 60,
        "energy_kwh": 12,
    },
    {"id": "boiler", "type": "water_heater", "power_w": 2000, "needs": [{"energy_kwh": 4}]},
)
TOKEN = re.compile(r'name="csrf_token" value="([0-9a-f]+)"')


@dataclass
class WebHome:
    """`folder` is the state folder; `agent` is one life of the agent with its pages."""

    home: RealHome
    folder: Path
    port: int
    web: Mapping[str, object] = field(default_factory=dict)
    sections: Mapping[str, object] = field(default_factory=dict)
    devices: Sequence[Mapping[str, object]] = DEVICES

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def code(self) -> str:
        return issue_claim_code(self.folder)

    @contextlib.asynccontextmanager
    async def agent(self, store: Store | None = None, state: str = "ok") -> AsyncIterator[None]:
        """`state`: that of its pages which is waited for."""
        section = {"enabled": True, "host": HOST, "port": self.port, **self.web}
        config = self.home.config(
            self.devices, web=section, state={"directory": str(self.folder)}, **self.sections
        )
        after = len(self.home.watcher.heard)
        async with self.home.agent(config, store or Store.in_memory()):
            # What an earlier agent said of its pages is not this one's.
            await self.until_part("web", state, after)
            await self.home.until_status(b"online", after)
            yield

    async def until_part(self, part: str, state: str = "ok", after: int = 0) -> Mapping[str, Any]:
        """The health of a part as it is published, once it is so.

        `after`: how many messages had come before those that count.
        """

        def found() -> Mapping[str, Any] | None:
            for item in reversed(self.home.watcher.heard[after:]):
                if item.topic.endswith("/health") and item.payload:
                    condition = json.loads(item.payload)["parts"].get(part)
                    return condition if condition and condition["state"] == state else None
            return None

        await self.home.watcher.until(lambda _heard: found() is not None)
        condition = found()
        assert condition is not None
        return condition


@dataclass
class Visitor:
    """A browser without scripts: cookies, forms with their hidden fields, no redirects followed."""

    base: str
    session: aiohttp.ClientSession
    token: str = ""

    async def get(self, path: str, **more: Any) -> tuple[int, str]:
        async with self.session.get(self.base + path, **more) as answer:
            text = await answer.text()
            if found := TOKEN.search(text):
                self.token = found[1]
            return answer.status, text

    async def until(self, path: str, text: str, **more: Any) -> str:
        """The page, once the text stands in it."""
        async with asyncio.timeout(PATIENCE_S):
            while text not in (page := (await self.get(path, **more))[1]):
                # Fewer than the pages answer one visitor.
                await asyncio.sleep(0.2)
        return page

    async def send(self, path: str, **fields: str) -> aiohttp.ClientResponse:
        """A form of the page that was read last."""
        data = {"csrf_token": self.token, **fields}
        async with self.session.post(self.base + path, data=data, allow_redirects=False) as answer:
            await answer.read()
            return answer

    async def claim(self, code: str, password: str = PASSWORD) -> aiohttp.ClientResponse:
        await self.get("/claim")
        return await self.send("/claim/password", code=code, password=password, again=password)

    async def log_in(self, password: str = PASSWORD) -> aiohttp.ClientResponse:
        await self.get("/login")
        return await self.send("/login/check", password=password)

    def cookies(self) -> dict[str, str]:
        return {cookie.key: cookie.value for cookie in self.session.cookie_jar}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.session.close()


def visitor(base: str, tls: ssl.SSLContext | None = None) -> Visitor:
    """`tls`: whom it trusts."""
    jar = aiohttp.CookieJar(unsafe=True)
    connector = aiohttp.TCPConnector(ssl=tls or True)
    return Visitor(base, aiohttp.ClientSession(cookie_jar=jar, connector=connector))


@contextlib.asynccontextmanager
async def web_home(
    folder: Path, devices: Sequence[Mapping[str, object]] = DEVICES, /, **web: object
) -> AsyncIterator[WebHome]:
    """The house with its broker; the agent is started by `agent`."""
    async with real_home("embedded", MORNING) as home:
        yield WebHome(home, folder, free_port(), web, devices=devices)


@contextlib.asynccontextmanager
async def running(
    folder: Path, devices: Sequence[Mapping[str, object]] = DEVICES, /, **web: object
) -> AsyncIterator[WebHome]:
    async with web_home(folder, devices, **web) as house, house.agent():
        yield house
