"""MQTT payloads as models: to read what comes in, to describe what goes out.

Those that tell a device what to do are in schedule_models.

The tests hold what is really published against these models, so the schemas cannot drift.
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, RootModel

from agent.energy.readings import AckStatus

Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
Instant = Annotated[
    datetime,
    Field(json_schema_extra={"pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"}),
]
Revision = Annotated[int, Field(ge=0, le=2**32 - 1)]
Money = Annotated[Decimal, Field(allow_inf_nan=False)]
Number = Annotated[float, Field(allow_inf_nan=False, strict=True)]
Text = Annotated[str, Field(max_length=200)]


class Outgoing(BaseModel):
    """A payload of ours. Readers skip keys they do not know: we may add some."""

    model_config = ConfigDict(defer_build=True, extra="allow", ser_json_inf_nan="constants")


class Incoming(BaseModel):
    """A payload of others: what we do not know is skipped."""

    model_config = ConfigDict(defer_build=True, extra="ignore")


class Time(Outgoing):
    """For devices without a clock: Unix seconds."""

    t: int


class TariffRate(Outgoing):
    start: Instant
    end: Instant
    price: Money
    confidence: float = Field(ge=0, le=1)
    carbon_g_per_kwh: float | None


class Tariff(Outgoing):
    """The rates of one direction, major units per kWh; estimates have confidence below 1."""

    model_config = ConfigDict(defer_build=True, extra="allow", populate_by_name=True)

    schema_: Literal["tariff/1"] = Field(alias="schema")
    currency: str
    timezone: str
    fetched_at: Instant | None
    next_update: Instant | None
    stale: bool
    rates: list[TariffRate]


class ValueSpan(Outgoing):
    start: Instant
    end: Instant
    value: Money


class TariffList(RootModel[list[ValueSpan]]):
    """The bare array that evcc and many scripts read: confirmed and estimated prices per kWh."""


class TariffNow(Outgoing):
    """The prices that hold now, until `until`; `next` is the import price after that."""

    import_: Money | None = Field(alias="import")
    export: Money | None
    currency: str
    until: Instant
    next: Money | None
    estimated: bool


class PartHealth(Outgoing):
    state: Literal["ok", "degraded", "failed"]
    since: Instant
    why: str
    who_acts: str


class HealthDocument(Outgoing):
    """`parts` by name (tariff, broker, clock, disk, device:<id>), `counts` since the start."""

    state: Literal["ok", "degraded", "failed"]
    parts: dict[str, PartHealth]
    counts: dict[str, int]


class Event(Outgoing):
    at: Instant
    type: str
    device: str | None
    text: str


class LedgerSums(Outgoing):
    """Energy delivered, what it cost at the prices that held, what starting at once would have.

    `saved` is `baseline_cost` less `cost`. `pending_kwh` is the part of the energy whose price is
    not known yet: it is in neither cost. `estimated`: some of the prices are not confirmed yet.
    """

    energy_kwh: Money
    cost: Money
    baseline_cost: Money
    saved: Money
    pending_kwh: Money
    estimated: bool


class LedgerSession(LedgerSums):
    """The last stay, run or window of a device: under way where `open`.

    `planned_kwh` is what was asked when it began, `best_cost` what the same energy would have cost
    at best in its time (known when it is over), `regret` what it cost more than that.
    """

    open: bool
    since: Instant
    until: Instant | None
    ready_by: Instant | None
    planned_kwh: Money | None
    planned_cost: Money | None
    best_cost: Money | None
    regret: Money | None


class LedgerPeriods(Outgoing):
    """By local days of the site; `ever` since the currency is this one."""

    today: LedgerSums
    month: LedgerSums
    ever: LedgerSums


class LedgerDevice(LedgerPeriods):
    session: LedgerSession | None


class LedgerDocument(Outgoing):
    """What each device took, cost and saved; `total` is the sum of `devices`."""

    at: Instant
    currency: str
    timezone: str
    total: LedgerPeriods
    devices: dict[Id, LedgerDevice]


class Wish(Outgoing):
    """What holds of the owner's wishes now, or why the last request was refused.

    `kept` names the values that stand until they are changed, `pending` those that wait for the
    next stay.
    """

    id: str | None
    at: Instant
    accepted: bool
    reason: str
    mode: Literal["auto", "boost", "pause"]
    until: Instant | None
    energy_kwh: Money | None
    hours: Money | None
    target_soc_percent: Money | None
    floor_soc_percent: Money | None
    ready_by: str | None
    price_cap: Money | None
    comfort_min_c: Money | None
    comfort_max_c: Money | None
    comfort_until: Instant | None
    kept: list[str]
    loaded: bool
    pending: bool


class SiteWish(Outgoing):
    """What holds for the whole house, or why the last request was refused."""

    id: str | None
    at: Instant
    accepted: bool
    reason: str
    away_until: Instant | None


class LimitWindow(Incoming):
    start: AwareDatetime
    end: AwareDatetime
    import_w: Annotated[float, Field(ge=0, le=1_000_000)]


class SiteLimit(Incoming):
    """What the house may draw from the grid for a time: `import_w` (to `until`) or `windows`."""

    import_w: Number | None = Field(default=None, ge=0, le=1_000_000)
    until: AwareDatetime | None = None
    windows: list[LimitWindow] | None = Field(default=None, max_length=200)
    failsafe_w: Number | None = Field(default=None, ge=0, le=1_000_000)


class ForecastSpan(Incoming):
    start: AwareDatetime
    end: AwareDatetime
    value: Annotated[float, Field(allow_inf_nan=False)]


class Forecast(RootModel[list[ForecastSpan]]):
    """W for loads, currency per kWh for prices."""


class DeviceState(Incoming):
    """What a device says of itself; any of the keys, `at` where it has a clock.

    This describes what is right; a key that is not is skipped alone (see agent.contracts.state).
    """

    plugged: bool | None = Field(
        default=None, description="whether a car is plugged in; chargers alone"
    )
    soc_percent: Number | None = Field(
        default=None, ge=0, le=100, description="state of charge of the battery, or of the car"
    )
    power_w: Number | None = Field(
        default=None,
        ge=-1_000_000,
        le=1_000_000,
        description="what it takes now, W; a battery that gives: negative; an inverter: its yield",
    )
    energy_kwh: Number | None = Field(
        default=None,
        ge=0,
        le=10_000_000,
        description="taken in this session, which begins at 0 with the plug-in",
    )
    energy_total_kwh: Number | None = Field(
        default=None,
        ge=0,
        le=1_000_000_000,
        description="a meter that only rises; preferred to `energy_kwh`",
    )
    temperature_c: Number | None = Field(
        default=None, ge=-100, le=200, description="of the room or the tank, °C"
    )
    mode: Text | None = Field(
        default=None,
        description="what it does, in a word of the schedule's; `run` where a program was started "
        "at the machine",
    )
    error: Text | None = Field(
        default=None,
        description="what is wrong with it, in its own words, for people; null, empty or left out: "
        "nothing is",
    )
    following: Text | None = Field(
        default=None,
        description="what it goes by now, in its own words (`schedule`, `own`), for people",
    )
    at: AwareDatetime | None = Field(
        default=None,
        description="when this was true; left out: when it arrives. Of a retained state without it "
        "nobody knows how old it is",
    )


class DeviceInfo(Incoming):
    """What a device is, for people and for comparison with the config; all may be left out."""

    maker: Text | None = Field(default=None, description="who made it")
    model: Text | None = Field(default=None, description="what it is called")
    firmware: Text | None = Field(default=None, description="the version of its program")
    serial: Text | None = Field(default=None, description="its number")
    follows: Literal["schedule", "compact", "setpoint"] | None = Field(
        default=None, description="which of the three forms it obeys"
    )
    min_power_w: Number | None = Field(
        default=None, ge=0, le=1_000_000, description="the least that it can run at, W"
    )
    max_power_w: Number | None = Field(
        default=None,
        ge=0,
        le=1_000_000,
        description="the most that it can take, W; health says where the config has more",
    )
    phases: Annotated[int, Field(ge=1, le=3)] | Literal["switched"] | None = Field(
        default=None,
        description="how many it is wired to, or that it switches between one and three",
    )


class Ack(Incoming):
    revision: Revision = Field(description="the one held afterwards; 0 for none")
    status_type: AckStatus = Field(description="what became of what came")
    diagnostic: str = Field(
        default="", description="why, for people; `user_opt_out` with ABORTED: a person decides"
    )


class Request(BaseModel):
    """A wish of the owner. Any of the keys; unknown ones refuse the whole request.

    `null` for a key returns it to the config's value. `until` and `ready_by` are a clock time
    ("07:00") or an instant with offset.
    """

    model_config = ConfigDict(defer_build=True, extra="forbid")

    id: Any = None
    mode: Literal["auto", "boost", "pause"] | None = None
    until: Text | None = None
    for_s: int | None = Field(default=None, gt=0, le=86_400, strict=True)
    energy_kwh: Number | None = Field(default=None, ge=0, le=1000)
    hours: Number | None = Field(default=None, gt=0, le=24)
    target_soc_percent: Number | None = Field(default=None, ge=0, le=100)
    soc_percent: Number | None = Field(default=None, ge=0, le=100)
    floor_soc_percent: Number | None = Field(default=None, ge=0, le=100)
    ready_by: Text | None = None
    price_cap: Number | None = Field(default=None, ge=-1000, le=1000)
    comfort_min_c: Number | None = Field(default=None, ge=0, le=95)
    comfort_max_c: Number | None = Field(default=None, ge=0, le=95)
    start: bool | None = Field(default=None, strict=True)
    keep: bool | None = Field(default=None, strict=True)
    reset: Literal[True] | None = None


def request_limits(key: str) -> tuple[float, float] | None:
    """The least and the most that a number of a request may be; None for what is no number."""
    limits: dict[str, float] = {}
    for rule in Request.model_fields[key].metadata:
        for name in ("ge", "gt", "le"):
            if (value := getattr(rule, name, None)) is not None:
                limits[name[0]] = float(value)
    return (limits["g"], limits["l"]) if len(limits) == 2 else None


class SiteRequest(BaseModel):
    """A wish for the whole house; answered on `site/wish`."""

    model_config = ConfigDict(defer_build=True, extra="forbid")

    id: Any = None
    away_until: AwareDatetime | None = None
    refresh: bool | None = Field(default=None, strict=True)
