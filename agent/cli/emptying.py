"""Retained topics on the broker, emptied and looked for by a command that is no agent."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence

from agent.cli.config_options import ConfigRead
from agent.clock import SystemClock
from agent.config import Config
from agent.errors import Unavailable
from agent.health import Health, State
from agent.mqtt.connection import MqttConnection
from agent.mqtt.report import PART
from agent.ports import Message, OutgoingMessage
from agent.tasks import cancel_all

ANSWER_TIMEOUT_S = 20.0
DISCONNECT_TIMEOUT_S = 1.0
# Some brokers look for what is retained beside the rest: it comes after what was said later.
QUIET_S = 0.5


async def empty_topics(
    config: Config, topics: Sequence[str], before: Sequence[OutgoingMessage] = ()
) -> None:
    """An empty payload on each topic, each after the broker confirmed the one before; what is not
    retained is said `before`.

    The connection leaves nothing behind, no last will. Raises Unavailable, which says why.
    """

    async def work(connection: MqttConnection) -> bool:
        said = [await connection.publish(one.topic, one.payload, retain=False) for one in before]
        return all([*said, *[await connection.publish(topic, "") for topic in topics]])

    if not await _with_broker(config, [], lambda _message: None, work):
        raise Unavailable("does not take it")


async def retained_topics(config: Config, filters: Sequence[str]) -> list[str]:
    """Which topics have something retained on them, sorted. Raises Unavailable, which says why."""
    word, marker = secrets.token_hex(8), f"{config.base_topic}/uninstall"
    found: set[str] = set()
    heard = asyncio.Event()
    seen = asyncio.Event()

    def on_message(message: Message) -> None:
        if message.retain and message.payload:
            found.add(message.topic)
            heard.set()
        elif message.payload == word.encode():
            seen.set()

    async def work(connection: MqttConnection) -> bool:
        if not await connection.publish(marker, word, retain=False):
            return False
        await seen.wait()
        while True:
            heard.clear()
            try:
                async with asyncio.timeout(QUIET_S):
                    await heard.wait()
            except TimeoutError:
                return True

    if not await _with_broker(config, [*filters, marker], on_message, work):
        raise Unavailable("does not tell what is retained on it")
    return sorted(found)


def why_unread(error: Exception, read: ConfigRead) -> str:
    """Why the database tells nothing; what else may be meant where it is not there or not ours."""
    if isinstance(error, OSError):
        return f"{error.strerror or error}{read.hint}"
    return str(error)


def left_text(config: Config, topics: Sequence[str]) -> str:
    """What still stands on the broker, with the command that a person empties it by."""
    host, port = config.mqtt.host, config.mqtt.port
    names = "\n".join(f"    {topic}" for topic in topics)
    return (
        f"  {len(topics)} topic(s) of an agent are left on {host}:{port} and were not touched:\n"
        f"{names}\n  where no other agent is to keep one: mosquitto_pub -h {host} -p {port} -r -n "
        "-t TOPIC (-u and -P for a broker with users)"
    )


async def _with_broker(
    config: Config,
    filters: Sequence[str],
    on_message: Callable[[Message], None],
    work: Callable[[MqttConnection], Awaitable[bool]],
) -> bool:
    """What `work` answers, False where that takes too long.

    Raises Unavailable with what is wrong with the broker.
    """
    done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    health = Health(SystemClock())

    async def on_connect() -> None:
        answer = await work(connection)
        if not done.done():
            done.set_result(answer)

    connection = MqttConnection(
        config.mqtt,
        f"{config.base_topic}/uninstall",
        f"flatpeak-uninstall-{secrets.token_hex(4)}"[:23],
        health,
        lambda: filters,
        on_message,
        on_connect,
    )

    def on_change(_part: str) -> None:
        # Nobody there, or nobody is let in: whoever gave the command does not wait for another try.
        if health.parts[PART].state is State.FAILED and not done.done():
            done.set_result(False)

    health.on_change.append(on_change)
    running = asyncio.create_task(connection.run())
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            is_done = await done
    except TimeoutError:
        is_done = False
    finally:
        await connection.publish_offline("", DISCONNECT_TIMEOUT_S)
        await cancel_all([running])
    broker = health.parts.get(PART)
    if broker is not None and broker.state is not State.OK:
        why = broker.why.removeprefix(f"{config.mqtt.host}:{config.mqtt.port}: ")
        raise Unavailable(f"{why} ({broker.deed})" if broker.deed else why)
    return is_done
