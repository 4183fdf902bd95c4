"""Config, rates and what devices ask for, as one Situation. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from agent.config import Config
from agent.energy.instants import to_unix_ceil, to_unix_floor
from agent.energy.plan import Plan
from agent.energy.rates import Rate
from agent.energy.situation import (
    Planner,
    PowerSpan,
    PreviousPlan,
    RateSpan,
    Site,
    Situation,
)
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
    asked: Mapping[str, PlanningInput],
    previous: Plan | None,
    now: datetime,
) -> Situation:
    """The snapshot that a plan is made from."""
    start = to_unix_ceil(now)
    horizon = max((to_unix_floor(rate.end) for rate in prices.import_rates), default=start)
    site = config.site
    limited = site.import_limit_w is not None
    return Situation(
        now=start,
        timezone=prices.timezone,
        currency=prices.currency,
        import_rates=tuple(_span(rate) for rate in prices.import_rates if rate.end > now),
        export_rates=tuple(_span(rate) for rate in prices.export_rates if rate.end > now),
        site=Site(
            import_limit_w=Decimal(site.import_limit_w) if site.import_limit_w else None,
            base_load=(PowerSpan(start, horizon, Decimal(site.base_load_w)),)
            if limited and site.base_load_w and horizon > start
            else (),
        ),
        planner=Planner(
            estimate_margin_per_kwh=Decimal(repr(config.planner.estimate_margin_per_kwh)),
            change_cost=Decimal(repr(config.planner.change_cost)),
            previous=_previous(previous) if config.planner.change_cost else (),
        ),
        devices=tuple(item.device for item in asked.values() if item.device is not None),
    )


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


def _previous(plan: Plan | None) -> tuple[PreviousPlan, ...]:
    if plan is None:
        return ()
    return tuple(
        PreviousPlan(
            device.id,
            tuple(PowerSpan(slot.start, slot.end, slot.power_w) for slot in device.slots),
        )
        for device in plan.devices
    )
