"""aiomqtt with what a long-lived connection needs: quick news of a loss, and the broker's answer.

aiomqtt waits out its time-outs where the connection has died already, takes a refused publish for a
good one, and loses the connection over a topic that is no UTF-8.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import aiomqtt
from paho.mqtt.client import Client as PahoClient
from paho.mqtt.client import MQTTMessage
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from agent.mqtt.incoming import IncomingBuffer
from agent.ports import Message

log = logging.getLogger(__name__)


class ClosedEarly(aiomqtt.MqttError):
    """Hung up before an answer: the other side speaks another protocol, wants TLS, or none."""


class DroppedAtConnect(aiomqtt.MqttCodeError):
    """Let in and thrown out in the same moment; aiomqtt would never notice."""


class AckTimeout(aiomqtt.MqttError):
    """The connection looks alive, but the broker does not answer."""


class ConnectionLost(aiomqtt.MqttError):
    """The other side or the network ended it; `__cause__` says how, where that is known."""


class Client(aiomqtt.Client):
    """One attempt at a connection; make a new one for the next.

    `incoming` holds what came; `on_topic` is called with topic and retain flag of each message as
    it comes, `on_drop` for each that is lost. `max_packet_bytes` is the broker's word (MQTT 5),
    None where it has none. `connecting` while a thread that cannot be stopped tries to reach it.
    """

    def __init__(
        self,
        *args: Any,
        connect_timeout_s: float,
        on_topic: Callable[[str, bool], None],
        on_drop: Callable[[], None],
        **settings: Any,
    ) -> None:
        super().__init__(*args, **settings)
        self._client.connect_timeout = connect_timeout_s
        self.incoming = IncomingBuffer(on_drop)
        self.max_packet_bytes: int | None = None
        self.connecting = False
        self._on_topic, self._on_drop = on_topic, on_drop
        self._came = asyncio.Event()
        self._cancelled = False
        self._disconnect_reason: ReasonCode | None = None
        self._answers: dict[int, asyncio.Future[ReasonCode]] = {}
        self._sizes: dict[int, int] = {}
        self.largest_unconfirmed = 0

    async def __aenter__(self) -> "Client":
        try:
            await super().__aenter__()
        except BaseException:
            self._cancelled = True
            # After what paho's thread has asked of the loop already.
            self._loop.call_soon(self.abort)
            raise
        if self._disconnect_reason is not None:
            raise DroppedAtConnect(self._disconnect_reason)
        self._disconnected.add_done_callback(self._fail_pending)
        return self

    async def disconnect(self, timeout_s: float) -> None:
        """Say goodbye to the broker if it still listens; the socket is closed afterwards."""
        self.timeout = timeout_s
        try:
            await self.__aexit__(None, None, None)
        except aiomqtt.MqttError as error:
            log.debug("leaving the broker: %s", error)
        finally:
            self.abort()

    def abort(self) -> None:
        """Close the socket without a word: the broker publishes the last will."""
        # paho has no public way to do this.
        self._client._sock_close()

    async def lost(self) -> None:
        """Until the connection ends. Raises ConnectionLost."""
        await asyncio.wait((self._disconnected,))
        raise ConnectionLost("the connection was lost") from self._disconnected.exception()

    async def wait_for_message(self, timeout_s: float) -> None:
        """Until one came, or the time is over."""
        self._came.clear()
        if self.incoming:
            return
        try:
            async with asyncio.timeout(timeout_s):
                await self._came.wait()
        except TimeoutError:
            return

    async def send(
        self,
        topic: str,
        payload: bytes,
        qos: int,
        retain: bool,
        properties: Properties | None,
        size: int = 0,
    ) -> ReasonCode | None:
        """Publish; the broker's answer, None with QoS 0. Raises MqttError where none can come.

        `size` of the packet in bytes, to know what was on its way when a connection ended.
        """
        info = self._client.publish(topic, payload, qos, retain, properties)
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise aiomqtt.MqttCodeError(info.rc)
        if qos == 0:
            return None
        answer: asyncio.Future[ReasonCode] = asyncio.get_running_loop().create_future()
        self._answers[info.mid] = answer
        self._sizes[info.mid] = size
        try:
            # Not wait_for: before Python 3.12 it swallows a cancellation that meets the answer.
            async with asyncio.timeout(self.timeout):
                return await answer
        except TimeoutError:
            raise AckTimeout("the broker confirms nothing any more") from None
        finally:
            del self._answers[info.mid], self._sizes[info.mid]

    def _fail_pending(self, _disconnected: object) -> None:
        self.largest_unconfirmed = max(self._sizes.values(), default=0)
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(aiomqtt.MqttError("the connection was lost"))

    def _client_connect(self) -> None:
        self.connecting = True
        try:
            super()._client_connect()
        finally:
            self.connecting = False

    def _on_connect(
        self,
        client: PahoClient,
        userdata: Any,
        flags: Any,
        reason_code: ReasonCode,
        properties: Properties | None = None,
    ) -> None:
        self.max_packet_bytes = getattr(properties, "MaximumPacketSize", None)
        super()._on_connect(client, userdata, flags, reason_code, properties)

    def _on_message(self, client: PahoClient, userdata: Any, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            self._on_drop()
            return
        retain = bool(message.retain)
        self._on_topic(topic, retain)
        self.incoming.put(Message(topic, bytes(message.payload), retain))
        self._came.set()

    def _on_socket_open(self, client: PahoClient, userdata: Any, sock: Any) -> None:
        # A connect that was given up goes on in its thread; it must not take over its successor.
        if self._cancelled:
            sock.close()
            return
        super()._on_socket_open(client, userdata, sock)

    def _on_socket_register_write(self, client: PahoClient, userdata: Any, sock: Any) -> None:
        # From whichever thread; and by the time the loop looks, the socket may have been closed.
        if not self._cancelled:
            self._loop.call_soon_threadsafe(self._await_writable, client, sock)

    def _await_writable(self, client: PahoClient, sock: Any) -> None:
        if sock.fileno() >= 0:
            self._loop.add_writer(sock.fileno(), self._write, client)

    def _write(self, client: PahoClient) -> None:
        try:
            client.loop_write()
        except Exception as error:  # noqa: BLE001 - whatever it is, the connection broke
            if not self._disconnected.done():
                self._disconnected.set_exception(error)

    def _on_socket_unregister_write(self, client: PahoClient, userdata: Any, sock: Any) -> None:
        # One that was closed meanwhile has no number any more; the loop has forgotten it.
        if sock.fileno() >= 0:
            super()._on_socket_unregister_write(client, userdata, sock)

    def _on_disconnect(
        self,
        client: PahoClient,
        userdata: Any,
        flags: Any,
        reason_code: ReasonCode,
        properties: Properties | None = None,
    ) -> None:
        if not self._connected.done() and not self._cancelled:
            self._connected.set_exception(ClosedEarly("the broker hung up before it answered"))
            return
        self._disconnect_reason = reason_code
        super()._on_disconnect(client, userdata, flags, reason_code, properties)
        if self._disconnected.done():
            # Looked at, so that asyncio does not complain where nobody else looks.
            self._disconnected.exception()

    def _on_publish(
        self,
        client: PahoClient,
        userdata: Any,
        mid: int,
        reason_code: ReasonCode,
        properties: Properties,
    ) -> None:
        answer = self._answers.get(mid)
        if answer is not None and not answer.done():
            answer.set_result(reason_code)
