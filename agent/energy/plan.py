"""The plan (schema plan/1): what each device does when, its proof and its reasons.

Instants are whole Unix seconds, numbers Decimal in the units of the Situation.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

Number = Decimal | int | float | str | None


class Status(StrEnum):
    """How good the plan is, strongest first."""

    OPTIMAL = "optimal"
    BEST_FOUND = "best_found"
    RULE = "rule"


class Engine(StrEnum):
    EXACT = "exact"
    JOINT = "joint"
    RULE = "rule"


@dataclass(frozen=True, slots=True)
class Slot:
    """A part of a plan at one power, price and reason. `power_w` is negative while discharging.

    `price` is the import price, None in unknown time; `cost` leaves start costs out; `demand` is
    the index of the demand served, where the device has several; None in a run that must go on.
    """

    start: int
    end: int
    power_w: Decimal
    mode: str
    price: Decimal | None
    cost: Decimal
    reason: str
    estimated: bool = False
    unknown: bool = False
    demand: int | None = None
    temperature_c: Decimal | None = None
    energy_kwh: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why the plan is as it is: a code, the sentence, and the numbers behind it."""

    code: str
    text: str
    numbers: Mapping[str, Number] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DevicePlan:
    """`numbered`: it has several demands, so each slot says which it serves (None: nobody)."""

    id: str
    status: Status
    engine: Engine
    energy_kwh: Decimal
    cost: Decimal
    starts: int
    deadline_met: bool
    shortfall_kwh: Decimal
    slots: tuple[Slot, ...] = ()
    why: tuple[Reason, ...] = ()
    numbered: bool = False


@dataclass(frozen=True, slots=True)
class SiteSpan:
    start: int
    end: int
    import_w: Decimal
    export_w: Decimal
    curtailed_w: Decimal


@dataclass(frozen=True, slots=True)
class Plan:
    """`early_us`: by how much the Situation's `now` lies before `made_at`, a whole second."""

    made_at: int
    status: Status
    engine: Engine
    cost: Decimal
    baseline_cost: Decimal
    objective: Decimal
    bound: Decimal
    gap: Decimal
    currency: str
    horizon: int
    took_ms: int
    devices: tuple[DevicePlan, ...] = ()
    site: tuple[SiteSpan, ...] = ()
    now_fraction_us: int = 0
