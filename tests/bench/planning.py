"""How fast one device is planned: 48 hours of quarter hours, as a gateway plans it all day long."""

import time
from dataclasses import replace
from decimal import Decimal

from agent.energy.plan import Status
from agent.energy.situation import Demand, Flexible, RateSpan, Situation
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
    ]


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
