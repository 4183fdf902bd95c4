"""A stranger on our topics: named, and what is true is put back, but never in an endless fight."""

import asyncio
from datetime import UTC, datetime

from agent.clock import SteppedClock
from agent.contracts.topics import Topics
from agent.dispatch.outbox import Outbox
from agent.dispatch.topic_guard import TopicGuard
from agent.health import Health, State
from agent.ports import OutgoingMessage
from tests.fakes.memory_broker import MemoryBroker, MemoryConnection
from tests.fakes.virtual_loop import run_virtual

START = datetime(2026, 1, 16, tzinfo=UTC)
TOPIC = "b/device/ev/setpoint"
PART = "other_agent"
RUNNING: list[asyncio.Task[None]] = []


async def guarded(clock: SteppedClock, broker: MemoryBroker, name: str) -> tuple[Outbox, Health]:
    """An outbox on the broker, its topics guarded."""
    health = Health(clock)

    async def announce() -> None:
        return

    connection = MemoryConnection(
        broker,
        "b/status",
        name,
        health,
        lambda: guard.subscriptions,
        lambda message: guard.receive(message),
        announce,
    )
    outbox = Outbox(connection, clock, health)
    guard = TopicGuard(Topics("b"), outbox, health)
    await connection.connect()
    RUNNING.append(asyncio.create_task(outbox.run()))
    return outbox, health


def test_ours_is_put_back_at_most_once_a_minute_and_three_times_an_hour() -> None:
    async def live(clock: SteppedClock) -> None:
        broker = MemoryBroker()
        outbox, health = await guarded(clock, broker, "agent")
        for text in ("one", "two"):
            outbox.set("device:ev", OutgoingMessage(TOPIC, text))
        await clock.sleep(5)
        assert PART not in health.parts

        broker.publish(TOPIC, "strange", retain=True)
        await clock.sleep(1)
        assert broker.retained[TOPIC] == b"two"
        assert health.parts[PART].state is State.DEGRADED
        assert TOPIC in health.parts[PART].why

        broker.publish(TOPIC, "", retain=True)
        await clock.sleep(30)
        assert TOPIC not in broker.retained
        await clock.sleep(40)
        assert broker.retained[TOPIC] == b"two"

        said = len(broker.bodies(TOPIC))
        for _ in range(50):
            broker.publish(TOPIC, "strange", retain=True)
            await clock.sleep(30)
        ours = [body for body in broker.bodies(TOPIC)[said:] if body == b"two"]
        assert len(ours) == 1
        assert health.parts[PART].state is State.DEGRADED
        # What we have to say goes out all the same.
        outbox.set("device:ev", OutgoingMessage(TOPIC, "three"))
        await clock.sleep(1)
        assert broker.retained[TOPIC] == b"three"

        await clock.sleep(2 * 3600)
        assert health.parts[PART].state is State.OK
        broker.publish(TOPIC, "strange", retain=True)
        await clock.sleep(1)
        assert broker.retained[TOPIC] == b"three"

    run_virtual(live, START)


def test_two_agents_below_one_base_come_to_rest() -> None:
    async def live(clock: SteppedClock) -> None:
        broker = MemoryBroker()
        for name in ("one", "two"):
            outbox, _ = await guarded(clock, broker, name)
            outbox.set("device:ev", OutgoingMessage(TOPIC, f"of {name}"))
        await clock.sleep(3600)
        # Each says its own, and three times more.
        assert len(broker.bodies(TOPIC)) == 8

    run_virtual(live, START)


def test_topics_that_we_do_not_use_are_left_alone() -> None:
    async def live(clock: SteppedClock) -> None:
        broker = MemoryBroker()
        _, health = await guarded(clock, broker, "agent")
        broker.publish("b/device/other/schedule", "strange", retain=True)
        await clock.sleep(300)
        assert broker.retained["b/device/other/schedule"] == b"strange"
        assert PART not in health.parts

    run_virtual(live, START)
