"""What devices ask for: a car, loads with windows, a program."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from agent.config.devices import EvCharger, ProgramAppliance, WaterHeater
from agent.energy.instants import to_unix_floor
from agent.energy.readings import Acknowledgement, AckStatus, Reading
from agent.energy.situation import Flexible, Program
from agent.home.demands import ask
from agent.home.device_state import DeviceState
from agent.home.planning_input import PlanningInput
from agent.home.switched import current_window
from agent.home.windows import SiteLocation
from agent.home.wishes import Wish

LONDON = SiteLocation(ZoneInfo("Europe/London"))
EVENING = datetime(2026, 1, 16, 18, tzinfo=UTC)
MORNING = datetime(2026, 1, 17, 7, tzinfo=UTC)
EV = EvCharger.model_validate(
    {
        "id": "ev",
        "type": "ev_charger",
        "max_power_w": 7200,
        "battery_kwh": 50,
        "charge_efficiency": 1,
        "floor_soc_percent": 20,
    }
)
HEATER = WaterHeater.model_validate(
    {
        "id": "tank",
        "type": "water_heater",
        "power_w": 2000,
        "needs": [{"hours": 2, "window": {"start": "22:00", "end": "06:00"}}],
    }
)


def car(soc: float | None = 50.0, plugged: bool = True, since: datetime = EVENING) -> DeviceState:
    tracker = DeviceState("ev", 7200.0)
    tracker.note(Reading("plugged", plugged, since), since)
    if soc is not None:
        tracker.note(Reading("soc_percent", soc, since), since)
    return tracker


def flexible(asked: PlanningInput) -> Flexible:
    assert isinstance(asked.device, Flexible)
    return asked.device


def test_a_car_asks_for_what_is_missing_to_its_target_by_the_morning() -> None:
    asked = ask(EV, car(50), Wish(), LONDON, EVENING)
    [demand] = flexible(asked).demands
    assert demand.energy_kwh == Decimal("15.05")
    assert demand.deadline == to_unix_floor(MORNING)
    assert asked.goal.energy_kwh == 15
    assert asked.latest == MORNING


def test_without_a_car_there_is_nothing_to_plan() -> None:
    assert ask(EV, car(plugged=False), Wish(), LONDON, EVENING).device is None
    assert ask(EV, DeviceState("ev", 7200.0), Wish(), LONDON, EVENING).device is None


def test_below_the_floor_it_is_charged_at_once_and_the_rest_is_planned_after_it() -> None:
    asked = ask(EV, car(10), Wish(), LONDON, EVENING)
    assert asked.override is not None
    assert asked.override.reason == "floor"
    assert asked.override.until == EVENING + timedelta(minutes=41, seconds=40)
    [demand] = flexible(asked).demands
    assert demand.earliest == to_unix_floor(asked.override.until)
    assert demand.energy_kwh == Decimal("30.05")


def test_a_car_that_charges_is_carried_on_between_two_readings_of_its_soc() -> None:
    tracker = car(50)
    tracker.note(Reading("power_w", 7200.0, EVENING), EVENING)
    later = EVENING + timedelta(minutes=30)
    tracker.integrate_to(later)
    assert ask(EV, tracker, Wish(), LONDON, later).goal.energy_kwh == Decimal("11.4")


def test_a_full_car_asks_for_nothing_and_its_next_deadline_is_tomorrow() -> None:
    tracker = car(80)
    asked = ask(EV, tracker, Wish(), LONDON, EVENING)
    assert (asked.device, asked.full) == (None, True)
    tracker.session.satisfied_at = MORNING + timedelta(hours=1)
    tracker.note(
        Reading("soc_percent", 70.0, tracker.session.satisfied_at), tracker.session.satisfied_at
    )
    again = ask(EV, tracker, Wish(), LONDON, MORNING + timedelta(hours=2))
    assert again.latest == MORNING + timedelta(days=1)


def test_a_deadline_that_was_missed_stays_the_deadline() -> None:
    late = MORNING + timedelta(hours=1)
    asked = ask(EV, car(50), Wish(), LONDON, late)
    [demand] = flexible(asked).demands
    assert demand.deadline == to_unix_floor(MORNING)
    assert demand.earliest is None


def test_a_wish_for_energy_counts_from_when_it_was_wished() -> None:
    tracker = car(50)
    tracker.note(Reading("energy_kwh", 7.5, EVENING), EVENING)
    wish = Wish(energy_kwh=Decimal(10), counter_start_kwh=Decimal("2.5"))
    assert ask(EV, tracker, wish, LONDON, EVENING).goal.energy_kwh == Decimal("5.0")


def test_a_boost_is_published_an_hour_ahead_and_renewed_ten_minutes_before_its_end() -> None:
    tracker = car(10)
    wish = Wish("boost", EVENING + timedelta(hours=24), open_ended=True)
    first = ask(EV, tracker, wish, LONDON, EVENING).override
    assert first is not None
    assert first.until == EVENING + timedelta(hours=1)
    tracker.boost_until = first.until
    held = ask(EV, tracker, wish, LONDON, EVENING + timedelta(minutes=49)).override
    assert held == first
    renewed = ask(EV, tracker, wish, LONDON, EVENING + timedelta(minutes=50)).override
    assert renewed is not None
    assert renewed.until == EVENING + timedelta(minutes=110)


def test_a_person_at_the_device_is_planned_around() -> None:
    tracker = car(10)
    tracker.acknowledge(Acknowledgement(1, AckStatus.ABORTED, "user_opt_out"), EVENING)
    assert ask(EV, tracker, Wish(), LONDON, EVENING).device is None


def test_a_heater_asks_for_each_window_and_what_it_took_is_taken_off() -> None:
    tracker = DeviceState("tank", 2000.0)
    now = datetime(2026, 1, 16, 23, tzinfo=UTC)
    tracker.window = current_window(HEATER, LONDON, now)
    assert tracker.window == "2026-01-16T22:00:00Z"
    tracker.note(Reading("power_w", 2000.0, now), now)
    later = now + timedelta(minutes=30)
    tracker.integrate_to(later)
    asked = ask(HEATER, tracker, Wish(), LONDON, later)
    assert [demand.energy_kwh for demand in flexible(asked).demands] == [3, 4, 4]
    assert [need.missing_kwh for need in asked.needs] == [3]


def test_while_people_are_away_no_water_is_heated_for_them() -> None:
    away = EVENING + timedelta(days=1)
    asked = ask(HEATER, DeviceState("tank", 2000.0), Wish(), LONDON, EVENING, away)
    [demand] = flexible(asked).demands
    assert demand.deadline == to_unix_floor(datetime(2026, 1, 18, 6, tzinfo=UTC))


def test_a_program_waits_until_it_is_loaded_and_then_runs_by_its_deadline() -> None:
    dishes = ProgramAppliance.model_validate(
        {"id": "dw", "type": "program", "profile": [{"duration_s": 1800, "power_w": 2000}]}
    )
    tracker = DeviceState("dw", 2000.0)
    assert ask(dishes, tracker, Wish(), LONDON, EVENING).device is None
    wish = Wish(loaded_at=EVENING)
    asked = ask(dishes, tracker, wish, LONDON, EVENING)
    assert isinstance(asked.device, Program)
    assert asked.device.deadline == to_unix_floor(MORNING)
    assert not asked.running
    tracker.begin(EVENING)
    assert tracker.confirm_start(1900.0)
    running = ask(dishes, tracker, wish, LONDON, EVENING + timedelta(minutes=10))
    assert running.running
    assert running.needs[0].missing_kwh == Decimal(2000) * 1200 / 3_600_000
