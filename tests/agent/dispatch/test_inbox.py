"""What comes in over a real broker: broken, oversized and retained messages harm nobody."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent.clock import SystemClock
from agent.config.mqtt import MqttSection
from agent.contracts.topics import Topics
from agent.dispatch.inbox import Inbox
from agent.energy.readings import Acknowledgement, AckStatus, Presence
from agent.health import Health
from agent.mqtt.connection import MqttConnection
from agent.ports import Message, Switched, UntimedReading
from agent.tasks import cancel_all
from integrations.devices.native import NativeDevice
from integrations.registry import AgentConfig, device_adapter
from integrations.sandbox.broker import HOST
from tests.fakes.brokers import PATIENCE_S, Mosquitto, Watcher, cut, watching

BASE = "flatpeak/home"
EV = f"{BASE}/device/ev"


@dataclass
class Desk:
    """An inbox behind a connection; `got` is what reached the handlers."""

    health: Health = field(default_factory=lambda: Health(SystemClock()))
    got: list[object] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.inbox = Inbox(
            Topics(BASE),
            {"ev": NativeDevice(BASE, "ev"), "tank": NativeDevice(BASE, "tank")},
            self.health,
            [f"{BASE}/site/request", f"{BASE}/site/limit"],
            on_decoded=lambda device, item, retained: self._note((device, item)),
            on_request=lambda device, payload: self._note((device, payload)),
            on_site=lambda message: self._note(message.payload),
            on_schedule_seen=lambda device, payload, retained: self._note((device, payload)),
            on_published=lambda message: None,
        )

    def _note(self, item: object) -> None:
        self.got.append(item)
        self._news.set()

    async def until_got(self, item: object) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while item not in self.got:
                self._news.clear()
                await self._news.wait()

    async def greet(self) -> None:
        self._note("connected")


@pytest.fixture
async def device(tmp_path: Path) -> AsyncIterator[Watcher]:
    async with Mosquitto(tmp_path) as broker, watching(broker.port, "nothing") as watcher:
        yield watcher


@pytest.fixture
async def desk(device: Watcher) -> AsyncIterator[Desk]:
    desk = Desk()
    settings = MqttSection(host=HOST, port=device.port)
    post = MqttConnection(
        settings,
        f"{BASE}/status",
        "agent",
        desk.health,
        lambda: desk.inbox.subscriptions,
        desk.inbox.receive,
        desk.greet,
    )
    task = asyncio.create_task(post.run())
    await desk.until_got("connected")
    yield desk
    assert not task.done(), "a message has ended the connection's task"
    await cancel_all([task])


BROKEN = [
    b"",
    b"{",
    b"not json",
    b"\xff\xfe\x00",
    b"[" * 2000,
    b'{"a":' * 400,
    b'{"soc_percent": 50, "pad": "' + b"x" * 2048 + b'"}',
    b"x" * 200_000,
    b"null",
    b"[]",
    b'"' + "é".encode() * 500 + b'"',
]


async def test_broken_state_and_ack_are_said_once_counted_and_harm_nobody(
    device: Watcher, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    for payload in BROKEN:
        await device.client.publish(f"{EV}/state", payload, qos=1)
        await device.client.publish(f"{EV}/ack", payload, qos=1)
    await device.client.publish(f"{EV}/ack", b'{"revision": -1, "status_type": "ACCEPTED"}', qos=1)
    await device.client.publish(f"{EV}/ack", b'{"revision": 1, "status_type": "MAYBE"}', qos=1)
    await device.client.publish(f"{EV}/state", b'{"soc_percent": 50}', qos=0)
    await device.client.publish(f"{EV}/ack", b'{"revision": 7, "status_type": "ACCEPTED"}', qos=0)
    await device.client.publish(f"{BASE}/device/tank/state", b'{"temperature_c": 48.5}', qos=1)
    await desk.until_got(("ev", UntimedReading("soc_percent", 50.0)))
    await desk.until_got(("ev", Acknowledgement(7, AckStatus.ACCEPTED, "")))
    await desk.until_got(("tank", UntimedReading("temperature_c", 48.5)))
    # Each topic is said to be unreadable once, and once to be readable again.
    assert len(desk.got) == 4 + 2 * 2
    # An empty payload is a topic taken back, nothing broken.
    assert desk.health.counts["unreadable_messages"] == 2 * (len(BROKEN) - 1) + 2
    said = [item.getMessage() for item in caplog.records if item.levelno >= logging.WARNING]
    assert len(said) == 2
    assert f"{EV}/state" in said[0]
    assert f"{EV}/ack" in said[1]
    assert all(len(line) < 500 for line in said)


async def test_a_retained_request_is_ignored_and_said_once(
    device: Watcher, caplog: pytest.LogCaptureFixture
) -> None:
    await device.client.publish(f"{EV}/request", b'{"mode":"boost"}', qos=1, retain=True)
    await device.client.publish(f"{BASE}/site/request", b'{"refresh":true}', qos=1, retain=True)
    desk = Desk()
    post = MqttConnection(
        MqttSection(host=HOST, port=device.port),
        f"{BASE}/status",
        "agent",
        desk.health,
        lambda: desk.inbox.subscriptions,
        desk.inbox.receive,
        desk.greet,
        first_wait_s=0.1,
    )
    task = asyncio.create_task(post.run())
    for turn in (1, 2):
        await desk.until_got("connected")
        await device.client.publish(f"{EV}/request", b"%d" % turn, qos=1)
        await desk.until_got(("ev", b"%d" % turn))
        desk.got.clear()
        cut(post)
    await cancel_all([task])
    said = [line for line in caplog.messages if "retained request is ignored" in line]
    assert len(said) == 2
    assert desk.health.counts["unreadable_messages"] == 4


async def test_taking_a_request_back_asks_for_nothing(device: Watcher, desk: Desk) -> None:
    """`mosquitto_pub -r -n` clears a retained request; its empty payload is no wish."""
    await device.client.publish(f"{EV}/request", b"", qos=1, retain=True)
    await device.client.publish(f"{BASE}/site/request", b"", qos=1, retain=True)
    await device.client.publish(f"{EV}/request", b"{}", qos=1)
    await desk.until_got(("ev", b"{}"))
    assert desk.got == ["connected", ("ev", b"{}")]


def test_a_topic_that_two_devices_share_reaches_both() -> None:
    got: list[tuple[str, object]] = []
    relays = [
        {
            "id": name,
            "type": "load",
            "power_w": 900,
            "needs": [{"hours": 1}],
            "adapter": {"family": "tasmota", "topic": "box", "relay": relay},
        }
        for name, relay in (("pump", 1), ("lamp", 2))
    ]
    tariff = {"source": "fixed", "timezone": "Europe/Berlin", "currency": "EUR", "import": 1}
    config = AgentConfig.model_validate({"tariff": tariff, "devices": relays})
    inbox = Inbox(
        Topics(BASE),
        {item.id: device_adapter(item, BASE) for item in config.devices},
        Health(SystemClock()),
        [],
        on_decoded=lambda device, item, retained: got.append((device, item)),
        on_request=lambda device, payload: None,
        on_site=lambda message: None,
        on_schedule_seen=lambda device, payload, retained: None,
        on_published=lambda message: None,
    )
    inbox.receive(Message("tele/box/LWT", b"Online"))
    assert got == [("pump", Presence(online=True)), ("lamp", Presence(online=True))]
    got.clear()
    inbox.receive(Message("stat/box/RESULT", b'{"POWER2":"ON"}'))
    assert got == [("lamp", UntimedReading("mode", "on")), ("lamp", Switched(on=True))]
