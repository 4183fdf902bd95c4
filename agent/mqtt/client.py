"""aiomqtt with what a long-lived connection needs: quick news of a loss, and the broker's answer.

aiomqtt waits out its time-outs where the connection has died already, and takes a refused publish
for a good one.
"""

import asyncio
import logging
from typing import Any

import aiomqtt
from paho.mqtt.client import Client as PahoClient
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

log = logging.getLogger(__name__)


class ClosedEarly(aiomqtt.MqttError):
    """Hung up before an answer: the other side speaks another protocol, wants TLS, or none."""


class DroppedAtConnect(aiomqtt.MqttCodeError):
    """Let in and thrown out in the same moment; aiomqtt would never notice."""


class AckTimeout(aiomqtt.MqttError):
    """The connection looks alive, but the broker does not answer."""


class Client(aiomqtt.Client):
    """One attempt at a connection; make a new one for the next."""

    def __init__(self, *args: Any, connect_timeout_s: float, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._client.connect_timeout = connect_timeout_s
        self._cancelled = False
        self._disconnect_reason: ReasonCode | None = None
        self._answers: dict[int, asyncio.Future[ReasonCode]] = {}

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

    async def send(
        self,
        topic: str,
        payload: str | bytes,
        qos: int,
        retain: bool,
        properties: Properties | None,
    ) -> ReasonCode | None:
        """Publish; the broker's answer, None with QoS 0. Raises MqttError where none can come."""
        info = self._client.publish(topic, payload, qos, retain, properties)
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise aiomqtt.MqttCodeError(info.rc)
        if qos == 0:
            return None
        answer: asyncio.Future[ReasonCode] = asyncio.get_running_loop().create_future()
        self._answers[info.mid] = answer
        try:
            # Not wait_for: before Python 3.12 it swallows a cancellation that meets the answer.
            async with asyncio.timeout(self.timeout):
                return await answer
        except TimeoutError:
            raise AckTimeout("the broker confirms nothing any more") from None
        finally:
            del self._answers[info.mid]

    def _fail_pending(self, _disconnected: object) -> None:
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(aiomqtt.MqttError("the connection was lost"))

    def _on_socket_open(self, client: PahoClient, userdata: Any, sock: Any) -> None:
        # A connect that was given up goes on in its thread; it must not take over its successor.
        if self._cancelled:
            sock.close()
            return
        super()._on_socket_open(client, userdata, sock)

    def _on_socket_register_write(self, client: PahoClient, userdata: Any, sock: Any) -> None:
        if not self._cancelled:
            super()._on_socket_register_write(client, userdata, sock)

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
