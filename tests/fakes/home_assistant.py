"""A real Home Assistant of this machine, over its own API; skipped where there is none.

`.ci/home-assistant` installs one and leaves a link to its program `hass`; `HASS` names another one,
of 2025.4 or later. The newest release (`.ci/home-assistant newest`, `HASS_NEWEST`) may need a
Python of its own.
"""

import asyncio
import contextlib
import json
import os
import re
import signal
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from integrations.sandbox.broker import HOST, free_port
from tests.fakes.parts import lacking

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
{http}
api:
websocket_api:
config:
onboarding:
recorder:
history:
energy:
frontend:
{more}
logger:
  default: warning
  logs:
    homeassistant.components.mqtt: info
"""
HTTP = """
http:
  server_host: 127.0.0.1
  server_port: {port}
"""
# Before, ids are made of names.
NAMED_BY_US = (2025, 10)
# From then on that section is only tried, for five minutes.
HTTP_IN_STORAGE = (2026, 8)
# Whom a line of its log concerns; what it says of its own house is not ours.
OURS = ("mqtt", "template", "blueprint", "automation", "script", "lovelace", "recorder", "sensor")
Version = tuple[int, int]
ENTRY = "01MQTTTESTENTRY0000000000A"
CREATED = "2026-01-01T00:00:00+00:00"


def hass_program(release: str = "") -> Path:
    """The program `hass`, beside which stands its Python; of the newest release where it is so

    asked for. The test is skipped where there is none.
    """
    word = "_".join(filter(None, ("HASS", release.upper())))
    name = "-".join(filter(None, ("home-assistant", release)))
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    found = Path(os.environ.get(word) or cache / "flatpeak-edge-agent" / name)
    if not found.exists():
        lacking(f"Home Assistant (`.ci/home-assistant {release}`, or {word})")
    return found.resolve()


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
    """`states` reads entities, `call` commands them, `ask` is the WebSocket API.

    Entities are spoken of by the names that people read, of the device and of the entity, as 2025.4
    makes its ids of them; later ones take the ids that are asked for.
    """

    program: Path
    version: Version
    folder: Path
    url: str
    session: aiohttp.ClientSession
    process: asyncio.subprocess.Process
    token: str = ""
    refresh_token: str = ""
    _real: dict[str, str] = field(default_factory=dict)
    _known: Collection[str] = ()

    @property
    def log(self) -> str:
        return (self.folder / "home-assistant.log").read_text()

    def complaints(self) -> list[str]:
        """Every line of its log at WARNING or above about what is ours."""
        levels = (" WARNING ", " ERROR ", " CRITICAL ")
        return [
            line
            for line in self.log.splitlines()
            if any(level in line for level in levels) and any(word in line.lower() for word in OURS)
        ]

    async def states(self) -> dict[str, dict[str, Any]]:
        async with self.session.get(f"{self.url}/api/states", headers=self._auth()) as answer:
            answer.raise_for_status()
            found = {item["entity_id"]: item for item in await answer.json()}
        if self.version >= NAMED_BY_US and found.keys() != self._known:
            await self.entities()
            self._known = found.keys()
        spoken = {real: name for name, real in self._real.items()}
        return {spoken.get(name, name): item for name, item in found.items()}

    async def entities(self) -> dict[str, dict[str, Any]]:
        """Those of MQTT in its registry, by unique id; `entity_id` is the one that is spoken of."""
        devices = {item["id"]: item for item in await self.ask("config/device_registry/list")}
        out = {}
        for item in await self.ask("config/entity_registry/list"):
            # One that comes or goes at this very moment may be in one list and not in the other.
            if item["platform"] != "mqtt" or item["device_id"] not in devices:
                continue
            if self.version >= NAMED_BY_US:
                device = devices[item["device_id"]]["name"]
                platform = item["entity_id"].partition(".")[0]
                name = f"{platform}.{_slug(device)}_{_slug(item['original_name'])}"
                self._real[name] = item["entity_id"]
                item["entity_id"] = name
            out[item["unique_id"]] = item
        return out

    def real(self, entity: str) -> str:
        """Its id in this Home Assistant."""
        return self._real.get(entity, entity)

    async def until(
        self,
        wanted: Callable[[Mapping[str, dict[str, Any]]], bool],
        what: str = "",
        within_s: float = PATIENCE_S,
    ) -> dict[str, dict[str, Any]]:
        """All states, once they are as wanted."""
        found: dict[str, dict[str, Any]] = {}
        try:
            async with asyncio.timeout(within_s):
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
        await self.post(f"services/{service}", {"entity_id": self.real(entity), **data})

    async def post(self, path: str, body: object) -> Any:
        """Something of the REST API; its answer."""
        url = f"{self.url}/api/{path}"
        async with self.session.post(url, json=body, headers=self._auth()) as answer:
            answer.raise_for_status()
            return await answer.json()

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
        await self.post(f"config/config_entries/entry/{ENTRY}/reload", {})

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
            told = await answer.json()
            self.token, self.refresh_token = told["access_token"], told["refresh_token"]
        # The rest of what a person is asked at the first start.
        for step in ("core_config", "analytics", "integration"):
            body = {"client_id": client, "redirect_uri": client} if step == "integration" else {}
            await self.post(f"onboarding/{step}", body)
        async with asyncio.timeout(STARTS_WITHIN_S):
            while not await self.is_running():
                await asyncio.sleep(0.1)

    async def stop(self, number: int = signal.SIGTERM) -> None:
        """Ends it; a kill leaves its last will to the broker."""
        os.killpg(self.process.pid, number)
        await self.process.wait()

    async def start(self) -> None:
        """Again, after it was stopped; back once it answers."""
        self.process = await _started(self.program, self.folder)
        async with asyncio.timeout(STARTS_WITHIN_S):
            while True:
                with contextlib.suppress(aiohttp.ClientError):
                    if await self.is_running():
                        return
                await asyncio.sleep(0.1)

    async def is_running(self) -> bool:
        """Has everything in it started?"""
        async with self.session.get(f"{self.url}/api/config", headers=self._auth()) as answer:
            return answer.status == 200 and (await answer.json())["state"] == "RUNNING"


async def version_of(program: Path) -> Version:
    """Year and month of the release."""
    process = await asyncio.create_subprocess_exec(
        str(program), "--version", stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    year, month = out.decode().split(".")[:2]
    return int(year), int(month)


def _write_address(version: Version, storage: Path, port: int) -> str:
    """Where it listens; what of that stands in its configuration."""
    if version < HTTP_IN_STORAGE:
        return HTTP.format(port=port)
    stable = {
        "server_port": port,
        "server_host": [HOST],
        "cors_allowed_origins": [],
        "login_attempts_threshold": -1,
        "ip_ban_enabled": True,
        "ssl_profile": "intermediate_v6",
        "use_x_frame_options": True,
        "created_at": CREATED,
        "error": None,
        "error_message": None,
    }
    data = {"stable": stable, "pending": None, "yaml_migration_done": True}
    _store(storage, "http", data, version=3, minor_version=1)
    return ""


def _store(storage: Path, key: str, data: object, *, version: int, minor_version: int) -> None:
    document = {"version": version, "minor_version": minor_version, "key": key, "data": data}
    (storage / key).write_text(json.dumps(document))


async def _started(program: Path, folder: Path) -> asyncio.subprocess.Process:
    with (folder / "output.log").open("ab") as output:
        return await asyncio.create_subprocess_exec(
            str(program),
            "-c",
            str(folder),
            stdout=output,
            stderr=output,
            env={**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"},
            start_new_session=True,
        )


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


@contextlib.asynccontextmanager
async def home_assistant(
    program: Path,
    folder: Path,
    broker_port: int,
    more: str = "",
    more_entries: Sequence[Mapping[str, object]] = (),
) -> AsyncIterator[HomeAssistantProcess]:
    """One that is connected to the broker on that port, until the block ends.

    `more` is added to its configuration, `more_entries` to its integrations; what lies in the
    folder already stays there.
    """
    port, version = free_port(), await version_of(program)
    storage = folder / ".storage"
    storage.mkdir(parents=True)
    http = _write_address(version, storage, port)
    (folder / "configuration.yaml").write_text(CONFIGURATION.format(http=http, more=more))
    entries = {"entries": [_entry(broker_port), *more_entries]}
    _store(storage, "core.config_entries", entries, version=1, minor_version=5)
    process = await _started(program, folder)
    found = None
    try:
        async with aiohttp.ClientSession() as session:
            url = f"http://{HOST}:{port}"
            found = HomeAssistantProcess(program, version, folder, url, session, process)
            await found.onboard()
            yield found
    finally:
        process = process if found is None else found.process
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
