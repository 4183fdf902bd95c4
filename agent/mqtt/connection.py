"""One connection to the broker: MQTT 5 where it speaks it, else 3.1.1; lost is a state, not an end.

The last will is set before connecting. Who publishes while there is no connection is told so; on
return everything that is true then is published again (see agent.dispatch.outbox). No message that
comes or goes can end the connection's task: what cannot be read or sent is left out and counted.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiomqtt

from agent.config.mqtt import MqttSection
from agent.health import Health
from agent.mqtt.client import AckTimeout, Client, ConnectionLost, DroppedAtConnect
from agent.mqtt.diagnosis import diagnose
from agent.mqtt.dial import Dialler, reason_of
from agent.mqtt.echo import EchoCheck
from agent.mqtt.packets import (
    PacketLimit,
    Unsendable,
    encoded,
    is_filter,
    packet_bytes,
    publish_properties,
)
from agent.mqtt.reconnect import BACKOFF_MIN_S, TAKEN_OVER, Reconnect
from agent.mqtt.report import BrokerReport
from agent.ports import Message

log = logging.getLogger(__name__)

LEAVE_TIMEOUT_S = 0.5
# Signs of life come at least this often, in the longest wait too.
ALIVE_EVERY_S = 5.0
# Some brokers of clouds take no more topics in one packet.
TOPICS_A_SUBSCRIBE = 8
# In a clean session a higher one brings back nothing that was missed, and the broker counts what is
# not confirmed yet. Mosquitto 2.0.11 counts for ever what it held back as too large for us: after
# twenty of those nothing comes any more.
SUBSCRIBE_QOS = 0
PACKET_TOO_LARGE = 0x95
# Reason codes from here on are failures (MQTT 5, section 2.4).
FAILURES = 0x80


@dataclass(slots=True)
class MqttConnection:
    """A Post. `run` holds the connection up until it is cancelled.

    `subscriptions` are the topics to ask for at each connect; `on_message` is called with each
    message that comes; `on_connect` is awaited when messages can be published; `on_alive` is
    called every few seconds while all is as it should be, broker or no broker; `on_refused` with
    the topic of each message that the broker's rules forbid, before `publish` answers.
    """

    settings: MqttSection
    will_topic: str
    client_id: str
    health: Health
    subscriptions: Callable[[], Sequence[str]]
    on_message: Callable[[Message], None]
    on_connect: Callable[[], Awaitable[None]]
    first_wait_s: float = BACKOFF_MIN_S
    on_alive: Callable[[], None] = lambda: None
    on_refused: Callable[[str], None] = lambda topic: None
    _client: Client | None = field(default=None, init=False)
    _connected_at: float | None = field(default=None, init=False)
    _broken: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _last_words: str | None = field(default=None, init=False)
    _told_last_words: Client | None = field(default=None, init=False)
    _echo: EchoCheck = field(default_factory=lambda: EchoCheck(()), init=False)
    _limit: PacketLimit = field(default_factory=PacketLimit, init=False)
    _dialler: Dialler = field(init=False)
    _reconnect: Reconnect = field(init=False)
    _report: BrokerReport = field(init=False)

    def __post_init__(self) -> None:
        self._reconnect = Reconnect(self.first_wait_s)
        self._report = BrokerReport(self.settings, self.client_id, self.health)
        self._dialler = Dialler(
            self.settings,
            self.will_topic,
            self.client_id,
            on_topic=lambda topic, retained: self._echo.hear(topic, retained=retained),
            on_drop=self._report.dropped,
        )

    @property
    def connected(self) -> bool:
        return self._client is not None

    @property
    def protocol(self) -> str:
        """What is spoken on the connection there is."""
        return "MQTT 5" if self._dialler.is_v5 else "MQTT 3.1.1"

    @property
    def answers(self) -> bool:
        """Does the broker say of each message whether it takes it?"""
        return self._dialler.is_v5

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
        try:
            content = encoded(topic, payload)
        except Unsendable as error:
            # Dealt with: to try it again would keep what comes after it for ever.
            self._report.unsendable(topic, str(error))
            return True
        properties = publish_properties(expiry_s) if self._dialler.is_v5 else None
        size = packet_bytes(topic, content, qos, properties)
        if not self._limit.allows(size, asyncio.get_running_loop().time()):
            self._report.too_large(topic, size)
            return True
        self._echo.sending(topic)
        answer = None
        confirmed = False
        try:
            answer = await client.send(topic, content, qos, retain, properties, size)
            confirmed = answer is not None and answer.value < FAILURES
            if answer is not None:
                self._limit.on_confirmed(size)
        except AckTimeout:
            # What was not confirmed is published again on the next connection: bring it about.
            if client is self._client:
                self._broken.set()
            return False
        except aiomqtt.MqttError:
            return False
        finally:
            self._echo.sent(topic, confirmed=confirmed)
        if answer is not None and not confirmed:
            self._report.refused(topic, str(answer))
            self.on_refused(topic)
        return True

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self.on_alive()
            self._connected_at = None
            try:
                await self._stay_connected()
            except (aiomqtt.MqttError, OSError, TimeoutError) as error:
                _pass_on_cancellation()
                self._client = None
                if isinstance(error, DroppedAtConnect):
                    self._connected_at = loop.time()
                wait_s = self._after(error, loop.time())
            finally:
                self._client = None
            until = loop.time() + wait_s
            while (left := until - loop.time()) > 0:
                self.on_alive()
                await asyncio.sleep(min(left, ALIVE_EVERY_S))

    def _after(self, error: BaseException, now: float) -> float:
        """What a failed connect or a loss means to the owner; the seconds to wait."""
        reason = reason_of(error)
        trouble = diagnose(error, self.settings)
        if self._connected_at is None:
            self._limit.on_away()
            self._report.lost(trouble)
            return self._reconnect.on_refused(lasting=trouble.lasting)
        last = self._dialler.last
        in_flight = last.largest_unconfirmed if last is not None else 0
        too_large = isinstance(error, ConnectionLost) and self._limit.on_lost(
            in_flight, certain=reason == PACKET_TOO_LARGE
        )
        stayed_s = now - self._connected_at
        explained = too_large or isinstance(error, AckTimeout)
        wait_s = self._reconnect.on_lost(stayed_s, reason, explained=explained)
        if self._reconnect.taken_over:
            self._report.taken_over(wait_s, certain=reason == TAKEN_OVER)
        else:
            self._report.lost(trouble)
        return wait_s

    async def publish_offline(self, payload: str, timeout_s: float) -> None:
        """The last words on the will's topic, as far as the broker takes them in time.

        Nobody else is heard afterwards: an `online` on its way would contradict it for ever.
        Where `run` ends without it, as after a crash, the last will is published.
        """
        client, self._client = self._client, None
        self._last_words = payload
        if client is not None:
            await self._say_last_words(client, payload, timeout_s)

    async def _say_last_words(self, client: Client, payload: str, timeout_s: float) -> None:
        self._told_last_words = client
        client.timeout = timeout_s
        try:
            await client.send(self.will_topic, payload.encode(), 1, True, None)
        except aiomqtt.MqttError as error:
            log.debug("goodbye: %s", error)

    async def _stay_connected(self) -> None:
        client = await self._dialler.connect()
        now = asyncio.get_running_loop().time()
        self._connected_at = now
        self._limit.on_connected(client.max_packet_bytes, now)
        self._broken.clear()
        try:
            self._echo = EchoCheck(await self._subscribe(client))
            _pass_on_cancellation()
            self._report.connected(self.protocol)
            jobs = [
                asyncio.create_task(self._read(client), name="mqtt-read"),
                asyncio.create_task(client.lost(), name="mqtt-lost"),
                asyncio.create_task(self._watch(), name="mqtt-watch"),
                asyncio.create_task(self._check_echo(), name="mqtt-echo"),
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
            # The broker was told that these came: it will not send them again.
            while (message := client.incoming.pop()) is not None:
                self._receive(message)
            try:
                await self._leave(client)
            finally:
                client.abort()

    async def _leave(self, client: Client) -> None:
        # A clean end would keep the last will back, and `online` would stand for ever.
        if self._last_words is None:
            return
        # Told to stop while it was still subscribing: an older `online` may stand there.
        if self._told_last_words is not client:
            await self._say_last_words(client, self._last_words, LEAVE_TIMEOUT_S)
        await client.disconnect(LEAVE_TIMEOUT_S)

    async def _announce_online(self, client: Client) -> None:
        if self._last_words is not None:
            return
        # Not earlier: what others publish before the greeting would be published twice.
        self._client = client
        await self.on_connect()

    async def _watch(self) -> None:
        await self._broken.wait()
        raise AckTimeout("the broker confirms nothing any more")

    async def _check_echo(self) -> None:
        while True:
            self._report.silent(yes=await self._echo.missing())

    async def _read(self, client: Client) -> None:
        while True:
            self.on_alive()
            await client.wait_for_message(ALIVE_EVERY_S)
            while (message := client.incoming.pop()) is not None:
                self.on_alive()
                self._receive(message)
                # In a flood everybody else gets a turn after each.
                await asyncio.sleep(0)

    def _receive(self, message: Message) -> None:
        try:
            self.on_message(message)
        except Exception as error:  # noqa: BLE001 - a stranger's message may cost itself, no more
            self._report.unreadable(message.topic, error)

    async def _subscribe(self, client: Client) -> list[str]:
        """The topics that the broker granted; one that is no topic is left out."""
        granted = []
        wanted = list(dict.fromkeys(self.subscriptions()))
        for topic in [topic for topic in wanted if not is_filter(topic)]:
            wanted.remove(topic)
            self._report.unsendable(topic, "nobody can subscribe to that")
        for first in range(0, len(wanted), TOPICS_A_SUBSCRIBE):
            self.on_alive()
            topics = wanted[first : first + TOPICS_A_SUBSCRIBE]
            answers: Sequence[Any] = await client.subscribe(
                [(topic, SUBSCRIBE_QOS) for topic in topics]
            )
            for topic, answer in zip(topics, answers, strict=False):
                # MQTT 3.1.1 answers with numbers, 5 with reasons.
                code: int = getattr(answer, "value", answer)
                if code >= FAILURES:
                    self._report.refused(topic, str(answer))
                else:
                    granted.append(topic)
        return granted


def _pass_on_cancellation() -> None:
    """Python 3.11's wait_for swallows one that comes together with a result."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
