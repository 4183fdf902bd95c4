"""Days of 23 and 25 hours, in three zones, one in the south: every real hour counts once."""

from decimal import Decimal

import pytest

from agent.energy.situation import Demand, Flexible, RateSpan, Situation
from agent.planning import make_plan
from tests.agent.planning.tale import HOUR, local

DAYS = [
    ("Europe/Berlin", "2026-03-29", 23),
    ("Europe/Berlin", "2026-10-25", 25),
    ("Europe/London", "2026-03-29", 23),
    ("Europe/London", "2026-10-25", 25),
    ("Australia/Sydney", "2026-10-04", 23),
    ("Australia/Sydney", "2026-04-05", 25),
]


@pytest.mark.parametrize(("zone", "day", "hours"), DAYS)
def test_a_whole_day_is_filled(zone: str, day: str, hours: int) -> None:
    start = local(f"{day}T00:00", zone)
    end = local(f"{day}T23:00", zone) + HOUR
    assert end - start == hours * HOUR
    rates = tuple(
        RateSpan(start + k * HOUR, start + (k + 1) * HOUR, Decimal(1 + k % 5) / 10)
        for k in range(hours)
    )
    demand = Demand(Decimal(hours), deadline=end)
    device = Flexible("boiler", Decimal(1000), demands=(demand,))
    plan = make_plan(Situation(start, zone, "EUR", rates, devices=(device,)))
    assert plan.devices[0].deadline_met
    assert sum(slot.end - slot.start for slot in plan.devices[0].slots) == hours * HOUR
    assert plan.cost == sum((rate.price for rate in rates), Decimal(0))


@pytest.mark.parametrize(("zone", "day", "hours"), DAYS)
def test_the_cheapest_hour_is_found_across_the_change(zone: str, day: str, hours: int) -> None:
    start = local(f"{day}T00:00", zone)
    cheap = {1, 2, 3}
    rates = tuple(
        RateSpan(start + k * HOUR, start + (k + 1) * HOUR, Decimal("0.1" if k in cheap else "0.4"))
        for k in range(hours)
    )
    block = Demand(Decimal(3), deadline=start + hours * HOUR, contiguous=True)
    device = Flexible("boiler", Decimal(1000), demands=(block,), min_on_s=HOUR)
    plan = make_plan(Situation(start, zone, "EUR", rates, devices=(device,)))
    assert plan.devices[0].slots[0].start == start + HOUR
    assert plan.devices[0].slots[-1].end == start + 4 * HOUR
