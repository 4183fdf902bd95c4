"""A Shelly plug (Gen2) as its vendor documents it: RPC and commands, status on change."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiomqtt

from integrations.sandbox.broker import HOST
from tests.fakes.brokers import PATIENCE_S


@dataclass
class ShellyPlug:
    """`requests` are the RPC calls that it took; `timer_s` what is left to it alone."""

    client: aiomqtt.Client
    prefix: str
    power_w: float = 800.0
    output: bool = False
    timer_s: float | None = None
    requests: list[dict[str, Any]] = field(default_factory=list)
    retained: list[str] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def pump(self) -> None:
        await self.client.publish(f"{self.prefix}/online", "true", qos=1, retain=True)
        async for message in self.client.messages:
            assert isinstance(message.payload, bytes)
            if message.retain:
                self.retained.append(str(message.topic))
            if str(message.topic) == f"{self.prefix}/rpc":
                await self._call(json.loads(message.payload))
            elif message.payload == b"status_update":
                await self._tell_status()
            self._news.set()

    async def until(self, *, output: bool) -> None:
        """Until its relay is in that position."""
        async with asyncio.timeout(PATIENCE_S):
            while self.output is not output:
                self._news.clear()
                await self._news.wait()

    async def _call(self, request: dict[str, Any]) -> None:
        self.requests.append(request)
        answer: dict[str, Any] = {"id": request["id"], "src": self.prefix, "dst": request["src"]}
        params = request["params"]
        if request["method"] != "Switch.Set" or params["id"] != 0:
            answer["error"] = {"code": -105, "message": f"Argument 'id', value {params['id']}"}
        else:
            answer["result"] = {"was_on": self.output}
            self.output, self.timer_s = params["on"], params.get("toggle_after")
        await self.client.publish(f"{request['src']}/rpc", json.dumps(answer))
        await self._tell_status()

    async def _tell_status(self) -> None:
        status = {
            "id": 0,
            "source": "MQTT",
            "output": self.output,
            "apower": self.power_w if self.output else 0.0,
            "voltage": 230.1,
            "aenergy": {"total": 1234.5, "by_minute": [0, 0, 0], "minute_ts": 1768521660},
            "temperature": {"tC": 31.2, "tF": 88.2},
        }
        await self.client.publish(f"{self.prefix}/status/switch:0", json.dumps(status))


@contextlib.asynccontextmanager
async def shelly_plug(port: int, prefix: str) -> AsyncIterator[ShellyPlug]:
    will = aiomqtt.Will(f"{prefix}/online", "false", 1, retain=True)
    client = aiomqtt.Client(HOST, port, identifier=prefix, will=will, timeout=PATIENCE_S)
    async with client:
        plug = ShellyPlug(client, prefix)
        for topic in ("rpc", "command/switch:0"):
            await client.subscribe(f"{prefix}/{topic}", 1)
        job = asyncio.create_task(plug.pump())
        try:
            yield plug
        finally:
            job.cancel()
            await asyncio.gather(job, return_exceptions=True)
