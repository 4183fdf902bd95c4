"""When a new revision is due, and what may stand as it was told."""

import dataclasses
from decimal import Decimal

import pytest

from agent.dispatch.due import Leeway, needs_publishing
from agent.dispatch.schedules import ScheduleContext, schedule_for
from agent.energy.profile import DeviceProfile
from agent.energy.schedule import Goal, Schedule, ScheduleSlot
from agent.home.planning_input import PlanningInput
from tests.agent.dispatch.test_limit import profile
from tests.agent.dispatch.test_schedules import HOUR, NOW, schedule

AT = ScheduleContext(NOW, NOW + 48 * HOUR, "EUR")
BY_ENERGY = Leeway(ignore_drift=True, by_energy=True)
BY_POWER = Leeway(ignore_drift=True)
PUMP = profile("house_heat_pump", id="pump", power_w=3000)
BATTERY = profile("battery", id="battery", capacity_kwh=10, max_charge_w=5000, max_discharge_w=5000)
CAR = profile("ev_charger", id="car", max_power_w=11_000, phases=3, battery_kwh=60)

Told = tuple[int, int, str, int]


def told(one: DeviceProfile, *slots: Told, now: int = NOW, ready_by: int | None = None) -> Schedule:
    made = schedule_for(one, PlanningInput(None, Goal(ready_by=ready_by)), None, (), AT)
    return dataclasses.replace(
        made,
        issued_at=now,
        valid_until=NOW + 48 * HOUR,
        slots=tuple(
            ScheduleSlot(NOW + a, NOW + b, mode, watts, Decimal(0), None, "cheapest")
            for a, b, mode, watts in slots
        ),
    )


@pytest.mark.parametrize(
    ("after", "spans", "due"),
    [
        (0, ((HOUR, 2 * HOUR, 11_000),), False),
        (300, ((HOUR + 60, 2 * HOUR - 60, 11_000),), False),
        (0, ((HOUR + 61, 2 * HOUR, 11_000),), True),
        (0, ((HOUR, 2 * HOUR, 7400),), True),
        (0, (), True),
        (0, ((HOUR, 2 * HOUR, 11_000), (3 * HOUR, 4 * HOUR, 11_000)), True),
        # a price edge inside a run is no change for the device
        (0, ((HOUR, HOUR + 1800, 11_000), (HOUR + 1800, 2 * HOUR, 11_000)), False),
        # half of the run is over, the rest is as it was
        (HOUR + 1800, ((HOUR + 1800, 2 * HOUR, 11_000),), False),
        # all of it is over
        (3 * HOUR, (), False),
    ],
)
def test_a_revision_is_due_when_the_device_would_do_something_else(
    after: int, spans: tuple[tuple[int, int, int], ...], due: bool
) -> None:
    held = schedule(None, (HOUR, 2 * HOUR, 11_000))
    assert needs_publishing(held, schedule(None, *spans, now=NOW + after), NOW + after) is due


@pytest.mark.parametrize(
    ("spans", "due"),
    [
        # it has all it needs; it needs some seconds more; it lacks five minutes; it waits a while
        ((), False),
        (((-10, 30, 11_000),), False),
        (((-10, 290, 11_000),), True),
        (((600, 900, 11_000),), True),
    ],
)
def test_seconds_before_its_end_a_run_is_only_told_to_go_on(
    spans: tuple[tuple[int, int, int], ...], due: bool
) -> None:
    now = NOW + HOUR - 10
    held = schedule(None, (0, HOUR, 11_000))
    shifted = [(HOUR + start, HOUR + end, power) for start, end, power in spans]
    wanted = schedule(None, *shifted, now=now)
    assert needs_publishing(held, wanted, now, Leeway(ignore_drift=True)) is due


def test_a_revision_is_due_when_less_than_twelve_hours_are_left() -> None:
    held = schedule()
    later = dataclasses.replace(held, valid_until=held.valid_until + 48 * HOUR)
    assert not needs_publishing(held, later, NOW + 36 * HOUR)
    assert needs_publishing(held, later, NOW + 36 * HOUR + 1)
    # what was cut and reaches only a little further follows two hours before the end
    little = dataclasses.replace(held, valid_until=held.valid_until + 600)
    assert not needs_publishing(held, little, NOW + 45 * HOUR)
    assert needs_publishing(held, little, NOW + 46 * HOUR)


