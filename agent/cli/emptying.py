"""Retained topics of ours are emptied on the broker, by a command that is no agent."""

import asyncio
import secrets
from collections.abc import Sequence

from agent.clock import SystemClock
from agent.config import Config
from agent.health import Health, State
from agent.mqtt.connection import MqttConnection
from agent.mqtt.report import PART
from agent.tasks import cancel_all

ANSWER_TIMEOUT_S = 20.0
DISCONNECT_TIMEOUT_S = 1.0


async def empty_topics(config: Config, topics: Sequence[str]) -> str | None:
    """An empty payload on each topic, each after the broker confirmed the one before.

    None once all are confirmed, else why not. The connection leaves nothing behind, no last will.
    """
    done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    health = Health(SystemClock())

    async def on_connect() -> None:
        taken = [await connection.publish(topic, "") for topic in topics]
        if not done.done():
            done.set_result(all(taken))

    settings = config.mqtt
    connection = MqttConnection(
        settings,
        f"{config.base_topic}/uninstall",
        f"flatpeak-uninstall-{secrets.token_hex(4)}"[:23],
        health,
        list,
        lambda message: None,
        on_connect,
    )
    running = asyncio.create_task(connection.run())
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            is_taken = await done
    except TimeoutError:
        is_taken = False
    finally:
        await connection.publish_offline("", DISCONNECT_TIMEOUT_S)
        await cancel_all([running])
    broker = health.parts.get(PART)
    if broker is not None and broker.state is State.DEGRADED:
        return f"{broker.why} ({broker.deed})"
    return None if is_taken else "does not take it"
