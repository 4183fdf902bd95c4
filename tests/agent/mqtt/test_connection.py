"""MqttConnection against real brokers: Mosquitto with what an owner may set up, and iotcore."""

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from agent.clock import SystemClock
from agent.config.mqtt import MqttSection
from agent.dispatch.outbox import Outbox
from agent.health import Condition, Health, State
from agent.mqtt.connection import MqttConnection
from agent.ports import Message, OutgoingMessage
from agent.tasks import cancel_all
from integrations.sandbox.broker import HOST, Broker, open_broker
from tests.fakes.brokers import (
    PATIENCE_S,
    Authority,
    Mosquitto,
    cut,
    password_file,
    watching,
)

BASE = "flatpeak/home"
STATUS = f"{BASE}/status"
ME = "agent-under-test"


@dataclass
class Agent:
    """A connection with what the hall would give it, and news of what it does."""

    settings: MqttSection
    topics: list[str] = field(default_factory=list)
    health: Health = field(default_factory=lambda: Health(SystemClock()))
    heard: list[Message] = field(default_factory=list)
    greetings: int = 0
    on_message: Callable[[Message], None] = lambda message: None
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.health.on_change.append(lambda part: self._news.set())
        self.post = MqttConnection(
            self.settings,
            STATUS,
            ME,
            self.health,
            lambda: self.topics,
            self._hear,
            self._announce_online,
            first_wait_s=0.2,
        )
        self.outbox = Outbox(self.post, SystemClock(), self.health)

    async def put(self, *messages: OutgoingMessage) -> bool:
        """Make these true; whether the broker has them."""
        self.outbox.set("one", *messages)
        await self.outbox.drained()
        return not self.outbox.unsent() & {message.topic for message in messages}

    def _hear(self, message: Message) -> None:
        self.heard.append(message)
        self._news.set()
        self.on_message(message)

    async def _announce_online(self) -> None:
        self.outbox.connected()
        await self.outbox.resend_all(lambda lane: True)
        await self.post.publish(STATUS, "online")
        self.greetings += 1
        self._news.set()

    async def until(self, wanted: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not wanted():
                self._news.clear()
                await self._news.wait()

    async def until_greeted(self, times: int = 1) -> None:
        await self.until(lambda: self.greetings >= times)

    @property
    def broker(self) -> Condition:
        return self.health.parts["broker"]

    async def until_failed(self) -> Condition:
        await self.until(
            lambda: "broker" in self.health.parts and self.broker.state is State.FAILED
        )
        return self.broker


@contextlib.asynccontextmanager
async def connecting(port: int, *topics: str, **settings: Any) -> AsyncIterator[Agent]:
    """An agent whose connection runs while the block does; a task that crashed fails the test."""
    section = MqttSection.model_validate({"host": HOST, "port": port, **settings})
    agent = Agent(section, list(topics))
    tasks = [asyncio.create_task(job) for job in (agent.post.run(), agent.outbox.run())]
    try:
        yield agent
    finally:
        for task in tasks:
            if task.done():
                task.result()
        await cancel_all(tasks)


@pytest.fixture
async def mosquitto(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    async with Mosquitto(tmp_path) as broker:
        yield broker


@pytest.fixture(params=["mosquitto", "embedded"])
async def broker(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Broker]:
    async with open_broker(request.param) as opened:
        yield opened


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the agent said; the watchers' own library speaks too."""
    return [
        item.getMessage()
        for item in caplog.records
        if item.levelno >= logging.WARNING and item.name != "mqtt"
    ]


# --- both brokers ------------------------------------------------------------------------------


async def test_what_is_published_is_confirmed_retained_and_qos_1(broker: Broker) -> None:
    async with connecting(broker.v5_port) as agent, watching(broker.v5_port, f"{BASE}/#") as other:
        await agent.until_greeted()
        assert await agent.post.publish(f"{BASE}/plan", '{"a":1}')
        live = await other.until_heard(f"{BASE}/plan")
        assert (live.payload, live.qos, live.retain) == (b'{"a":1}', 1, False)
        async with watching(broker.v5_port, f"{BASE}/#", name="late") as late:
            kept = await late.until_heard(f"{BASE}/plan")
            assert (kept.payload, kept.retain) == (b'{"a":1}', True)
            assert await agent.post.publish(f"{BASE}/event", "{}", retain=False)
            await late.until_heard(f"{BASE}/event")
        async with watching(broker.v5_port, f"{BASE}/#", name="later") as later:
            await later.until_heard(f"{BASE}/plan")
            assert not later.payloads(f"{BASE}/event")


async def test_messages_come_in_with_their_retain_flag(broker: Broker) -> None:
    state = f"{BASE}/device/ev/state"
    async with watching(broker.v5_port, "nothing", name="ev") as device:
        await device.client.publish(state, b"1", qos=1, retain=True)
        async with connecting(broker.v5_port, f"{BASE}/device/+/state") as agent:
            await agent.until(lambda: len(agent.heard) == 1)
            # Small firmware publishes QoS 0.
            await device.client.publish(state, b"2", qos=0, retain=False)
            await agent.until(lambda: len(agent.heard) == 2)
    assert agent.heard == [Message(state, b"1", retain=True), Message(state, b"2", retain=False)]


async def test_auto_falls_back_to_a_broker_that_only_speaks_3_1_1() -> None:
    async with open_broker("embedded") as broker:
        began = asyncio.get_running_loop().time()
        async with (
            connecting(broker.port) as agent,
            watching(broker.port, STATUS, protocol=aiomqtt.ProtocolVersion.V311) as other,
        ):
            await agent.until_greeted()
            await other.until_heard(STATUS, b"online")
            assert agent.broker.state is State.OK
        assert asyncio.get_running_loop().time() - began < 8


async def test_the_chosen_protocol_is_kept(mosquitto: Mosquitto) -> None:
    """Without MQTT 5 no expiry can be sent, with it the setpoint has one."""
    setpoint = OutgoingMessage(f"{BASE}/device/ev/setpoint", "{}", expires_at=2_000_000_000)
    left = 2_000_000_000 - datetime.now(UTC).timestamp()
    for protocol, expires in (("3.1.1", False), ("5", True), ("auto", True)):
        async with connecting(mosquitto.port, protocol=protocol) as agent:
            await agent.until_greeted()
            assert await agent.put(setpoint)
            async with watching(mosquitto.port, setpoint.topic) as other:
                heard = await other.until_heard(setpoint.topic)
        if expires:
            assert heard.expiry_s is not None
            assert abs(heard.expiry_s - left) < 30
        else:
            assert heard.expiry_s is None


# --- loss and return ---------------------------------------------------------------------------


async def test_the_last_will_comes_when_the_socket_dies(broker: Broker) -> None:
    async with watching(broker.v5_port, STATUS) as other, connecting(broker.v5_port) as agent:
        await agent.until_greeted()
        await other.until_heard(STATUS, b"online")
        cut(agent.post)
        await other.until_heard(STATUS, b"offline")
        await agent.until_greeted(2)
        await other.until(lambda heard: [item.payload for item in heard][-1] == b"online")


async def test_a_clean_end_leaves_offline_and_nobody_speaks_after_it(broker: Broker) -> None:
    async with watching(broker.v5_port, STATUS) as other:
        async with connecting(broker.v5_port) as agent:
            await agent.until_greeted()
            await agent.post.publish_offline("offline", 1.0)
            assert not await agent.post.publish(STATUS, "online")
        await other.until_heard(STATUS, b"offline")
        assert other.payloads(STATUS) == [b"online", b"offline"]


async def test_who_ends_without_a_goodbye_is_offline_by_its_last_will(broker: Broker) -> None:
    """As after a crash of another part: `online` must not stand for ever."""
    async with watching(broker.v5_port, STATUS) as other:
        async with connecting(broker.v5_port) as agent:
            await agent.until_greeted()
        await other.until_heard(STATUS, b"offline")


async def test_told_to_stop_before_it_could_greet_it_still_takes_an_old_online_back(
    mosquitto: Mosquitto,
) -> None:
    """As after a power cut that took the broker's memory of the last will with it."""
    async with watching(mosquitto.port, STATUS) as other:
        await other.client.publish(STATUS, b"online", qos=1, retain=True)
        async with connecting(mosquitto.port) as agent:

            def topics() -> list[str]:
                stopping.append(asyncio.create_task(agent.post.publish_offline("offline", 1.0)))
                return ["a"]

            stopping: list[asyncio.Task[None]] = []
            agent.post.subscriptions = topics
            await agent.until(lambda: "broker" in agent.health.parts)
        await asyncio.gather(*stopping)
        await other.until_heard(STATUS, b"offline")
        assert other.payloads(STATUS) == [b"online", b"offline"]


async def test_after_the_broker_restarts_everything_retained_comes_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broker = Mosquitto(tmp_path)
    await broker.start()
    topics = [f"{BASE}/device/ev/{form}" for form in ("schedule", "schedule/compact", "setpoint")]
    async with connecting(broker.port) as agent:
        await agent.until_greeted()
        for topic in topics:
            assert await agent.put(OutgoingMessage(topic, "{}"))
        await broker.stop()
        assert (await agent.until_failed()).who_acts == ""
        assert not await agent.put(OutgoingMessage(f"{BASE}/plan", "{}"))
        await broker.start()
        async with watching(broker.port, "#") as other:
            await agent.until_greeted(2)
            await other.until_heard(STATUS, b"online")
            await broker.stop()
            heard = [item.topic for item in other.heard]
            await agent.until_failed()
    assert heard == [*topics, f"{BASE}/plan", STATUS]
    assert len(lines(caplog)) == 2


async def test_a_publish_under_way_when_the_broker_goes_is_told_at_once(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    await broker.start()
    async with connecting(broker.port) as agent:
        await agent.until_greeted()
        publishing = [
            asyncio.create_task(agent.post.publish(f"{BASE}/plan", "x" * 100_000))
            for _ in range(50)
        ]
        await broker.stop()
        async with asyncio.timeout(3):
            assert False in await asyncio.gather(*publishing)
        await agent.until_failed()


async def test_a_broker_that_freezes_is_left_and_told_everything_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.mqtt.dial.CONFIRM_TIMEOUT_S", 0.5)
    async with Mosquitto(tmp_path) as broker, connecting(broker.port) as agent:
        await agent.until_greeted()
        broker.freeze()
        assert not await agent.put(OutgoingMessage(f"{BASE}/plan", "{}"))
        condition = await agent.until_failed()
        assert "confirms nothing" in condition.why
        broker.thaw()
        await agent.until_greeted(2)
        async with watching(broker.port, f"{BASE}/plan") as other:
            await other.until_heard(f"{BASE}/plan", b"{}")


# --- who may come in ---------------------------------------------------------------------------


async def test_the_right_password_opens(tmp_path: Path) -> None:
    rules = [f"password_file {password_file(tmp_path, agent='s3cret')}", "allow_anonymous false"]
    async with (
        Mosquitto(tmp_path, rules) as broker,
        connecting(broker.port, username="agent", password="s3cret") as agent,
    ):
        await agent.until_greeted()
        assert agent.broker.state is State.OK


@pytest.mark.parametrize("protocol", ["auto", "5", "3.1.1"])
async def test_a_wrong_password_is_one_clear_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, protocol: str
) -> None:
    rules = [f"password_file {password_file(tmp_path, agent='s3cret')}", "allow_anonymous false"]
    async with Mosquitto(tmp_path, rules) as broker:
        async with connecting(
            broker.port, username="agent", password="wr0ng", protocol=protocol
        ) as agent:
            condition = await agent.until_failed()
            assert "does not let us in" in condition.why
            assert condition.who_acts == "owner: check mqtt.username and mqtt.password"
        said = lines(caplog)
        assert len(said) == 1, said
        assert "wr0ng" not in said[0] + condition.why


async def test_a_topic_that_the_broker_refuses_is_said_and_the_rest_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    acl = tmp_path / "acl"
    acl.write_text(f"topic readwrite {BASE}/plan\ntopic readwrite {STATUS}\ntopic read #\n")
    async with (
        Mosquitto(tmp_path, [f"acl_file {acl}"]) as broker,
        connecting(broker.port) as agent,
    ):
        await agent.until_greeted()
        forbidden = [OutgoingMessage(f"{BASE}/{name}", "{}") for name in ("health", "tariff/now")]
        assert await agent.put(*forbidden, OutgoingMessage(f"{BASE}/plan", "{}"))
        async with watching(broker.port) as other:
            await other.until_heard(f"{BASE}/plan")
        assert agent.broker.state is State.DEGRADED
        assert "refuses 2 topic(s), first flatpeak/home/health" in agent.broker.why
        assert "mosquitto.acl" in agent.broker.who_acts
    assert len([line for line in lines(caplog) if "refuses" in line]) == 1


# --- TLS ---------------------------------------------------------------------------------------


# paho leaves the socket of a failed handshake to the garbage collector.
leaves_sockets = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@contextlib.asynccontextmanager
async def tls_broker(
    folder: Path, authority: Authority, *more: str, names: str = f"IP:{HOST}"
) -> AsyncIterator[Mosquitto]:
    certificate, key = authority.issue("server", names=names)
    rules = [f"certfile {certificate}", f"keyfile {key}", f"cafile {authority.file}", *more]
    async with Mosquitto(folder, ["listener {port} " + HOST, *rules]) as broker:
        yield broker


async def test_tls_with_the_owners_own_authority(tmp_path: Path, authority: Authority) -> None:
    async with tls_broker(tmp_path, authority) as broker:
        tls = {"enabled": True, "ca_file": str(authority.file)}
        async with connecting(broker.port, tls=tls) as agent:
            await agent.until_greeted()
            assert await agent.post.publish(f"{BASE}/plan", "x" * 200_000)


@leaves_sockets
async def test_a_certificate_of_ours_where_the_broker_wants_one(
    tmp_path: Path, authority: Authority
) -> None:
    certificate, key = authority.issue("agent", "clientAuth")
    ours = {"certificate_file": str(certificate), "key_file": str(key)}
    async with tls_broker(tmp_path, authority, "require_certificate true") as broker:
        tls = {"enabled": True, "ca_file": str(authority.file)}
        async with connecting(broker.port, tls={**tls, **ours}) as agent:
            await agent.until_greeted()
        async with connecting(broker.port, tls=tls) as agent:
            condition = await agent.until_failed()
            assert "certificate of ours" in condition.why


@leaves_sockets
@pytest.mark.parametrize(
    ("names", "tls", "why", "who"),
    [
        (f"IP:{HOST}", {"enabled": True}, "not signed by an authority", "mqtt.tls.ca_file"),
        ("DNS:broker.example", {"enabled": True, "ca_file": "own"}, "another name", "mqtt.host"),
        (f"IP:{HOST}", {"enabled": True, "ca_file": "/nowhere.pem"}, "/nowhere.pem", "mqtt.tls"),
        (f"IP:{HOST}", {"enabled": False}, "may want TLS", "mqtt.tls.enabled"),
    ],
    ids=["unknown authority", "wrong name", "no such file", "without TLS"],
)
async def test_wrong_tls_is_a_clear_message(
    tmp_path: Path,
    authority: Authority,
    caplog: pytest.LogCaptureFixture,
    names: str,
    tls: dict[str, Any],
    why: str,
    who: str,
) -> None:
    if tls.get("ca_file") == "own":
        tls = {**tls, "ca_file": str(authority.file)}
    async with (
        tls_broker(tmp_path, authority, names=names) as broker,
        connecting(broker.port, tls=tls) as agent,
    ):
        condition = await agent.until_failed()
    assert why in condition.why
    assert who in condition.who_acts
    assert len(lines(caplog)) == 1


@leaves_sockets
async def test_tls_towards_a_broker_without(mosquitto: Mosquitto) -> None:
    async with connecting(mosquitto.port, tls={"enabled": True}) as agent:
        condition = await agent.until_failed()
        assert "may not speak TLS on this port" in condition.why
        assert "mqtt.port" in condition.who_acts


# --- another one with our name -----------------------------------------------------------------


async def test_taken_over_where_the_broker_says_so_stops_at_the_first(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """MQTT 5's reason 0x8E, in the bytes of the standard: not every broker sends it."""

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(b"\x20\x03\x00\x00\x00")  # CONNACK, success
        writer.write(b"\xe0\x02\x8e\x00")  # DISCONNECT, session taken over
        await writer.drain()
        writer.close()

    async with (
        await asyncio.start_server(peer, HOST, 0) as server,
        connecting(server.sockets[0].getsockname()[1]) as agent,
    ):
        condition = await agent.until_failed()
    assert f"another client connects as '{ME}'" in condition.why
    assert "mqtt.client_id" in condition.who_acts
    assert len(lines(caplog)) == 1


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_taken_over_without_a_word_stops_at_the_third(
    mosquitto: Mosquitto, protocol: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with connecting(mosquitto.port, protocol=protocol) as agent:
        for turn in range(1, 4):
            await agent.until_greeted(turn)
            async with watching(mosquitto.port, STATUS, name=ME) as rival:
                condition = await agent.until_failed()
                if turn < 3:
                    continue
                # The rival keeps the connection: nobody fights for it.
                with pytest.raises(TimeoutError):
                    await rival.until(
                        lambda heard: any(item.payload == b"online" for item in heard),
                        patience_s=0.5,
                    )
        assert "another client seems to connect as" in condition.why
        assert agent.greetings == 3
    assert len([line for line in lines(caplog) if "another client" in line]) == 1


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_a_broker_that_restarts_again_and_again_is_no_rival(
    tmp_path: Path, protocol: str
) -> None:
    broker = Mosquitto(tmp_path)
    await broker.start()
    async with connecting(broker.port, protocol=protocol) as agent:
        for turn in range(1, 6):
            await agent.until_greeted(turn)
            await broker.stop()
            await agent.until_failed()
            # As long as a restart takes: one connect in vain.
            await agent.until(lambda: "refused" in agent.broker.why)
            assert agent.broker.who_acts.startswith("owner: start the broker")
            await broker.start()
        await agent.until_greeted(6)
        assert agent.broker.state is State.OK
    await broker.stop()


# --- messages that nobody can send or read -----------------------------------------------------


async def test_what_cannot_be_sent_is_dropped_and_counted(
    mosquitto: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    async with connecting(mosquitto.port) as agent:
        await agent.until_greeted()
        bad = [
            (f"{BASE}/{'x' * 65_535}", "{}"),
            (f"{BASE}/\ud800", "{}"),
            (f"{BASE}/plan", "\udfff"),
            (f"{BASE}/+/schedule", "{}"),
            ("", "{}"),
            (f"{BASE}/a\0b", "{}"),
            (f"{BASE}/a\x07b", "{}"),
            (f"{BASE}/a\uffffb", "{}"),
        ]
        for topic, payload in bad:
            assert await agent.post.publish(topic, payload)
        assert await agent.post.publish(f"{BASE}/plan", "{}")
        assert agent.health.counts["unsendable_messages"] == len(bad)
        assert agent.broker.state is State.OK
        assert agent.greetings == 1
    said = lines(caplog)
    assert len(said) == 1
    assert len(said[0]) < 300


async def test_topics_as_strangers_make_them_end_nothing(mosquitto: Mosquitto) -> None:
    """Retained, so they would come again after each connect."""
    longest = f"{BASE}/device/{'x' * 65_500}"[: 65_535 - 9] + "/schedule"
    strange = [longest, f"{BASE}/device//schedule", "/", "//", f"{BASE}/device/ \u202e/schedule"]
    async with watching(mosquitto.port, "nothing", name="stranger") as other:
        for topic in strange:
            await other.client.publish(topic, b"{", qos=1, retain=True)
        async with connecting(mosquitto.port, "#") as agent:
            await agent.until(lambda: {item.topic for item in agent.heard} >= {*strange})
            await agent.until_greeted()
            assert agent.greetings == 1


async def raw_peer(*packets: bytes, stays: bool = True) -> asyncio.Server:
    """A broker of MQTT 3.1.1 that lets in, grants one subscription, and says these packets."""

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(b"\x20\x02\x00\x00")  # CONNACK, success
        request = await reader.read(1000)
        writer.write(b"\x90\x03" + request[2:4] + b"\x01")  # SUBACK
        for packet in packets:
            writer.write(packet)
        await writer.drain()
        if stays:
            await reader.read()
        writer.close()

    return await asyncio.start_server(peer, HOST, 0)


async def test_a_topic_that_is_no_utf_8_is_counted_and_the_connection_stays() -> None:
    bad = b"\x30\x05\x00\x02\xff\xfe!"
    good = b"\x30\x04\x00\x01a!"
    async with (
        await raw_peer(bad, good) as server,
        connecting(server.sockets[0].getsockname()[1], "#", protocol="3.1.1") as agent,
    ):
        await agent.until(lambda: len(agent.heard) == 1)
        assert agent.heard == [Message("a", b"!")]
        assert agent.health.counts["dropped_messages"] == 1
        assert agent.broker.state is State.OK


@pytest.mark.parametrize("seed", range(30))
async def test_a_broker_that_talks_nonsense_is_left_and_tried_again(seed: int) -> None:
    chance = random.Random(seed)
    kinds = (0x20, 0x30, 0x32, 0x3D, 0x40, 0x50, 0x62, 0x70, 0x90, 0xB0, 0xD0, 0xE0, 0x00, 0xF0)
    nonsense = b""
    for _ in range(20):
        body = chance.randbytes(chance.choice((0, 1, 2, 5, 60)))
        length = chance.choice((len(body), len(body), chance.randrange(128)))
        nonsense += bytes((chance.choice(kinds), length)) + body
    async with (
        await raw_peer(nonsense, stays=False) as server,
        connecting(
            server.sockets[0].getsockname()[1], "#", protocol=chance.choice(("5", "3.1.1"))
        ) as agent,
    ):
        await agent.until_failed()
        assert agent.broker.why


async def test_a_message_on_which_its_reader_stumbles_costs_itself_only(
    mosquitto: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    def stumble(message: Message) -> None:
        if message.payload == b"bad":
            raise ZeroDivisionError("as a reader may")

    async with (
        connecting(mosquitto.port, "a/#") as agent,
        watching(mosquitto.port, "nothing") as other,
    ):
        agent.on_message = stumble
        await agent.until_greeted()
        for payload in (b"bad", b"bad", b"good"):
            await other.client.publish("a/b", payload, qos=1)
        await agent.until(lambda: len(agent.heard) == 3)
        assert agent.health.counts["failed_messages"] == 2
        assert agent.greetings == 1
    assert len([line for line in lines(caplog) if "ZeroDivisionError" in line]) == 1


async def test_who_floods_delays_nobody_else_and_loses_its_own_oldest(
    mosquitto: Mosquitto,
) -> None:
    async with (
        connecting(mosquitto.port, "flood", "calm") as agent,
        watching(mosquitto.port, "nothing", name="flooder") as other,
    ):
        await agent.until_greeted()
        reading = asyncio.Event()
        before: list[int] = []

        def slow(message: Message) -> None:
            if message.topic == "calm":
                before.append(len(agent.heard))
                reading.set()

        agent.on_message = slow
        for number in range(3000):
            await other.client.publish("flood", b"%d" % number, qos=0)
        await other.client.publish("calm", b"!", qos=1)
        await reading.wait()
        await agent.until(lambda: any(item.payload == b"2999" for item in agent.heard))
        assert await agent.post.publish(f"{BASE}/plan", "{}")
        heard = len([item for item in agent.heard if item.topic == "flood"])
        assert heard + agent.health.counts.get("dropped_messages", 0) == 3000
        assert agent.greetings == 1


# --- too large ---------------------------------------------------------------------------------


async def test_what_is_too_large_for_us_keeps_back_nothing_else(mosquitto: Mosquitto) -> None:
    async with (
        connecting(mosquitto.port, "a/#", protocol="5") as agent,
        watching(mosquitto.port, "nothing") as other,
    ):
        await agent.until_greeted()
        # As many as Mosquitto lets wait for one client's confirmation.
        for number in range(20):
            await other.client.publish(f"a/large/{number}", b"x" * 300_000, qos=1)
        await other.client.publish("a/b", b"good", qos=1)
        await agent.until(lambda: any(item.payload == b"good" for item in agent.heard))
        assert agent.greetings == 1


async def test_what_the_broker_says_is_too_large_is_left_out_and_named(tmp_path: Path) -> None:
    async with (
        Mosquitto(tmp_path, ["max_packet_size 9000"]) as broker,
        connecting(broker.port, protocol="5") as agent,
        watching(broker.port, f"{BASE}/#") as other,
    ):
        await agent.until_greeted()
        assert await agent.put(
            OutgoingMessage(f"{BASE}/plan", "x" * 9000),
            OutgoingMessage(f"{BASE}/health", "x" * 8000),
        )
        await other.until_heard(f"{BASE}/health")
        assert not other.payloads(f"{BASE}/plan")
        assert agent.greetings == 1
        assert agent.broker.state is State.DEGRADED
        assert f"{BASE}/plan" in agent.broker.why
        assert agent.broker.who_acts.startswith("owner: ")
        assert agent.health.counts["messages_too_large_for_the_broker"] == 1


async def test_the_exact_size_still_passes(tmp_path: Path) -> None:
    topic = f"{BASE}/plan"
    for protocol, around in (
        ("5", 1 + 2 + 2 + len(topic) + 2 + 1),
        ("3.1.1", 1 + 2 + 2 + len(topic) + 2),
    ):
        async with (
            Mosquitto(tmp_path, ["max_packet_size 9000"]) as broker,
            connecting(broker.port, protocol=protocol) as agent,
        ):
            await agent.until_greeted()
            assert await agent.post.publish(topic, "x" * (9000 - around))
            assert agent.broker.state is State.OK
            assert agent.greetings == 1


async def test_a_hang_up_over_a_large_message_is_learned_from(tmp_path: Path) -> None:
    """MQTT 3.1.1 has no word for it: the broker closes the socket."""
    async with (
        Mosquitto(tmp_path, ["max_packet_size 9000"]) as broker,
        connecting(broker.port, protocol="3.1.1") as agent,
        watching(broker.port, f"{BASE}/#") as other,
    ):
        await agent.until_greeted()
        large = OutgoingMessage(f"{BASE}/plan", "x" * 20_000)
        assert not await agent.put(large, OutgoingMessage(f"{BASE}/health", "{}"))
        await agent.until_greeted(2)
        # Once is any broken connection; nothing is left out for it.
        assert not agent.broker.why
        assert not await agent.put(large, OutgoingMessage(f"{BASE}/health", "{}"))
        await agent.until_greeted(3)
        assert await agent.put(large, OutgoingMessage(f"{BASE}/health", "{}"))
        await other.until_heard(f"{BASE}/health")
        assert agent.broker.state is State.DEGRADED
        assert f"{BASE}/plan" in agent.broker.why
        assert not other.payloads(f"{BASE}/plan")


# --- a broker that says nothing ----------------------------------------------------------------


@pytest.mark.parametrize("let_through", ["status", "health"])
async def test_a_broker_that_drops_without_a_word_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, let_through: str
) -> None:
    """Also where it lets some of it through."""
    monkeypatch.setattr("agent.mqtt.echo.ECHO_WITHIN_S", 0.3)
    acl = tmp_path / "acl"
    acl.write_text(f"topic write {STATUS}\ntopic write {BASE}/{let_through}\ntopic read #\n")
    subscribed = f"{BASE}/device/+/schedule", f"{BASE}/health"
    async with (
        Mosquitto(tmp_path, [f"acl_file {acl}"]) as broker,
        connecting(broker.port, *subscribed, protocol="3.1.1") as agent,
    ):
        await agent.until_greeted()
        assert await agent.post.publish(f"{BASE}/health", "{}")
        assert await agent.post.publish(f"{BASE}/device/ev/schedule", "{}")
        await agent.until(lambda: agent.broker.state is State.DEGRADED)
        assert "seems to drop what we publish" in agent.broker.why
        assert "mosquitto.acl" in agent.broker.who_acts


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_what_comes_back_is_no_reason_to_doubt(
    broker: Broker, protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.mqtt.echo.ECHO_WITHIN_S", 0.3)
    port = broker.v5_port if protocol == "5" else broker.port
    async with connecting(port, f"{BASE}/device/+/schedule", protocol=protocol) as agent:
        await agent.until_greeted()
        assert await agent.post.publish(f"{BASE}/device/ev/schedule", "{}")
        await agent.until(lambda: len(agent.heard) == 1)
        await asyncio.sleep(0.4)
        assert agent.broker.state is State.OK
