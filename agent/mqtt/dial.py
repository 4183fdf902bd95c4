"""Dialling the broker: one connected client, in the newest protocol that the broker speaks."""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from agent.config.mqtt import MqttSection, ProtocolChoice
from agent.mqtt.client import Client, ClosedEarly
from agent.mqtt.diagnosis import TlsFileError

# What paho says of each failed read is said once in the owner's words, by the report.
PAHO_LOG = logging.getLogger(f"{__name__}.paho")
PAHO_LOG.setLevel(logging.CRITICAL)

V5, V311 = aiomqtt.ProtocolVersion.V5, aiomqtt.ProtocolVersion.V311
CONFIRM_TIMEOUT_S = 10.0
# The connect blocks a thread that cannot be stopped; it may not hold up the end of the program.
CONNECT_TIMEOUT_S = 1.5
HANDSHAKE_TIMEOUT_S = 5.0
# No document that we read is larger; under MQTT 5 the broker is told and keeps it.
MAX_INCOMING_BYTES = 262_144
UNSUPPORTED_PROTOCOL = 0x84


@dataclass(slots=True)
class Dialler:
    """`last` is the client of the last attempt, connected or not."""

    settings: MqttSection
    will_topic: str
    client_id: str
    on_topic: Callable[[str, bool], None]
    on_drop: Callable[[], None]
    last: Client | None = field(default=None, init=False)
    _protocol: aiomqtt.ProtocolVersion | None = field(default=None, init=False)

    @property
    def is_v5(self) -> bool:
        return self._protocol is V5

    async def connect(self) -> Client:
        """Raises MqttError, OSError, TimeoutError."""
        if self.last is not None and self.last.connecting:
            # Each attempt would hold one more thread, until none is left to plan in.
            raise aiomqtt.MqttError("the last attempt to reach it still hangs")
        tries = {
            ProtocolChoice.AUTO: [self._protocol] if self._protocol else [V5, V311],
            ProtocolChoice.V5: [V5],
            ProtocolChoice.V311: [V311],
        }[self.settings.protocol]
        self._protocol = None
        for protocol in tries[:-1]:
            try:
                return await self._enter(protocol)
            except (aiomqtt.MqttError, TimeoutError) as error:
                if not _may_be_protocol(error):
                    raise
        return await self._enter(tries[-1])

    async def _enter(self, protocol: aiomqtt.ProtocolVersion) -> Client:
        client = self.last = self._make_client(protocol)
        async with asyncio.timeout(CONNECT_TIMEOUT_S + HANDSHAKE_TIMEOUT_S):
            await client.__aenter__()
        client.timeout = CONFIRM_TIMEOUT_S
        self._protocol = protocol
        return client

    def _make_client(self, protocol: aiomqtt.ProtocolVersion) -> Client:
        settings = self.settings
        properties = None
        if protocol is V5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho
            properties.MaximumPacketSize = MAX_INCOMING_BYTES
        return Client(
            settings.host,
            settings.port,
            connect_timeout_s=CONNECT_TIMEOUT_S,
            on_topic=self.on_topic,
            on_drop=self.on_drop,
            username=settings.username,
            password=settings.password.get_secret_value() if settings.password else None,
            identifier=self.client_id,
            protocol=protocol,
            clean_session=True if protocol is V311 else None,
            properties=properties,
            will=aiomqtt.Will(self.will_topic, "offline", qos=1, retain=True),
            keepalive=settings.keepalive_s,
            timeout=HANDSHAKE_TIMEOUT_S,
            tls_context=_tls_context(settings) if settings.tls.enabled else None,
            logger=PAHO_LOG,
            # Brokers that do not switch Nagle off confirm 24 messages a second without it.
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        )


def reason_of(error: BaseException) -> int | None:
    """The broker's reason code, from the error or from what it was raised from."""
    link: BaseException | None = error
    while link is not None:
        code = getattr(link, "rc", None)
        if isinstance(code, ReasonCode):
            return int(code.value)
        link = link.__cause__
    return None


def _may_be_protocol(error: BaseException) -> bool:
    """Could an older protocol help? Not where the broker is away or does not like our password."""
    if isinstance(error, ClosedEarly):
        return True
    return reason_of(error) == UNSUPPORTED_PROTOCOL or str(error) == "Operation timed out"


def _tls_context(settings: MqttSection) -> ssl.SSLContext:
    """TLS with the owner's own authority and client certificate where given."""
    tls = settings.tls
    try:
        context = ssl.create_default_context(cafile=str(tls.ca_file) if tls.ca_file else None)
        if tls.certificate_file and tls.key_file:
            context.load_cert_chain(tls.certificate_file, tls.key_file)
    except OSError as error:
        named = [tls.ca_file, tls.certificate_file, tls.key_file]
        files = ", ".join(str(path) for path in named if path is not None)
        raise TlsFileError(f"a file of mqtt.tls cannot be used: {error}; of {files}") from error
    return context
