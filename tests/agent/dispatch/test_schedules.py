"""The schedule that a device gets, and when a new revision is due."""

import dataclasses
from decimal import Decimal
from zoneinfo import ZoneInfo

from agent.dispatch.finish import finished
from agent.dispatch.schedules import (
    ScheduleContext,
    describe_schedule,
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
    assert {slot.mode for slot in made.slots} == {"block"}
    ends = [slot.end - NOW for slot in made.slots]
    # The two minutes that would be left then are no block.
    assert ends == [2 * HOUR - 60, 4.5 * HOUR - 120]


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


def test_a_mode_that_gives_is_told_without_a_sign() -> None:
    given = schedule(None, (HOUR, 2 * HOUR, 7000))
    assert given.slots
    slots = tuple(dataclasses.replace(slot, mode="discharge", power_w=-700) for slot in given.slots)
    told = describe_schedule(dataclasses.replace(given, slots=slots), ZoneInfo("UTC"), NOW)
    assert told.startswith("discharge at 700 W from ")


def test_parts_of_several_modes_are_all_named() -> None:
    given = schedule(None, (HOUR, 2 * HOUR, 7000), (3 * HOUR, 4 * HOUR, 7000))
    block, boost = given.slots
    slots = (dataclasses.replace(block, mode="block", power_w=0), boost)
    mixed = dataclasses.replace(given, slots=slots)
    told = describe_schedule(mixed, ZoneInfo("UTC"), NOW)
    assert told.startswith("block and charge from ")
    assert " in 2 parts until " in told
    assert " W" not in told
    assert describe_schedule(mixed, ZoneInfo("UTC"), NOW + HOUR).startswith(
        "block and charge now in 2 parts until "
    )
    third = dataclasses.replace(boost, mode="force", start=boost.end, end=boost.end + 60)
    three = dataclasses.replace(mixed, slots=(*slots, third))
    assert describe_schedule(three, ZoneInfo("UTC"), NOW).startswith("block, charge and force ")
