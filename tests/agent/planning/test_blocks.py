"""Where a plan blocks a heat pump: in the dearest hours that need it, for two hours of a day."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise

import pytest

from agent.energy.instants import to_unix_floor
from agent.energy.plan import Slot
from agent.energy.situation import ComfortSpan, RateSpan, Situation, TemperatureSpan, Thermal
from agent.planning import make_plan

HOUR = 3600
DAY = 24 * HOUR
NOW = to_unix_floor(datetime(2026, 1, 16, tzinfo=UTC))


def slots(control: str = "sg_ready", block_max_s: int = 7200) -> tuple[Slot, ...]:
    """Two days near 20 degrees, dear at noon and in the evening."""
    rates = tuple(
        RateSpan(
            NOW + hour * HOUR,
            NOW + (hour + 1) * HOUR,
            Decimal("0.5") if hour % 24 in (12, 18, 19, 20) else Decimal("0.2"),
        )
        for hour in range(48)
    )
    pump = Thermal(
        id="hp",
        max_power_w=Decimal(6000),
        min_power_w=Decimal(6000),
        temperature_c=Decimal("20.3"),
        capacity_kwh_per_c=Decimal(40),
        loss_w_per_c=Decimal(150),
        comfort=(ComfortSpan(NOW, NOW + 2 * DAY, Decimal(20), Decimal(22)),),
        outdoor=(TemperatureSpan(NOW, NOW + 2 * DAY, Decimal(5)),),
        cop=((Decimal(0), Decimal(3)),),
        control=control,
        block_max_s=block_max_s,
    )
    situation = Situation(NOW, "UTC", "EUR", rates, devices=(pump,))
    [device] = make_plan(situation).devices
    return device.slots


def test_it_is_blocked_where_it_is_dearest_and_at_most_two_hours_of_a_day() -> None:
    planned = slots()
    blocks = [slot for slot in planned if slot.mode == "block"]
    assert blocks
    for day in (0, 1):
        inside = [slot for slot in blocks if (slot.start - NOW) // DAY == day]
        assert 0 < sum(slot.end - slot.start for slot in inside) <= 7200
        assert max(slot.price or 0 for slot in inside) == Decimal("0.5")
    for slot in blocks:
        assert slot.power_w == 0
        assert slot.cost == 0
    assert all(a.end <= b.start for a, b in pairwise(planned))


@pytest.mark.parametrize(("control", "block_max_s"), [("power", 7200), ("sg_ready", 0)])
def test_where_nothing_may_be_blocked_nothing_is(control: str, block_max_s: int) -> None:
    assert not [slot for slot in slots(control, block_max_s) if slot.mode == "block"]
