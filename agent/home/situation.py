"""Config, rates and what devices ask for, as one Situation. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import pairwise

from agent.config import Config
from agent.energy.instants import to_unix_ceil, to_unix_floor
from agent.energy.rates import Rate
from agent.energy.situation import (
    Device,
    Flexible,
    Planner,
    PowerSpan,
    PreviousPlan,
    RateSpan,
    Site,
    Situation,
    Storage,
    Thermal,
)
from agent.energy.steps import Steps, combined
from agent.home.comfort_slack import with_slack
from agent.home.grid_limit import UNLIMITED_W, pieces
from agent.home.planning_input import PlanningInput


@dataclass(frozen=True, slots=True)
class PriceForecast:
    """Rates of both directions with estimates for what is not known, and where they hold."""

    currency: str
    timezone: str
    import_rates: Sequence[Rate] = ()
    export_rates: Sequence[Rate] = ()


def build_situation(
    config: Config,
    prices: PriceForecast,
    inputs: Mapping[str, PlanningInput],
    previous: Sequence[PreviousPlan],
    now: datetime,
    *,
    limit: Steps | None = None,
    base_load: Steps | None = None,
    pv: Steps | None = None,
    pv_curtailable: bool = False,
    exactly: Collection[str] = (),
) -> Situation:
    """The snapshot that a plan is made from.

    `limit` is what the house may import, `base_load` what everything else draws, `pv` what the
    roof gives, W; `pv_curtailable`: it can be told to give less; `exactly`: whose comfort has no
    slack for what is in force, since something was asked. The site stands in it where devices touch
    each other by it: under a limit, with a battery, a heated store or a roof. Then what a person
    has asked for at once is a load like any other.
    """
    start = to_unix_ceil(now)
    horizon = max((to_unix_floor(rate.end) for rate in prices.import_rates), default=start)
    latest = [to_unix_ceil(item.latest) for item in inputs.values() if item.latest is not None]
    end = max([horizon, start + 3600, *latest])
    site = Site()
    shared = limit is not None or pv is not None or _with_store(inputs)
    change_cost = config.planner.change_cost
    if not change_cost:
        previous = ()
    if not shared:
        # Minimum times keep a device calm that is planned for itself, and are enough to prove.
        calm = {id for id, item in inputs.items() if _has_minimum_times(item.device)}
        previous = [plan for plan in previous if plan.id not in calm]
    if shared:
        boosts = boosted(inputs, start)
        loads = combined([base_load or Steps.constant(0), boosts], sum)
        if limit is not None and pv is not None:
            # A boost is given what the limit leaves without the sun: so much the others yield.
            limit = combined([limit, pv, boosts], _without_sun)
        site = Site(
            import_limits=() if limit is None else _spans_of(pieces(limit, start, end)),
            base_load=_spans_of(_within(loads, start, end)),
            pv=() if pv is None else _spans_of(_within(pv, start, end)),
            export_limit_w=_exactly(config.site.export_limit_w),
            pv_curtailable=pv is not None and pv_curtailable,
        )
    return Situation(
        now=start,
        timezone=prices.timezone,
        currency=prices.currency,
        import_rates=tuple(_span(rate) for rate in prices.import_rates if rate.end > now),
        export_rates=tuple(_span(rate) for rate in prices.export_rates if rate.end > now),
        site=site,
        planner=Planner(
            estimate_margin_per_kwh=Decimal(repr(config.planner.estimate_margin_per_kwh)),
            change_cost=Decimal(repr(change_cost)),
            previous=tuple(previous),
        ),
        devices=tuple(
            _at_ease(item, previous, start, horizon) if id not in exactly else item.device
            for id, item in inputs.items()
            if item.device is not None
        ),
    )


def _at_ease(
    item: PlanningInput, previous: Sequence[PreviousPlan], start: int, horizon: int
) -> Device:
    device = item.device
    assert device is not None
    plan = next((plan.slots for plan in previous if plan.id == device.id), None)
    if plan is None or not isinstance(device, Thermal) or item.override is not None:
        return device
    return with_slack(device, plan, start, item.unfelt_c, horizon)


def _exactly(power_w: int | None) -> Decimal | None:
    return None if power_w is None else Decimal(power_w)


def _has_minimum_times(device: Device | None) -> bool:
    return isinstance(device, Flexible) and bool(device.min_on_s or device.min_off_s)


def _with_store(inputs: Mapping[str, PlanningInput]) -> bool:
    return any(isinstance(item.device, Storage | Thermal) for item in inputs.values())


def _without_sun(at: Sequence[float]) -> float:
    limit_w, pv_w, boosts_w = at
    return max(0.0, limit_w - pv_w) if boosts_w and limit_w < UNLIMITED_W else limit_w


def boosted(inputs: Mapping[str, PlanningInput], start: int) -> Steps:
    """What is taken because a person asked for it at once."""
    boosts = [
        Steps.of_spans([(start, to_unix_floor(item.override.until), item.override.power_w)], 0)
        for item in inputs.values()
        if item.override is not None
        and item.override.mode == "boost"
        and to_unix_floor(item.override.until) > start
    ]
    return combined([Steps.constant(0), *boosts], sum)


def _within(steps: Steps, start: int, end: int) -> Sequence[tuple[int, int, float]]:
    edges = [start, *steps.between(start, end), end]
    return [(a, b, steps.value(a)) for a, b in pairwise(edges) if b > a]


def _spans_of(given: Sequence[tuple[int, int, float]]) -> tuple[PowerSpan, ...]:
    return tuple(PowerSpan(a, b, Decimal(round(watts))) for a, b, watts in given)


def _span(rate: Rate) -> RateSpan:
    return RateSpan(
        start=to_unix_floor(rate.start),
        end=to_unix_floor(rate.end),
        price=rate.price,
        confidence=Decimal(repr(rate.confidence)),
        carbon_g_per_kwh=None
        if rate.carbon_g_per_kwh is None
        else Decimal(repr(rate.carbon_g_per_kwh)),
    )