def test_a_plan_for_later_that_others_share_may_change_before_it_is_told() -> None:
    """An eighth as far ahead as the schedule stands already, and ten minutes at least."""
    soon, later, elsewhere = (
        (0, 1800, 5000),
        (9 * HOUR, 10 * HOUR, 5000),
        (12 * HOUR, 13 * HOUR, 5000),
    )
    held = schedule(None, soon, later)

    def due(after: int, *spans: tuple[int, int, int], settles: bool = True) -> bool:
        made, now = schedule(None, *spans, now=NOW + after), NOW + after
        return needs_publishing(held, made, now, Leeway(ignore_drift=True, settles=settles))

    assert not due(600, soon, elsewhere)
    assert due(600, soon, elsewhere, settles=False)
    assert not due(HOUR, soon, elsewhere)
    assert not due(8 * HOUR - 600, elsewhere)
    assert due(8 * HOUR + 1200, elsewhere)
    assert not due(300, (0, 1200, 5000), later)
    assert due(900, (0, 1200, 5000), later)
    assert due(900, later)
    assert needs_publishing(held, schedule(None, soon, elsewhere), NOW, Leeway(settles=True))


def test_the_slot_of_one_that_takes_less_and_less_stands_until_it_is_about_to_end() -> None:
    held = schedule(None, (0, HOUR, 11_000))

    def due(after: int, *spans: tuple[int, int, int]) -> bool:
        made, now = schedule(None, *spans, now=NOW + after), NOW + after
        return needs_publishing(held, made, now, Leeway(ignore_drift=True, tapers=True))

    longer, other = (0, HOUR + 1800, 11_000), (2 * HOUR, 3 * HOUR, 11_000)
    assert not due(2400, longer)
    assert not due(2400, other)
    assert due(3100, longer)
    assert not due(3100, (0, HOUR, 11_000), other)


def test_seconds_before_an_edge_nothing_is_moved_for_their_sake() -> None:
    """What is left of a slot is less than a slot may last, and goes to the one that follows."""
    now = NOW + HOUR - 10
    held = told(PUMP, (0, HOUR, "block", 0), (HOUR, 3 * HOUR, "boost", 3000))

    def due(*slots: Told) -> bool:
        return needs_publishing(held, told(PUMP, *slots, now=now), now, BY_ENERGY)

    assert not due((HOUR - 310, 3 * HOUR, "boost", 3000))
    assert not due((HOUR - 310, HOUR + 240, "block", 0), (HOUR + 240, 3 * HOUR, "boost", 3000))
    assert due((HOUR - 310, 2 * HOUR, "boost", 3000))
    assert due((2 * HOUR, 3 * HOUR, "boost", 3000))


@pytest.mark.parametrize(
    ("watts", "ready_by", "due"),
    [
        (7100, 8 * HOUR, False),
        (9900, 8 * HOUR, False),
        (10_100, 8 * HOUR, True),
        (6900, 8 * HOUR, True),
        # there is no time left to make up for what it lacks
        (8900, HOUR, True),
        (8650, HOUR, False),
        (8100, HOUR, False),
    ],
)
def test_where_nothing_is_shared_out_a_power_counts_with_its_energy(
    watts: int, ready_by: int, due: bool
) -> None:
    """Two minutes of full power more or less are nothing that a gauge could tell."""
    slots = (0, 2700, "charge", 11_000), (2700, HOUR, "charge", 8500)
    held = told(CAR, *slots, ready_by=NOW + ready_by)
    wanted = told(CAR, slots[0], (2700, HOUR, "charge", watts), ready_by=NOW + ready_by)
    assert needs_publishing(held, wanted, NOW + 2400, BY_ENERGY) is due
    assert needs_publishing(held, wanted, NOW + 2400, BY_POWER) is (abs(watts - 8500) > 100)


