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
from agent.home.claims import PROGRESS_KEPT, Claim, Claims
from agent.home.kinds.kind import DeviceKind
from agent.home.model.device_model import DeviceModel
from agent.home.model.stored import progress_key
from agent.home.planning_input import (
    PLANNED_AHEAD,
    ActiveNeed,
    PlanningContext,
    PlanningInput,
    boosted_kwh,
    demand_of,
    override_of,
    tolerance_kwh,
    with_minimum_times,
)
from agent.home.windows import occurrences
from agent.home.wishes import Wish

# A window just over is still looked at, so that it can be settled.
SETTLE_GRACE = timedelta(minutes=10)
# A run under way goes on to its end, but a plan made shortly before that cuts nothing off.
LAST_OF_A_RUN_S = 10
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
        claims = self._claims(section, model, wish, context)
        claims.promise()
        claims.assign(model.pop_unassigned())
        if not model.was_led:
            _credit_the_unknown(section, model, context)
        limit = format_instant(context.now - PROGRESS_KEPT)
        for key in [key for key in model.progress if key < limit]:
            del model.progress[key]

    def _claims(
        self, section: W, model: DeviceModel, wish: Wish, context: PlanningContext
    ) -> Claims:
        needs = [(need, section.kwh_of(need)) for need in section.needs]
        capped = _cap(section, wish) is not None
        return Claims(needs, section.power_w, self.rests_while_away, capped, model, wish, context)

    def planning_input(
        self, section: W, model: DeviceModel, wish: Wish, context: PlanningContext
    ) -> PlanningInput:
        now = context.now
        override = override_of(wish, model, section.power_w, now)
        begin = max(now, override.until) if override else now
        boosted = boosted_kwh(override, now)
        cap = _cap(section, wish)
        claims = self._claims(section, model, wish, context)
        demands: list[Demand] = []
        still, ready_by = ZERO, None
        enough = tolerance_kwh(section.power_w)
        if _is_running(model, now):
            enough = tolerance_kwh(section.power_w, LAST_OF_A_RUN_S)
        found = claims.within(now, now + PLANNED_AHEAD, begin)
        for claim in claims.in_order(found, now):
            missing = claims.missing_kwh(claim)
            if claim.start <= now:
                missing, boosted = _less_boost(missing, boosted)
            if missing < enough or claim.waived:
                continue
            demand = _demand(claim, missing, begin, model, now, cap)
            if demand is not None:
                demands.append(demand)
            if claim.need is not None and (ready_by is None or claim.end < ready_by):
                still, ready_by = missing, claim.end
        goal = Goal(still, None, to_unix_floor(ready_by) if ready_by else None)
        needs = _active_needs(claims, now)
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

    def owes(self, section: W, model: DeviceModel, wish: Wish, context: PlanningContext) -> bool:
        claims = self._claims(section, model, wish, context)
        once = claims.once()
        enough = tolerance_kwh(section.power_w)
        return once is not None and claims.missing_kwh(once) >= enough


def _cap(section: Switched, wish: Wish) -> Decimal | None:
    asked = wish.values.price_cap
    return asked if asked is not None else section.price_cap


def _active_needs(claims: Claims, now: datetime) -> tuple[ActiveNeed, ...]:
    """Windows that have begun and are not over or made good; those just over, to be settled."""
    out = []
    for claim in claims.within(now - SETTLE_GRACE, now, now):
        if claim.need is None or claim.waived or claim.start > now:
            continue
        missing = max(ZERO, claims.missing_kwh(claim))
        if now - SETTLE_GRACE >= claim.end and (
            now >= claim.late_until or missing < tolerance_kwh(claims.power_w)
        ):
            continue
        contiguous = claim.need.contiguous
        out.append(ActiveNeed(claim.key, missing, claims.power_w, claim.end, contiguous=contiguous))
    return tuple(out)


def _demand(
    claim: Claim,
    missing: Decimal,
    begin: datetime,
    model: DeviceModel,
    now: datetime,
    cap: Decimal | None,
) -> Demand | None:
    """What a claim asks of the planner from `begin` on; None where its time is over by then."""
    begin, end = max(claim.start, begin), claim.end
    if begin >= claim.late_until:
        return None
    if end <= begin and begin > now:
        # Late, and not before then: a deadline as near to that as it can be.
        end = begin + timedelta(seconds=1)
    if claim.need is None:
        return demand_of(missing, begin, end, now, None, contiguous=False)
    running = claim.need.contiguous and claim.start <= now and _is_running(model, now)
    return _of_need(claim.need, missing, begin, end, now, cap, running=running)


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


def _credit_the_unknown(section: Switched, model: DeviceModel, context: PlanningContext) -> None:
    """Of a window that began before the agent led the device, only its rest is promised.

    What it took on its own by then nobody knows, so nothing can be said to be missing of that.
    """
    now = context.now
    for index, need in enumerate(section.needs):
        for start, end in occurrences(need.window, context.location, now - PROGRESS_KEPT, now):
            key = progress_key(start, index)
            if end <= now and key not in model.promised:
                continue
            still_kwh = section.power_w * max(0.0, (end - now).total_seconds()) / 3_600_000
            credited_kwh = float(section.kwh_of(need)) - still_kwh
            if credited_kwh > model.progress.get(key, 0.0):
                model.progress[key] = credited_kwh
