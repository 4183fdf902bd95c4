"""A whole house for tests on a virtual clock: agent, sandbox over loopback, appliances.

Only MQTT is replaced, by a broker in memory; days pass in seconds.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from agent.app import run_agent
from agent.clock import SteppedClock
from agent.config import Config
from agent.control.timed_planner import MakePlan
from agent.energy.plan import Plan
from agent.energy.situation import Situation
from agent.planning import make_plan
from agent.planning.calm import OF_EACH_DEVICE
from agent.records.ledger import Ledger
from agent.store import Store
from integrations.registry import AgentConfig, tariff_source
from integrations.sandbox.household import Member
from integrations.sandbox.server import FlatPeakSandbox
from tests.fakes.memory_broker import MemoryBroker, MemoryConnection

BASE = "flatpeak/home"


async def plan_at_once(situation: Situation) -> Plan:
    return make_plan(situation, savings=OF_EACH_DEVICE)


@dataclass
class Home:
    """A running house; `broker.log` is everything that was said on MQTT."""

    clock: SteppedClock
    sandbox: FlatPeakSandbox
    broker: MemoryBroker = field(default_factory=MemoryBroker)
    ledger: Ledger = field(default_factory=Ledger)
    store: Store = field(default_factory=Store.in_memory)
    appliances: Sequence[Member] = ()
    connection: MemoryConnection | None = None
    plan: MakePlan = plan_at_once
    trusted_clock: bool = True

    def config(
        self,
        devices: Sequence[object],
        place: int = 0,
        tariff: Mapping[str, object] | None = None,
        **sections: object,
    ) -> Config:
        """`tariff`: what its section has besides how to reach the sandbox."""
        location = list(self.sandbox.locations)[place]
        return AgentConfig.model_validate(
            {
                "tariff": {
                    "source": "flatpeak",
                    "base_url": self.sandbox.url,
                    "account_id": self.sandbox.account_id,
                    "api_key": self.sandbox.api_key,
                    "location_id": location,
                    **(tariff or {}),
                },
                "devices": list(devices),
                # Its minutes are moments of virtual time, and each costs real time.
                "homeassistant": {"enabled": False},
                **sections,
            }
        )

    def body(self, topic: str) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.broker.retained[f"{BASE}/{topic}"])
        return found

    def bodies(self, topic: str) -> list[dict[str, Any]]:
        """All that was said there, in order."""
        return [json.loads(body) for body in self.broker.bodies(f"{BASE}/{topic}") if body]

    def _connect(self, **wiring: Any) -> MemoryConnection:
        self.connection = MemoryConnection(self.broker, **wiring)
        return self.connection

    async def restart_broker(self) -> None:
        """The broker forgets everything; the agent comes back to it after a while."""
        connection = self.connection
        if connection is None or not connection.connected:
            return
        connection.connected = False
        self.broker.forget(connection.on_message)
        await self.clock.sleep(20)
        if connection is self.connection:
            await connection.connect()

    async def run(self, config: Config, until: datetime) -> None:
        """The agent and the appliances until that instant; then a clean stop."""
        stop = asyncio.Event()
        jobs = [asyncio.create_task(appliance.run()) for appliance in self.appliances]

        async def end() -> None:
            await self.clock.sleep_until(until)
            stop.set()

        jobs.append(asyncio.create_task(end()))
        try:
            await run_agent(
                config,
                clock=self.clock,
                source=tariff_source(config.tariff, self.clock),
                store=self.store,
                stop=stop,
                connection_factory=self._connect,
                plan=self.plan,
                ledger=self.ledger,
                trusted_clock=self.trusted_clock,
            )
        finally:
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)
