"""What devices ask for: a car, loads with windows, a program."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from agent.config.devices import DeviceSection
from agent.energy.instants import to_unix_floor
from agent.energy.readings import Acknowledgement, AckStatus, Reading
from agent.energy.situation import Flexible, Program, Situation
from agent.home.kinds import KINDS
from agent.home.model.device_model import DeviceModel
from agent.home.model.stored import restore, to_text
from agent.home.planning_input import PlanningContext, PlanningInput, with_assumptions
from agent.home.windows import SiteLocation
from agent.home.wishes import ModeWish, Wish, WishValues
from agent.planning import make_plan
from tests.fakes.device_models import schedule

LONDON = SiteLocation(ZoneInfo("Europe/London"), 51.5, -0.1)
EVENING = datetime(2026, 1, 16, 18, tzinfo=UTC)
MORNING = datetime(2026, 1, 17, 7, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def section(**values: Any) -> DeviceSection:
    found: DeviceSection = KINDS[values["type"]].section.model_validate(values)
    return found


EV = section(
    id="ev",
    type="ev_charger",
    max_power_w=7200,
    battery_kwh=50,
    charge_efficiency=1,
    floor_soc_percent=20,
)
HEATER = section(
    id="tank",
    type="water_heater",
    power_w=2000,
    needs=[{"hours": 2, "window": {"start": "22:00", "end": "06:00"}}],
)


def model_of(one: DeviceSection) -> DeviceModel:
    return DeviceModel(one.id, KINDS[one.type].traits(one))


def car(
    soc: float | None = 50.0, plugged: bool = True, since: datetime = EVENING, one: Any = EV
) -> DeviceModel:
    model = model_of(one)
    model.report(Reading("plugged", plugged, since), since)
    if soc is not None:
        model.report(Reading("soc_percent", soc, since), since)
    return model


def ask(
    one: DeviceSection,
    model: DeviceModel,
    now: datetime,
    wish: Wish | None = None,
    away: datetime | None = None,
) -> PlanningInput:
    kind, wish, context = KINDS[one.type], wish or Wish(), PlanningContext(now, LONDON, away)
    kind.advance(one, model, wish, context)
    return kind.planning_input(one, model, wish, context)


def flexible(wanted: PlanningInput) -> Flexible:
    assert isinstance(wanted.device, Flexible)
    return wanted.device


def boost(until: datetime | None = None) -> Wish:
    end = until or EVENING + timedelta(hours=24)
    return Wish(mode=ModeWish("boost", end, open_ended=until is None))


def test_a_car_asks_for_what_is_missing_to_its_target_by_the_morning() -> None:
    wanted = ask(EV, car(50), EVENING)
    [demand] = flexible(wanted).demands
    assert demand.energy_kwh == Decimal("15.05")
    assert demand.deadline == to_unix_floor(MORNING)
    assert wanted.goal.energy_kwh == 15
    assert wanted.latest == MORNING


def test_without_a_car_there_is_nothing_to_plan() -> None:
    assert ask(EV, car(plugged=False), EVENING).device is None
    assert ask(EV, model_of(EV), EVENING).device is None


def test_below_the_floor_it_is_charged_at_once_and_the_rest_is_planned_after_it() -> None:
    wanted = ask(EV, car(10), EVENING)
    assert wanted.override is not None
    assert wanted.override.reason == "floor"
    assert wanted.override.until == EVENING + timedelta(minutes=41, seconds=40)
    [demand] = flexible(wanted).demands
    assert demand.earliest == to_unix_floor(wanted.override.until)
    assert demand.energy_kwh == Decimal("30.05")


def test_a_car_that_charges_is_carried_on_between_two_readings_of_its_soc() -> None:
    model = car(50)
    model.report(Reading("power_w", 7200.0, EVENING), EVENING)
    for step in (10, 20, 30):
        model.report(Reading("power_w", 7200.0, EVENING + step * MINUTE), EVENING + step * MINUTE)
    wanted = ask(EV, model, EVENING + 30 * MINUTE)
    assert wanted.goal.energy_kwh == pytest.approx(Decimal("11.4"))


def test_without_a_soc_of_this_stay_one_is_assumed_and_said() -> None:
    wanted = ask(EV, car(None), EVENING)
    assert wanted.goal.energy_kwh == 20
    assert "40 % is assumed" in wanted.notes[0]
    device = wanted.device
    assert device is not None
    plan = make_plan(
        Situation(to_unix_floor(EVENING), "Europe/London", "GBP", devices=(device,)),
    )
    (said, *_) = with_assumptions(plan, {"ev": wanted}).devices[0].why
    assert said.code == "assumed"
    assert said.text == "No state of charge is known of this stay: 40 % is assumed."
    other = section(
        id="ev",
        type="ev_charger",
        max_power_w=7200,
        battery_kwh=50,
        assumed_soc_percent=70,
        charge_efficiency=1,
    )
    assert ask(other, car(None, one=other), EVENING).goal.energy_kwh == 5


def test_a_full_car_asks_for_nothing_and_its_next_deadline_is_tomorrow() -> None:
    model = car(80)
    wanted = ask(EV, model, EVENING)
    assert (wanted.device, wanted.full) == (None, True)
    later = MORNING + timedelta(hours=1)
    model.session.satisfied_at = later
    model.state_soc(70.0, later)
    again = ask(EV, model, MORNING + timedelta(hours=2))
    assert again.latest == MORNING + timedelta(days=1)


def test_a_deadline_that_was_missed_stays_the_deadline() -> None:
    wanted = ask(EV, car(50), MORNING + timedelta(hours=1))
    [demand] = flexible(wanted).demands
    assert demand.deadline == to_unix_floor(MORNING)
    assert demand.earliest is None


def test_a_wish_for_energy_counts_from_when_it_was_wished() -> None:
    model = car(50, since=EVENING - timedelta(hours=2))
    model.report(Reading("energy_kwh", 7.5, EVENING), EVENING)
    values = WishValues(energy_kwh=Decimal(10), counter_start_kwh=Decimal("2.5"))
    wanted = ask(EV, model, EVENING, Wish(once=values))
    assert wanted.goal.energy_kwh == Decimal("5.0")


def test_a_boost_is_published_an_hour_ahead_and_renewed_ten_minutes_before_its_end() -> None:
    model = car(25)
    first = ask(EV, model, EVENING, boost()).override
    assert first is not None
    assert first.until == EVENING + timedelta(hours=1)
    model.boost_until = first.until
    held = ask(EV, model, EVENING + 49 * MINUTE, boost()).override
    assert held == first
    renewed = ask(EV, model, EVENING + 50 * MINUTE, boost()).override
    assert renewed is not None
    assert renewed.until == EVENING + timedelta(minutes=110)


def test_a_boost_goes_on_beyond_the_target_to_a_full_battery() -> None:
    wanted = ask(EV, car(85), EVENING, boost())
    assert wanted.override is not None
    assert not wanted.full
    assert ask(EV, car(100), EVENING, boost()).override is None


def test_at_a_target_of_100_it_goes_on_while_the_car_still_takes_power() -> None:
    full = section(
        id="ev", type="ev_charger", max_power_w=7200, battery_kwh=50, target_soc_percent=100
    )
    model = car(99.9, one=full)
    model.told(_charging(EVENING), EVENING)
    model.report(Reading("power_w", 2000.0, EVENING), EVENING)
    wanted = ask(full, model, EVENING)
    assert wanted.override is not None
    assert wanted.override.reason == "topping_up"
    model.report(Reading("power_w", 0.0, EVENING + MINUTE), EVENING + MINUTE)
    assert ask(full, model, EVENING + 12 * MINUTE).override is None


def _charging(start: datetime) -> Any:
    shift = int((start - datetime(2026, 1, 16, 20, tzinfo=UTC)).total_seconds() // 60)
    return schedule((shift, shift + 600, 7200))


def test_a_car_that_takes_less_is_planned_with_what_it_takes() -> None:
    model = car(50)
    model.following.learned_power_w = 4000.0
    assert flexible(ask(EV, model, EVENING)).max_power_w == 4000


def test_a_block_under_way_goes_on() -> None:
    block = section(id="ev", type="ev_charger", max_power_w=7200, battery_kwh=50, contiguous=True)
    model = car(50, one=block)
    assert not flexible(ask(block, model, EVENING)).demands[0].under_way
    model.told(_charging(EVENING), EVENING)
    assert flexible(ask(block, model, EVENING + 5 * MINUTE)).demands[0].under_way


def test_a_person_at_the_device_is_known_to_have_overridden_it() -> None:
    model = car(10)
    model.acknowledge(Acknowledgement(1, AckStatus.ABORTED, "user_opt_out"), EVENING)
    assert model.opted_out(EVENING)


def test_a_heater_asks_for_each_window_and_what_it_took_is_taken_off() -> None:
    model = model_of(HEATER)
    now = datetime(2026, 1, 16, 23, tzinfo=UTC)
    ask(HEATER, model, now)
    for step in (0, 10, 20, 30):
        model.report(Reading("power_w", 2000.0, now + step * MINUTE), now + step * MINUTE)
    wanted = ask(HEATER, model, now + 30 * MINUTE)
    kwh = [float(demand.energy_kwh) for demand in flexible(wanted).demands]
    assert kwh == pytest.approx([3, 4, 4])
    assert float(wanted.needs[0].missing_kwh) == pytest.approx(3)


def test_of_a_window_that_began_before_it_was_led_only_the_rest_is_asked() -> None:
    late = datetime(2026, 1, 17, 5, 30, tzinfo=UTC)
    window = {"start": "20:00", "end": "06:30"}
    heater = section(id="x", type="load", power_w=2000, needs=[{"energy_kwh": 6, "window": window}])

    def missing(model: DeviceModel) -> float:
        return float(ask(heater, model, late).needs[0].missing_kwh)

    begun = model_of(heater)
    assert missing(begun) == pytest.approx(2)
    # From its first schedule on it is known what it took, over restarts too.
    begun.told(_charging(late), late)
    restarted = model_of(heater)
    restore(restarted, to_text(begun))
    assert restarted.was_led
    # What is led from the beginning of its window is promised whole.
    led = model_of(heater)
    led.told(_charging(late), EVENING)
    assert missing(led) == pytest.approx(6)


def test_a_relay_without_a_meter_gets_its_three_hours_and_not_eleven() -> None:
    relay = section(
        id="x",
        type="load",
        power_w=1000,
        needs=[{"hours": 3, "window": {"start": "20:00", "end": "08:00"}}],
    )
    model, now = model_of(relay), datetime(2026, 1, 16, 20, tzinfo=UTC)
    model.told(_charging(now), now)
    for step in range(0, 181, 5):
        wanted = ask(relay, model, now + step * MINUTE)
    assert wanted.goal.energy_kwh is not None
    assert float(model.progress["2026-01-16T20:00:00Z"]) == pytest.approx(3.0, abs=0.02)
    today = [demand for demand in getattr(wanted.device, "demands", ()) if demand.earliest is None]
    assert not today


def test_overlapping_windows_share_no_kilowatt_hour() -> None:
    both = section(
        id="x",
        type="load",
        power_w=1000,
        needs=[
            {"hours": 1, "window": {"start": "20:00", "end": "23:00"}},
            {"hours": 2, "window": {"start": "20:00", "end": "06:00"}},
        ],
    )
    model, now = model_of(both), datetime(2026, 1, 16, 20, tzinfo=UTC)
    ask(both, model, now)
    for step in range(0, 121, 5):
        model.report(Reading("power_w", 1000.0, now + step * MINUTE), now + step * MINUTE)
        wanted = ask(both, model, now + step * MINUTE)
    assert sum(float(need.missing_kwh) for need in wanted.needs) == pytest.approx(1.0, abs=0.02)


def test_while_people_are_away_no_water_is_heated_for_them() -> None:
    away = EVENING + timedelta(days=1)
    wanted = ask(HEATER, model_of(HEATER), EVENING, away=away)
    [demand] = flexible(wanted).demands
    assert demand.deadline == to_unix_floor(datetime(2026, 1, 18, 6, tzinfo=UTC))


def test_more_hot_water_once_is_one_more_demand() -> None:
    values = WishValues(energy_kwh=Decimal(3), counter_start_kwh=Decimal(0))
    until = EVENING + timedelta(hours=6)
    wish = Wish(once=values, once_until=until, asked_at=EVENING)
    wanted = ask(HEATER, model_of(HEATER), EVENING, wish)
    energies = [demand.energy_kwh for demand in flexible(wanted).demands]
    assert Decimal(3) in energies


def test_a_window_by_the_sun_is_not_served_after_sunset() -> None:
    panel = section(
        id="x",
        type="load",
        power_w=1000,
        needs=[{"hours": 3, "window": {"start": "sunrise", "end": "sunset"}}],
    )
    wanted = ask(panel, model_of(panel), datetime(2026, 1, 16, 10, tzinfo=UTC))
    assert not any(demand.hard for demand in flexible(wanted).demands)
    late = section(
        id="x",
        type="load",
        power_w=1000,
        needs=[{"hours": 3, "late": True, "window": {"start": "sunrise", "end": "sunset"}}],
    )
    wanted = ask(late, model_of(late), datetime(2026, 1, 16, 10, tzinfo=UTC))
    assert all(demand.hard for demand in flexible(wanted).demands)


def test_a_program_waits_until_it_is_loaded_and_then_runs_by_its_deadline() -> None:
    dishes = section(id="dw", type="program", profile=[{"duration_s": 1800, "power_w": 2000}])
    model = model_of(dishes)
    assert ask(dishes, model, EVENING).device is None
    wish = Wish(loaded_at=EVENING)
    wanted = ask(dishes, model, EVENING, wish)
    assert isinstance(wanted.device, Program)
    assert wanted.device.deadline == to_unix_floor(MORNING)
    assert not wanted.running
    model.begin_run(EVENING, EVENING)
    model.report(Reading("power_w", 1900.0, EVENING + MINUTE), EVENING + MINUTE)
    running = ask(dishes, model, EVENING + 10 * MINUTE, wish)
    assert running.running
    assert running.needs[0].missing_kwh == Decimal(2000) * 1200 / 3_600_000
    ask(dishes, model, EVENING + 31 * MINUTE, wish)
    assert model.session.started_at is None


def heard_after(guess: Reading, before: bool | None) -> DeviceModel:
    """The car of which nobody says since when it is there; `before`: what was known of the plug."""
    model = model_of(EV)
    if before is not None:
        model.restore_readings({"plugged": Reading("plugged", before, guess.at - 48 * HOUR)})
    model.report(guess, EVENING, retained=True)
    model.report(Reading("soc_percent", 50.0, guess.at), EVENING, retained=True)
    return model


@pytest.mark.parametrize("before", [None, False])
def test_a_begin_that_is_only_a_guess_makes_no_car_late(before: bool | None) -> None:
    guess = model_of(EV).readings.untimed("plugged", True, retained=True, now=EVENING)
    model = heard_after(guess, before)
    assert ask(EV, model, EVENING).latest == MORNING
    # Once that is over it is late like any other.
    assert ask(EV, model, MORNING + 5 * HOUR).latest == MORNING


def test_a_guessed_begin_that_an_older_version_stored_makes_no_car_late() -> None:
    guess = model_of(EV).readings.untimed("plugged", True, retained=True, now=EVENING)
    model = heard_after(guess, None)
    model.advance(EVENING + MINUTE)
    again = restored_from_older(model)
    assert again.session.heard_at == EVENING
    assert ask(EV, again, EVENING + 5 * MINUTE).latest == MORNING
    # What was judged once is not judged again.
    third = model_of(EV)
    restore(third, to_text(again))
    assert third.session == again.session


@pytest.mark.parametrize("first_heard", [EVENING, EVENING + 2 * HOUR])
def test_a_ready_by_that_an_older_version_missed_stays_missed(first_heard: datetime) -> None:
    """The car has told when it came, or was seen to come; neither begin is a guess."""
    model = model_of(EV)
    if first_heard == EVENING:
        model.restore_readings({"plugged": Reading("plugged", False, EVENING - HOUR)})
    model.report(Reading("plugged", True, EVENING), first_heard)
    model.report(Reading("soc_percent", 50.0, EVENING), first_heard)
    model.advance(MORNING + HOUR)
    again = restored_from_older(model)
    assert again.session == model.session
    assert ask(EV, again, MORNING + HOUR).latest == MORNING


def restored_from_older(model: DeviceModel) -> DeviceModel:
    """As from a version that did not note whether a begin was a guess."""
    raw = json.loads(to_text(model))
    raw.pop("begin_judged", None)
    raw["session"].pop("heard_at", None)
    again = model_of(EV)
    again.restore_readings(model.readings.by_kind)
    restore(again, json.dumps(raw))
    return again
