"""A battery of the house: bought cheap, given dear, its own logic in between. Pure.

`auto` is that logic: surplus goes in, what the house lacks comes out. It needs no slot.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Literal

from pydantic import Field, model_validator

from agent.config.base import KeyFault, Percent, PositiveWatts, refuse
from agent.config.devices import DeviceSection, Energy, Seconds
from agent.contracts.wire import Request
from agent.energy.instants import from_unix, to_unix_floor
from agent.energy.localtime import next_local_instant
from agent.energy.plan import DevicePlan
from agent.energy.profile import DeviceProfile
from agent.energy.schedule import DefaultCommand, DeviceType, Goal, OfflineRule, ScheduleSlot
from agent.energy.sentences import sentence
from agent.energy.situation import ZERO, Availability, Storage, StorageTarget
from agent.errors import Refused
from agent.home.kinds.kind import SIX_DIGITS, DeviceKind, told_slot
from agent.home.model.device_model import DeviceModel
from agent.home.model.traits import Traits
from agent.home.planning_input import (
    NO_GOAL,
    PLANNED_AHEAD,
    Override,
    PlanningContext,
    PlanningInput,
    boosted_kwh,
    override_of,
)
from agent.home.wishes import MODE_KEYS, Wish, WishValues

# Inverters keep a power to about this; finer steps are only revisions.
POWER_STEP_W = 100
# What gauges are off by, and what its own logic gives beyond the minimum that is kept until it is
# told to hold.
GAUGE_PERCENT = 2
ROUNDING_KWH = Decimal("0.001")
# A boost ends here: gauges and the last hundredths are not worth charging for.
FULL_PERCENT = 99.5
HUNDRED = Decimal(100)
MILLI = Decimal("0.001")
KEYS = frozenset({"target_soc_percent", "ready_by", "floor_soc_percent", "soc_percent"})


class Battery(DeviceSection):
    """A battery with its inverter; powers are at its terminals to the house.

    It is kept between `reserve_soc_percent` (for an outage; at least `min_soc_percent`) and
    `max_soc_percent`. `assumed_soc_percent` counts where it has never told its state of charge.
    """

    type: Literal["battery"]
    capacity_kwh: Energy
    max_charge_w: PositiveWatts
    max_discharge_w: PositiveWatts
    charge_efficiency: Decimal = Field(default=Decimal("0.95"), gt=0, le=1)
    discharge_efficiency: Decimal = Field(default=Decimal("0.95"), gt=0, le=1)
    min_soc_percent: Percent = 5
    reserve_soc_percent: Percent = 0
    max_soc_percent: Percent = 100
    assumed_soc_percent: Percent = 40
    wear_per_kwh: Decimal = Field(default=Decimal("0.02"), ge=0, le=1000)
    grid_charge: bool = True
    export: bool = False
    offline_after_s: Seconds = 900

    @model_validator(mode="after")
    def _check_limits(self) -> "Battery":
        if self.lowest_soc_percent >= self.max_soc_percent:
            expected = (
                f"expected more than the {self.lowest_soc_percent:g} % that min_soc_percent and "
                "reserve_soc_percent keep"
            )
            refuse([KeyFault(("max_soc_percent",), expected, self.max_soc_percent)])
        return self

    @property
    def lowest_soc_percent(self) -> float:
        return max(self.min_soc_percent, self.reserve_soc_percent)

    def kwh(self, percent: float | Decimal) -> Decimal:
        """What it holds at that state of charge."""
        exact = percent if isinstance(percent, Decimal) else Decimal(repr(percent))
        return (self.capacity_kwh * exact / 100).quantize(SIX_DIGITS)


class BatteryKind(DeviceKind[Battery]):
    type = "battery"
    section = Battery

    def profile(self, section: Battery) -> DeviceProfile:
        return DeviceProfile(
            id=section.id,
            type=DeviceType.BATTERY,
            on_mode="charge",
            pause_mode="hold",
            max_power_w=section.max_charge_w,
            min_power_w=0,
            default=DefaultCommand("auto", 0),
            offline=OfflineRule(section.offline_after_s, "auto", 0),
            priority=section.priority,
            surplus_only=not section.grid_charge,
            empties_to_kwh=section.kwh(section.min_soc_percent) + ROUNDING_KWH,
        )

    def traits(self, section: Battery) -> Traits:
        return Traits(
            float(section.max_charge_w),
            float(section.capacity_kwh),
            float(section.charge_efficiency),
            max_discharge_w=float(section.max_discharge_w),
            discharge_efficiency=float(section.discharge_efficiency),
        )

    def describe(self, section: Battery) -> str:
        charges = "" if section.grid_charge else ", from surplus only"
        exports = ", may export" if section.export else ""
        return (
            f"battery of {section.capacity_kwh:g} kWh, {section.max_charge_w} W in and "
            f"{section.max_discharge_w} W out, kept between {section.lowest_soc_percent:g} and "
            f"{section.max_soc_percent:g} %{charges}{exports}"
        )

    def wish_keys(self, section: Battery) -> frozenset[str]:
        return MODE_KEYS | KEYS

    def configured(self, section: Battery, key: str) -> object:
        return section.lowest_soc_percent if key == "floor_soc_percent" else None

    def limits(self, section: Battery, key: str) -> tuple[float, float] | None:
        if key == "floor_soc_percent":
            return section.min_soc_percent, section.max_soc_percent
        return super().limits(section, key)

    def check_request(self, section: Battery, request: Request, wish: Wish) -> None:
        if request.mode == "boost" and not section.grid_charge:
            raise Refused(
                sentence("mode boost: the config's grid_charge is false, it takes surplus only")
            )
        values = wish.values
        timed = values.ready_by is not None or values.ready_by_clock is not None
        if request.target_soc_percent is not None and not timed:
            raise Refused(
                sentence("target_soc_percent goes with ready_by: when shall it hold that much?")
            )
        if request.ready_by is not None and values.target_soc_percent is None:
            raise Refused(
                sentence("ready_by goes with target_soc_percent: how much shall it hold by then?")
            )
        floor = request.floor_soc_percent
        if floor is not None and not section.min_soc_percent <= floor <= section.max_soc_percent:
            raise Refused(
                sentence(
                    "floor_soc_percent is {floor:g}; expected {least:g} to {most:g}, the config's "
                    "min_soc_percent and max_soc_percent",
                    floor=floor,
                    least=section.min_soc_percent,
                    most=section.max_soc_percent,
                )
            )
        target, lowest = values.target_soc_percent, _lowest_percent(section, values)
        given = request.target_soc_percent is not None or floor is not None
        if given and target is not None and target < lowest:
            raise Refused(
                sentence(
                    "target_soc_percent {target:g} lies below the {lowest:g} % it keeps",
                    target=float(target),
                    lowest=float(lowest),
                )
            )

    def planning_input(
        self, section: Battery, model: DeviceModel, wish: Wish, context: PlanningContext
    ) -> PlanningInput:
        now, values = context.now, wish.values
        soc = model.soc_percent(now)
        percent = section.assumed_soc_percent if soc is None else soc
        stored = _as_kept(section.kwh(round(percent, 3)), section, values)
        full = percent >= FULL_PERCENT
        override = override_of(wish, model, section.max_charge_w, now)
        if full and wish.mode.name == "boost":
            override = None
        targets = _targets(section, values, context)
        highest = max([section.kwh(section.max_soc_percent), *(t.energy_kwh for t in targets)])
        device = Storage(
            id=section.id,
            capacity_kwh=section.capacity_kwh,
            energy_kwh=stored,
            max_charge_w=Decimal(section.max_charge_w),
            max_discharge_w=Decimal(section.max_discharge_w),
            min_kwh=section.kwh(_lowest_percent(section, values)),
            max_kwh=highest,
            charge_efficiency=section.charge_efficiency,
            discharge_efficiency=section.discharge_efficiency,
            wear_per_kwh=section.wear_per_kwh,
            targets=targets,
            grid_charge=section.grid_charge,
            export=section.export,
            available=None if override is None else _after(section, stored, override, now),
        )
        latest = from_unix(targets[-1].at) if targets else None
        return PlanningInput(
            device,
            _goal(section, stored, targets),
            override,
            full=full,
            latest=latest,
            notes=_notes(section, soc),
        )

    def slots(
        self, profile: DeviceProfile, plan: DevicePlan, *, most_w: int | None = None
    ) -> Sequence[ScheduleSlot]:
        """What is not its own logic: charge, hold, discharge; powers towards 0 to 100 W."""
        out = []
        for slot in plan.slots:
            mode, power = slot.mode, _calm(slot.power_w, profile.max_power_w)
            # Its own logic charges from surplus and, unlike a slot, never from the grid.
            if mode == "auto" or (mode == "charge" and profile.surplus_only):
                continue
            if not power:
                mode = "hold"
            stored = slot.energy_kwh
            if mode == "hold" and stored is not None and stored <= profile.empties_to_kwh:
                # Its own logic stops here too, and takes in what surplus nobody expected.
                continue
            out.append(told_slot(slot, mode, power))
        return out


def _calm(power_w: Decimal, max_w: int) -> int:
    power = int(power_w)
    return power if power == max_w else int(power / POWER_STEP_W) * POWER_STEP_W


def _as_kept(stored: Decimal, section: Battery, values: WishValues) -> Decimal:
    """What it holds; so little outside its limits as gauges are off by is at them, for outside it
    would be moved inward at once, at whatever price."""
    lowest, highest = (
        section.kwh(_lowest_percent(section, values)),
        section.kwh(section.max_soc_percent),
    )
    off = section.kwh(GAUGE_PERCENT)
    if lowest - off <= stored < lowest:
        return lowest
    return highest if highest < stored <= highest + off else stored


def _lowest_percent(section: Battery, values: WishValues) -> Decimal:
    floor = values.floor_soc_percent
    lowest = Decimal(repr(section.lowest_soc_percent))
    return lowest if floor is None else max(Decimal(repr(section.min_soc_percent)), floor)


def _targets(
    section: Battery, values: WishValues, context: PlanningContext
) -> tuple[StorageTarget, ...]:
    """What it has to hold when; a clock time comes every day."""
    percent, now = values.target_soc_percent, context.now
    if percent is None:
        return ()
    moments: list[datetime] = []
    if values.ready_by is not None:
        moments = [values.ready_by]
    elif values.ready_by_clock is not None:
        at = now
        while (
            at := next_local_instant(at, values.ready_by_clock, context.location.zone)
        ) <= now + PLANNED_AHEAD:
            moments.append(at)
    energy = section.kwh(percent)
    return tuple(StorageTarget(to_unix_floor(at), energy) for at in moments if at > now)


def _after(
    section: Battery, stored: Decimal, override: Override, now: datetime
) -> tuple[Availability, ...]:
    """What a person has asked for holds first; it is planned from there on."""
    taken = boosted_kwh(override, now) * section.charge_efficiency
    holds = min(section.capacity_kwh, stored + taken).quantize(SIX_DIGITS)
    start = to_unix_floor(override.until)
    return (Availability(start, start + 14 * 86_400, holds),)


def _goal(section: Battery, stored: Decimal, targets: Sequence[StorageTarget]) -> Goal:
    if not targets:
        return NO_GOAL
    first = targets[0]
    missing = max(ZERO, first.energy_kwh - stored) / section.charge_efficiency
    percent = first.energy_kwh * HUNDRED / section.capacity_kwh
    return Goal(missing.quantize(MILLI), percent.quantize(MILLI).normalize(), first.at)


def _notes(section: Battery, soc: float | None) -> tuple[str, ...]:
    if soc is not None:
        return ()
    percent = section.assumed_soc_percent
    return (sentence("no state of charge is known: {percent:g} % is assumed", percent=percent),)
