"""What a device is taken to do by what it was told, also over a restart, and whether it does."""

from dataclasses import replace
from datetime import timedelta

import pytest

from agent.energy.instants import to_unix_floor
from agent.energy.readings import Acknowledgement, AckStatus, Reading
from agent.energy.schedule import DeviceType
from agent.home.model import stored
from agent.home.model.device_model import DeviceModel
from agent.home.model.traits import Traits
from tests.fakes.device_models import MINUTE, NOW, car, relay, restarted, say, schedule


def test_a_run_that_it_was_told_to_begin_counts_for_minimum_times() -> None:
    model = car()
    model.told(schedule((10, 60, 7400)), NOW)
    model.advance(NOW + 30 * MINUTE)
    assert model.switching.on_since == NOW + 10 * MINUTE
    model.advance(NOW + 70 * MINUTE)
    assert model.switching.off_since == NOW + 60 * MINUTE


def test_what_it_rejected_it_is_not_taken_to_do() -> None:
    model = car()
    model.told(schedule((0, 60, 7400)), NOW)
    model.acknowledge(Acknowledgement(0, AckStatus.REJECTED), NOW)
    model.advance(NOW + 60 * MINUTE)
    assert model.session_kwh == pytest.approx(0, abs=0.01)


def test_one_that_rejects_is_left_alone_until_half_an_hour_is_over_or_it_accepts() -> None:
    model = car()
    model.told(schedule((0, 60, 7400)), NOW)
    model.acknowledge(Acknowledgement(0, AckStatus.REJECTED), NOW)
    assert model.following.holds_still(NOW + 29 * MINUTE)
    assert model.operation.stalled(NOW)
    model.acknowledge(Acknowledgement(to_unix_floor(NOW), AckStatus.ACCEPTED), NOW + MINUTE)
    assert not model.following.holds_still(NOW + 2 * MINUTE)
    assert not model.operation.stalled(NOW + 2 * MINUTE)
    model.advance(NOW + 11 * MINUTE)
    assert model.session_kwh == pytest.approx(7.4 / 6, abs=0.01)


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


def test_what_came_since_the_count_was_stored_counts_as_it_was_told() -> None:
    held = replace(schedule((10, 70, 1500)), device_type=DeviceType.FLEXIBLE)
    after = restarted(relay(20, (10, 70, 1500)))
    after.told(held, NOW + 60 * MINUTE)
    after.advance(NOW + 60 * MINUTE)
    assert after.meter.total_kwh == pytest.approx(1.5 * 50 / 60)
    assert after.switching.on_since == NOW + 10 * MINUTE
    booked = after.pop_booked()
    assert sum(span.energy_kwh for span in booked) == pytest.approx(1.5 * 40 / 60)
    after.advance(NOW + 120 * MINUTE)
    assert after.meter.total_kwh == pytest.approx(1.5)


HELD_LATER = replace(schedule((300, 360, 1500)), device_type=DeviceType.FLEXIBLE)


def switched_on_at_the_device(first: int, stored_at: int) -> DeviceModel:
    """A relay told to run much later; a life that stored its count then."""
    model = DeviceModel("pool", Traits(1500.0, min_on_s=1200, min_off_s=1200))
    model.told(HELD_LATER, NOW)
    say(model, 0, power_w=0.0)
    for minute in range(first, stored_at + 1):
        say(model, minute, power_w=1500.0)
        model.advance(NOW + minute * MINUTE)
    return model


def heard_from(model: DeviceModel, minute: int, until: int, power_w: float) -> None:
    for each in range(minute, until):
        say(model, each, power_w=power_w)
        model.advance(NOW + each * MINUTE)


@pytest.mark.parametrize("away", [1, 10, 40])
def test_a_run_that_was_begun_at_the_device_goes_on_over_a_restart(away: int) -> None:
    after, back = restarted(switched_on_at_the_device(60, 80)), 80 + away
    after.told(HELD_LATER, NOW + back * MINUTE)
    after.advance(NOW + back * MINUTE)
    assert after.switching.own.is_left_alone(NOW + back * MINUTE)
    heard_from(after, back + 1, back + 20, 1500.0)
    assert after.meter.total_kwh == pytest.approx(1.5 * (back + 19 - 60) / 60, abs=0.001)
    assert after.switching.on_since == NOW + 60 * MINUTE
    booked = sum(span.energy_kwh for span in after.pop_booked())
    assert booked == pytest.approx(1.5 * (back + 19 - 80) / 60, abs=0.001)
    assert after.switching.own.is_left_alone(NOW + (back + 20) * MINUTE)


def test_one_that_has_ended_meanwhile_counts_as_long_as_its_last_word_does() -> None:
    after = restarted(switched_on_at_the_device(60, 80))
    after.told(HELD_LATER, NOW + 120 * MINUTE)
    heard_from(after, 121, 130, 0.0)
    assert after.meter.total_kwh == pytest.approx(1.5 * 35 / 60, abs=0.001)
    assert not after.switching.own.is_left_alone(NOW + 130 * MINUTE)


def test_one_that_is_heard_no_more_is_waited_for_a_quarter_of_an_hour() -> None:
    after = restarted(switched_on_at_the_device(60, 80))
    after.told(HELD_LATER, NOW + 120 * MINUTE)
    after.advance(NOW + 134 * MINUTE)
    assert after.switching.own.is_left_alone(NOW + 134 * MINUTE)
    after.advance(NOW + 136 * MINUTE)
    assert not after.switching.own.is_left_alone(NOW + 136 * MINUTE)


def test_a_counter_that_tells_what_came_meanwhile_wins_over_a_run_that_goes_on() -> None:
    before = switched_on_at_the_device(60, 80)
    say(before, 80, energy_total_kwh=10.0)
    after = restarted(before)
    after.told(HELD_LATER, NOW + 120 * MINUTE)
    counted = after.meter.total_kwh
    say(after, 121, power_w=1500.0)
    say(after, 121, energy_total_kwh=10.4)
    assert before.meter.total_kwh + 0.4 == pytest.approx(after.meter.total_kwh)
    assert counted < after.meter.total_kwh


def test_a_run_begun_at_the_device_is_stored_at_once_and_its_power_is_not() -> None:
    before, begun = switched_on_at_the_device(60, 59), switched_on_at_the_device(60, 64)
    on = stored.to_text(begun)
    assert stored.urgent_part(on) != stored.urgent_part(stored.to_text(before))
    heard_from(begun, 65, 70, 1499.0)
    assert stored.urgent_part(stored.to_text(begun)) == stored.urgent_part(on)


def test_of_one_that_was_told_to_run_only_what_it_was_told_counts() -> None:
    held = replace(schedule((10, 70, 1500)), device_type=DeviceType.FLEXIBLE)
    before = relay(20, (10, 70, 1500))
    say(before, 21, power_w=1500.0)
    before.advance(NOW + 21 * MINUTE)
    after = restarted(before)
    after.told(held, NOW + 120 * MINUTE)
    heard_from(after, 121, 122, 1500.0)
    assert after.meter.total_kwh == pytest.approx(1.5)


def test_a_power_that_was_stored_by_a_clock_that_was_fast_locks_nothing() -> None:
    after = restarted(switched_on_at_the_device(60, 80))
    after.told(HELD_LATER, NOW + 30 * MINUTE)
    say(after, 31, power_w=0.0)
    assert after.meter.drawn.told == (0.0, NOW + 31 * MINUTE)


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
