"""Energy on a number line: what is told, what is not, and values that cannot be."""

from datetime import UTC, datetime, timedelta

import pytest

from agent.home.model.commanded import CommandedSpan
from agent.home.model.meter import EnergyMeter

START = datetime(2026, 1, 16, 20, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def meter(*, plugged_at: float | None = 0) -> EnergyMeter:
    made = EnergyMeter(max_power_w=7200.0)
    if plugged_at is not None:
        made.begin_session(at(plugged_at), at(plugged_at))
    return made


def told(power_w: float, start: float, end: float) -> CommandedSpan:
    return CommandedSpan(at(start), at(end), power_w)


def test_one_that_never_tells_its_power_is_taken_to_do_what_it_was_told() -> None:
    silent = meter()
    silent.command([told(7200, 30, 90)], at(0))
    silent.integrate_to(at(60))
    assert silent.session_kwh == pytest.approx(3.6)
    silent.integrate_to(at(600))
    assert silent.session_kwh == pytest.approx(7.2)


def test_a_restart_counts_what_was_told_while_nobody_looked() -> None:
    before = meter()
    before.command([told(7200, 0, 120)], at(0))
    before.integrate_to(at(30))
    after = EnergyMeter(7200.0, session_kwh=before.session_kwh, integrated_to=before.integrated_to)
    after.command([told(7200, 0, 120)], at(90))
    after.integrate_to(at(90))
    # what was commanded is known only from now on, what lies between is caught up once it is
    assert after.session_kwh >= before.session_kwh


def test_what_was_kept_from_before_the_first_start_is_neither_booked_nor_taken_back() -> None:
    yesterday = at(-24 * 60)
    for counter_first in (False, True):
        new = meter(plugged_at=None)
        steps = [
            lambda new=new: new.report_power(2000, yesterday, at(0)),
            lambda new=new: new.report_counter("energy_total_kwh", 100, yesterday, at(0)),
        ]
        for step in reversed(steps) if counter_first else steps:
            step()
        new.report_counter("energy_total_kwh", 100, at(1), at(1))
        new.report_power(0, at(1), at(1))
        new.integrate_to(at(10))
        assert new.total_kwh == pytest.approx(0, abs=0.05)
        assert sum(span.energy_kwh for span in new.pop_intervals()) >= 0


def test_power_that_is_told_counts_before_what_was_asked() -> None:
    speaking = meter()
    speaking.command([told(7200, 0, 60)], at(0))
    speaking.report_power(3600, at(0), at(0))
    speaking.report_power(3600, at(10), at(10))
    speaking.integrate_to(at(20))
    assert speaking.session_kwh == pytest.approx(1.2)


def test_values_that_stop_coming_count_as_told_and_never_as_more() -> None:
    stopped = meter()
    stopped.command([told(3600, 0, 60)], at(0))
    stopped.report_power(1800, at(0), at(0))
    stopped.integrate_to(at(60))
    # a quarter of an hour at what it said, then at what it was told, to the end of the slot
    assert stopped.session_kwh == pytest.approx(0.45 + 2.7)
    stopped.integrate_to(at(600))
    assert stopped.session_kwh == pytest.approx(0.45 + 2.7)


def test_a_power_from_before_it_was_told_to_stop_is_not_counted_on() -> None:
    stopped = meter()
    stopped.command([told(7200, 0, 60)], at(0))
    stopped.report_power(7200, at(5), at(5))
    stopped.command([], at(6))
    stopped.integrate_to(at(20))
    assert stopped.session_kwh == pytest.approx(7.2 * 7 / 60, abs=0.01)


def test_a_power_that_held_earlier_than_it_was_told_corrects_the_count() -> None:
    late = meter()
    late.report_power(7200, at(0), at(0))
    late.integrate_to(at(10))
    late.report_power(0, at(5), at(10))
    late.integrate_to(at(10))
    assert late.session_kwh == pytest.approx(0.6)


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("hours", [0.3, 24])
def test_a_power_that_the_broker_kept_is_no_energy(before: bool, hours: float) -> None:
    kept = EnergyMeter(max_power_w=11000.0)
    now = at(0)
    if before:
        kept.integrate_to(now - timedelta(days=2))
        kept.integrate_to(now)
    kept.report_power(10000, now - timedelta(hours=hours), now)
    kept.integrate_to(now)
    assert not kept.pop_intervals()
    # From the first live one on it counts.
    kept.report_power(10000, now, now)
    kept.integrate_to(at(6))
    assert kept.total_kwh == pytest.approx(1.0)


def test_a_sessions_counter_wins_over_the_power() -> None:
    counted = meter()
    counted.report_power(7200, at(0), at(0))
    counted.report_counter("energy_kwh", 1.0, at(10), at(10))
    assert counted.session_kwh == pytest.approx(1.0)
    counted.report_counter("energy_kwh", 1.9, at(20), at(20))
    assert counted.session_kwh == pytest.approx(1.9)


def test_a_counter_that_falls_within_the_session_goes_on_from_there() -> None:
    reset = meter()
    reset.report_counter("energy_kwh", 6.0, at(60), at(60))
    reset.report_counter("energy_kwh", 0.0, at(61), at(61))
    reset.report_counter("energy_kwh", 4.0, at(120), at(120))
    assert reset.session_kwh == pytest.approx(10.0, abs=0.2)


def test_a_lifetime_counter_is_not_what_the_car_has_taken() -> None:
    lifetime = meter()
    assert lifetime.report_counter("energy_kwh", 4321.0, at(1), at(1)) is not None
    assert lifetime.session_kwh == 0
    lifetime.report_counter("energy_kwh", 4321.5, at(10), at(10))
    lifetime.report_counter("energy_kwh", 4322.5, at(20), at(20))
    assert lifetime.session_kwh == pytest.approx(1.0, abs=0.6)


def test_a_slip_is_not_believed_and_harms_nothing() -> None:
    slip = meter()
    slip.report_counter("energy_kwh", 1.0, at(10), at(10))
    assert slip.report_counter("energy_kwh", 900.0, at(11), at(11)) is not None
    assert slip.report_counter("energy_kwh", 1.2, at(12), at(12)) is None
    assert slip.session_kwh == pytest.approx(1.2)


def test_a_meter_that_only_grows_wins_over_the_session() -> None:
    both = meter()
    both.report_counter("energy_total_kwh", 1000.0, at(0), at(0))
    both.report_counter("energy_total_kwh", 1003.0, at(60), at(60))
    both.report_counter("energy_kwh", 5.0, at(61), at(61))
    assert both.session_kwh == pytest.approx(3.0)
    # a new meter
    both.report_counter("energy_total_kwh", 2.0, at(62), at(62))
    both.report_counter("energy_total_kwh", 4.0, at(122), at(122))
    assert both.session_kwh == pytest.approx(5.0)


def test_heard_for_the_first_time_in_its_middle_a_session_is_as_long_as_it_says() -> None:
    first = meter(plugged_at=None)
    first.begin_session(at(0), at(0), seen=False)
    first.report_counter("energy_kwh", 4.2, at(0), at(0))
    assert first.session_kwh == pytest.approx(4.2)


def test_what_is_booked_adds_up_to_what_was_counted() -> None:
    booked = meter()
    booked.command([told(7200, 0, 60)], at(0))
    booked.report_power(6900, at(1), at(1))
    booked.report_counter("energy_kwh", 2.0, at(20), at(20))
    booked.integrate_to(at(50))
    total = sum(interval.energy_kwh for interval in booked.pop_intervals())
    assert total == pytest.approx(booked.total_kwh)
    assert not booked.pop_intervals()


def stays(counter: list[tuple[float, float]]) -> EnergyMeter:
    """A charger that was told 7.2 kW from minute 60 to 160 of its stay, and idle before it."""
    made = meter(plugged_at=None)
    made.command([], at(-100))
    made.end_session(at(-100), at(-100))
    plugged = False
    for minute, kwh in counter:
        if minute >= 0 and not plugged:
            made.begin_session(at(0), at(0))
            made.command([told(7200, 60, 160)], at(0))
            plugged = True
        made.report_counter("energy_kwh", kwh, at(minute), at(minute))
    return made


@pytest.mark.parametrize(
    ("counter", "taken"),
    [
        pytest.param([(0, 0), (60, 0), (110, 5), (160, 10)], 10, id="zeroed at plug-in"),
        pytest.param([(-5, 12), (0, 12), (60, 12), (61, 0.1), (160, 10)], 10, id="when it charges"),
        pytest.param([(-5, 12), (0, 12), (60, 12), (110, 17), (160, 22)], 10, id="never"),
        pytest.param([(61, 6.1), (110, 11), (160, 16)], 10, id="never, first told late"),
        pytest.param([(-5, 3), (110, 5), (160, 10)], 10, id="zeroed, first told above the last"),
        pytest.param([(-5, 3), (110, 8), (160, 13)], 10, id="never, told again in its middle"),
        pytest.param([(-5, 4321), (0, 4321), (160, 4331)], 10, id="lifetime"),
    ],
)
def test_what_a_sessions_counter_brings_is_what_came_since_the_plug_in(
    counter: list[tuple[float, float]], taken: float
) -> None:
    assert stays(counter).session_kwh == pytest.approx(taken, abs=0.35)


def test_a_counter_that_keeps_its_value_after_the_car_has_left_is_no_fault() -> None:
    kept = stays([(0, 0), (160, 10)])
    kept.end_session(at(200), at(200))
    assert kept.report_counter("energy_kwh", 10.0, at(200), at(200)) is None
    assert kept.report_counter("energy_kwh", 10.0, at(500), at(500)) is None
    assert kept.session_kwh == 0
    kept.begin_session(at(600), at(600))
    kept.command([], at(600))
    assert kept.report_counter("energy_kwh", 10.0, at(900), at(900)) is None
    assert kept.session_kwh == 0


def test_two_counters_that_begin_to_move_after_hours_count_once() -> None:
    """The car slept all day although it was told to charge; then it woke up."""
    both = meter()
    both.command([told(7200, 0, 3000)], at(0))
    taken = 0.0
    for half_minute in range(2 * 900):
        minute = half_minute / 2
        charges = minute > 600 and taken < 20
        both.report_power(7200 if charges else 0, at(minute), at(minute))
        both.report_counter("energy_kwh", round(taken, 3), at(minute), at(minute))
        both.report_counter("energy_total_kwh", round(500 + taken, 3), at(minute), at(minute))
        taken += 0.06 if charges else 0
    both.integrate_to(at(900))
    assert both.session_kwh == pytest.approx(taken, abs=0.2)


def test_a_counter_that_tells_two_units_in_turn_is_not_counted_on() -> None:
    """Its power is right, and counts; an hour after the counter has settled that counts again."""
    confused = meter()
    confused.command([told(7200, 0, 3000)], at(0))
    taken = 0.0
    said = set()
    for half_minute in range(240):
        minute, kwh = half_minute / 2, 500 + taken
        confused.report_power(7200, at(minute), at(minute))
        told_kwh = kwh if half_minute % 2 or minute > 50 else kwh / 1000
        said.add(confused.report_counter("energy_total_kwh", told_kwh, at(minute), at(minute)))
        taken += 0.06
    confused.integrate_to(at(120))
    assert confused.session_kwh == pytest.approx(taken, abs=0.5)
    assert "energy_total_kwh goes up and down: it does not count" in said
    assert "energy_total_kwh" in confused.counters
