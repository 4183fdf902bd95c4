"""What devices and people hear at a connect, and in which order."""

import asyncio
from datetime import UTC, datetime

from agent.clock import SteppedClock
from agent.contracts.topics import Topics
from agent.control.announcement import Announcement
from agent.dispatch.outbox import COMPANIONS, LARGE, Outbox, device_lane
from agent.dispatch.setpoints import SetpointSender
from agent.health import Health
from agent.ports import Message, OutgoingMessage
from tests.fakes.memory_broker import MemoryBroker, MemoryConnection
from tests.fakes.virtual_loop import run_virtual

START = datetime(2026, 1, 16, tzinfo=UTC)


def test_schedules_come_before_online_and_what_is_large_comes_last() -> None:
    async def live(clock: SteppedClock) -> None:
        broker, health, online = MemoryBroker(), Health(clock), asyncio.Event()
        topics = Topics("b")

        async def nothing() -> None:
            return

        def ignore(message: Message) -> None:
            return

        connection = MemoryConnection(
            broker, topics.status, "agent", health, tuple, ignore, nothing
        )
        await connection.connect()
        outbox = Outbox(connection, clock, health)
        sending = asyncio.create_task(outbox.run())

        async def send_time() -> None:
            assert not online.is_set()
            await connection.publish("b/time", "{}", retain=False)

        announcement = Announcement(topics, outbox, SetpointSender({}, outbox), send_time, online)
        await announcement.repeat_status()
        assert [item.topic for item in broker.log] == []
        connection.connected = False
        for lane, topic in (
            (COMPANIONS, "homeassistant/x"),
            (LARGE, topics.plan),
            ("documents", topics.health),
            (device_lane("ev"), "b/device/ev/schedule"),
        ):
            outbox.set(lane, OutgoingMessage(topic, "{}"))
        connection.connected = True
        await announcement.announce()
        said = [item.topic for item in broker.log]
        assert said == [
            "b/device/ev/schedule",
            topics.status,
            "b/time",
            topics.health,
            topics.plan,
            "homeassistant/x",
        ]
        assert online.is_set()
        broker.log.clear()
        await announcement.repeat_status()
        assert [item.topic for item in broker.log] == [topics.status]
        sending.cancel()

    run_virtual(live, START)
