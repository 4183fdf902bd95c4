"""Devices that hold no schedule hear their setpoint again when they may have missed it."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime

from agent.clock import SteppedClock
from agent.dispatch.outbox import Outbox
from agent.dispatch.setpoints import SetpointSender
from agent.energy.instants import to_unix_floor
from agent.energy.schedule import DefaultCommand, OfflineRule, Setpoint
from agent.health import Health
from agent.ports import DeviceAdapter, Message
from integrations.devices.native import NativeDevice
from integrations.registry import AgentConfig, device_adapter
from tests.fakes.memory_broker import MemoryBroker, MemoryConnection
from tests.fakes.virtual_loop import run_virtual

START = datetime(2026, 1, 16, tzinfo=UTC)
NOW = to_unix_floor(START)
BATTERY = "evcc/site/batteryMode/set"
RELAY = "cmnd/plug/POWER1"
CONFIG = AgentConfig.model_validate(
    {
        "tariff": {"source": "fixed", "timezone": "Europe/Berlin", "currency": "EUR", "import": 1},
        "devices": [
            {
                "id": "battery",
                "type": "battery",
                "capacity_kwh": 10,
                "max_charge_w": 5000,
                "max_discharge_w": 5000,
                "adapter": "evcc-battery",
            },
            {
                "id": "plug",
                "type": "load",
                "power_w": 900,
                "needs": [{"hours": 1}],
                "adapter": {"family": "tasmota", "topic": "plug"},
            },
        ],
    }
)


def setpoint(mode: str, at: int = 0) -> Setpoint:
    default, offline = DefaultCommand("idle", 0), OfflineRule(900, "release", 0)
    return Setpoint(NOW, NOW + at, mode, 900, NOW + at + 3600, default, offline, "cheapest")


@dataclass
class Sending:
    sender: SetpointSender
    outbox: Outbox
    broker: MemoryBroker
    connection: MemoryConnection
    doubted: bool = False

    async def said(self, topic: str) -> list[bytes]:
        """What has been published there since the last look."""
        await self.outbox.drained()
        found = [body for body in self.broker.bodies(topic) if body]
        self.broker.log.clear()
        return found

    async def reconnect(self) -> None:
        self.outbox.connected()
        self.sender.connected()
        await self.outbox.resend_all(lambda lane: True)


async def sending(clock: SteppedClock) -> tuple[Sending, asyncio.Task[None]]:
    broker, health = MemoryBroker(), Health(clock)

    async def announce() -> None:
        return

    def ignore(message: Message) -> None:
        return

    connection = MemoryConnection(broker, "b/status", "agent", health, tuple, ignore, announce)
    await connection.connect()
    outbox = Outbox(connection, clock, health)
    adapters: dict[str, DeviceAdapter] = {
        item.id: device_adapter(item, "b") for item in CONFIG.devices
    }
    adapters["ev"] = NativeDevice("b", "ev")
    out = Sending(SetpointSender(adapters, outbox), outbox, broker, connection)
    outbox.clock_doubted = lambda: out.doubted
    return out, asyncio.create_task(outbox.run())


def test_what_lapses_is_said_again_in_time_and_what_does_not_is_not() -> None:
    async def live(clock: SteppedClock) -> None:
        out, _task = await sending(clock)
        out.sender.tell("battery", setpoint("charge"))
        assert await out.said(BATTERY) == [b"charge"]
        # evcc forgets a mode after a minute.
        count = 0
        for second in range(1, 601):
            if second in {moment - NOW for moment in out.sender.next_moments()}:
                out.sender.refresh(NOW + second)
                count += len(await out.said(BATTERY))
        assert count == 24
        out.sender.tell("battery", setpoint("auto", 601))
        assert await out.said(BATTERY) == [b"normal"]
        out.sender.refresh(NOW + 640)
        assert await out.said(BATTERY) == []
        # A clock that was set back by an hour must not silence it for an hour.
        out.sender.tell("battery", setpoint("hold", 700))
        await out.said(BATTERY)
        out.sender.refresh(NOW - 2900)
        assert await out.said(BATTERY) == [b"hold"]

    run_virtual(live, START)


def test_a_connection_that_comes_back_brings_what_holds_now() -> None:
    async def live(clock: SteppedClock) -> None:
        out, _task = await sending(clock)
        out.sender.tell("plug", setpoint("charge"))
        assert await out.said(RELAY) == [b"ON"]
        out.connection.connected = False
        out.sender.tell("plug", setpoint("idle", 60))
        assert await out.said(RELAY) == []
        out.connection.connected = True
        await out.reconnect()
        assert await out.said(RELAY) == [b"OFF"]
        assert not out.broker.retained

    run_virtual(live, START)


def test_nothing_is_switched_while_the_clock_is_doubted() -> None:
    async def live(clock: SteppedClock) -> None:
        out, _task = await sending(clock)
        out.doubted = True
        out.sender.tell("plug", setpoint("charge"))
        out.sender.refresh(NOW + 400)
        out.sender.connected()
        assert await out.said(RELAY) == []
        out.doubted = False
        out.sender.connected()
        assert await out.said(RELAY) == [b"ON"]

    run_virtual(live, START)


def test_at_the_end_they_are_let_go_and_hear_nothing_more() -> None:
    async def live(clock: SteppedClock) -> None:
        out, _task = await sending(clock)
        for device in ("plug", "ev"):
            out.sender.tell(device, setpoint("charge"))
        await out.said(RELAY)
        out.sender.release_at_end()
        out.sender.tell("plug", setpoint("charge", 1))
        assert await out.said(RELAY) == [b"OFF"]
        # One that holds a schedule keeps it.
        assert "b/device/ev/setpoint" in out.broker.retained

    run_virtual(live, START)
