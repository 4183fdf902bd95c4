"""A charger and the car at it: energy to a SoC or of a stay, by its ready-by. Pure."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from pydantic import Field, ValidationError, model_validator

from agent.config.base import KeyFault, Percent, PositiveWatts, Watts, refuse
from agent.config.devices import DeviceSection, Energy, PriceCap, ReadyBy, Seconds
from agent.config.units import kw_meant
from agent.energy.instants import format_instant, to_unix_floor
from agent.energy.phases import ONE, SWITCHED, THREE, Phases
from agent.energy.profile import DeviceProfile
from agent.energy.readings import DeviceInfo
from agent.energy.schedule import DefaultCommand, DeviceType, Goal, OfflineRule
from agent.energy.sentences import sentence
from agent.energy.situation import ZERO, Flexible
from agent.home.kinds.kind import DeviceKind
from agent.home.model.device_model import DeviceModel
from agent.home.model.operation import FULL_WHEN_IDLE_FOR
from agent.home.model.soc import FULL_PERCENT
from agent.home.model.traits import Traits
from agent.home.planning_input import (
    SATISFIED_TOLERANCE_KWH,
    WITHOUT_DEADLINE,
    ActiveNeed,
    Override,
    PlanningContext,
    PlanningInput,
    boosted_kwh,
    demand_of,
    override_of,
    whole_second,
    with_minimum_times,
)
from agent.home.windows import next_ready_by
from agent.home.wishes import MODE_KEYS, Wish

# A car is charged this much beyond its target, so that metering cannot leave a rest behind.
MARGIN_KWH = Decimal("0.05")
USUAL_OFFLINE_W = 3700
HUNDRED = Decimal(100)
# At 100 % a car that still takes power is let go on a while at a time.
TOPPING_UP = timedelta(minutes=30)
# The last percent take longer than full power would need: they are planned to end so much earlier.
TAPER_RESERVE = timedelta(hours=2)
# One that takes less and less takes about so much of it on the way that is left.
STILL_TAKES = 0.7
# What full power brings in so long is not worth starting the car once more for.
WORTH_A_START_S = 90
# By the config's word; left out, and not told by the charger either: one.
COUNTS: Mapping[object, tuple[int, ...]] = {None: ONE, 1: ONE, 3: THREE, "switched": SWITCHED}
SOC_KEYS = frozenset({"target_soc_percent", "soc_percent", "floor_soc_percent"})


class EvCharger(DeviceSection):
    """A charger and the car at it.

    Demand comes from `target_soc_percent` with `battery_kwh`, else from `energy_kwh` a session.
    `assumed_soc_percent` counts where the car has told none in this stay. `floor_soc_percent` is
    charged at once, whatever it costs. `phases` left out: as the charger says, else one; one that
    is `switched` charges on one phase or on three, `phase_switch_min_s` apart.
    """

    type: Literal["ev_charger"]
    max_power_w: PositiveWatts
    phases: Literal[1, 3, "switched"] | None = None
    phase_switch_min_s: Seconds = 300
    voltage_v: int = Field(default=230, ge=100, le=260)
    battery_kwh: Energy | None = None
    target_soc_percent: Percent = 80
    floor_soc_percent: Percent = 0
    assumed_soc_percent: Percent = 40
    charge_efficiency: Decimal = Field(default=Decimal("0.9"), gt=0, le=1)
    energy_kwh: Energy | None = None
    ready_by: ReadyBy = ReadyBy(every_day="07:00")
    price_cap: PriceCap | None = None
    contiguous: bool = False
    min_on_s: Seconds = 0
    min_off_s: Seconds = 0
    offline_power_w: Watts | None = None
    offline_after_s: Seconds = 900

    @property
    def wiring(self) -> Phases:
        counts = COUNTS[self.phases]
        switch_min_s = self.phase_switch_min_s if len(counts) > 1 else 0
        return Phases(counts, self.voltage_v, self.max_power_w, switch_min_s)

    @property
    def min_power_w(self) -> int:
        """6 A on each phase, the least a charger can offer (IEC 61851)."""
        return self.wiring.least_w(COUNTS[self.phases][0])

    @model_validator(mode="after")
    def _check_sizes(self) -> "EvCharger":
        refuse(self._faults())
        return self

    def _faults(self) -> Iterator[KeyFault]:
        if self.battery_kwh is None and self.energy_kwh is None:
            expected = "give battery_kwh (with a car that tells its SoC) or energy_kwh"
            yield KeyFault((), expected)
        if self.floor_soc_percent > self.target_soc_percent:
            expected = f"expected at most target_soc_percent, {self.target_soc_percent:g}"
            yield KeyFault(("floor_soc_percent",), expected, self.floor_soc_percent)
        highest = COUNTS[self.phases][-1]
        if self.max_power_w < (least_w := self.wiring.least_w(highest)):
            expected = f"expected at least {least_w}, 6 A on {highest} phase(s)"
            expected += kw_meant(self.max_power_w)
            yield KeyFault(("max_power_w",), expected, self.max_power_w)
        elif expected := self._wrong_offline(self.offline_power_w or 0):
            yield KeyFault(("offline_power_w",), expected, self.offline_power_w)

    def _wrong_offline(self, offline_w: int) -> str:
        wiring = self.wiring
        if 0 < offline_w < self.min_power_w:
            return f"expected 0 or at least {self.min_power_w}, 6 A{kw_meant(offline_w)}"
        if offline_w > self.max_power_w:
            return f"expected at most max_power_w, {self.max_power_w}"
        if wiring.allowed_w(offline_w) != offline_w:
            return (
                f"expected at most the {wiring.most_w(1)} W of one phase or at least the "
                f"{wiring.least_w(3)} W of three"
            )
        return ""


class EvChargerKind(DeviceKind[EvCharger]):
    type = "ev_charger"
    section = EvCharger
    has_stays = True

    def profile(self, section: EvCharger) -> DeviceProfile:
        wiring, offline = section.wiring, section.offline_power_w
        if offline is None:
            offline = wiring.allowed_w(max(section.min_power_w, USUAL_OFFLINE_W))
        return DeviceProfile(
            id=section.id,
            type=DeviceType.EVSE,
            on_mode="charge",
            pause_mode="idle",
            max_power_w=section.max_power_w,
            min_power_w=section.min_power_w,
            default=DefaultCommand("idle", 0),
            offline=OfflineRule(section.offline_after_s, "charge" if offline else "idle", offline),
            priority=section.priority,
            phases=wiring,
            min_on_s=section.min_on_s,
            min_off_s=section.min_off_s,
        )

    def as_told(self, section: EvCharger, info: DeviceInfo) -> EvCharger:
        if section.phases is not None or info.phases is None or info.phases not in COUNTS:
            return section
        try:
            given = section.model_dump(exclude_unset=True)
            return type(section).model_validate({**given, "phases": info.phases})
        except ValidationError:
            # Its other values do not go with that; the contradiction stands in health.
            return section

    def traits(self, section: EvCharger) -> Traits:
        battery = section.battery_kwh
        return Traits(
            float(section.max_power_w),
            None if battery is None else float(battery),
            float(section.charge_efficiency),
            has_stays=True,
            min_on_s=section.min_on_s,
            min_off_s=section.min_off_s,
        )

    def wish_keys(self, section: EvCharger) -> frozenset[str]:
        keys = MODE_KEYS | SOC_KEYS | {"energy_kwh", "ready_by", "price_cap"}
        return keys - SOC_KEYS if section.battery_kwh is None else keys

    def advance(
        self, section: EvCharger, model: DeviceModel, wish: Wish, context: PlanningContext
    ) -> None:
        super().advance(section, model, wish, context)
        if not model.plugged(context.now):
            return
        if model.session.since is None:
            # Nobody heard it come, or what was known of this stay is lost.
            model.session.since = context.now
        elif not model.tells_plug:
            # Nobody hears it go either: each ready-by ends a stay.
            ready_by = _deadline(section, model, wish, context)
            if ready_by <= context.now:
                model.begin_stay(ready_by)

    def session_over(
        self, section: EvCharger, model: DeviceModel, wish: Wish, context: PlanningContext
    ) -> bool:
        return not model.plugged(context.now)

    def describe(self, section: EvCharger) -> str:
        amount = (
            f"to {section.target_soc_percent:g} % of {section.battery_kwh:g} kWh"
            if section.battery_kwh
            else f"{section.energy_kwh:g} kWh a stay"
        )
        switches = " on one phase or three" if section.wiring.switches else ""
        return f"charger up to {section.max_power_w} W{switches}, {amount}"

    def planning_input(
        self, section: EvCharger, model: DeviceModel, wish: Wish, context: PlanningContext
    ) -> PlanningInput:
        now = context.now
        if not model.plugged(now):
            return PlanningInput(None)
        values = wish.values
        boosting = wish.mode.name == "boost"
        target = values.target_soc_percent
        if target is None:
            target = _exactly(section.target_soc_percent)
        tapering_w = model.tapering_w(now)
        power_w = round(model.following.learned_power_w or section.max_power_w)
        if tapering_w is not None:
            power_w = round(STILL_TAKES * tapering_w)
        missing = _missing_kwh(section, model, wish, now, target)
        if _not_worth_a_start(model, missing, power_w, now):
            missing = ZERO
        boost_to = _missing_kwh(section, model, wish, now, HUNDRED) if boosting else ZERO
        deadline = _deadline(section, model, wish, context)
        full = max(missing, boost_to) < SATISFIED_TOLERANCE_KWH
        override = override_of(wish, model, section.max_power_w, now)
        if full and boosting:
            override = None
        goal = Goal(missing, target if section.battery_kwh else None, to_unix_floor(deadline))
        since = model.session.since or now
        needs = (
            ActiveNeed(
                format_instant(since),
                missing,
                section.max_power_w,
                deadline,
                contiguous=section.contiguous,
            ),
        )
        notes = _notes(section, model, now)
        if override is None:
            override = _floor_charge(section, model, wish, now) or _topping_up(
                section, model, target, now
            )
        rest = missing - boosted_kwh(override, now)
        if rest < SATISFIED_TOLERANCE_KWH:
            return PlanningInput(None, goal, override, full=full, needs=needs, notes=notes)
        begin = max(now, override.until) if override else now
        ends_early = deadline - TAPER_RESERVE
        needed = timedelta(hours=float(rest) * 1000 / power_w)
        if target < HUNDRED or ends_early <= begin + needed:
            ends_early = deadline
        cap = values.price_cap if values.price_cap is not None else section.price_cap
        demand = demand_of(
            rest + MARGIN_KWH,
            begin,
            ends_early,
            now,
            cap,
            contiguous=section.contiguous,
            under_way=section.contiguous and override is None and _block_has_begun(model, now),
        )
        device = Flexible(
            id=section.id,
            max_power_w=Decimal(power_w),
            # A car on one of three phases takes less than the charger can offer.
            min_power_w=Decimal(min(power_w, section.min_power_w)),
            demands=(demand,),
            priority=section.priority,
        )
        device = with_minimum_times(device, section.min_on_s, section.min_off_s, model)
        return PlanningInput(
            device, goal, override, full=False, latest=deadline, needs=needs, notes=notes
        )


def _floor_charge(
    section: EvCharger, model: DeviceModel, wish: Wish, now: datetime
) -> Override | None:
    """Up to the floor it is charged at once."""
    floor = wish.values.floor_soc_percent
    if floor is None:
        floor = _exactly(section.floor_soc_percent)
    if not floor or wish.values.energy_kwh is not None or wish.mode.name == "pause":
        return None
    urgent = _missing_kwh(section, model, wish, now, floor)
    if urgent < SATISFIED_TOLERANCE_KWH:
        return None
    power = model.following.learned_power_w or section.max_power_w
    seconds = float(urgent) * 3_600_000 / power
    until = whole_second(now + timedelta(seconds=seconds))
    return Override("boost", until, "floor", section.max_power_w)


def _topping_up(
    section: EvCharger, model: DeviceModel, target: Decimal, now: datetime
) -> Override | None:
    """At a target of 100 the charge ends when the car takes no more, not at the first 100."""
    soc = model.soc_percent(now)
    if target < HUNDRED or soc is None or soc < FULL_PERCENT or model.operation.takes_no_more(now):
        return None
    if not model.meter.drawn.commanded_w(now):
        return None
    until = now + TOPPING_UP
    if model.switching.idle_since is not None:
        until = model.switching.idle_since + FULL_WHEN_IDLE_FOR
    return Override("boost", whole_second(until), "topping_up", section.max_power_w)


def _not_worth_a_start(model: DeviceModel, missing: Decimal, power_w: int, now: datetime) -> bool:
    """A rest that metering has left when its run was over: no relay clicks for it."""
    rest_kwh = power_w * WORTH_A_START_S / 3_600_000
    running = model.meter.drawn.commanded_w(now) > 0
    return not running and float(missing) < rest_kwh < model.session_kwh


def _block_has_begun(model: DeviceModel, now: datetime) -> bool:
    return model.switching.on_since is not None and model.meter.drawn.commanded_w(now) > 0


def _deadline(
    section: EvCharger, model: DeviceModel, wish: Wish, context: PlanningContext
) -> datetime:
    """The ready-by of this stay: the first one after the car came or was heard of, or was full."""
    now = context.now
    session = model.session
    begins = (session.since, session.heard_at, session.satisfied_at, now - WITHOUT_DEADLINE)
    since = max(when for when in begins if when is not None)
    values = wish.values
    if values.ready_by is not None and values.ready_by > since:
        return values.ready_by
    ready_by = section.ready_by
    if values.ready_by_clock is not None:
        ready_by = ReadyBy(every_day=values.ready_by_clock)
    found = next_ready_by(ready_by, since, context.location.zone)
    return found if found is not None else since + WITHOUT_DEADLINE


def _missing_kwh(
    section: EvCharger, model: DeviceModel, wish: Wish, now: datetime, target: Decimal
) -> Decimal:
    """Energy from the grid still missing to that SoC; by what was taken where none is told."""
    values, taken = wish.values, _exactly(round(model.session_kwh, 6))
    if values.energy_kwh is not None and not (wish.mode.name == "boost" and target == HUNDRED):
        since = taken - (values.counter_start_kwh or ZERO)
        return max(ZERO, values.energy_kwh - max(ZERO, since))
    soc = model.soc_percent(now)
    if section.battery_kwh is None or (soc is None and section.energy_kwh is not None):
        return max(ZERO, (section.energy_kwh or ZERO) - taken)
    to_go = section.battery_kwh / section.charge_efficiency / 100
    if soc is not None:
        return max(ZERO, (target - _exactly(soc)) * to_go)
    return max(ZERO, (target - _exactly(section.assumed_soc_percent)) * to_go - taken)


def _notes(section: EvCharger, model: DeviceModel, now: datetime) -> tuple[str, ...]:
    if section.battery_kwh is None or section.energy_kwh is not None:
        return ()
    if model.soc_percent(now) is not None:
        return ()
    return (
        sentence(
            "no state of charge is known of this stay: {percent:g} % is assumed",
            percent=section.assumed_soc_percent,
        ),
    )


def _exactly(value: float) -> Decimal:
    return Decimal(repr(value))
