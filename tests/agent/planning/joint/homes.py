"""Coupled houses in few words: EUR, hours from NOW, kW and kWh."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from agent.energy.plan import Engine, Plan
from agent.energy.situation import (
    ComfortSpan,
    Demand,
    Device,
    Flexible,
    PowerSpan,
    ProfileSegment,
    Program,
    Site,
    Situation,
    Storage,
    Thermal,
)
from agent.planning import make_plan
from agent.planning.joint.engine import JointEngine
from agent.planning.portfolio import ENGINES, Entry
from tests.agent.planning.tale import HOUR, NOW, demand, hourly, house

ALL_ENGINES = (*ENGINES, Entry(Engine.JOINT, JointEngine()))


def joint_plan(situation: Situation) -> Plan:
    """By all engines, with as much time as they take."""
    return make_plan(situation, engines=ALL_ENGINES)


def spans(*kw: float, hours: float = 1) -> tuple[PowerSpan, ...]:
    """One power after the other, each for so many hours."""
    step = round(hours * HOUR)
    return tuple(
        PowerSpan(NOW + k * step, NOW + (k + 1) * step, Decimal(str(one)) * 1000)
        for k, one in enumerate(kw)
    )


def site(**more: object) -> Site:
    return Site(**more)  # type: ignore[arg-type]


def home(prices: Sequence[float | str | None], *devices: Device, **more: object) -> Situation:
    """`sells`: export prices by hour."""
    sells = more.pop("sells", None)
    situation = house(prices, *devices, **more)  # type: ignore[arg-type]
    if sells is None:
        return situation
    rates = hourly(sells)  # type: ignore[arg-type]
    return replace(situation, export_rates=rates)


def battery(kwh: float = 0, size: float = 2, kw: float = 1, **more: object) -> Storage:
    """Empty, worth nothing at the end; numbers as they are written."""
    values: dict[str, Any] = {
        key: Decimal(str(value)) if type(value) in (int, float) else value
        for key, value in more.items()
    }
    values.setdefault("final_value_per_kwh", Decimal(0))
    power = Decimal(str(kw)) * 1000
    return Storage("battery", Decimal(str(size)), Decimal(str(kwh)), power, power, **values)


def car(*needs: Demand, name: str = "car", kw: float = 2, least_kw: float = 0) -> Flexible:
    return Flexible(name, Decimal(str(kw)) * 1000, Decimal(str(least_kw)) * 1000, needs)


def tank(celsius: float = 50, **more: object) -> Thermal:
    """2 kW, a degree for each 0.5 kWh, no losses, to be kept between 50 and 54 for a day."""
    values: dict[str, object] = {
        "comfort": (ComfortSpan(NOW, NOW + 24 * HOUR, Decimal(50), Decimal(54)),),
        **more,
    }
    numbers = (Decimal(2000), Decimal(str(celsius)), Decimal("0.5"))
    return Thermal("tank", *numbers, **values)  # type: ignore[arg-type]


def washer(deadline_h: float, kw: float = 1, hours: float = 1) -> Program:
    profile = (ProfileSegment(round(hours * HOUR), Decimal(str(kw)) * 1000),)
    return Program("washer", profile, deadline=NOW + round(deadline_h * HOUR))


__all__ = [
    "HOUR",
    "NOW",
    "battery",
    "car",
    "demand",
    "home",
    "joint_plan",
    "site",
    "spans",
    "tank",
    "washer",
]
