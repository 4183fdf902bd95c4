"""How fast one device is planned: 48 hours of quarter hours, as a gateway plans it all day long."""

import time
from dataclasses import replace
from decimal import Decimal

from agent.energy.plan import Status
from agent.energy.situation import (
    Demand,
    Flexible,
    Planner,
    PowerSpan,
    PreviousPlan,
    RateSpan,
    Situation,
)
from agent.planning import make_plan

QUARTER_S = 900
# 2026-01-16T10:00:00Z
NOW = 1768557600
ROUNDS = 7

Row = tuple[str, float, float, str]


def rows() -> list[Row]:
    """(label, measured, target, unit), the best of some rounds each."""
    whole_min = load(min_on_s=1800, min_off_s=900, start_cost=Decimal("0.05"))
    return [
        ("plan 48 h x 15 min, split", _milliseconds(situation(load())), 5.0, "ms"),
        (
            "plan 48 h x 15 min, contiguous",
            _milliseconds(situation(load(contiguous=True))),
            5.0,
            "ms",
        ),
        (
            "plan 48 h x 15 min, minimum times and start cost",
            _milliseconds(situation(whole_min)),
            60.0,
            "ms",
        ),
        (
            "plan 48 h x 15 min, the same at an odd second",
            _milliseconds(situation(whole_min, NOW + 37)),
            60.0,
            "ms",
        ),
        (
            "plan 48 h x 15 min with a plan in force",
            _milliseconds(in_force(situation(load(), NOW + 37))),
            60.0,
            "ms",
        ),
        (
            "plan 14 demands whose windows overlap, odd second",
            _milliseconds(situation(several(), NOW + 37)),
            20.0,
            "ms",
        ),
        (
            "plan minimum times, energy that cannot be had in time",
            _milliseconds(situation(replace(whole_min, demands=(too_much(),)))),
            50.0,
            "ms",
        ),
        (
            "plan 7 days x 5 min with minimum times",
            _milliseconds(week(load(min_on_s=600, min_off_s=300))),
            1000.0,
            "ms",
        ),
    ]


def in_force(problem: Situation) -> Situation:
    """A change costs a cent; the plan in force has four runs that lie a little beside the best."""
    slots = tuple(
        PowerSpan(NOW + start, NOW + start + 2400, Decimal(7400))
        for start in (13 * 3600 + 140, 16 * 3600 + 95, 25 * 3600 + 310, 39 * 3600 + 17)
    )
    planner = Planner(change_cost=Decimal("0.01"), previous=(PreviousPlan("ev", slots),))
    return replace(problem, planner=planner)


def several() -> Flexible:
    """Fourteen demands, each window reaching into the next."""
    step = 47 * 3600 // 14
    demands = tuple(
        Demand(Decimal("1.5"), NOW + max(0, k * step - 1800), NOW + (k + 1) * step)
        for k in range(14)
    )
    return replace(load(), demands=demands)


def too_much() -> Demand:
    return Demand(Decimal(420), deadline=NOW + 47 * 3600)


def week(device: Flexible) -> Situation:
    """Five-minute prices of seven days."""
    rates = tuple(
        RateSpan(NOW + k * 300, NOW + (k + 1) * 300, Decimal(50 + (k * 37) % 271) / 1000)
        for k in range(7 * 288)
    )
    return Situation(NOW, "Europe/Berlin", "EUR", rates, devices=(device,))


def load(*, contiguous: bool = False, **more: object) -> Flexible:
    demand = Demand(Decimal(20), deadline=NOW + 47 * 3600, contiguous=contiguous)
    device = Flexible("ev", Decimal(7400), Decimal(1400), (demand,))
    return replace(device, **more)  # type: ignore[arg-type]


def situation(device: Flexible, now: int = NOW) -> Situation:
    """Prices of two days: low at night and noon, high in the evening, never twice the same."""
    rates = []
    for k in range(192):
        hour = k / 4 % 24
        price = 250 + 80 * (17 <= hour < 21) - 90 * (hour < 5) - 60 * (11 <= hour < 15)
        price += (k * 37) % 29 - k % 7
        start = NOW + k * QUARTER_S
        rates.append(RateSpan(start, start + QUARTER_S, Decimal(price) / 1000))
    return Situation(now, "Europe/Berlin", "EUR", tuple(rates), devices=(device,))


def _milliseconds(problem: Situation) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        plan = make_plan(problem)
        best = min(best, time.perf_counter() - begun)
        assert plan.status is Status.OPTIMAL
    return best * 1000
