"""What is known of a device, and for how long it is believed."""

import random
from datetime import timedelta

import pytest

from agent.energy.instants import to_unix_floor
from agent.energy.readings import Acknowledgement, AckStatus, Reading, Unreadable
from agent.home.model import stored
from agent.home.model.device_model import DeviceModel
from agent.home.model.traits import Traits
from tests.fakes.device_models import MINUTE, NOW, car, restarted, say, schedule


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
    again.restore_readings(model.readings.by_kind)
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


def test_a_full_car_that_takes_no_more_is_no_fault() -> None:
    model = car()
    say(model, 0, plugged=True, soc_percent=100.0)
    model.told(schedule((0, 60, 7400)), NOW)
    for minute in range(0, 60, 5):
        say(model, minute, power_w=0.0)
        model.advance(NOW + minute * MINUTE)
    assert model.problems(NOW + 60 * MINUTE) == []


def test_a_power_in_kilowatts_is_asked_about_and_not_guessed() -> None:
    model = car()
    say(model, 0, plugged=True)
    model.told(schedule((0, 240, 7400)), NOW)
    for minute in range(0, 30, 5):
        say(model, minute, power_w=7.4)
        model.advance(NOW + minute * MINUTE)
    problems = model.problems(NOW + 30 * MINUTE)
    assert "power_w 7.4 while charging at 7400 W: is it in kW?" in problems
    assert model.meter.drawn.power_w(NOW + 25 * MINUTE) == 7.4
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


def test_a_person_who_corrects_the_car_is_told_until_when_that_counts() -> None:
    model = car()
    say(model, 0, plugged=True, soc_percent=40.0)
    model.state_soc(70.0, NOW + MINUTE)
    say(model, 12, soc_percent=40.0)
    after = restarted(model)
    say(after, 30, soc_percent=40.0)
    after.advance(NOW + 45 * MINUTE)
    assert after.soc_percent(NOW + 45 * MINUTE) == 70
    [problem] = after.problems(NOW + 45 * MINUTE)
    assert "soc_percent 40" in problem
    say(after, 50, soc_percent=41.0)
    say(after, 61, soc_percent=41.0)
    assert after.soc_percent(NOW + 61 * MINUTE) == 41
    assert after.problems(NOW + 61 * MINUTE) == []
