"""A plain HTTP client of the sandbox, logged in."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientSession, TCPConnector

from agent.clock import SteppedClock
from integrations.sandbox.server import ACCOUNT_ID, API_KEY, FlatPeakSandbox


@dataclass
class Caller:
    session: ClientSession
    sandbox: FlatPeakSandbox
    token: str = ""

    @property
    def url(self) -> str:
        return self.sandbox.url

    async def get(self, path: str, **query: str) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        async with self.session.get(self.url + path, params=query, headers=headers) as response:
            return response.status, await response.json()

    async def rates(self, place: str, start: str, end: str, **more: str) -> dict[str, Any]:
        path = f"/tariffs/rates/{place}"
        status, answer = await self.get(path, start_time=start, end_time=end, **more)
        assert status == 200, answer
        return dict(answer)

    async def post(self, path: str, body: object) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        async with self.session.post(self.url + path, json=body, headers=headers) as response:
            return response.status, await response.json()

    async def delete(self, path: str) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self.session.delete(self.url + path, headers=headers) as response:
            return response.status, await response.json()

    async def log_in(self, key: str = API_KEY) -> dict[str, Any]:
        pair = base64.b64encode(f"{ACCOUNT_ID}:{key}".encode()).decode()
        headers = {"Authorization": f"Basic {pair}"}
        async with self.session.get(self.url + "/login", headers=headers) as response:
            answer = await response.json()
        self.token = answer.get("bearer_token", "")
        return dict(answer)


@asynccontextmanager
async def calling(clock: SteppedClock, **options: Any) -> AsyncIterator[Caller]:
    async with (
        FlatPeakSandbox(clock, **options) as sandbox,
        ClientSession(connector=TCPConnector(force_close=True)) as session,
    ):
        caller = Caller(session, sandbox)
        await caller.log_in()
        yield caller
