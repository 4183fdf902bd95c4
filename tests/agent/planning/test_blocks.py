"""Where a plan blocks a heat pump: in the dearest hours that need it, for two hours of a day."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from agent.energy.instants import to_unix_floor
from agent.energy.plan import Slot
from agent.energy.situation import (
    ComfortSpan,
    Planner,
    PowerSpan,
    PreviousPlan,
    RateSpan,
    Situation,
    TemperatureSpan,
    Thermal,
)
from agent.planning import make_plan
from tests.agent.planning.joint.homes import joint_plan

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


def told_now(
    minutes: int, celsius: float = 20.2, blocked: bool = False, **more: object
) -> tuple[float, str] | None:
    """What a pump is told in a dear time that ends in so many minutes, near its minimum: the end in
    hours and the mode; None where nothing. Afterwards it heats. `blocked`: by the plan in force."""
    edges = (NOW, NOW + minutes * 60, NOW + minutes * 60 + HOUR, NOW + 6 * HOUR)
    prices = (Decimal("0.5"), Decimal("0.1"), Decimal("0.4"))
    rates = tuple(RateSpan(a, b, p) for (a, b), p in zip(pairwise(edges), prices, strict=True))
    pump = Thermal(
        id="hp",
        max_power_w=Decimal(6000),
        min_power_w=Decimal(6000),
        temperature_c=Decimal(str(celsius)),
        capacity_kwh_per_c=Decimal(20),
        loss_w_per_c=Decimal(150),
        comfort=(ComfortSpan(NOW, NOW + DAY, Decimal(20), Decimal(22)),),
        outdoor=(TemperatureSpan(NOW, NOW + DAY, Decimal(5)),),
        cop=((Decimal(0), Decimal(3)),),
        control="sg_ready",
        **more,  # type: ignore[arg-type]
    )
    old = (PreviousPlan("hp", (PowerSpan(NOW, edges[1], Decimal(0)),)),) if blocked else ()
    planner = Planner(change_cost=Decimal("0.01"), previous=old)
    situation = Situation(NOW, "UTC", "EUR", rates, planner=planner, devices=(pump,))
    [device] = joint_plan(situation).devices
    begun = [slot for slot in device.slots if slot.start == NOW]
    return ((begun[0].end - NOW) / HOUR, begun[0].mode) if begun else None


def test_a_block_that_has_begun_goes_on_to_its_end_however_little_is_left() -> None:
    """Off for 20 minutes and 15 more is a block; it is planned again every few minutes."""
    assert told_now(15, off_since=NOW - 1200) == (0.25, "block")
    assert told_now(45) == (0.75, "block")


def test_a_block_is_as_long_as_the_rest_where_there_is_room() -> None:
    """It would be needed from the second quarter of an hour on."""
    assert told_now(45, 20.53, block_max_s=6 * HOUR) == (0.75, "block")


def test_a_tenth_of_a_degree_takes_no_block_back() -> None:
    for celsius in (20.5, 20.6, 20.7):
        assert told_now(45, celsius, blocked=True) == (0.75, "block")
    assert told_now(45, 20.7) is None
    assert told_now(45, 21.2, blocked=True) is None


def test_a_quarter_of_an_hour_off_is_no_block_that_is_worth_its_relay() -> None:
    states: tuple[dict[str, Any], ...] = ({}, {"off_since": NOW - 60}, {"on_since": NOW - HOUR})
    for state in states:
        assert told_now(15, **state) is None
