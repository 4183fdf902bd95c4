"""A real Home Assistant of this machine, over its own API; skipped where there is none.

`HASS` names the program `hass` of an installation of 2025.4 or later, such as
`pip install homeassistant paho-mqtt` in a virtual environment of its own makes it.
"""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from integrations.sandbox.broker import HOST, free_port

STARTS_WITHIN_S = 240.0
PATIENCE_S = 60.0
CONFIGURATION = """
homeassistant:
  name: Bench
  latitude: 51.34
  longitude: 12.37
  elevation: 10
  unit_system: metric
  currency: EUR
  country: DE
  time_zone: Europe/Berlin
http:
  server_host: 127.0.0.1
  server_port: {port}
api:
websocket_api:
config:
onboarding:
recorder:
history:
energy:
logger:
  default: warning
  logs:
    homeassistant.components.mqtt: info
"""
ENTRY = "01MQTTTESTENTRY0000000000A"
CREATED = "2026-01-01T00:00:00+00:00"


def hass_program() -> Path:
    """The program; the test is skipped where nobody has named one."""
    found = os.environ.get("HASS")
    if not found:
        pytest.skip("HASS names no Home Assistant")
    return Path(found)


def _entry(broker_port: int) -> dict[str, object]:
    return {
        "created_at": CREATED,
        "data": {"broker": HOST, "port": broker_port},
        "disabled_by": None,
        "discovery_keys": {},
        "domain": "mqtt",
        "entry_id": ENTRY,
        "minor_version": 2,
        "modified_at": CREATED,
        "options": {"discovery": True, "discovery_prefix": "homeassistant"},
        "pref_disable_new_entities": False,
        "pref_disable_polling": False,
        "source": "user",
        "subentries": [],
        "title": "broker",
        "unique_id": None,
        "version": 1,
    }


@dataclass
class HomeAssistantProcess:
    """`state` and `states` read entities, `call` commands them, `ask` is the WebSocket API."""

    folder: Path
    url: str
    session: aiohttp.ClientSession
    process: asyncio.subprocess.Process
    token: str = ""
    _number: int = field(default=0, init=False)

    @property
    def log(self) -> str:
        return (self.folder / "home-assistant.log").read_text()

    def complaints(self) -> list[str]:
        """Every line of its log about MQTT or a template at WARNING or above."""
        levels = (" WARNING ", " ERROR ", " CRITICAL ")
        return [
            line
            for line in self.log.splitlines()
            if ("mqtt" in line.lower() or "template" in line.lower())
            and any(level in line for level in levels)
        ]

    async def states(self) -> dict[str, dict[str, Any]]:
        async with self.session.get(f"{self.url}/api/states", headers=self._auth()) as answer:
            answer.raise_for_status()
            return {item["entity_id"]: item for item in await answer.json()}

    async def until(
        self, wanted: Callable[[Mapping[str, dict[str, Any]]], bool], what: str = ""
    ) -> dict[str, dict[str, Any]]:
        """All states, once they are as wanted."""
        found: dict[str, dict[str, Any]] = {}
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not wanted(found := await self.states()):
                    await asyncio.sleep(0.2)
        except TimeoutError:
            shown = {name: item["state"] for name, item in found.items()}
            raise AssertionError(f"never came: {what}; there is {shown}") from None
        return found

    async def until_state(self, entity: str, value: str) -> dict[str, Any]:
        def is_so(states: Mapping[str, dict[str, Any]]) -> bool:
            return entity in states and states[entity]["state"] == value

        return (await self.until(is_so, f"{entity} {value}"))[entity]

    async def call(self, service: str, entity: str, **data: object) -> None:
        """A service such as `select/select_option`. Raises where it is refused."""
        url = f"{self.url}/api/services/{service}"
        body = {"entity_id": entity, **data}
        async with self.session.post(url, json=body, headers=self._auth()) as answer:
            answer.raise_for_status()

    async def ask(self, kind: str, **more: object) -> Any:
        async with self.session.ws_connect(f"{self.url}/api/websocket") as link:
            await link.receive_json()
            await link.send_json({"type": "auth", "access_token": self.token})
            await link.receive_json()
            await link.send_json({"id": 1, "type": kind, **more})
            answer = await link.receive_json()
            assert answer["success"], answer
            return answer["result"]

    async def reload(self) -> None:
        url = f"{self.url}/api/config/config_entries/entry/{ENTRY}/reload"
        async with self.session.post(url, headers=self._auth()) as answer:
            answer.raise_for_status()

    def _auth(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    async def onboard(self) -> None:
        client = f"{self.url}/"
        body = {
            "client_id": client,
            "name": "Bench",
            "username": "bench",
            "password": "bench-password",
            "language": "en",
        }
        async with asyncio.timeout(STARTS_WITHIN_S):
            while True:
                assert self.process.returncode is None, "Home Assistant has ended"
                try:
                    async with self.session.post(
                        f"{self.url}/api/onboarding/users", json=body
                    ) as answer:
                        if answer.status == 200:
                            code = (await answer.json())["auth_code"]
                            break
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.3)
        form = {"grant_type": "authorization_code", "client_id": client, "code": code}
        async with self.session.post(f"{self.url}/auth/token", data=form) as answer:
            answer.raise_for_status()
            self.token = (await answer.json())["access_token"]


@contextlib.asynccontextmanager
async def home_assistant(folder: Path, broker_port: int) -> AsyncIterator[HomeAssistantProcess]:
    """One that is connected to the broker on that port, until the block ends."""
    program, port = hass_program(), free_port()
    storage = folder / ".storage"
    storage.mkdir(parents=True)
    (folder / "configuration.yaml").write_text(CONFIGURATION.format(port=port))
    entries = {
        "version": 1,
        "minor_version": 5,
        "key": "core.config_entries",
        "data": {"entries": [_entry(broker_port)]},
    }
    (storage / "core.config_entries").write_text(json.dumps(entries))
    output = (folder / "output.log").open("wb")
    process = await asyncio.create_subprocess_exec(
        str(program),
        "-c",
        str(folder),
        stdout=output,
        stderr=output,
        env={**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"},
        start_new_session=True,
    )
    try:
        async with aiohttp.ClientSession() as session:
            found = HomeAssistantProcess(folder, f"http://{HOST}:{port}", session, process)
            await found.onboard()
            yield found
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        output.close()
