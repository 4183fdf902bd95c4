"""The broker: does it let us in, does what we write come back, and can an appliance reach it?"""

import asyncio
import contextlib
import fcntl
import ipaddress
import re
import secrets
import socket
import struct
from collections.abc import AsyncIterator, Sequence

from agent.cli.checks.command_topics import command_topics, heard_topics, try_command_topics
from agent.cli.checks.result import CheckResult, failed, passed, warning
from agent.clock import SystemClock
from agent.config import Config
from agent.config.mqtt import MqttSection
from agent.health import Condition, Health, State
from agent.mqtt.connection import MqttConnection
from agent.ports import Message, OutgoingMessage
from agent.tasks import cancel_all

ANSWER_TIMEOUT_S = 8.0
DISCONNECT_TIMEOUT_S = 1.0
LISTENER_TIMEOUT_S = 2.0
RECIPE = 'see README, "The broker"'
# Linux, linux/sockios.h: the IPv4 address of an interface.
SIOCGIFADDR = 0x8915
ERRNO = re.compile(r"\[Errno -?\d+\] ")


async def check_broker(config: Config) -> AsyncIterator[CheckResult]:
    """Messages that are not retained go to the broker: one to a topic of the check's own, and to
    those of other makers' devices what switches nothing.
    """
    results, reached = await _check_access(config)
    for result in results:
        yield result
    settings = config.mqtt
    if reached and await _is_loopback(settings):
        for problem in await _check_listener(settings, lan_addresses()):
            yield problem


async def _check_access(config: Config) -> tuple[list[CheckResult], bool]:
    """The results, and whether anybody answers there."""
    settings, health = config.mqtt, Health(SystemClock())
    where = f"{settings.host}:{settings.port}"
    # A name and a topic of our own: a running agent must not notice.
    word, topic = secrets.token_hex(8), f"{config.base_topic}/check"
    came_back, wrote, troubled = asyncio.Event(), asyncio.Event(), asyncio.Event()
    refused, commands = set[str](), list[CheckResult]()

    def on_message(message: Message) -> None:
        if message.payload == word.encode():
            came_back.set()

    async def on_connect() -> None:
        await connection.publish(topic, word, retain=False)
        wrote.set()

    def on_change(_part: str) -> None:
        if health.parts["broker"].state is not State.OK:
            troubled.set()

    health.on_change.append(on_change)
    name = f"{settings.client_id or 'flatpeak-check'}-{word}"[:23]
    connection = MqttConnection(
        settings,
        topic,
        name,
        health,
        lambda: [topic],
        on_message,
        on_connect,
        on_refused=refused.add,
    )

    async def publish(message: OutgoingMessage) -> bool:
        taken = await connection.publish(message.topic, message.payload, retain=False)
        return taken and message.topic not in refused

    running = asyncio.create_task(connection.run())
    waiting = [asyncio.create_task(event.wait()) for event in (came_back, troubled)]
    try:
        await asyncio.wait(waiting, timeout=ANSWER_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
        protocol = connection.protocol
        if came_back.is_set():
            commands = await try_command_topics(
                command_topics(config), publish, answers=connection.answers, where=where
            )
    finally:
        # Leaves nothing behind, not even a last will.
        await connection.publish_offline("", DISCONNECT_TIMEOUT_S)
        await cancel_all([running])
        for task in waiting:
            task.cancel()
    if came_back.is_set():
        text = f"{protocol} at {where}; wrote to {topic} and read it back"
        return [passed("broker", text), *commands, *heard_topics(config)], True
    if troubled.is_set():
        return [_refusal(settings, health.parts["broker"])], False
    if wrote.is_set():
        text = f"{protocol} at {where} lets us in, but what is written to {topic}"
        hint = "its access rules drop it without a word: see systemd/mosquitto.acl"
        return [failed("broker", f"{text} does not come back", hint)], True
    return [failed("broker", f"{where} does not answer", "check mqtt.host and mqtt.port")], False


def _refusal(settings: MqttSection, condition: Condition) -> CheckResult:
    # Whoever calls `check` is the owner.
    hint = condition.who_acts.removeprefix("owner: ") or "is it running?"
    if "mqtt.username" in hint and settings.username is None:
        hint = f"it wants a user: set mqtt.username and mqtt.password; {RECIPE}"
    return failed("broker", ERRNO.sub("", condition.why), hint)


# --- from the appliances' side ----------------------------------------------------------------


async def _is_loopback(settings: MqttSection) -> bool:
    """Is the broker addressed in a way that only this machine can use?"""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return all(ipaddress.ip_address(info[4][0]).is_loopback for info in found)


async def _check_listener(settings: MqttSection, addresses: Sequence[str]) -> list[CheckResult]:
    """Only this machine's own addresses are tried, so nothing leaves it."""
    if not addresses:
        return []
    for address in addresses:
        with contextlib.suppress(OSError):
            async with asyncio.timeout(LISTENER_TIMEOUT_S):
                _, writer = await asyncio.open_connection(address, settings.port)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            return []
    tried = " nor ".join(f"{address}:{settings.port}" for address in addresses)
    return [
        warning(
            "broker",
            f"it listens on this machine only, not on {tried}: no appliance can reach it",
            f"add a listener to its configuration, {RECIPE}",
        )
    ]


def lan_addresses() -> list[str]:
    """This machine's own IPv4 addresses, loopback left out; asked of the kernel."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode()[:15])
            with contextlib.suppress(OSError):
                answer = fcntl.ioctl(sock.fileno(), SIOCGIFADDR, request)
                address = ipaddress.ip_address(answer[20:24])
                if not address.is_loopback:
                    found.append(str(address))
    return found
