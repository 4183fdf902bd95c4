"""One connection to the broker: MQTT 5 where it speaks it, else 3.1.1; lost is a state, not an end.

The last will is set before connecting. Who publishes while there is no connection is told so; on
return everything that is true then is published again (see agent.dispatch.outbox).
"""

import asyncio
import logging
import random
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from agent.config.mqtt import MqttSection, ProtocolChoice
from agent.health import Health
from agent.ports import Message

log = logging.getLogger(__name__)

V5, V311 = aiomqtt.ProtocolVersion.V5, aiomqtt.ProtocolVersion.V311
CONFIRM_TIMEOUT_S = 10.0
# The connect blocks a thread that cannot be stopped; it may not hold up the end of the program.
CONNECT_TIMEOUT_S = 1.5
HANDSHAKE_TIMEOUT_S = 5.0
LONGEST_WAIT_S = 60.0
TAKEN_OVER_WAIT_S = 3600.0
TAKEN_OVER = 0x8E
UNSUPPORTED_PROTOCOL = 0x84
# MQTT 3.1.1 does not say that another client took our id: we lose the connection at once.
EARLY_LOSS_S = 10.0
EARLY_LOSSES = 3


class _Client(aiomqtt.Client):
    """aiomqtt hides paho's connect time-out."""

    def limit_connect(self, seconds: float) -> None:
        self._client.connect_timeout = seconds


