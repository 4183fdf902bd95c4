"""The sockets in the wall: what the agent asks of integrations, not how they do it."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable
from zoneinfo import ZoneInfo

from agent.connect_ports import TariffConnection
from agent.energy.rates import Direction, Rate, Rates
from agent.energy.readings import (
    Acknowledgement,
    DeviceInfo,
    Presence,
    Reading,
    Unreadable,
    UnreadableMessage,
)
from agent.energy.schedule import Schedule, Setpoint
from agent.energy.view import DeviceView, EventView, SiteView
from agent.health import Health
from agent.latest import LatestValue
from agent.store import Store


@dataclass(frozen=True, slots=True)
class FetchedRates:
    """What one answer of a tariff source said, parsed but not yet normalised.

    `rates` as received (any order, may overlap); `next_update` as told, None where missing;
    `server_time` from the answer's Date header, for judging our own clock; `dropped` counts rates
    that could not be read; `warnings` say what the owner should do though prices came.
    """

    direction: Direction
    currency: str
    timezone: str
    rates: Sequence[Rate]
    next_update: datetime | None = None
    server_time: datetime | None = None
    dropped: int = 0
    warnings: Sequence[str] = ()


class TariffSource(Protocol):
    """Where rates come from. Raises the errors of `agent.errors`, never a library's.

    `identity` names the contract the rates belong to: those kept of another one are not used.
    """

    @property
    def identity(self) -> str: ...

    @property
    def directions(self) -> Sequence[Direction]: ...

    async def fetch(self, direction: Direction, start: datetime, end: datetime) -> FetchedRates: ...

    async def close(self) -> None: ...


class RatesProvider(Protocol):
    """What the agent asks of the rate cache."""

    current: LatestValue[Mapping[Direction, Rates]]

    def planning_rates(
        self, direction: Direction, now: datetime, until: datetime
    ) -> Sequence[Rate]: ...

    def known_rates(
        self, direction: Direction, start: datetime, end: datetime
    ) -> Sequence[Rate]: ...

    def set_forecast(self, direction: Direction, spans: Sequence[Rate] | None) -> None: ...


@dataclass(frozen=True, slots=True)
class TariffEvent:
    """What a source says of the contract, such as that it ends soon.

    `kind` is our word (`tariff_expiring`, `tariff_expired`, `tariff_fetch_failed`,
    `tariff_upgrade`, `tariff_connected`), `text` a sentence for the owner. `tariff_id` is the
    source's name for the tariff that it is about, empty where it does not say.
    """

    id: str
    at: datetime
    kind: str
    text: str
    tariff_id: str = ""


@runtime_checkable
class TariffEventSource(Protocol):
    """What a tariff source may have besides: events of the contract, in any order, repeated."""

    async def fetch_events(self) -> Sequence[TariffEvent]: ...


@dataclass(frozen=True, slots=True)
class Message:
    """One MQTT message that came in."""

    topic: str
    payload: bytes
    retain: bool = False


class MqttPublisher(Protocol):
    """What the agent needs of MQTT: publish and be sure, nothing about connections.

    `publish` returns True once the broker confirmed (QoS 1) or the message was handed over
    (QoS 0), False while there is no connection: whoever publishes is told to publish again what
    is true then by `connections`. What no broker takes (text that is no UTF-8, too large) is left
    out, counted, named in health and answered True: it must not hold up what comes after it.
    """

    async def publish(
        self,
        topic: str,
        payload: str | bytes,
        *,
        retain: bool = True,
        qos: int = 1,
        expiry_s: int | None = None,
    ) -> bool: ...


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """One message to publish, QoS 1.

    `timed`: it would switch something or tell a time, so it is kept back while the clock is
    doubted (an empty payload never is). `expires_at` in Unix seconds, None for never.
    """

    topic: str
    payload: str
    retain: bool = True
    timed: bool = False
    expires_at: int | None = None


@dataclass(frozen=True, slots=True)
class UntimedReading:
    """A value without a time of its own; when it was true is for the receiver to judge.

    `current`: also where the broker kept it, because the sender takes back what is no longer true.
    `misdated`: a time came with it that cannot be read.
    """

    kind: str
    value: float | bool | str
    current: bool = False
    misdated: bool = False


@dataclass(frozen=True, slots=True)
class UnknownKeys:
    """Keys that nobody knows, such as a misspelt one; said once."""

    keys: Sequence[str]


@dataclass(frozen=True, slots=True)
class Forgotten:
    """The device shows that it has gone back to a state that nobody chooses, as by a restart."""


@dataclass(frozen=True, slots=True)
class Switched:
    """The device tells whether it is switched as a command to run would have it."""

    on: bool


Decoded = (
    Reading
    | UntimedReading
    | Unreadable
    | UnreadableMessage
    | UnknownKeys
    | Forgotten
    | Switched
    | Acknowledgement
    | DeviceInfo
    | Presence
)


class DeviceAdapter(Protocol):
    """Translates between one device's topics and the agent's words. No socket, no task.

    `acknowledges`: the device confirms what it was told. `decode` raises Malformed. `fit` cuts a
    schedule to what the device's forms can carry; `encode_schedule` gives its forms in the order
    in which they are published, `withdraw` what takes everything back, so that the device is on
    its own logic.

    `holds_schedule`: it goes on by what it holds when the agent is gone. One that does not is told
    each setpoint as its time comes, again after each connect and when it comes back, and is
    released when the agent stops; what it is told is never retained. `refresh_s`: so often its
    setpoint is said again (`repeated`: what need not be is left out) and its state asked for by
    `queries`, which switch nothing; None for never. `harmless`: what switches nothing on whichever
    topic its commands go to; None where nothing is known to be so.

    `lasts_s`: so long one that is told each setpoint does it without hearing it again; None: until
    it is told otherwise.

    `keeps_run`: a program that was told to run goes on when its setpoint says `idle` again. One
    that does not is told `run` until it is through.
    """

    @property
    def acknowledges(self) -> bool: ...

    @property
    def holds_schedule(self) -> bool: ...

    @property
    def refresh_s(self) -> int | None: ...

    @property
    def keeps_run(self) -> bool: ...

    @property
    def subscriptions(self) -> Sequence[str]: ...

    def decode(self, message: Message) -> Sequence[Decoded]: ...

    def fit(self, schedule: Schedule) -> Schedule: ...

    def encode_schedule(self, schedule: Schedule) -> Sequence[OutgoingMessage]: ...

    def encode_setpoint(
        self, setpoint: Setpoint, *, repeated: bool = False
    ) -> Sequence[OutgoingMessage]: ...

    def lasts_s(self, setpoint: Setpoint) -> int | None: ...

    def queries(self) -> Sequence[OutgoingMessage]: ...

    @property
    def harmless(self) -> str | None: ...

    def withdraw(self) -> Sequence[OutgoingMessage]: ...


class CompanionServices(Protocol):
    """What the agent offers a companion; `agent.control.companion_services` gives it.

    `changed` is set whenever something may have changed that it shows. While the clock is not
    trusted nothing is to be said of what holds now by it, such as a price. `publish` is for
    retained topics of its own, `repeat` publishes them and `status` once more. `request` is a wish
    of a person, as if it had come on the device's topic (None: the site's); it returns the sentence
    that refuses a device's. `events` are the last, the oldest first. `remember` keeps a text over a
    restart, `recall` gives it back; who needs more has tables of its own in `database`. `health` is
    for parts of its own. `tariff_connection` is None where the tariff is not one that a person
    connects.
    """

    @property
    def tariff_connection(self) -> TariffConnection | None: ...

    @property
    def changed(self) -> asyncio.Event: ...

    @property
    def clock_trusted(self) -> bool: ...

    @property
    def rates(self) -> RatesProvider: ...

    @property
    def zone(self) -> ZoneInfo: ...

    @property
    def health(self) -> Health: ...

    @property
    def database(self) -> Store: ...

    def snapshot(self) -> Mapping[str, OutgoingMessage]: ...

    def devices(self) -> Sequence[DeviceView]: ...

    def site(self) -> SiteView: ...

    def events(self) -> Sequence[EventView]: ...

    def publish(self, *messages: OutgoingMessage) -> None: ...

    async def repeat(self, topics: Iterable[str]) -> None: ...

    def request(self, device: str | None, payload: bytes) -> str | None: ...

    def recall(self) -> str | None: ...

    def remember(self, text: str) -> None: ...


class Companion(Protocol):
    """Something that reads what is published and may be spoken to: discovery, pages, metrics.

    `topics` are the retained ones that it may publish: what an earlier life published besides is
    emptied. `subscriptions` are topics of its own, `receive` gets the messages on them (and on
    those of other companions) and must not wait, `run` is a task for as long as the agent lives.
    """

    @property
    def topics(self) -> Collection[str]: ...

    @property
    def subscriptions(self) -> Sequence[str]: ...

    def receive(self, message: Message) -> None: ...

    async def run(self) -> None: ...
