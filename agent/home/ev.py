"""What a car at its charger asks for: energy to a SoC or of a stay, by its ready-by. Pure."""

from datetime import datetime, timedelta
from decimal import Decimal

from agent.config.devices import EvCharger
from agent.energy.instants import format_instant, to_unix_floor
from agent.energy.schedule import Goal
from agent.energy.situation import ZERO, Flexible
from agent.home.device_state import DeviceState
from agent.home.planning_input import (
    SATISFIED_TOLERANCE_KWH,
    WITHOUT_DEADLINE,
    ActiveNeed,
    Override,
    PlanningInput,
    demand_of,
    energy_kwh_of,
    override_of,
    whole_second,
    with_minimum_times,
)
from agent.home.windows import SiteLocation, next_ready_by
from agent.home.wishes import Wish

# A car is charged this much beyond its target, so that metering cannot leave a rest behind.
EV_MARGIN_KWH = Decimal("0.05")
# For a car that never told its SoC: what is charged is bounded by the car, not by us.
ASSUMED_SOC_PERCENT = Decimal(40)


def ev_input(
    section: EvCharger, tracker: DeviceState, wish: Wish, place: SiteLocation, now: datetime
) -> PlanningInput:
    if tracker.value("plugged", now) is not True:
        return PlanningInput(None)
    target = wish.target_soc_percent
    if target is None:
        target = Decimal(repr(section.target_soc_percent))
    floor = wish.floor_soc_percent
    if floor is None:
        floor = Decimal(repr(section.floor_soc_percent))
    missing = _missing_kwh(section, tracker, wish, now, target)
    deadline = _deadline(section, tracker, wish, place, now)
    full = missing < SATISFIED_TOLERANCE_KWH
    override = None if full and wish.mode == "boost" else override_of(wish, tracker, now)
    goal = Goal(missing, target if section.battery_kwh else None, to_unix_floor(deadline))
    since = tracker.session.since or now
    needs = (ActiveNeed(format_instant(since), missing, section.max_power_w, deadline),)
    if full:
        return PlanningInput(None, goal, override, needs=needs)
    if floor and wish.energy_kwh is None and override is None:
        urgent = _missing_kwh(section, tracker, wish, now, floor)
        if urgent >= SATISFIED_TOLERANCE_KWH:
            seconds = float(urgent * 3_600_000 / section.max_power_w)
            override = Override("boost", whole_second(now + timedelta(seconds=seconds)), "floor")
    begin = max(now, override.until) if override else now
    if override and override.mode == "boost":
        missing -= energy_kwh_of(section.max_power_w, (override.until - now).total_seconds())
    demands = []
    if missing >= SATISFIED_TOLERANCE_KWH:
        cap = wish.price_cap if wish.price_cap is not None else section.price_cap
        energy = missing + EV_MARGIN_KWH
        demands.append(demand_of(energy, begin, deadline, now, cap, contiguous=section.contiguous))
    if not demands:
        return PlanningInput(None, goal, override, full=False, needs=needs)
    device = Flexible(
        id=section.id,
        max_power_w=Decimal(section.max_power_w),
        min_power_w=Decimal(section.min_power_w),
        demands=tuple(demands),
        priority=section.priority,
    )
    device = with_minimum_times(device, section, tracker)
    return PlanningInput(device, goal, override, full=False, latest=deadline, needs=needs)


def _deadline(
    section: EvCharger, tracker: DeviceState, wish: Wish, place: SiteLocation, now: datetime
) -> datetime:
    """The ready-by of this stay: the first one after the car came, or after it was last full."""
    since = max(
        when
        for when in (tracker.session.since, tracker.session.satisfied_at, now - WITHOUT_DEADLINE)
        if when is not None
    )
    if wish.ready_by is not None and wish.ready_by > since:
        return wish.ready_by
    if wish.ready_by_clock is not None:
        section = section.model_copy(
            update={"ready_by": type(section.ready_by)(every_day=wish.ready_by_clock)}
        )
    found = next_ready_by(section.ready_by, since, place.zone)
    return found if found is not None else since + WITHOUT_DEADLINE


def _missing_kwh(
    section: EvCharger, tracker: DeviceState, wish: Wish, now: datetime, target: Decimal
) -> Decimal:
    """Energy from the grid still missing to that SoC; by the session's counter without a SoC."""
    if wish.energy_kwh is not None:
        counter = tracker.number("energy_kwh", now) or 0.0
        since = Decimal(repr(counter)) - (wish.counter_start_kwh or ZERO)
        return max(ZERO, wish.energy_kwh - max(ZERO, since))
    soc = tracker.number("soc_percent", now)
    if section.battery_kwh is not None and (soc is not None or section.energy_kwh is None):
        known = Decimal(repr(soc)) if soc is not None else ASSUMED_SOC_PERCENT
        missing = (target - known) / 100 * section.battery_kwh / section.charge_efficiency
        return max(ZERO, missing - Decimal(repr(round(tracker.energy_since_soc_kwh, 6))))
    session = tracker.number("energy_kwh", now)
    taken = Decimal(repr(session if session is not None else round(tracker.session_energy_kwh, 6)))
    return max(ZERO, (section.energy_kwh or ZERO) - taken)
