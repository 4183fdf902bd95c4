"""Loads that are on or off and need some hours or kWh in each of their windows. Pure."""

from abc import abstractmethod
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from pydantic import Field, model_validator

from agent.config.base import KeyFault, PositiveWatts, refuse
from agent.config.devices import DeviceSection, EnergyNeed, PriceCap, Seconds
from agent.config.units import kw_meant
from agent.energy.instants import format_instant, to_unix_floor
from agent.energy.schedule import Goal
from agent.energy.sentences import sentence
from agent.energy.situation import ZERO, Demand, Flexible
from agent.home.kinds.kind import DeviceKind
from agent.home.model.device_model import DeviceModel
from agent.home.model.meter import MeteredInterval
from agent.home.model.stored import progress_key
from agent.home.planning_input import (
    PLANNED_AHEAD,
    SATISFIED_TOLERANCE_KWH,
    ActiveNeed,
    PlanningContext,
    PlanningInput,
    boosted_kwh,
    demand_of,
    override_of,
    with_minimum_times,
)
from agent.home.windows import occurrences
from agent.home.wishes import Wish

# A window just over is still looked at, so that it can be settled.
SETTLE_GRACE = timedelta(minutes=10)
PROGRESS_KEPT = timedelta(days=2)
# What is not made good after its window is worth this much per kWh within it: more than any price.
WITHIN_WINDOW_VALUE = Decimal(1000)


class Switched(DeviceSection):
    """A load that is on or off and needs some hours or kWh in each window."""

    power_w: PositiveWatts
    needs: tuple[EnergyNeed, ...] = Field(min_length=1, max_length=16)
    price_cap: PriceCap | None = None
    min_on_s: Seconds = 0
    min_off_s: Seconds = 0
    start_cost: Decimal = Field(default=Decimal(0), ge=0)
    offline_after_s: Seconds = 900

    @model_validator(mode="after")
    def _check_needs(self) -> "Switched":
        most_kwh = Decimal(self.power_w) * 24 / 1000
        expected = f"expected at most {most_kwh:g}, what {self.power_w} W of power_w give in a day"
        refuse(
            KeyFault(
                ("needs", index, "energy_kwh"),
                expected + kw_meant(self.power_w),
                float(need.energy_kwh),
            )
            for index, need in enumerate(self.needs)
            if need.energy_kwh is not None and need.energy_kwh > most_kwh
        )
        return self

    def kwh_of(self, need: EnergyNeed) -> Decimal:
        if need.energy_kwh is not None:
            return need.energy_kwh
        return Decimal(self.power_w) * (need.hours or ZERO) / 1000


W = TypeVar("W", bound=Switched)


class SwitchedKind(DeviceKind[W]):
    rests_while_away = False
    missing_action = sentence("Give its window more time, or let it need less (needs).")

    @abstractmethod
    def name(self) -> str:
        """What it is called in a sentence."""

    def describe(self, section: W) -> str:
        needs = ", ".join(
            (f"{need.hours:g} h" if need.hours is not None else f"{need.energy_kwh:g} kWh")
            + f" {need.window}"
            for need in section.needs
        )
        return f"{self.name()} of {section.power_w} W, {needs}"

    def advance(self, section: W, model: DeviceModel, wish: Wish, context: PlanningContext) -> None:
        model.advance(context.now)
        for interval in model.pop_unassigned():
            _assign(section, model, interval, context)
        if not model.was_led:
            _credit_the_unknown(section, model, context)
        limit = format_instant(context.now - PROGRESS_KEPT)
        for key in [key for key in model.progress if key < limit]:
            del model.progress[key]

    def planning_input(
        self, section: W, model: DeviceModel, wish: Wish, context: PlanningContext
    ) -> PlanningInput:
        now = context.now
        override = override_of(wish, model, section.power_w, now)
        begin = max(now, override.until) if override else now
        boosted = boosted_kwh(override, now)
        values = wish.values
        cap = values.price_cap if values.price_cap is not None else section.price_cap
        demands: list[Demand] = []
        still, ready_by = ZERO, None
        for index, need in enumerate(section.needs):
            for start, end in occurrences(need.window, context.location, now, now + PLANNED_AHEAD):
                missing = section.kwh_of(need) - _taken_kwh(model, start, index)
                if start <= now:
                    missing, boosted = _less_boost(missing, boosted)
                if missing < SATISFIED_TOLERANCE_KWH or self._is_away(end, context):
                    continue
                if max(start, begin) < end:
                    running = need.contiguous and start <= now and _is_running(model, now)
                    demands.append(
                        _of_need(need, missing, max(start, begin), end, now, cap, running=running)
                    )
                if ready_by is None or end < ready_by:
                    still, ready_by = missing, end
        if (once := self._once(section, model, wish, begin, now)) is not None:
            demands.append(once)
        goal = Goal(still, None, to_unix_floor(ready_by) if ready_by else None)
        needs = self._active_needs(section, model, context)
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
        device = with_minimum_times(device, section.min_on_s, section.min_off_s, model)
        latest = max(demand.deadline or 0 for demand in demands)
        return PlanningInput(
            device,
            goal,
            override,
            full=False,
            latest=datetime.fromtimestamp(latest, now.tzinfo),
            needs=needs,
        )

    def _is_away(self, end: datetime, context: PlanningContext) -> bool:
        """While people are away no heat is made in advance."""
        away = context.away_until
        return self.rests_while_away and away is not None and end <= away

    def _once(
        self, section: W, model: DeviceModel, wish: Wish, begin: datetime, now: datetime
    ) -> Demand | None:
        """More of it, asked for once: at full power counted from when it was asked."""
        values = wish.values
        amount = values.energy_kwh
        if values.hours is not None:
            amount = Decimal(section.power_w) * values.hours / 1000
        if amount is None or wish.asked_at is None:
            return None
        taken = Decimal(repr(round(model.meter.total_kwh, 6))) - (values.counter_start_kwh or ZERO)
        missing = amount - max(ZERO, taken)
        deadline = values.ready_by or wish.once_until or now + PLANNED_AHEAD
        if missing < SATISFIED_TOLERANCE_KWH or deadline <= begin:
            return None
        return demand_of(missing, begin, deadline, now, None, contiguous=False)

    def _active_needs(
        self, section: W, model: DeviceModel, context: PlanningContext
    ) -> tuple[ActiveNeed, ...]:
        """Windows that have begun; those just over too, so that they can be settled."""
        out, now = [], context.now
        for index, need in enumerate(section.needs):
            for start, end in occurrences(need.window, context.location, now - SETTLE_GRACE, now):
                if not self._is_away(end, context):
                    missing = max(ZERO, section.kwh_of(need) - _taken_kwh(model, start, index))
                    key = progress_key(start, index)
                    out.append(
                        ActiveNeed(key, missing, section.power_w, end, contiguous=need.contiguous)
                    )
        return tuple(out)


