"""A whole house on a real broker, in real time or fast motion: agent, sandbox, appliances.

Everything that is said below the base is recorded by a watcher that was there first.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import aiomqtt

from agent.app import run_agent
from agent.clock import Clock, SteppedClock
from agent.config import Config
from agent.control.timed_planner import MakePlan
from agent.records.ledger import Ledger
from agent.store import Store
from agent.tasks import cancel_all
from integrations.registry import AgentConfig, tariff_source
from integrations.sandbox.appliances.appliance import Appliance
from integrations.sandbox.appliances.link import open_link
from integrations.sandbox.broker import HOST, Broker, open_broker
from integrations.sandbox.household import build_appliances
from integrations.sandbox.locations import built_in
from integrations.sandbox.server import FlatPeakSandbox
from tests.fakes.brokers import Heard, Watcher, watching

BASE = "flatpeak/home"


@dataclass
class RealHome:
    """`agent` runs the agent while its block does; `say` speaks for a device or a person."""

    broker: Broker
    clock: Clock
    sandbox: FlatPeakSandbox
    watcher: Watcher
    zone: ZoneInfo
    appliances: list[Appliance] = field(default_factory=list)

    def config(self, devices: Sequence[object], **sections: object) -> Config:
        return AgentConfig.model_validate(
            {
                "tariff": {
                    "source": "flatpeak",
                    "base_url": self.sandbox.url,
                    "account_id": self.sandbox.account_id,
                    "api_key": self.sandbox.api_key,
                    "location_id": next(iter(self.sandbox.locations)),
                },
                "mqtt": {
                    "host": HOST,
                    "port": self.broker.port,
                    "protocol": self.broker.protocol,
                },
                "devices": list(devices),
                **sections,
            }
        )

    @contextlib.asynccontextmanager
    async def agent(
        self,
        config: Config,
        store: Store,
        until: bytes = b"offline",
        plan: MakePlan | None = None,
    ) -> AsyncIterator[Ledger]:
        """One life of the agent; at its end all it said has been heard, to that status."""
        born = len(self.watcher.heard)
        stop, ledger = asyncio.Event(), Ledger()
        life = asyncio.create_task(
            run_agent(
                config,
                clock=self.clock,
                source=tariff_source(config.tariff, self.clock),
                store=store,
                stop=stop,
                plan=plan,
                ledger=ledger,
                trusted_clock=True,
            )
        )
        try:
            yield ledger
        finally:
            stop.set()
            async with asyncio.timeout(5):
                await life
        if until:
            await self.until_status(until, after=born)

    @contextlib.asynccontextmanager
    async def living(self) -> AsyncIterator[None]:
        """The household's appliances, each on its own connection, while the block runs."""
        async with contextlib.AsyncExitStack() as stack:
            names = ("ev", "heat_pump", "water_heater", "dishwasher")
            links = {
                name: await stack.enter_async_context(
                    open_link(
                        HOST, self.broker.port, f"appliance-{name}", f"{BASE}/device/{name}/status"
                    )
                )
                for name in names
            }
            self.appliances = build_appliances(
                BASE, self.clock, self.zone, lambda name: links[name]
            )
            jobs = [asyncio.create_task(appliance.run()) for appliance in self.appliances]
            try:
                yield
            finally:
                await cancel_all(jobs)

    async def say(self, topic: str, body: object, *, retain: bool = False, qos: int = 1) -> None:
        payload = body if isinstance(body, bytes) else json.dumps(body).encode()
        await self.watcher.client.publish(f"{BASE}/{topic}", payload, qos=qos, retain=retain)

    async def until(self, topic: str, after: int = 0, **wanted: object) -> dict[str, Any]:
        """The first JSON body on the topic, from message number `after` on, with these values."""

        def found(heard: list[Heard]) -> list[dict[str, Any]]:
            bodies = [
                json.loads(item.payload)
                for item in heard[after:]
                if item.topic == f"{BASE}/{topic}" and item.payload
            ]
            return [body for body in bodies if wanted.items() <= body.items()]

        await self.watcher.until(lambda heard: bool(found(heard)))
        return found(self.watcher.heard)[0]

    async def until_status(self, word: bytes, after: int = 0) -> int:
        """How many messages had come when that status did."""
        topic = f"{BASE}/status"

        def locations(heard: list[Heard]) -> list[int]:
            return [
                index
                for index, item in enumerate(heard)
                if index >= after and (item.topic, item.payload) == (topic, word)
            ]

        await self.watcher.until(lambda heard: bool(locations(heard)))
        return locations(self.watcher.heard)[0]


@contextlib.asynccontextmanager
async def listening(broker: Broker, name: str) -> AsyncIterator[Watcher]:
    """A watcher of everything below the base, in what everybody on this broker speaks."""
    old = broker.protocol == "3.1.1"
    protocol = aiomqtt.ProtocolVersion.V311 if old else aiomqtt.ProtocolVersion.V5
    async with watching(broker.port, f"{BASE}/#", name=name, protocol=protocol) as watcher:
        yield watcher


@contextlib.asynccontextmanager
async def real_home(
    choice: str, local_start: datetime, speed: float = 1.0
) -> AsyncIterator[RealHome]:
    """Broker `choice` (mosquitto or embedded); `local_start` is naive, the house's wall time."""
    async with open_broker(choice) as broker, listening(broker, "watcher") as watcher:
        place = built_in()[0]
        clock = SteppedClock(local_start.replace(tzinfo=place.zone).astimezone(UTC), speed)
        async with FlatPeakSandbox(clock, locations=[place]) as sandbox:
            yield RealHome(broker, clock, sandbox, watcher, place.zone)
