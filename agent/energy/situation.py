"""The Situation: everything a plan depends on (schema situation/1).

Instants and durations are whole Unix seconds, numbers are Decimal exactly as given: W, kWh,
currency per kWh, degrees Celsius. Spans are half-open, lists in time order and free of overlaps.
Field names and defaults are those of the JSON document; whoever builds a Situation has validated.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import ClassVar

ZERO = Decimal(0)
ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class RateSpan:
    start: int
    end: int
    price: Decimal
    confidence: Decimal = ONE
    carbon_g_per_kwh: Decimal | None = None


@dataclass(frozen=True, slots=True)
class PowerSpan:
    start: int
    end: int
    power_w: Decimal


@dataclass(frozen=True, slots=True)
class TemperatureSpan:
    start: int
    end: int
    temp_c: Decimal


@dataclass(frozen=True, slots=True)
class ComfortSpan:
    start: int
    end: int
    min_c: Decimal | None = None
    max_c: Decimal | None = None


@dataclass(frozen=True, slots=True)
class CapacityCharge:
    per_kw: Decimal = ZERO
    window_s: int = 900
    peak_so_far_w: Decimal = ZERO
    window_energy_kwh: Decimal | None = None
    period_end: int | None = None
    next_floor_w: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Site:
    import_limit_w: Decimal | None = None
    import_limits: tuple[PowerSpan, ...] = ()
    export_limit_w: Decimal | None = None
    pv_curtailable: bool = False
    base_load: tuple[PowerSpan, ...] = ()
    pv: tuple[PowerSpan, ...] = ()
    capacity_charge: CapacityCharge | None = None


@dataclass(frozen=True, slots=True)
class PreviousPlan:
    id: str
    slots: tuple[PowerSpan, ...] = ()


@dataclass(frozen=True, slots=True)
class Planner:
    estimate_margin_per_kwh: Decimal = ZERO
    change_cost: Decimal = ZERO
    change_until: int | None = None
    previous: tuple[PreviousPlan, ...] = ()


@dataclass(frozen=True, slots=True)
class Demand:
    energy_kwh: Decimal
    earliest: int | None = None
    deadline: int | None = None
    contiguous: bool = False
    hard: bool = True
    price_cap: Decimal | None = None
    value_per_kwh: Decimal | None = None
    under_way: bool = False


@dataclass(frozen=True, slots=True)
class Flexible:
    kind: ClassVar[str] = "flexible"

    id: str
    max_power_w: Decimal
    min_power_w: Decimal | None = None
    demands: tuple[Demand, ...] = ()
    priority: int = 0
    min_on_s: int = 0
    min_off_s: int = 0
    start_cost: Decimal = ZERO
    grid_s: int = 0
    on_since: int | None = None
    off_since: int | None = None


@dataclass(frozen=True, slots=True)
class ProfileSegment:
    duration_s: int
    power_w: Decimal


@dataclass(frozen=True, slots=True)
class Program:
    kind: ClassVar[str] = "program"

    id: str
    profile: tuple[ProfileSegment, ...]
    deadline: int
    earliest: int | None = None
    started_at: int | None = None
    priority: int = 0


@dataclass(frozen=True, slots=True)
class StorageTarget:
    at: int
    energy_kwh: Decimal


@dataclass(frozen=True, slots=True)
class Availability:
    start: int
    end: int
    arrives_kwh: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Storage:
    kind: ClassVar[str] = "storage"

    id: str
    capacity_kwh: Decimal
    energy_kwh: Decimal
    max_charge_w: Decimal
    max_discharge_w: Decimal
    min_kwh: Decimal = ZERO
    max_kwh: Decimal | None = None
    charge_efficiency: Decimal = ONE
    discharge_efficiency: Decimal = ONE
    wear_per_kwh: Decimal = ZERO
    targets: tuple[StorageTarget, ...] = ()
    final_value_per_kwh: Decimal | None = None
    grid_charge: bool = True
    export: bool = False
    available: tuple[Availability, ...] | None = None


@dataclass(frozen=True, slots=True)
class Hygiene:
    by: int
    temp_c: Decimal
    hold_s: int


@dataclass(frozen=True, slots=True)
class Thermal:
    kind: ClassVar[str] = "thermal"

    id: str
    max_power_w: Decimal
    temperature_c: Decimal
    capacity_kwh_per_c: Decimal
    min_power_w: Decimal | None = None
    control: str = "power"
    min_on_s: int = 0
    min_off_s: int = 0
    start_cost: Decimal = ZERO
    on_since: int | None = None
    off_since: int | None = None
    loss_w_per_c: Decimal = ZERO
    gains_w: Decimal = ZERO
    draw: tuple[PowerSpan, ...] = ()
    comfort: tuple[ComfortSpan, ...] = ()
    outdoor: tuple[TemperatureSpan, ...] = ()
    cop: tuple[tuple[Decimal, Decimal], ...] = ()
    hygiene: Hygiene | None = None
    block_max_s: int = 7200
    priority: int = 0


Device = Flexible | Program | Storage | Thermal


@dataclass(frozen=True, slots=True)
class Situation:
    """`now` is the next whole second, the given instant lies `early_us` microseconds before it."""

    now: int
    timezone: str
    currency: str
    import_rates: tuple[RateSpan, ...] = ()
    export_rates: tuple[RateSpan, ...] = ()
    site: Site = field(default_factory=Site)
    planner: Planner = field(default_factory=Planner)
    devices: tuple[Device, ...] = ()
    now_fraction_us: int = 0
