"""A battery: what it asks of the planner, what it is told, what a person may ask of it."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from agent.contracts.schedule import compact_document, setpoint_document
from agent.dispatch.due import Leeway, needs_publishing
from agent.dispatch.finish import finished
from agent.dispatch.schedules import ScheduleContext, schedule_for, setpoint_at
from agent.energy.instants import to_unix_floor
from agent.energy.plan import DevicePlan, Engine, Slot, Status
from agent.energy.readings import Reading
from agent.energy.schedule import DefaultCommand, Schedule
from agent.energy.situation import Storage, StorageTarget
from agent.errors import Refused
from agent.home.kinds import KINDS
from agent.home.kinds.battery import Battery
from agent.home.model.device_model import DeviceModel
from agent.home.planning_input import PlanningInput
from agent.home.requests import RequestContext, apply_request, read_request
from agent.home.wishes import Wish
from tests.agent.home.test_kinds import EVENING, MINUTE, ask, boost, model_of, section

KIND = KINDS["battery"]
NOW = to_unix_floor(EVENING)
HOUR = 3600


def battery(**values: Any) -> Battery:
    found = section(
        id="battery",
        type="battery",
        **{"capacity_kwh": 10, "max_charge_w": 5000, "max_discharge_w": 4000, **values},
    )
    assert isinstance(found, Battery)
    return found


def at(one: Battery, soc: float) -> DeviceModel:
    model = model_of(one)
    model.report(Reading("soc_percent", soc, EVENING), EVENING)
    return model


def storage(wanted: PlanningInput) -> Storage:
    assert isinstance(wanted.device, Storage)
    return wanted.device


def requested(one: Battery, **body: Any) -> Wish:
    keys = KIND.wish_keys(one)
    context = RequestContext("battery", "battery", keys, EVENING, ZoneInfo("Europe/London"), 60.0)
    request = read_request(json.dumps(body).encode())
    wish = apply_request(request, Wish(), context).wish
    KIND.check_request(one, request, wish)
    return wish


def test_it_is_planned_between_its_reserve_and_its_limit() -> None:
    one = battery(reserve_soc_percent=20, max_soc_percent=90, export=True, grid_charge=False)
    device = storage(ask(one, at(one, 55), EVENING))
    assert (device.energy_kwh, device.min_kwh, device.max_kwh) == (
        Decimal("5.5"),
        Decimal(2),
        Decimal(9),
    )
    assert (device.max_charge_w, device.max_discharge_w) == (Decimal(5000), Decimal(4000))
    assert (device.export, device.grid_charge, device.available) == (True, False, None)


def test_without_a_state_of_charge_one_is_assumed_and_said() -> None:
    one = battery(assumed_soc_percent=30)
    wanted = ask(one, model_of(one), EVENING)
    assert storage(wanted).energy_kwh == 3
    assert "30 % is assumed" in wanted.notes[0]


def test_its_charge_is_carried_on_by_its_signed_power() -> None:
    one = battery(charge_efficiency="0.9", discharge_efficiency="0.8")
    model = at(one, 50)
    for step in range(7):
        model.report(
            Reading("power_w", -4000.0, EVENING + step * 10 * MINUTE), EVENING + step * 10 * MINUTE
        )
    # An hour of 4 kW out takes 5 kWh of what is stored: all of it.
    assert model.problems(EVENING) == []
    model.advance(EVENING + 48 * MINUTE)
    assert model.soc_percent(EVENING) == pytest.approx(0.0, abs=0.1)
    model = at(one, 50)
    model.report(Reading("power_w", 5000.0, EVENING), EVENING)
    model.advance(EVENING + 12 * MINUTE)
    assert model.soc_percent(EVENING) == pytest.approx(59.0)


def test_a_charge_that_goes_as_planned_is_no_reason_to_plan_again() -> None:
    model = at(battery(), 50)
    model.report(Reading("power_w", 5000.0, EVENING), EVENING)
    later = EVENING + 6 * MINUTE
    assert not model.report(Reading("soc_percent", 54.8, later), later)
    much = later + 10 * MINUTE
    assert model.report(Reading("soc_percent", 58.0, much), much)


def test_a_boost_charges_to_the_top_and_is_planned_from_its_end() -> None:
    one = battery(max_soc_percent=80, charge_efficiency=1)
    wanted = ask(one, at(one, 50), EVENING, boost())
    assert wanted.override is not None
    assert (wanted.override.mode, wanted.override.power_w) == ("boost", 5000)
    [span] = storage(wanted).available or ()
    assert span.start == to_unix_floor(wanted.override.until)
    assert span.arrives_kwh == 10
    assert not wanted.full
    full = ask(one, at(one, 100), EVENING, boost())
    assert (full.override, full.full) == (None, True)


def test_a_target_comes_with_its_time_and_lifts_the_limit() -> None:
    one = battery(max_soc_percent=80, charge_efficiency="0.5")
    wish = requested(one, target_soc_percent=95, ready_by="22:00")
    wanted = ask(one, at(one, 60), EVENING, wish)
    due = datetime(2026, 1, 16, 22, tzinfo=UTC)
    assert storage(wanted).targets == (StorageTarget(to_unix_floor(due), Decimal("9.5")),)
    assert storage(wanted).max_kwh == Decimal("9.5")
    assert wanted.latest == due
    assert (wanted.goal.energy_kwh, wanted.goal.target_soc_percent) == (Decimal(7), Decimal(95))
    daily = requested(one, target_soc_percent=50, ready_by="07:00", keep=True)
    assert len(storage(ask(one, at(one, 60), EVENING, daily)).targets) == 2


def test_a_floor_is_kept_for_an_outage() -> None:
    one = battery(reserve_soc_percent=10)
    wish = requested(one, floor_soc_percent=50)
    assert storage(ask(one, at(one, 60), EVENING, wish)).min_kwh == 5
    lower = requested(one, floor_soc_percent=6)
    assert storage(ask(one, at(one, 60), EVENING, lower)).min_kwh == Decimal("0.6")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"target_soc_percent": 80}, "goes with ready_by"),
        ({"ready_by": "07:00"}, "goes with target_soc_percent"),
        ({"target_soc_percent": 10, "ready_by": "07:00"}, "below the 20 %"),
        ({"floor_soc_percent": 95}, "expected 5 to 90"),
        ({"floor_soc_percent": 2}, "expected 5 to 90"),
        ({"price_cap": 0.2}, "does not know it"),
        ({"energy_kwh": 5}, "does not know it"),
        ({"start": True}, "does not know it"),
        ({"comfort_min_c": 20}, "does not know it"),
    ],
)
def test_what_makes_no_sense_of_a_battery_is_refused(body: dict[str, Any], why: str) -> None:
    one = battery(reserve_soc_percent=20, max_soc_percent=90)
    with pytest.raises(Refused, match=why):
        requested(one, **body)


def test_a_battery_that_may_take_surplus_only_is_not_boosted_nor_told_to_charge() -> None:
    one = battery(grid_charge=False)
    with pytest.raises(Refused, match="grid_charge is false"):
        requested(one, mode="boost")
    assert made(one, (0, HOUR, 5000, "charge"), (HOUR, 2 * HOUR, 0, "hold")).slots[0].mode == "hold"


def test_limits_that_leave_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="reserve_soc_percent keep"):
        battery(reserve_soc_percent=80, max_soc_percent=80)


def made(
    one: Battery, *spans: tuple[int, int, float, str], asked: PlanningInput | None = None
) -> Schedule:
    slots = tuple(
        Slot(NOW + a, NOW + b, Decimal(repr(power)), mode, Decimal("0.2"), Decimal(0), "cheapest")
        for a, b, power, mode in spans
    )
    part = DevicePlan(
        *("battery", Status.OPTIMAL, Engine.JOINT, Decimal(1), Decimal(1), 0, True, Decimal(0)),
        slots,
    )
    profile = KIND.profile(one)
    wanted = asked or PlanningInput(None)
    context = ScheduleContext(now=NOW, horizon=NOW + 86_400, currency="GBP")
    return finished(
        schedule_for(profile, wanted, part, KIND.slots(profile, part), context),
        NOW,
        never_more=False,
    )


def test_a_schedule_says_what_is_not_its_own_logic_in_all_three_forms() -> None:
    one = battery()
    schedule = made(
        one,
        (0, HOUR, 4987.4, "charge"),
        (HOUR, 2 * HOUR, 0.0, "hold"),
        (2 * HOUR, 3 * HOUR, -812.0, "auto"),
        (3 * HOUR, 4 * HOUR, -3987.4, "discharge"),
    )
    auto = DefaultCommand("auto", 0)
    assert (schedule.default, schedule.offline.mode) == (auto, "auto")
    said = [(slot.mode, slot.power_w) for slot in schedule.slots]
    assert said == [("charge", 4900), ("hold", 0), ("discharge", -3900)]
    assert schedule.slots[2].energy_kwh == Decimal("-3.9")
    compact = compact_document(schedule)
    values = [value for _, value in compact["p"]]  # type: ignore[attr-defined]
    assert values == [4900, 0, None, -3900, None]
    assert (compact["u"], compact["d"], compact["o"]) == ("W", None, [900, None])
    profile = KIND.profile(one)
    told = setpoint_document(setpoint_at(schedule, profile, NOW + 3 * HOUR + 60))
    assert (told["mode"], told["power_w"]) == ("discharge", -3900)
    assert setpoint_document(setpoint_at(schedule, profile, NOW + 5 * HOUR))["mode"] == "auto"


def test_a_pause_holds_it_for_as_long_as_was_asked() -> None:
    one = battery()
    wish = requested(one, mode="pause", for_s=5 * HOUR)
    wanted = ask(one, at(one, 60), EVENING, wish)
    schedule = made(one, (0, 6 * HOUR, -2000, "discharge"), asked=wanted)
    assert [(slot.mode, slot.end - NOW) for slot in schedule.slots] == [
        ("hold", 5 * HOUR),
        ("discharge", 6 * HOUR),
    ]


def test_a_power_that_readings_have_moved_a_little_is_no_new_revision() -> None:
    one = battery()
    old = made(one, (0, HOUR, 3000, "charge"))
    assert not needs_publishing(
        old, made(one, (0, HOUR, 3200, "charge")), NOW, Leeway(ignore_drift=True)
    )
    assert needs_publishing(
        old, made(one, (0, HOUR, 3400, "charge")), NOW, Leeway(ignore_drift=True)
    )
    assert needs_publishing(old, made(one, (0, HOUR, 3200, "charge")), NOW)


def test_what_it_gives_is_no_room_and_what_it_takes_is_load() -> None:
    profile = KIND.profile(battery())
    assert profile.max_draw_w("discharge", -4000) == 0
    assert profile.max_draw_w("charge", 5000) == 5000
    assert profile.max_draw_w("auto", 0) == profile.offline_draw_w == 0


def test_a_meter_of_one_direction_does_not_undo_what_it_gave() -> None:
    model = at(battery(), 50)
    model.report(Reading("energy_total_kwh", 100.0, EVENING), EVENING)
    model.report(Reading("power_w", -4000.0, EVENING), EVENING)
    later = EVENING + 10 * MINUTE
    model.report(Reading("energy_total_kwh", 100.0, later), later)
    model.advance(later)
    taken = sum(interval.energy_kwh for interval in model.pop_booked())
    assert taken == pytest.approx(-4 / 6, abs=0.01)
    assert model.problems(later + timedelta(minutes=1)) == []
