"""Situations in few words, for tests that read like stories: EUR, and 1 kW where not said."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from agent.energy.plan import DevicePlan, Plan
from agent.energy.situation import Demand, Device, Flexible, RateSpan, Situation

HOUR = 3600
# 2026-01-16T10:00:00Z
NOW = 1768557600


def hourly(prices: Sequence[float | str | None], start: int = NOW) -> tuple[RateSpan, ...]:
    """One price an hour from `start`; None is a hole."""
    return tuple(
        RateSpan(start + k * HOUR, start + (k + 1) * HOUR, Decimal(str(price)))
        for k, price in enumerate(prices)
        if price is not None
    )


def demand(kwh: float, deadline_h: float | None = None, **more: object) -> Demand:
    """`deadline_h` and `earliest_h` count in hours from NOW."""
    earliest = more.pop("earliest_h", None)
    for key in ("price_cap", "value_per_kwh"):
        if key in more:
            more[key] = Decimal(str(more[key]))
    return Demand(
        energy_kwh=Decimal(str(kwh)),
        earliest=None if earliest is None else NOW + round(float(str(earliest)) * HOUR),
        deadline=None if deadline_h is None else NOW + round(deadline_h * HOUR),
        **more,  # type: ignore[arg-type]
    )


def load(*demands: Demand, power_w: int = 1000, **more: object) -> Flexible:
    for key in ("start_cost",):
        if key in more:
            more[key] = Decimal(str(more[key]))
    return Flexible("load", Decimal(power_w), demands=demands, **more)  # type: ignore[arg-type]


def house(
    prices: Sequence[float | str | None],
    *devices: Device,
    zone: str = "Europe/Berlin",
    **more: object,
) -> Situation:
    return Situation(
        now=NOW,
        timezone=zone,
        currency="EUR",
        import_rates=hourly(prices),
        devices=devices,
        **more,  # type: ignore[arg-type]
    )


def hours_on(plan: Plan, index: int = 0) -> list[tuple[float, float]]:
    """When the device is on, in hours from the making of the plan; slots that touch are one run."""
    runs: list[tuple[float, float]] = []
    for slot in plan.devices[index].slots:
        start, end = ((t - plan.made_at) / HOUR for t in (slot.start, slot.end))
        if runs and runs[-1][1] == start:
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((start, end))
    return runs


def codes(device: DevicePlan) -> set[str]:
    return {reason.code for reason in device.why}


def local(text: str, zone: str) -> int:
    """Unix seconds of a local time such as 2026-03-29T01:30."""
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp())