def _of_need(
    need: EnergyNeed,
    missing: Decimal,
    begin: datetime,
    end: datetime,
    now: datetime,
    cap: Decimal | None,
    *,
    running: bool,
) -> Demand:
    demand = demand_of(missing, begin, end, now, cap, contiguous=need.contiguous, under_way=running)
    if need.serves_late:
        return demand
    return Demand(
        energy_kwh=demand.energy_kwh,
        earliest=demand.earliest,
        deadline=demand.deadline,
        contiguous=demand.contiguous,
        hard=False,
        price_cap=cap,
        value_per_kwh=WITHIN_WINDOW_VALUE,
        under_way=demand.under_way,
    )


def _less_boost(missing: Decimal, boosted: Decimal) -> tuple[Decimal, Decimal]:
    """A boost serves the windows that have begun, each kWh one of them."""
    served = min(max(missing, ZERO), boosted)
    return missing - served, boosted - served


def _is_running(model: DeviceModel, now: datetime) -> bool:
    return model.switching.on_since is not None and model.meter.drawn.commanded_w(now) > 0


def _taken_kwh(model: DeviceModel, start: datetime, index: int) -> Decimal:
    return Decimal(repr(round(model.progress.get(progress_key(start, index), 0.0), 6)))


def _credit_the_unknown(section: Switched, model: DeviceModel, context: PlanningContext) -> None:
    """Of a window that began before the agent led the device, only its rest is promised.

    What it took on its own by then nobody knows, so nothing can be said to be missing of that.
    """
    now = context.now
    for index, need in enumerate(section.needs):
        for start, end in occurrences(need.window, context.location, now, now):
            still_kwh = section.power_w * (end - now).total_seconds() / 3_600_000
            key = progress_key(start, index)
            credited_kwh = float(section.kwh_of(need)) - still_kwh
            if credited_kwh > model.progress.get(key, 0.0):
                model.progress[key] = credited_kwh


def _assign(
    section: Switched, model: DeviceModel, interval: MeteredInterval, context: PlanningContext
) -> None:
    """Energy goes to the window that ends first and still needs it; each kWh serves one."""
    left = interval.energy_kwh
    length = (interval.end - interval.start).total_seconds()
    windows = sorted(
        (end, start, index, float(section.kwh_of(need)))
        for index, need in enumerate(section.needs)
        for start, end in occurrences(
            need.window, context.location, interval.start, max(interval.end, interval.start)
        )
    )
    for place, (end, start, index, needed) in enumerate(windows):
        inside = (min(end, interval.end) - max(start, interval.start)).total_seconds()
        share = interval.energy_kwh if length <= 0 else interval.energy_kwh * inside / length
        if inside < 0 or (length > 0 and inside == 0):
            continue
        key = progress_key(start, index)
        taken = model.progress.get(key, 0.0)
        amount = min(left, share) if share > 0 else share
        last = place == len(windows) - 1
        if amount > 0 and not last:
            amount = min(amount, max(0.0, needed - taken))
        model.progress[key] = max(0.0, taken + amount)
        left -= amount
        if abs(left) < 1e-9:
            return