@dataclass(slots=True)
class MqttConnection:
    """A Post. `run` holds the connection up until it is cancelled.

    `subscriptions` are the topics to ask for at each connect; `on_message` is called with each
    message that comes; `on_connect` is awaited when messages can be published.
    """

    settings: MqttSection
    will_topic: str
    client_id: str
    health: Health
    subscriptions: Callable[[], Sequence[str]]
    on_message: Callable[[Message], None]
    on_connect: Callable[[], Awaitable[None]]
    _client: _Client | None = None
    _protocol: aiomqtt.ProtocolVersion | None = None
    _early_losses: int = 0
    _reported: str | None = None
    _random: random.Random = field(default_factory=random.Random)

    @property
    def connected(self) -> bool:
        return self._client is not None

    async def publish(
        self,
        topic: str,
        payload: str | bytes,
        *,
        retain: bool = True,
        qos: int = 1,
        expiry_s: int | None = None,
    ) -> bool:
        client = self._client
        if client is None:
            return False
        properties = None
        if expiry_s is not None and self._protocol is V5:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho
            properties.MessageExpiryInterval = min(expiry_s, 2**32 - 1)
        try:
            await client.publish(topic, payload, qos, retain, properties)
        except aiomqtt.MqttError:
            return False
        return True

    async def subscribe(self, *topics: str) -> None:
        """Ask for more topics on the connection there is; a later one asks for all by itself."""
        if self._client is not None and topics:
            await self._client.subscribe([(topic, 1) for topic in topics])

    async def run(self) -> None:
        wait = 1.0
        while True:
            began = asyncio.get_running_loop().time()
            try:
                await self._stay_connected()
            except (aiomqtt.MqttError, OSError, ssl.SSLError, TimeoutError) as error:
                stayed = asyncio.get_running_loop().time() - began
                was_connected = self._client is not None
                self._client = None
                if self._lost_to_another(error, was_connected, stayed):
                    await asyncio.sleep(TAKEN_OVER_WAIT_S)
                    continue
                self._say_lost(error)
                wait = 1.0 if was_connected else min(wait * 2, LONGEST_WAIT_S)
            finally:
                self._client = None
            await asyncio.sleep(wait * self._random.uniform(0.5, 1.0))

    async def say_goodbye(self, payload: str, timeout_s: float) -> None:
        """The last words on the will's topic, as far as the broker takes them in time."""
        client = self._client
        if client is None:
            return
        client.timeout = timeout_s
        await self.publish(self.will_topic, payload)

    async def _stay_connected(self) -> None:
        client = await self._connect()
        try:
            await client.subscribe([(topic, 1) for topic in self.subscriptions()])
            self._client = client
            self._say_connected()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read(client), name="mqtt-read")
                tasks.create_task(self._greet(), name="mqtt-greet")
        except* aiomqtt.MqttError as group:
            raise aiomqtt.MqttError(str(group.exceptions[0])) from group.exceptions[0]
        finally:
            client.timeout = min(client.timeout, 1.0)
            await _leave(client)

    async def _greet(self) -> None:
        await self.on_connect()

    async def _read(self, client: _Client) -> None:
        async for message in client.messages:
            payload = message.payload
            if isinstance(payload, str):
                payload = payload.encode()
            if isinstance(payload, bytes | bytearray):
                self.on_message(Message(str(message.topic), bytes(payload), bool(message.retain)))

    async def _connect(self) -> _Client:
        """A connected client, in the newest protocol that the broker speaks."""
        choice = self.settings.protocol
        tries = {
            ProtocolChoice.AUTO: [self._protocol] if self._protocol else [V5, V311],
            ProtocolChoice.V5: [V5],
            ProtocolChoice.V311: [V311],
        }[choice]
        for index, protocol in enumerate(tries):
            client = self._make_client(protocol)
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT_S + HANDSHAKE_TIMEOUT_S):
                    await client.__aenter__()
            except (aiomqtt.MqttError, TimeoutError) as error:
                last = index == len(tries) - 1
                if last or not _may_be_protocol(error):
                    self._protocol = None
                    raise
                continue
            client.timeout = CONFIRM_TIMEOUT_S
            self._protocol = protocol
            return client
        raise AssertionError("a list of protocols is never empty")

    def _make_client(self, protocol: aiomqtt.ProtocolVersion) -> _Client:
        settings = self.settings
        client = _Client(
            settings.host,
            settings.port,
            username=settings.username,
            password=settings.password.get_secret_value() if settings.password else None,
            identifier=self.client_id,
            protocol=protocol,
            clean_session=True if protocol is V311 else None,
            will=aiomqtt.Will(self.will_topic, "offline", qos=1, retain=True),
            keepalive=settings.keepalive_s,
            timeout=HANDSHAKE_TIMEOUT_S,
            tls_context=_tls_context(settings) if settings.tls.enabled else None,
            max_queued_incoming_messages=1000,
            # Brokers that do not switch Nagle off confirm 24 messages a second without it.
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        )
        client.limit_connect(CONNECT_TIMEOUT_S)
        return client

    def _lost_to_another(self, error: BaseException, was_connected: bool, stayed: float) -> bool:
        code = getattr(error.__cause__ or error, "rc", None)
        cause = error.__cause__
        while cause is not None and not isinstance(code, ReasonCode):
            code = getattr(cause, "rc", code)
            cause = cause.__cause__
        taken = isinstance(code, ReasonCode) and code.value == TAKEN_OVER
        if was_connected and self._protocol is V311:
            self._early_losses = self._early_losses + 1 if stayed < EARLY_LOSS_S else 0
            taken = taken or self._early_losses >= EARLY_LOSSES
        if taken:
            self._early_losses = 0
            why = f"another client connects as {self.client_id!r}; waiting an hour"
            log.error("broker: %s", why)
            self._reported = why
            self.health.failed("broker", why, "owner: give mqtt.client_id a name of its own")
        return taken

    def _say_connected(self) -> None:
        name = "MQTT 5" if self._protocol is V5 else "MQTT 3.1.1"
        log.info("connected to %s:%d (%s)", self.settings.host, self.settings.port, name)
        self._reported = None
        self.health.ok("broker")

    def _say_lost(self, error: BaseException) -> None:
        why = f"{self.settings.host}:{self.settings.port}: {error}"
        refused = any(word in why.lower() for word in ("authori", "password", "credential"))
        if self._reported is None or (refused and self._reported != why):
            log.warning("no broker at %s; trying again with growing waits", why)
            self._reported = why
        who = "owner: check mqtt.username and mqtt.password" if refused else ""
        self.health.failed("broker", self._reported, who)


async def _leave(client: _Client) -> None:
    try:
        await client.__aexit__(None, None, None)
    except aiomqtt.MqttError as error:
        log.debug("leaving the broker: %s", error)


def _may_be_protocol(error: BaseException) -> bool:
    """Could an older protocol help? Not where the broker is away or does not like our password."""
    if isinstance(error, TimeoutError):
        return True
    code = getattr(error, "rc", None)
    if isinstance(code, ReasonCode):
        return code.value in (UNSUPPORTED_PROTOCOL, 1)
    if code == 1:
        return True
    return "timed out" in str(error).lower()


def _tls_context(settings: MqttSection) -> ssl.SSLContext:
    """TLS with the owner's own authority and client certificate where given."""
    tls = settings.tls
    context = ssl.create_default_context(cafile=str(tls.ca_file) if tls.ca_file else None)
    if tls.certificate_file and tls.key_file:
        context.load_cert_chain(tls.certificate_file, tls.key_file)
    return context
