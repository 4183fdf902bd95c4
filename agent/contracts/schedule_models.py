"""The payloads that tell a device what to do, as models: schedule, compact schedule, setpoint.

Their schemas are what an author of firmware reads, so each key and each word is explained there.
"""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from agent.contracts.schedule import MAX_COMPACT_PAIRS, MAX_COMPACT_S, is_told_modes
from agent.contracts.wire import Id, Instant, Money, Outgoing, Revision
from agent.energy.schedule import MODES, DeviceType

MODE_WORDS = "; ".join(f"{kind}: {', '.join(modes)}" for kind, modes in MODES.items())
MODE_NUMBERS = "; ".join(
    f"{kind}: {', '.join(f'{number} {mode}' for number, mode in enumerate(modes, 1))}"
    for kind, modes in MODES.items()
    if is_told_modes(kind)
)
UNITS = (
    "Of the values in p, d and o. W, watts: the most that an EV or a flexible load may take (0: "
    "idle, null: release); what storage charges with (negative: discharges, 0: hold, null: auto); "
    "the most that an inverter may give (null: auto). M, the number of a mode, for all others. "
    f"{MODE_NUMBERS}"
)
# Of a simulated house on a November afternoon in Berlin.
COMPACT_EV: dict[str, Any] = {
    "r": 1795797163,
    "s": 1795796863,
    "u": "W",
    "p": [[30737, 11000], [42042, 0]],
    "e": 174737,
    "d": 0,
    "o": [900, 4140],
}
COMPACT_HEAT_PUMP: dict[str, Any] = {
    "r": 1795792200,
    "s": 1795791900,
    "u": "M",
    "p": [[35700, 3], [46500, 2], [64500, 3], [75300, 2]],
    "e": 176100,
    "d": 2,
    "o": [900, 2],
}

Mode = Annotated[
    str,
    Field(
        description=f"By type of device: {MODE_WORDS}",
        json_schema_extra={"enum": sorted({mode for modes in MODES.values() for mode in modes})},
    ),
]
Power = Annotated[
    int,
    Field(
        description="W, the sum over the phases, negative: discharge; of heat what is expected, of "
        "an inverter the most it may give"
    ),
]


def _modes_by_type(schema: dict[str, Any]) -> None:
    """No device is told a word of another type."""

    def then(modes: tuple[str, ...]) -> dict[str, Any]:
        said = {"properties": {"mode": {"enum": list(modes)}}}
        return {"properties": {"slots": {"items": said}, "default": said, "offline": said}}

    schema["allOf"] = [
        {"if": {"properties": {"device_type": {"const": kind.value}}}, "then": then(modes)}
        for kind, modes in MODES.items()
    ]


class Slot(Outgoing):
    start: Instant
    end: Instant
    mode: Mode
    power_w: Power
    phases: int | None = None
    energy_kwh: Money
    price: Money | None
    reason: str


class Standing(Outgoing):
    """What holds where no slot does."""

    mode: Mode
    power_w: Power


class Offline(Outgoing):
    """What holds `after_s` seconds after the schedule's end, for at most seven days after it."""

    after_s: int
    mode: Mode
    power_w: Power


class Goal(Outgoing):
    """For people: what is still to come. It ends nothing."""

    energy_kwh: Money | None
    target_soc_percent: Money | None
    ready_by: Instant | None


class Schedule(Outgoing):
    """What the device does until `valid_until`, complete: it can be followed with us gone."""

    model_config = ConfigDict(json_schema_extra=_modes_by_type)

    schema_: Literal["schedule/1"] = Field(alias="schema")
    device: Id
    device_type: DeviceType
    revision: Revision
    issued_at: Instant
    valid_from: Instant
    valid_until: Instant
    currency: str
    slots: list[Slot]
    default: Standing
    offline: Offline
    goal: Goal
    cost: Money
    baseline_cost: Money
    status: Literal["optimal", "best_found", "rule"]
    estimated: bool


class CompactSchedule(Outgoing):
    """The same for small firmware, at most 1,000 bytes: pairs of seconds from `s` and value."""

    model_config = ConfigDict(json_schema_extra={"examples": [COMPACT_EV, COMPACT_HEAT_PUMP]})

    r: Revision = Field(title="Revision", description="To be named in the acknowledgement")
    s: int = Field(title="Start", description="Unix time, seconds: the schedule's valid_from")
    u: Literal["W", "M"] = Field(title="Unit", description=UNITS)
    p: list[tuple[int, int | None]] = Field(
        title="Pairs",
        max_length=MAX_COMPACT_PAIRS,
        description="Seconds after s, growing, and the value from then on: until the next pair, "
        "the last one until e. Before the first, and where there is none: d",
    )
    e: int = Field(
        title="End",
        ge=0,
        le=MAX_COMPACT_S,
        description="Seconds after s, no Unix time: s + e is the schedule's valid_until",
    )
    d: int | None = Field(title="Default", description="The value outside of all pairs")
    o: tuple[int, int | None] = Field(
        title="Offline",
        description="Seconds after the end in which d holds, and the value from then on, until "
        "seven days after the end",
    )


class Setpoint(Outgoing):
    """The one line to obey now, at most 512 bytes."""

    revision: Revision
    at: Instant
    mode: Mode
    power_w: Power
    current_a: int | None = Field(
        default=None, description="EV: the same in whole ampere on each phase, where it can be told"
    )
    phases: int | None = None
    until: Instant = Field(description="When the next one comes; obeyed until 30 s later")
    default: Standing
    offline: Offline
    reason: str
