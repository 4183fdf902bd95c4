"""A dispatcher with two cars, on a broker in memory."""

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from agent.clock import SteppedClock
from agent.dispatch.dispatcher import Dispatcher, Wanted
from agent.dispatch.outbox import Outbox
from agent.energy.instants import to_unix_floor
from agent.energy.readings import Acknowledgement, AckStatus
from agent.energy.schedule import Schedule, ScheduleSlot
from agent.energy.steps import Steps
from agent.health import Health
from agent.home.kinds import KINDS
from agent.home.windows import SiteLocation
from agent.ports import Message
from agent.records.device_store import DeviceStore
from agent.records.ledger import Ledger
from agent.report.event_queue import EventQueue
from agent.store import Store
from integrations.devices.native import NativeDevice
from tests.fakes.memory_broker import MemoryBroker, MemoryConnection

START = datetime(2026, 1, 16, tzinfo=UTC)
NOW = to_unix_floor(START)
CHARGER = KINDS["ev_charger"]
PROFILES = {
    name: CHARGER.profile(
        CHARGER.section.model_validate(
            {"type": "ev_charger", "id": name, "max_power_w": 7400, "battery_kwh": 50}
        )
    )
    for name in ("ev1", "ev2")
}


def schedule(device: str, *spans: tuple[int, int]) -> Schedule:
    profile = PROFILES[device]
    slots = tuple(
        ScheduleSlot(NOW + a, NOW + b, "charge", 7400, Decimal(1), None, "limit") for a, b in spans
    )
    return Schedule(
        device=device,
        device_type=profile.type,
        revision=0,
        issued_at=NOW,
        valid_from=NOW - 300,
        valid_until=NOW + 172_800,
        currency="EUR",
        slots=slots,
        default=profile.default,
        offline=profile.offline,
    )


@dataclass
class Switchboard:
    dispatcher: Dispatcher
    outbox: Outbox
    broker: MemoryBroker
    connection: MemoryConnection
    health: Health
    headroom: list[str]
    limit: Steps | None
    task: asyncio.Task[None] | None = None

    def slots(self, device: str) -> int:
        body = json.loads(self.broker.retained[f"b/device/{device}/schedule"])
        return len(body["slots"])

    def revision(self, device: str) -> int:
        body = json.loads(self.broker.retained[f"b/device/{device}/schedule"])
        return int(body["revision"])

    def accept(self, device: str) -> None:
        ack = Acknowledgement(self.revision(device), AckStatus.ACCEPTED)
        self.dispatcher.acknowledgements.on_ack(device, ack, NOW)

    async def issue(
        self, ev1: Schedule, ev2: Schedule, now: int = NOW, *, urgent: bool = True
    ) -> list[str]:
        wanted = {"ev1": Wanted(ev1, urgent), "ev2": Wanted(ev2, urgent)}
        issued = self.dispatcher.issue(wanted, now, self.limit)
        await self.outbox.drained()
        return issued


async def switchboard(clock: SteppedClock, *, limited: bool, store: Store) -> Switchboard:
    broker, health, headroom = MemoryBroker(), Health(clock), list[str]()

    async def announce() -> None:
        return

    def ignore(message: Message) -> None:
        return

    connection = MemoryConnection(broker, "b/status", "agent", health, tuple, ignore, announce)
    await connection.connect()
    outbox = Outbox(connection, clock, health)
    dispatcher = Dispatcher(
        PROFILES,
        {name: NativeDevice("b", name) for name in PROFILES},
        outbox,
        DeviceStore(store, health, clock),
        EventQueue(clock, health, "b/event", lambda message: outbox.set("events", message)),
        health,
        Ledger(),
        lambda: SiteLocation(ZoneInfo("Europe/Berlin")),
        on_told=lambda device, schedule: None,
        on_restored=lambda device, schedule: None,
        on_switch=lambda device, is_on: None,
        on_headroom=lambda: headroom.append("headroom"),
    )
    limit = Steps.constant(8000) if limited else None
    board = Switchboard(dispatcher, outbox, broker, connection, health, headroom, limit)
    board.task = asyncio.create_task(outbox.run())
    return board
