"""What is known of a device, and for how long it is believed."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from agent.energy.instants import to_unix_floor
from agent.energy.readings import Acknowledgement, AckStatus, Reading, Unreadable
from agent.energy.schedule import DefaultCommand, DeviceType, OfflineRule, Schedule, ScheduleSlot
from agent.home.model import stored
from agent.home.model.device_model import DeviceModel
from agent.home.model.traits import Traits

NOW = datetime(2026, 1, 16, 20, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def car() -> DeviceModel:
    return DeviceModel("ev", Traits(7400.0, 50.0, 0.9, has_stays=True))


def say(model: DeviceModel, minutes: float, **values: float | bool | str) -> None:
    when = NOW + minutes * MINUTE
    for kind, value in values.items():
        model.report(Reading(kind, value, when), when)


def schedule(*spans: tuple[int, int, int], mode: str = "charge") -> Schedule:
    begin = to_unix_floor(NOW)
    return Schedule(
        device="ev",
        device_type=DeviceType.EVSE,
        revision=begin,
        issued_at=begin,
        valid_from=begin - 300,
        valid_until=begin + 86_400,
        currency="EUR",
        slots=tuple(
            ScheduleSlot(begin + a * 60, begin + b * 60, mode, watts, 0, None, "cheapest")  # type: ignore[arg-type]  # 0 kWh
            for a, b, watts in spans
        ),
        default=DefaultCommand("idle", 0),
        offline=OfflineRule(900, "idle", 0),
    )


def test_a_soc_from_before_the_drive_is_not_this_stays() -> None:
    model = car()
    say(model, 0, plugged=True, soc_percent=80.0)
    say(model, 60, plugged=False)
    say(model, 300, plugged=True)
    assert model.soc_percent(NOW + 300 * MINUTE) is None
    say(model, 301, soc_percent=35.0)
    assert model.soc_percent(NOW + 301 * MINUTE) == 35


def test_a_soc_told_just_before_the_plug_in_the_same_breath_counts() -> None:
    model = car()
    say(model, 0, plugged=False)
    say(model, 10, soc_percent=30.0)
    say(model, 10, plugged=True)
    assert model.soc_percent(NOW + 10 * MINUTE) == 30


def test_a_key_that_cannot_be_read_is_named_until_a_good_one_comes() -> None:
    model = car()
    model.cannot_read(Unreadable("soc_percent", "is 101; expected 0 to 100"), NOW)
    assert any("soc_percent" in line for line in model.problems(NOW))
    say(model, 1, plugged=True, soc_percent=50.0)
    assert model.problems(NOW + MINUTE) == []


def test_a_reading_dated_ahead_counts_from_its_arrival() -> None:
    model = car()
    model.report(Reading("soc_percent", 40.0, NOW + timedelta(hours=3)), NOW)
    assert model.readings["soc_percent"].at == NOW
    ancient = datetime(2001, 1, 1, tzinfo=UTC)
    model.report(Reading("mode", "charge", ancient), NOW)
    assert model.readings["mode"].at == NOW


def test_what_is_older_than_what_is_known_changes_nothing() -> None:
    model = car()
    assert model.report(Reading("plugged", True, NOW), NOW)
    assert not model.report(Reading("plugged", False, NOW - MINUTE), NOW)
    assert model.plugged(NOW)


def test_one_that_never_tells_its_plug_is_there_while_it_is_heard() -> None:
    model = car()
    assert not model.plugged(NOW)
    say(model, 0, power_w=0.0)
    assert model.plugged(NOW)


def test_a_retained_repeat_keeps_its_time_and_another_counts_as_a_day_old() -> None:
    model = car()
    model.report(Reading("soc_percent", 40.0, NOW - MINUTE), NOW)
    same = model.untimed_reading("soc_percent", 40.0, retained=True, now=NOW)
    other = model.untimed_reading("soc_percent", 55.0, retained=True, now=NOW)
    assert (same.at, other.at) == (NOW - MINUTE, NOW - timedelta(days=1))
    live = model.untimed_reading("soc_percent", 55.0, retained=False, now=NOW)
    assert live.at == NOW


def test_a_run_that_it_was_told_to_begin_counts_for_minimum_times() -> None:
    model = car()
    model.told(schedule((10, 60, 7400)), NOW)
    model.advance(NOW + 30 * MINUTE)
    assert model.on_since == NOW + 10 * MINUTE
    model.advance(NOW + 70 * MINUTE)
    assert model.off_since == NOW + 60 * MINUTE


def test_what_it_rejected_it_is_not_taken_to_do() -> None:
    model = car()
    model.told(schedule((0, 60, 7400)), NOW)
    model.acknowledge(Acknowledgement(0, AckStatus.REJECTED), NOW)
    model.advance(NOW + 60 * MINUTE)
    assert model.session_kwh == pytest.approx(0, abs=0.01)


def test_opting_out_holds_until_the_device_says_so_or_the_car_leaves() -> None:
    model = car()
    say(model, 0, plugged=True)
    model.acknowledge(Acknowledgement(7, AckStatus.ABORTED, "user_opt_out"), NOW)
    assert model.opted_out(NOW + timedelta(hours=23))
    assert not model.opted_out(NOW + timedelta(hours=24))
    say(model, 1, plugged=False)
    assert not model.opted_out(NOW + MINUTE)


def test_a_block_is_counted_from_its_first_second_over_every_revision() -> None:
    model = DeviceModel("hp", Traits(2000.0))
    model.told(schedule((0, 90, 0), mode="block"), NOW)
    model.advance(NOW + 60 * MINUTE)
    later = NOW + 60 * MINUTE
    model.told(schedule((60, 180, 0), mode="block"), later)
    assert model.block_history(later) == (to_unix_floor(NOW), None)


def test_what_was_believed_survives_a_restart() -> None:
    model = car()
    say(model, 0, plugged=True, soc_percent=40.0)
    say(model, 0, power_w=7400.0)
    model.advance(NOW + 14 * MINUTE)
    model.following.learned_power_w = 5000
    again = car()
    again.restore_readings(model.readings)
    stored.restore(again, stored.to_text(model))
    later = NOW + 14 * MINUTE
    assert again.session == model.session
    assert again.soc_percent(later) == pytest.approx(model.soc_percent(later), abs=0.1)
    assert again.session_kwh == pytest.approx(model.session_kwh, abs=0.01)
    assert again.following.learned_power_w == 5000


def test_a_stored_model_that_cannot_be_believed_changes_nothing() -> None:
    rng = random.Random(5)
    model = car()
    say(model, 0, plugged=True, soc_percent=40.0)
    model.told(schedule((0, 60, 7400)), NOW)
    model.advance(NOW + 20 * MINUTE)
    good = stored.to_text(model)
    for _ in range(2000):
        place = rng.randrange(len(good))
        damaged = good[:place] + chr(rng.randrange(32, 127)) + good[place + 1 :]
        again = car()
        try:
            stored.restore(again, damaged)
        except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError):
            assert again.session == car().session
        else:
            again.advance(NOW + timedelta(hours=1))


@pytest.mark.parametrize("seed", range(30))
def test_whatever_a_device_says_the_count_stays_within_what_it_can_take(seed: int) -> None:
    rng = random.Random(seed)
    model, minute = car(), 0.0
    say(model, 0, plugged=True, soc_percent=50.0)
    for _ in range(300):
        minute += rng.random() * 10
        kind = rng.choice(["power_w", "soc_percent", "energy_kwh", "energy_total_kwh", "told"])
        if kind == "told":
            begin = int(minute)
            model.told(schedule((begin, begin + 60, rng.choice([0, 7400]))), NOW + minute * MINUTE)
            continue
        value = rng.choice([0.0, 7400.0, 3000.0]) if kind == "power_w" else rng.uniform(0, 100)
        when = NOW + (minute - rng.random() * 5) * MINUTE
        model.report(Reading(kind, value, when), NOW + minute * MINUTE)
        model.advance(NOW + minute * MINUTE)
    most = 7.4 * minute / 60
    assert -0.01 <= model.session_kwh <= most * 1.3 + 1
    assert 0 <= (model.soc_percent(NOW + minute * MINUTE) or 0) <= 100


def test_a_flickering_plug_ends_no_stay() -> None:
    model = car()
    say(model, 0, plugged=True, soc_percent=40.0)
    model.told(schedule((0, 120, 7200)), NOW)
    for minute in range(10, 60, 10):
        say(model, minute, plugged=False)
        say(model, minute + 1, plugged=True)
        model.advance(NOW + (minute + 1) * MINUTE)
    assert model.session.since == NOW
    assert model.session_kwh == pytest.approx(7.2 * 51 / 60, abs=0.3)
    assert any("flickers" in line for line in model.problems(NOW + 51 * MINUTE))
    say(model, 60, plugged=False)
    assert model.plugged(NOW + 60 * MINUTE)
    model.advance(NOW + 63 * MINUTE)
    assert not model.plugged(NOW + 63 * MINUTE)


def test_a_meter_the_wrong_way_round_counts_what_is_taken_and_is_named() -> None:
    model = car()
    say(model, 0, plugged=True, power_w=-7200.0)
    model.advance(NOW + 10 * MINUTE)
    assert model.session_kwh == pytest.approx(1.2)
    assert model.problems(NOW + 10 * MINUTE) == ["power_w -7200 is negative; it counts as taken"]


def test_one_that_is_heard_and_never_answers_is_named_and_one_never_heard_is_not() -> None:
    mute = car()
    mute.told(schedule((0, 60, 7400)), NOW)
    assert not mute.never_answers()
    say(mute, 5, plugged=True)
    assert not mute.never_answers()
    say(mute, 11, power_w=0.0)
    assert mute.never_answers()
    mute.acknowledge(Acknowledgement(to_unix_floor(NOW), AckStatus.ACCEPTED), NOW + 12 * MINUTE)
    assert not mute.never_answers()


def test_one_that_rejects_is_left_alone_until_half_an_hour_is_over_or_it_accepts() -> None:
    model = car()
    model.told(schedule((0, 60, 7400)), NOW)
    model.acknowledge(Acknowledgement(0, AckStatus.REJECTED), NOW)
    assert model.following.holds_still(NOW + 29 * MINUTE)
    assert model.stalled(NOW)
    model.acknowledge(Acknowledgement(to_unix_floor(NOW), AckStatus.ACCEPTED), NOW + MINUTE)
    assert not model.following.holds_still(NOW + 2 * MINUTE)
    assert not model.stalled(NOW + 2 * MINUTE)
    model.advance(NOW + 11 * MINUTE)
    assert model.session_kwh == pytest.approx(7.4 / 6, abs=0.01)


def test_a_full_car_that_takes_no_more_is_no_fault() -> None:
    model = car()
    say(model, 0, plugged=True, soc_percent=100.0)
    model.told(schedule((0, 60, 7400)), NOW)
    for minute in range(0, 60, 5):
        say(model, minute, power_w=0.0)
        model.advance(NOW + minute * MINUTE)
    assert model.problems(NOW + 60 * MINUTE) == []


def test_what_it_told_as_it_was_given_more_is_no_sign_that_it_is_nearly_full() -> None:
    model = car()
    say(model, 0, plugged=True, soc_percent=84.0)
    model.told(schedule((1, 10, 3000), (10, 60, 7400)), NOW)
    for minute, power_w, soc_percent in ((4, 2950.0, 85.2), (10, 2950.0, 86.0)):
        say(model, minute, power_w=power_w, soc_percent=soc_percent)
        assert model.tapering_w(NOW + minute * MINUTE) is None
    say(model, 15, power_w=5000.0, soc_percent=87.0)
    assert model.tapering_w(NOW + 15 * MINUTE) == 5000


def test_one_that_had_nothing_to_tell_while_it_was_off_is_no_fault_as_it_goes_on() -> None:
    model = car()
    say(model, 0, plugged=True, power_w=0.0)
    model.told(schedule((60, 240, 7400)), NOW)
    model.advance(NOW + 61 * MINUTE)
    assert model.problems(NOW + 61 * MINUTE) == []
    model.advance(NOW + 80 * MINUTE)
    assert "tells its power no more" in " ".join(model.problems(NOW + 80 * MINUTE))
    say(model, 81, power_w=7400.0)
    assert model.problems(NOW + 81 * MINUTE) == []


def test_one_that_said_that_it_takes_nothing_is_not_counted_as_taking_in_its_silence() -> None:
    model = car()
    say(model, 0, plugged=True, soc_percent=40.0)
    model.told(schedule((0, 300, 7400)), NOW)
    say(model, 1, power_w=0.0)
    for minute in range(0, 300, 5):
        model.advance(NOW + minute * MINUTE)
    assert model.session_kwh == pytest.approx(0, abs=0.2)
    assert len(model.problems(NOW + 299 * MINUTE)) == 1


def test_a_power_in_kilowatts_is_asked_about_and_not_guessed() -> None:
    model = car()
    say(model, 0, plugged=True)
    model.told(schedule((0, 240, 7400)), NOW)
    for minute in range(0, 30, 5):
        say(model, minute, power_w=7.4)
        model.advance(NOW + minute * MINUTE)
    problems = model.problems(NOW + 30 * MINUTE)
    assert "power_w 7.4 while charging at 7400 W: is it in kW?" in problems
    assert model.meter.power_w(NOW + 25 * MINUTE) == 7.4
    # The standby of a charger is no such slip.
    say(model, 31, power_w=2.0)
    assert not any("kW?" in line for line in model.problems(NOW + 31 * MINUTE))


def test_a_gauge_stuck_at_full_is_named_and_the_next_life_knows_it() -> None:
    model = car()
    say(model, 0, plugged=True, soc_percent=100.0, power_w=7400.0)
    for minute in range(0, 90, 5):
        say(model, minute, soc_percent=100.0, power_w=7400.0)
        model.advance(NOW + minute * MINUTE)
    now = NOW + 90 * MINUTE
    assert model.soc_percent(now) is None
    named = "soc_percent stands at 100 though it charges: its energy counts"
    assert named in model.problems(now)
    again = car()
    stored.restore(again, stored.to_text(model))
    say(again, 95, soc_percent=100.0)
    assert again.soc_percent(now) is None
    assert named in again.problems(now)


def restarted(before: DeviceModel) -> DeviceModel:
    """A new life, with what the one before had stored."""
    after = DeviceModel(before.device, before.traits)
    stored.restore(after, stored.to_text(before))
    return after


def relay(minutes: float, *spans: tuple[int, int, int]) -> DeviceModel:
    """Told that at 0, and counted up to then."""
    model = DeviceModel("pool", Traits(1500.0))
    model.told(replace(schedule(*spans), device_type=DeviceType.FLEXIBLE), NOW)
    model.advance(NOW + minutes * MINUTE)
    return model


def test_what_came_since_the_count_was_stored_counts_as_it_was_told() -> None:
    held = replace(schedule((10, 70, 1500)), device_type=DeviceType.FLEXIBLE)
    after = restarted(relay(20, (10, 70, 1500)))
    after.told(held, NOW + 60 * MINUTE)
    after.advance(NOW + 60 * MINUTE)
    assert after.meter.total_kwh == pytest.approx(1.5 * 50 / 60)
    assert after.on_since == NOW + 10 * MINUTE
    booked = after.pop_booked()
    assert sum(span.energy_kwh for span in booked) == pytest.approx(1.5 * 40 / 60)
    after.advance(NOW + 120 * MINUTE)
    assert after.meter.total_kwh == pytest.approx(1.5)


def test_of_a_slot_told_since_only_what_came_after_it_was_told_counts() -> None:
    begun = replace(
        schedule((35, 70, 1500)),
        device_type=DeviceType.FLEXIBLE,
        issued_at=to_unix_floor(NOW + 40 * MINUTE),
    )
    off = restarted(relay(5, (100, 120, 1500)))
    off.told(begun, NOW + 60 * MINUTE)
    assert off.meter.total_kwh == pytest.approx(1.5 * 20 / 60)
    on = restarted(relay(20, (10, 70, 1500)))
    on.told(begun, NOW + 60 * MINUTE)
    assert on.meter.total_kwh == pytest.approx(1.5 * 50 / 60)


def test_a_meter_that_tells_what_came_meanwhile_wins_over_what_was_told() -> None:
    before = relay(0, (10, 70, 1500))
    before.report(Reading("energy_total_kwh", 100.0, NOW), NOW)
    after = restarted(before)
    after.told(
        replace(schedule((10, 70, 1500)), device_type=DeviceType.FLEXIBLE), NOW + 60 * MINUTE
    )
    later = NOW + 61 * MINUTE
    after.report(Reading("energy_total_kwh", 100.2, later), later)
    assert after.meter.total_kwh == pytest.approx(0.2)


def test_one_that_says_since_when_it_is_off_took_nothing_while_nobody_counted() -> None:
    held = replace(schedule((10, 70, 1500)), device_type=DeviceType.FLEXIBLE)
    after = restarted(relay(5, (10, 70, 1500)))
    after.told(held, NOW + 30 * MINUTE)
    said = NOW + 20 * MINUTE
    after.report(Reading("power_w", 0.0, said), NOW + 30 * MINUTE, retained=True)
    assert after.meter.total_kwh == pytest.approx(1.5 * 10 / 60)


def test_nothing_is_known_of_one_whose_schedule_ran_out_meanwhile() -> None:
    after, late = restarted(relay(5, (10, 70, 1500))), NOW + timedelta(hours=25)
    after.told(replace(schedule((10, 70, 1500)), device_type=DeviceType.FLEXIBLE), late)
    assert after.meter.total_kwh == 0
