"""What a device asks of the planner, and the parts that each kind makes it from. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from agent.energy.instants import to_unix_ceil, to_unix_floor
from agent.energy.plan import Plan, Reason
from agent.energy.schedule import Goal
from agent.energy.situation import Demand, Flexible, Program, Storage, Thermal
from agent.home.estimates.outdoor import OutdoorEstimate, expected_outdoor
from agent.home.model.device_model import DeviceModel
from agent.home.windows import SiteLocation
from agent.home.wishes import Wish

# Less than this is full: chargers stop on their own a little early or late.
SATISFIED_TOLERANCE_KWH = Decimal("0.05")
# A run is no shorter, so less than it brings cannot be given.
SHORTEST_RUN_S = 60
PLANNED_AHEAD = timedelta(hours=48)
# A car or a program without any deadline is served within a day.
WITHOUT_DEADLINE = timedelta(hours=24)
NO_GOAL = Goal()
# A boost without an end is published an hour at a time, so that a lost agent cannot leave it on.
BOOST_AHEAD = timedelta(hours=1)
BOOST_RENEWED_BEFORE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class PlanningContext:
    """When and where; `away_until` (None: at home) is when heat in advance is wanted again.

    `outdoor` is how warm it will be outdoors, None where nobody asked for it.
    """

    now: datetime
    location: SiteLocation
    away_until: datetime | None = None
    outdoor: OutdoorEstimate | None = None

    @property
    def expected_outdoor(self) -> OutdoorEstimate:
        if self.outdoor is not None:
            return self.outdoor
        return expected_outdoor(self.location, self.now, self.now + PLANNED_AHEAD)


@dataclass(frozen=True, slots=True)
class Override:
    """What holds until `until` whatever the prices: boost at `power_w`, or pause."""

    mode: str
    until: datetime
    reason: str
    power_w: int = 0


# The reasons of all overrides, as they stand in slots.
OVERRIDE_REASONS = frozenset({"boost", "pause", "floor", "topping_up"})


@dataclass(frozen=True, slots=True)
class ActiveNeed:
    """A need that has begun: what is missing of it and until when, named by its beginning.

    `contiguous`: its run cannot be cut.
    """

    key: str
    missing_kwh: Decimal
    power_w: int
    deadline: datetime
    contiguous: bool = False


@dataclass(frozen=True, slots=True)
class PlanningInput:
    """`device` is None where there is nothing to plan; `full`: it cannot take any more.

    `running`: a program says that it runs, so nothing may start it again. `notes` say what was
    assumed, for health and the plan's reasons; `beliefs` what is believed of it where all is well.
    `unfelt_c`: so far beyond its comfort the plan in force may be left as it is.
    """

    device: Flexible | Program | Storage | Thermal | None
    goal: Goal = NO_GOAL
    override: Override | None = None
    full: bool = True
    latest: datetime | None = None
    needs: tuple[ActiveNeed, ...] = ()
    running: bool = False
    notes: tuple[str, ...] = ()
    beliefs: tuple[str, ...] = ()
    unfelt_c: float = 0.0


def override_of(wish: Wish, model: DeviceModel, power_w: int, now: datetime) -> Override | None:
    """A boost or pause that a person asked for, as far ahead as it is published."""
    mode = wish.mode
    if mode.name == "auto" or mode.until is None or mode.until <= now:
        return None
    until = mode.until
    if mode.name == "boost" and mode.open_ended:
        published = model.boost_until
        if published is None or published - now <= BOOST_RENEWED_BEFORE:
            published = now + BOOST_AHEAD
        until = min(until, published)
    power = power_w if mode.name == "boost" else 0
    return Override(mode.name, whole_second(until), mode.name, power)


def whole_second(when: datetime) -> datetime:
    return when.replace(microsecond=0)


def energy_kwh_of(power_w: int, seconds: float) -> Decimal:
    return Decimal(power_w) * Decimal(repr(round(seconds, 3))) / 3_600_000


def tolerance_kwh(power_w: int, seconds: int = SHORTEST_RUN_S) -> Decimal:
    """What may be missing of a need: for a small load far less than for a car."""
    return min(SATISFIED_TOLERANCE_KWH, energy_kwh_of(power_w, seconds))


def boosted_kwh(override: Override | None, now: datetime) -> Decimal:
    """What a boost under way brings by its published end."""
    if override is None or override.mode != "boost":
        return Decimal(0)
    return energy_kwh_of(override.power_w, (override.until - now).total_seconds())


def demand_of(
    energy: Decimal,
    earliest: datetime,
    deadline: datetime,
    now: datetime,
    cap: Decimal | None,
    *,
    contiguous: bool,
    under_way: bool = False,
) -> Demand:
    first, last = to_unix_ceil(earliest), to_unix_floor(deadline)
    return Demand(
        energy_kwh=energy.quantize(Decimal("1e-6")),
        # The contract has no earliest at or after the deadline; a late demand begins at once.
        earliest=first if earliest > now and first < last else None,
        deadline=last,
        contiguous=contiguous,
        price_cap=cap,
        under_way=under_way,
    )


def with_minimum_times(
    device: Flexible, min_on_s: int, min_off_s: int, model: DeviceModel
) -> Flexible:
    """Minimum times, and since when the device is on or off where that counts.

    On it counts always, for going on is no start and stopping for a minute is a change; a block
    tells by itself that it has begun.
    """
    lasts = min_on_s or min_off_s or device.start_cost
    on, off = model.switching.on_since, model.switching.off_since
    if not lasts and any(demand.contiguous for demand in device.demands):
        return device
    return replace(
        device,
        min_on_s=min_on_s,
        min_off_s=min_off_s,
        on_since=to_unix_floor(on) if on else None,
        off_since=to_unix_floor(off) if lasts and off and not on else None,
    )


def with_assumptions(plan: Plan, inputs: Mapping[str, PlanningInput]) -> Plan:
    """The plan, saying of each device what had to be assumed for it."""
    devices = []
    for device in plan.devices:
        notes = inputs[device.id].notes if device.id in inputs else ()
        told = tuple(Reason("assumed", f"{note[:1].upper()}{note[1:]}.") for note in notes)
        devices.append(replace(device, why=(*told, *device.why)) if told else device)
    return replace(plan, devices=tuple(devices))
