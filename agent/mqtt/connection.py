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
from typing import Any

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from agent.config.mqtt import MqttSection, ProtocolChoice
from agent.health import Health
from agent.mqtt.client import AckTimeout, Client, ClosedEarly, DroppedAtConnect
from agent.mqtt.diagnosis import Diagnosis, TlsFileError, diagnose
from agent.ports import Message

log = logging.getLogger(__name__)
# What paho says of each failed read is said here once, in the owner's words.
PAHO_LOG = logging.getLogger(f"{__name__}.paho")
PAHO_LOG.setLevel(logging.CRITICAL)

V5, V311 = aiomqtt.ProtocolVersion.V5, aiomqtt.ProtocolVersion.V311
CONFIRM_TIMEOUT_S = 10.0
# The connect blocks a thread that cannot be stopped; it may not hold up the end of the program.
CONNECT_TIMEOUT_S = 1.5
HANDSHAKE_TIMEOUT_S = 5.0
LEAVE_TIMEOUT_S = 0.5
BACKOFF_MIN_S = 1.0
BACKOFF_MAX_S = 60.0
TAKEN_OVER_WAIT_S = 3600.0
TAKEN_OVER = 0x8E
UNSUPPORTED_PROTOCOL = 0x84
# Reason codes from here on are failures (MQTT 5, section 2.4).
FAILURES = 0x80
# MQTT 3.1.1 does not say that another client took our id, nor does every broker of MQTT 5
# (Mosquitto 2.0.11): we lose the connection at once, again and again.
EARLY_LOSS_S = 10.0
EARLY_LOSSES = 3


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
    first_wait_s: float = BACKOFF_MIN_S
    _client: Client | None = None
    _broken: asyncio.Event = field(default_factory=asyncio.Event)
    _offline_published: bool = False
    _protocol: aiomqtt.ProtocolVersion | None = None
    _early_losses: int = 0
    _said: set[str] = field(default_factory=set)
    _refused: set[str] = field(default_factory=set)
    _random: random.Random = field(default_factory=random.Random)

    @property
    def connected(self) -> bool:
        return self._client is not None

    @property
    def protocol(self) -> str:
        """What is spoken on the connection there is."""
        return "MQTT 5" if self._protocol is V5 else "MQTT 3.1.1"

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
            answer = await client.send(topic, payload, qos, retain, properties)
        except AckTimeout:
            # What was not confirmed is published again on the next connection: bring it about.
            if client is self._client:
                self._broken.set()
            return False
        except aiomqtt.MqttError:
            return False
        if answer is not None and answer.value >= FAILURES:
            self._report_refused(topic, str(answer))
        return True

    async def run(self) -> None:
        wait = self.first_wait_s
        while True:
            began = asyncio.get_running_loop().time()
            try:
                await self._stay_connected()
            except (aiomqtt.MqttError, OSError, TimeoutError) as error:
                _pass_on_cancellation()
                stayed = asyncio.get_running_loop().time() - began
                was_connected = self._client is not None or isinstance(error, DroppedAtConnect)
                self._client = None
                if self._client_id_taken(error, was_connected, stayed):
                    await asyncio.sleep(TAKEN_OVER_WAIT_S)
                    continue
                trouble = diagnose(error, self.settings)
                self._report_lost(trouble)
                if was_connected:
                    wait = self.first_wait_s
                elif trouble.lasting:
                    wait = BACKOFF_MAX_S
                else:
                    wait = min(wait * 2, BACKOFF_MAX_S)
            finally:
                self._client = None
            await asyncio.sleep(wait * self._random.uniform(0.5, 1.0))

    async def publish_offline(self, payload: str, timeout_s: float) -> None:
        """The last words on the will's topic, as far as the broker takes them in time.

        Nobody else is heard afterwards: an `online` on its way would contradict it for ever.
        Where `run` ends without it, as after a crash, the last will is published.
        """
        client, self._client = self._client, None
        self._offline_published = True
        if client is None:
            return
        client.timeout = timeout_s
        try:
            await client.send(self.will_topic, payload, 1, True, None)
        except aiomqtt.MqttError as error:
            log.debug("goodbye: %s", error)

    async def _stay_connected(self) -> None:
        client = await self._connect()
        self._broken.clear()
        try:
            await self._subscribe(client)
            _pass_on_cancellation()
            self._report_connected()
            jobs = [
                asyncio.create_task(self._read(client), name="mqtt-read"),
                asyncio.create_task(self._watch(), name="mqtt-watch"),
                asyncio.create_task(self._announce_online(client), name="mqtt-greet"),
            ]
            try:
                done, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_EXCEPTION)
                for job in done:
                    job.result()
            finally:
                for job in jobs:
                    job.cancel()
                await asyncio.gather(*jobs, return_exceptions=True)
        finally:
            if self._offline_published:
                await client.disconnect(LEAVE_TIMEOUT_S)
            else:
                # A clean end would keep the last will back, and `online` would stand for ever.
                client.abort()

    async def _announce_online(self, client: Client) -> None:
        # Not earlier: what others publish before the greeting would be published twice.
        self._client = client
        await self.on_connect()

    async def _watch(self) -> None:
        await self._broken.wait()
        raise AckTimeout("the broker confirms nothing any more")

    async def _read(self, client: Client) -> None:
        async for message in client.messages:
            payload = message.payload
            if isinstance(payload, bytes | bytearray):
                self.on_message(Message(str(message.topic), bytes(payload), bool(message.retain)))

    async def _subscribe(self, client: Client) -> None:
        topics = self.subscriptions()
        if not topics:
            return
        answers: Sequence[Any] = await client.subscribe([(topic, 1) for topic in topics])
        for topic, answer in zip(topics, answers, strict=False):
            # MQTT 3.1.1 answers with numbers, 5 with reasons.
            code: int = getattr(answer, "value", answer)
            if code >= FAILURES:
                self._report_refused(topic, str(answer))

    async def _connect(self) -> Client:
        """A connected client, in the newest protocol that the broker speaks."""
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
        client = self._make_client(protocol)
        async with asyncio.timeout(CONNECT_TIMEOUT_S + HANDSHAKE_TIMEOUT_S):
            await client.__aenter__()
        client.timeout = CONFIRM_TIMEOUT_S
        self._protocol = protocol
        return client

    def _make_client(self, protocol: aiomqtt.ProtocolVersion) -> Client:
        settings = self.settings
        return Client(
            settings.host,
            settings.port,
            connect_timeout_s=CONNECT_TIMEOUT_S,
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
            logger=PAHO_LOG,
            # Brokers that do not switch Nagle off confirm 24 messages a second without it.
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        )

    def _client_id_taken(self, error: BaseException, was_connected: bool, stayed: float) -> bool:
        taken = _reason_of(error) == TAKEN_OVER
        if was_connected:
            self._early_losses = self._early_losses + 1 if stayed < EARLY_LOSS_S else 0
            taken = taken or self._early_losses >= EARLY_LOSSES
        if taken:
            self._early_losses = 0
            why = f"another client connects as {self.client_id!r}; trying again in an hour"
            log.error("broker: %s", why)
            self._said.add(why)
            self.health.failed("broker", why, "owner: give mqtt.client_id a name of its own")
        return taken

    def _report_connected(self) -> None:
        log.info("connected to %s:%d (%s)", self.settings.host, self.settings.port, self.protocol)
        self._said.clear()
        if not self._refused:
            self.health.ok("broker")

    def _report_lost(self, trouble: Diagnosis) -> None:
        why = f"{self.settings.host}:{self.settings.port}: {trouble.why}"
        if not self._said or (trouble.who_acts and why not in self._said):
            self._said.add(why)
            log.warning("no broker at %s%s", why, f" ({trouble.who_acts})" * bool(trouble.who_acts))
        self._refused.clear()
        self.health.failed("broker", why, trouble.who_acts)

    def _report_refused(self, topic: str, answer: str) -> None:
        """The broker's rules keep us from a topic. MQTT 3.1.1 would not even say so."""
        if topic in self._refused:
            return
        if not self._refused:
            log.warning("the broker refuses %s (%s); others are not said one by one", topic, answer)
        self._refused.add(topic)
        why = f"the broker refuses {len(self._refused)} topic(s), first {min(self._refused)}"
        self.health.degraded("broker", why, "owner: allow the agent its topics (mosquitto.acl)")


def _pass_on_cancellation() -> None:
    """Python 3.11's wait_for swallows one that comes together with a result."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _reason_of(error: BaseException) -> int | None:
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
    return _reason_of(error) == UNSUPPORTED_PROTOCOL or str(error) == "Operation timed out"


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
