"""What a load asks for that needs some hours or kWh in each of its windows. Pure."""

from datetime import datetime, timedelta
from decimal import Decimal

from agent.config.devices import Need, Switched
from agent.energy.instants import format_instant, to_unix_floor
from agent.energy.schedule import Goal
from agent.energy.situation import ZERO, Flexible
from agent.home.device_state import DeviceState
from agent.home.planning_input import (
    PLANNED_AHEAD,
    SATISFIED_TOLERANCE_KWH,
    ActiveNeed,
    PlanningInput,
    demand_of,
    energy_kwh_of,
    override_of,
    with_minimum_times,
)
from agent.home.windows import SiteLocation, occurrences
from agent.home.wishes import Wish

# A window just over is still looked at, so that it can be settled.
SETTLE_GRACE = timedelta(minutes=10)


def switched_input(
    section: Switched,
    tracker: DeviceState,
    wish: Wish,
    place: SiteLocation,
    now: datetime,
    away_until: datetime,
) -> PlanningInput:
    override = override_of(wish, tracker, now)
    begin = max(now, override.until) if override else now
    cap = wish.price_cap if wish.price_cap is not None else section.price_cap
    demands, still, ready_by = [], ZERO, None
    for need in section.needs:
        for start, end in occurrences(need.window, place, now, now + PLANNED_AHEAD):
            missing = _need_kwh(need, section) - _taken_kwh(tracker, start)
            if override and override.mode == "boost" and start <= now:
                missing -= energy_kwh_of(section.power_w, (override.until - now).total_seconds())
            if missing < SATISFIED_TOLERANCE_KWH or end <= away_until:
                continue
            if max(start, begin) < end:
                demands.append(
                    demand_of(missing, max(start, begin), end, now, cap, contiguous=need.contiguous)
                )
            if ready_by is None or end < ready_by:
                still, ready_by = missing, end
    goal = Goal(still, None, to_unix_floor(ready_by) if ready_by else None)
    needs = _open_needs(section, tracker, place, now, away_until)
    if not demands:
        return PlanningInput(None, goal, override, full=False, needs=needs)
    demands.sort(key=lambda demand: (demand.deadline or 0, demand.earliest or 0))
    device = Flexible(
        id=section.id,
        max_power_w=Decimal(section.power_w),
        min_power_w=Decimal(section.power_w),
        demands=tuple(demands),
        priority=section.priority,
        start_cost=section.start_cost,
    )
    device = with_minimum_times(device, section, tracker)
    latest = max(demand.deadline or 0 for demand in demands)
    return PlanningInput(
        device,
        goal,
        override,
        full=False,
        latest=datetime.fromtimestamp(latest, now.tzinfo),
        needs=needs,
    )


def _open_needs(
    section: Switched,
    tracker: DeviceState,
    place: SiteLocation,
    now: datetime,
    away_until: datetime,
) -> tuple[ActiveNeed, ...]:
    """Windows that have begun; those just over too, so that they can be settled."""
    out = []
    for need in section.needs:
        for start, end in occurrences(need.window, place, now - SETTLE_GRACE, now):
            if end > away_until or away_until <= now:
                missing = max(ZERO, _need_kwh(need, section) - _taken_kwh(tracker, start))
                out.append(ActiveNeed(format_instant(start), missing, section.power_w, end))
    return tuple(out)


def _need_kwh(need: Need, section: Switched) -> Decimal:
    if need.energy_kwh is not None:
        return need.energy_kwh
    return (need.hours or ZERO) * section.power_w / 1000


def _taken_kwh(tracker: DeviceState, window_start: datetime) -> Decimal:
    return Decimal(repr(round(tracker.progress.get(format_instant(window_start), 0.0), 6)))


def current_window(section: Switched, place: SiteLocation, now: datetime) -> str | None:
    """The window that energy taken now counts for, as the tracker's key."""
    best: tuple[datetime, datetime] | None = None
    for need in section.needs:
        for start, end in occurrences(need.window, place, now, now + timedelta(seconds=1)):
            if start <= now and (best is None or end < best[1]):
                best = (start, end)
    return format_instant(best[0]) if best else None
