"""The schedule that a device gets, and when a new revision is due."""

import dataclasses
from decimal import Decimal

import pytest

from agent.dispatch.finish import finished
from agent.dispatch.schedules import (
    ScheduleContext,
    needs_publishing,
    next_revision,
    schedule_for,
    setpoint_at,
)
from agent.energy.instants import from_unix
from agent.energy.plan import DevicePlan, Engine, Slot, Status
from agent.energy.profile import DeviceProfile
from agent.energy.schedule import Goal, Schedule
from agent.home.kinds import KINDS
from agent.home.planning_input import Override, PlanningInput
from tests.agent.dispatch.test_limit import EV, LOAD, PUMP, profile

NOW = 1_768_521_600
HOUR = 3600
DISHES = profile("program", id="dw", profile=[{"duration_s": 600, "power_w": 2000}])


def plan(device: str, *spans: tuple[int, int, int]) -> DevicePlan:
    slots = tuple(
        Slot(
            NOW + start,
            NOW + end,
            Decimal(power),
            "charge",
            Decimal("0.1"),
            Decimal("0.5"),
            "cheapest",
        )
        for start, end, power in spans
    )
    return DevicePlan(
        device,
        Status.OPTIMAL,
        Engine.EXACT,
        Decimal(10),
        Decimal(1),
        1,
        True,
        Decimal(0),
        slots,
    )


def make(
    one: DeviceProfile,
    asked: PlanningInput,
    part: DevicePlan | None,
    now: int = NOW,
    horizon: int = NOW,
) -> Schedule:
    kind = {"dw": "program", "hp": "heat_pump"}.get(one.id, "ev_charger")
    slots = KINDS[kind].slots(one, part) if part else ()
    made = schedule_for(one, asked, part, slots, ScheduleContext(now, horizon, "EUR"))
    return finished(made, now, never_more=False)


def schedule(
    asked: PlanningInput | None = None, *spans: tuple[int, int, int], now: int = NOW
) -> Schedule:
    wanted = asked or PlanningInput(None)
    return make(EV, wanted, plan("ev", *spans), now, horizon=NOW + 48 * HOUR)


def test_a_slow_device_clock_still_finds_the_slot_under_way() -> None:
    made = schedule(None, (0, HOUR, 11_000))
    assert made.valid_from == NOW - 300
    assert made.slots[0].start == NOW - 300
    assert made.valid_until == NOW + 48 * HOUR


def test_without_prices_a_schedule_still_holds_a_day_and_reaches_the_deadline() -> None:
    asked = PlanningInput(None, Goal(ready_by=NOW + 30 * HOUR))
    made = make(EV, asked, None)
    assert made.valid_until == NOW + 30 * HOUR
    assert not made.slots


def test_a_boost_comes_first_and_the_plan_after_it() -> None:
    asked = PlanningInput(None, override=Override("boost", from_unix(NOW + HOUR), "boost", 11_000))
    made = schedule(asked, (HOUR // 2, 2 * HOUR, 11_000))
    assert [(s.start - NOW, s.end - NOW, s.reason) for s in made.slots] == [
        (-300, HOUR, "boost"),
        (HOUR, 2 * HOUR, "cheapest"),
    ]


def test_a_pause_keeps_a_heat_pump_blocked_for_two_hours_at_most() -> None:
    asked = PlanningInput(None, override=Override("pause", from_unix(NOW + 5 * HOUR), "pause"))
    made = make(PUMP, asked, None)
    ends = [(s.end - NOW, s.mode) for s in made.slots]
    assert ends == [(2 * HOUR, "block"), (4.5 * HOUR, "block")]


def test_a_program_is_one_run_pauses_included_and_none_once_it_runs() -> None:
    parts = plan("dw", (0, 600, 2000), (1200, 1800, 2000))
    made = make(DISHES, PlanningInput(None), parts, NOW - HOUR)
    assert [(s.start - NOW, s.end - NOW, s.mode) for s in made.slots] == [(0, 1800, "run")]
    running = make(DISHES, PlanningInput(None, running=True), parts)
    assert not running.slots


def test_power_below_six_amperes_is_never_asked_of_a_charger() -> None:
    made = schedule(None, (0, HOUR, 3000), (2 * HOUR, 3 * HOUR, 4140))
    assert [s.power_w for s in made.slots] == [4140]


def test_offline_rules_are_safe_for_each_kind() -> None:
    assert (EV.offline.mode, EV.offline.power_w) == ("charge", 4140)
    assert (PUMP.offline.mode, PUMP.default.mode) == ("normal", "normal")
    assert LOAD.offline.mode == "release"
    assert (DISHES.offline.mode, DISHES.default.mode) == ("idle", "idle")


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
    assert needs_publishing(held, wanted, now, ignore_drift=True) is due


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
    """Half as far ahead as the schedule stands already, and half an hour at least."""
    soon, later, elsewhere = (0, 1800, 5000), (5 * HOUR, 6 * HOUR, 5000), (7 * HOUR, 8 * HOUR, 5000)
    held = schedule(None, soon, later)

    def due(after: int, *spans: tuple[int, int, int], settles: bool = True) -> bool:
        made, now = schedule(None, *spans, now=NOW + after), NOW + after
        return needs_publishing(held, made, now, ignore_drift=True, settles=settles)

    assert not due(600, soon, elsewhere)
    assert due(600, soon, elsewhere, settles=False)
    assert not due(HOUR, soon, elsewhere)
    assert not due(3 * HOUR, elsewhere)
    assert due(3 * HOUR + 1260, elsewhere)
    assert due(60, (0, 1200, 5000), later)
    assert due(600, later)
    assert needs_publishing(held, schedule(None, soon, elsewhere), NOW, settles=True)


def test_the_slot_of_one_that_takes_less_and_less_stands_until_it_is_about_to_end() -> None:
    held = schedule(None, (0, HOUR, 11_000))

    def due(after: int, *spans: tuple[int, int, int]) -> bool:
        made, now = schedule(None, *spans, now=NOW + after), NOW + after
        return needs_publishing(held, made, now, ignore_drift=True, tapers=True)

    longer, other = (0, HOUR + 1800, 11_000), (2 * HOUR, 3 * HOUR, 11_000)
    assert not due(2400, longer)
    assert not due(2400, other)
    assert due(3100, longer)
    assert not due(3100, (0, HOUR, 11_000), other)


def test_revisions_only_grow_whatever_the_clock_says() -> None:
    assert next_revision(NOW, 0, 0) == NOW
    assert next_revision(NOW, NOW, 5) == NOW + 1
    assert next_revision(NOW - 86_400, NOW, NOW + 7) == NOW + 8


def test_the_setpoint_says_what_holds_until_the_next_change() -> None:
    made = schedule(None, (HOUR, 2 * HOUR, 11_000))
    before = setpoint_at(made, EV, NOW)
    assert (before.mode, before.power_w, before.until, before.reason) == (
        "idle",
        0,
        NOW + HOUR,
        "default",
    )
    during = setpoint_at(made, EV, NOW + HOUR)
    assert (during.mode, during.power_w, during.current_a) == ("charge", 11_000, 16)
    assert setpoint_at(made, EV, NOW + 2 * HOUR).until == made.valid_until