def test_of_cells_at_one_price_each_is_as_good_for_the_one_with_less() -> None:
    full, part = 11_000, 4000

    def charges(*watts: int, prices: tuple[str, ...] = ("0.1", "0.1", "0.1")) -> Schedule:
        made = told(CAR, *((k * 900, k * 900 + 900, "charge", w) for k, w in enumerate(watts)))
        priced = zip(made.slots, prices, strict=True)
        slots = tuple(dataclasses.replace(slot, price=Decimal(price)) for slot, price in priced)
        return dataclasses.replace(made, slots=slots)

    held, dearer_last = charges(full, full, part), ("0.1", "0.1", "0.2")
    assert not needs_publishing(held, charges(full, part, full), NOW, BY_ENERGY)
    assert needs_publishing(held, charges(full, part, full), NOW, BY_POWER)
    assert needs_publishing(held, charges(full, part, part), NOW, BY_ENERGY)
    held = charges(full, full, part, prices=dearer_last)
    wanted = charges(full, part, full, prices=dearer_last)
    assert needs_publishing(held, wanted, NOW, BY_ENERGY)


def test_what_a_store_takes_too_long_it_need_not_take_later() -> None:
    held = told(PUMP, (HOUR, 2 * HOUR, "boost", 3000))

    def due(until: int) -> bool:
        now = NOW + HOUR + 1800
        wanted = told(PUMP, (HOUR, HOUR + until, "boost", 3000), now=now)
        return needs_publishing(held, wanted, now, BY_ENERGY)

    assert not due(3600 - 300)
    assert due(3600 - 360)
    assert not due(3600 + 120)
    assert due(3600 + 240)


def test_a_block_that_the_plan_no_longer_needs_stands_a_long_one_that_it_needs_is_told() -> None:
    heats = 3 * HOUR, 4 * HOUR, "boost", 3000
    without = told(PUMP, heats)
    for length_s, due in ((3600, False), (4500, True)):
        with_block = told(PUMP, (0, length_s, "block", 0), heats)
        assert not needs_publishing(with_block, without, NOW, BY_ENERGY)
        assert needs_publishing(without, with_block, NOW, BY_ENERGY) is due
        assert needs_publishing(without, with_block, NOW, BY_POWER)
        assert needs_publishing(with_block, without, NOW)


def test_what_a_car_would_lack_is_told_however_far_ahead() -> None:
    """It follows what it holds, also where nobody is there any more to tell it more."""
    leeway = dataclasses.replace(BY_ENERGY, settles=True)
    held = told(CAR, (9 * HOUR, 10 * HOUR, "charge", 8000), ready_by=NOW + 12 * HOUR)

    def due(*slots: Told) -> bool:
        wanted = told(CAR, *slots, now=NOW + 900, ready_by=NOW + 12 * HOUR)
        return needs_publishing(held, wanted, NOW + 900, leeway)

    assert not due((8 * HOUR, 9 * HOUR, "charge", 8000))
    assert not due((9 * HOUR, 10 * HOUR, "charge", 8900))
    assert due((9 * HOUR, 10 * HOUR, "charge", 9100))
    assert not due((9 * HOUR, 10 * HOUR, "charge", 6000))


def test_a_battery_that_holds_is_told_when_it_may_give() -> None:
    held = told(BATTERY, (0, 2 * HOUR, "hold", 0))
    assert needs_publishing(held, told(BATTERY), NOW, BY_ENERGY)
    assert not needs_publishing(held, told(BATTERY, (0, 7000, "hold", 0)), NOW, BY_ENERGY)


@pytest.mark.parametrize(
    ("slot", "seconds", "due"),
    [
        # what a house has and lacks is a part of what a battery can
        (("hold", 0), 900, False),
        (("hold", 0), 1800, True),
        (("charge", 800), 900, False),
        (("charge", 5000), 900, True),
        (("discharge", -2500), 900, True),
    ],
)
def test_minutes_in_which_a_battery_may_do_what_it_likes_are_no_revision(
    slot: tuple[str, int], seconds: int, due: bool
) -> None:
    later = (3 * HOUR, 4 * HOUR, "charge", 5000)
    without, told_more = told(BATTERY, later), told(BATTERY, (0, seconds, *slot), later)
    for held, wanted in ((without, told_more), (told_more, without)):
        assert needs_publishing(held, wanted, NOW, BY_ENERGY) is due
        assert needs_publishing(held, wanted, NOW, BY_POWER)
