"""The JSON of the API, where it is not that of a topic. The tests hold answers against it."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from agent.contracts.plan import PlanDocument
from agent.contracts.schedule_models import Schedule, Slot
from agent.contracts.wire import (
    Event,
    HealthDocument,
    Instant,
    LedgerDocument,
    Money,
    Outgoing,
    Request,
    SiteRequest,
    SiteWish,
    Tariff,
    TariffNow,
    Wish,
)
from agent.energy.connection import Failure, SessionState

Amount = Annotated[Decimal, Field(allow_inf_nan=False)]


class Problem(Outgoing):
    """What a person should know, and what to do about it."""

    text: str
    what_to_do: str


class ProblemDocument(Outgoing):
    """RFC 9457; `detail` is a sentence for a person."""

    type: str
    title: str
    status: int
    detail: str


class Status(Outgoing):
    """`changes` grows when something may have changed: whoever sees it grow asks for the rest."""

    version: str
    site: str
    timezone: str
    at: Instant
    clock_trusted: bool
    state: Literal["ok", "degraded", "failed"]
    changes: int
    problems: dict[str, Problem]


class CheaperRate(Outgoing):
    start: Instant
    end: Instant
    price: Money


class Prices(Outgoing):
    """The documents of the topics tariff/*; None where the tariff has no such direction.

    `cheaper` is the next import price below the one that holds now, known or estimated.
    """

    model_config = ConfigDict(defer_build=True, extra="allow", populate_by_name=True)

    now: TariffNow | None
    cheaper: CheaperRate | None
    import_: Tariff | None = Field(alias="import")
    export: Tariff | None


class TariffStatus(Outgoing):
    """How the tariff is doing: `source` as in the config, `known_until` the end of the prices."""

    source: str
    state: Literal["ok", "degraded", "failed"] | None
    why: str
    who_acts: str
    currency: str | None
    timezone: str
    directions: list[Literal["import", "export"]]
    fetched_at: Instant | None
    next_update: Instant | None
    known_until: Instant | None
    stale: bool


class TariffSummary(Outgoing):
    """What the source says; text is empty where it does not say."""

    status: Literal["connected", "not_connected", "error", "unknown"]
    name: str
    provider: str
    structure: str
    contract_start: Instant | None
    contract_end: Instant | None


class ConnectSession(Outgoing):
    """A session in which a person connects the tariff; `reason` is the source's own sentence."""

    state: Literal["open", "processing", "failed"]
    expires_at: Instant
    failure: Failure | None
    reason: str


class Connection(Outgoing):
    direction: Literal["import", "export"]
    connected: bool
    summary: TariffSummary | None
    session: ConnectSession | None


class Connections(Outgoing):
    """`connectable`: the prices are from a source whose tariff can be connected."""

    connectable: bool
    pairing_needed: bool
    conflict: str
    connections: list[Connection]


class BeginConnection(BaseModel):
    """`anew`: another link, though one is open."""

    model_config = ConfigDict(defer_build=True, extra="forbid")

    anew: bool = False


class BegunConnection(Outgoing):
    """`url` is where a person goes, and a secret; empty where nothing is left to do there."""

    state: SessionState
    expires_at: Instant
    url: str


class Disconnected(Outgoing):
    """`note` says what is still to be done at the source; empty where all is done."""

    note: str


class PairingCode(BaseModel):
    model_config = ConfigDict(defer_build=True, extra="forbid")

    code: str


class Setting(Outgoing):
    """The value in force and what is taken; a clock time is local text."""

    value: Amount | str | None
    least: Amount | None
    most: Amount | None


class Device(Outgoing):
    """`slot` is the one that holds now, `schedule` and `wish` are those of the topics."""

    id: str
    kind: str
    maker: str
    model: str
    linked: bool
    plugged: bool
    opted_out: bool
    power_w: float
    soc_percent: float | None
    temperature_c: float | None
    takes: list[str]
    settings: dict[str, Setting]
    slot: Slot | None
    schedule: Schedule | None
    wish: Wish | None
    problems: dict[str, Problem]


class Devices(Outgoing):
    devices: list[Device]


class Events(Outgoing):
    """What happened since the start, the newest first."""

    events: list[Event]


class SecurityEvent(Outgoing):
    at: Instant
    kind: str
    text: str
    count: int


class SecurityEvents(Outgoing):
    """The newest first."""

    events: list[SecurityEvent]


class Login(BaseModel):
    model_config = ConfigDict(defer_build=True, extra="forbid")

    password: str


class LoggedIn(Outgoing):
    """What the header X-CSRF-Token of every request but GET has to hold."""

    csrf_token: str


# By the name of the route; one without an answer has no body.
ANSWERS: Mapping[str, type[BaseModel]] = {
    "status": Status,
    "health": HealthDocument,
    "prices": Prices,
    "tariff": TariffStatus,
    "connections": Connections,
    "beginConnection": BegunConnection,
    "disconnect": Disconnected,
    "plan": PlanDocument,
    "ledger": LedgerDocument,
    "events": Events,
    "securityEvents": SecurityEvents,
    "siteRequest": SiteWish,
    "devices": Devices,
    "device": Device,
    "deviceRequest": Wish,
    "logIn": LoggedIn,
}
BODIES: Mapping[str, type[BaseModel]] = {
    "siteRequest": SiteRequest,
    "deviceRequest": Request,
    "beginConnection": BeginConnection,
    "pair": PairingCode,
    "logIn": Login,
}
