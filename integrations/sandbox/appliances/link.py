"""An appliance's own connection to the broker."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

import aiomqtt

Receive = Callable[[str, bytes], None]
# Small messages that wait for each other's acknowledgement would take 40 ms each.
NO_DELAY = ((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),)


class Link(Protocol):
    """Publish, and hear what is asked for. QoS 1; `retain` as in the wire contract."""

    async def publish(self, topic: str, payload: str, *, retain: bool) -> None: ...

    async def subscribe(self, topics: Sequence[str], receive: Receive) -> None: ...


class MqttLink:
    """A Link over a real broker, MQTT 3.1.1 as small firmware speaks it. Use `open_link`."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self._client = client
        self.receive: Receive = lambda topic, payload: None

    async def publish(self, topic: str, payload: str, *, retain: bool) -> None:
        # The end of the demo may come in the middle of it; the appliance is gone then anyway.
        with contextlib.suppress(aiomqtt.MqttError):
            await self._client.publish(topic, payload, qos=1, retain=retain)

    async def subscribe(self, topics: Sequence[str], receive: Receive) -> None:
        self.receive = receive
        await self._client.subscribe([(topic, 1) for topic in topics])

    async def pump(self) -> None:
        async for message in self._client.messages:
            if isinstance(message.payload, bytes | bytearray):
                self.receive(str(message.topic), bytes(message.payload))


@contextlib.asynccontextmanager
async def open_link(
    host: str, port: int, client_id: str, status_topic: str | None = None
) -> AsyncIterator[MqttLink]:
    """A connected link; what it hears is handed on while the block runs.

    `status_topic` says `online` meanwhile and `offline` afterwards, also where the link was lost.
    """
    client = aiomqtt.Client(
        host,
        port,
        identifier=client_id,
        protocol=aiomqtt.ProtocolVersion.V311,
        keepalive=30,
        socket_options=NO_DELAY,
        will=aiomqtt.Will(status_topic, b"offline", 1, True) if status_topic else None,
    )
    async with client:
        link = MqttLink(client)
        if status_topic:
            await link.publish(status_topic, "online", retain=True)
        pump = asyncio.create_task(link.pump(), name=f"link-{client_id}")
        try:
            yield link
        finally:
            pump.cancel()
            await asyncio.gather(pump, return_exceptions=True)
            if status_topic:
                await link.publish(status_topic, "offline", retain=True)
