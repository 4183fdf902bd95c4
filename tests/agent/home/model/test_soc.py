"""A car's state of charge: believed, carried on, doubted."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from agent.home.model.soc import SocEstimate

START = datetime(2026, 1, 16, 20, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def car(percent: float | None = 40.0) -> SocEstimate:
    made = SocEstimate(battery_kwh=50.0, efficiency=0.9, max_power_w=7200.0)
    if percent is not None:
        made.report(percent, at(0), 0.0, 0.0, at(0))
    return made


def test_what_was_told_is_carried_on_by_what_was_taken() -> None:
    assert car().percent(5.0, 5.0) == pytest.approx(49.0)


def test_one_that_never_told_is_unknown() -> None:
    assert car(None).percent(5.0, 5.0) is None


def test_a_fall_to_nothing_is_doubted_until_it_has_stood_for_ten_minutes() -> None:
    doubted = car()
    assert not doubted.report(0.0, at(1), 0.0, 0.0, at(1))
    assert doubted.percent(0.0, 0.0) == 40
    assert not doubted.settle(at(10))
    assert doubted.settle(at(11))
    assert doubted.percent(0.0, 0.0) == 0


def test_a_slip_that_is_taken_back_was_never_believed() -> None:
    slip = car()
    slip.report(0.0, at(1), 0.0, 0.0, at(1))
    assert slip.report(40.5, at(2), 0.1, 0.1, at(2))
    assert not slip.settle(at(60))
    assert slip.percent(0.1, 0.1) == pytest.approx(40.3, abs=0.3)


def test_a_person_is_believed_at_once() -> None:
    stated = car()
    stated.state(85.0, at(1), 0.0)
    assert stated.percent(0.0, 0.0) == 85


def test_a_sensor_stuck_at_nothing_does_not_charge_for_ever() -> None:
    stuck = car(0.0)
    delivered = 0.0
    for minute in range(0, 600, 5):
        delivered = 7.2 * minute / 60
        stuck.report(0.0, at(minute), delivered, delivered, at(minute))
    believed = stuck.percent(delivered, delivered)
    assert believed is not None
    assert believed >= 80


def test_an_older_value_than_the_one_that_holds_changes_nothing() -> None:
    known = car()
    assert not known.report(60.0, at(-5), 0.0, 0.0, at(1))
    assert known.percent(0.0, 0.0) == 40


def charge(gauge: SocEstimate, shown: dict[int, float], minutes: int) -> float:
    """7.2 kW from 40 %, the gauge showing the last of `shown` every five minutes; what results."""
    gauge.report(shown[0], at(0), 0.0, 0.0, at(0))
    percent = shown[0]
    for minute in range(5, minutes + 1, 5):
        kwh = 7.2 * minute / 60
        percent = shown.get(minute, percent)
        gauge.report(percent, at(minute), kwh, kwh, at(minute), measured=True)
    believed = gauge.percent(7.2 * minutes / 60, 7.2 * minutes / 60)
    assert believed is not None
    return believed


# Two hours at 7.2 kW with an efficiency of 0.9 are 25.9 % of 50 kWh.
GAINED = 25.92


def test_a_gauge_that_stands_still_while_it_charges_is_carried_on_and_named() -> None:
    stuck = car(None)
    assert charge(stuck, {0: 40.0}, 120) == pytest.approx(40 + GAINED)
    stuck.look(7.2 * 2, at(120), charges=True)
    assert stuck.stuck_at == 40


def full_car(minutes: int, *, pauses_every: int | None = None) -> SocEstimate:
    """A gauge at 100 % while 7.2 kW are taken, in one go or with pauses."""
    gauge, kwh = car(None), 0.0
    for minute in range(minutes + 1):
        charges = pauses_every is None or minute % pauses_every > 0
        gauge.report(100.0, at(minute), kwh, kwh, at(minute), measured=True)
        gauge.look(kwh, at(minute), charges=charges)
        kwh += 7.2 / 60 if charges else 0.0
    return gauge


def test_a_gauge_stuck_at_full_is_not_believed_in_this_stay_nor_the_next_until_it_moves() -> None:
    assert full_car(45).percent(5.4, 5.4) == 100
    gauge = full_car(60)
    assert gauge.stuck_at == 100
    assert gauge.percent(7.2, 7.2) is None
    assert not gauge.report(100.0, at(61), 7.2, 7.2, at(61))
    gauge.begin_session()
    assert not gauge.report(100.0, at(900), 7.2, 0.0, at(900))
    assert gauge.percent(7.2, 0.0) is None
    assert gauge.report(63.0, at(901), 7.2, 0.0, at(901))
    assert gauge.percent(7.2, 0.0) == 63
    assert gauge.report(100.0, at(1300), 30.0, 22.8, at(1300))
    assert gauge.percent(30.0, 22.8) == 100


def test_a_full_car_that_takes_a_little_now_and_then_is_full() -> None:
    gauge = full_car(600, pauses_every=20)
    assert gauge.stuck_at is None
    assert gauge.percent(60.0, 60.0) == 100


def test_a_gauge_in_steps_of_ten_is_carried_on_between_them_and_no_fault() -> None:
    coarse = car(None)
    # 47 % when it came: it shows 50 after 14 minutes, 60 after an hour, 70 after 107 minutes.
    charged = charge(coarse, {0: 40.0, 15: 50.0, 65: 60.0, 110: 70.0}, 120)
    assert charged == pytest.approx(47 + GAINED, abs=2)
    coarse.look(7.2 * 2, at(120), charges=True)
    assert coarse.stuck_at is None


def test_a_gauge_that_trembles_does_not_move_the_estimate_about() -> None:
    trembling = car(None)
    shown = {m: 40 + GAINED * m / 120 + (2 if m % 10 else -2) for m in range(0, 121, 5)}
    shown[0] = 40.0
    assert charge(trembling, shown, 120) == pytest.approx(40 + GAINED, abs=1)


def test_a_gauge_that_is_an_hour_late_does_not_fill_the_car_beyond_its_target() -> None:
    late = car(None)
    shown = {m: 40 + GAINED * max(0, m - 60) / 120 for m in range(0, 121, 5)}
    # 85 % of what was measured has certainly arrived.
    assert charge(late, shown, 120) >= 40 + 0.85 * GAINED - 0.5


def _charge(estimate: SocEstimate, told: Callable[[float], float], minutes: int = 120) -> float:
    """What is believed at the end, charging 7.2 kW from minute 60, told `told(kWh)`."""
    kwh = 0.0
    for minute in range(2, minutes, 2):
        kwh = 7.2 * max(0, minute - 60) / 60
        estimate.report(told(kwh), at(minute), kwh, kwh, at(minute), measured=True)
        estimate.settle(at(minute))
    believed = estimate.percent(kwh, kwh)
    assert believed is not None
    return believed


def _gained(kwh: float, one: SocEstimate) -> float:
    assert one.battery_kwh
    return kwh * one.efficiency / one.battery_kwh * 100


def test_a_person_counts_against_a_gauge_until_that_moves() -> None:
    slip = car()
    slip.state(70.0, at(1), 0.0)
    # Ten hours of 40 would not do: it is what the person has corrected.
    assert _charge(slip, lambda kwh: 40.0, minutes=60) == 70
    slip = car()
    slip.state(70.0, at(1), 0.0)
    moves = _charge(slip, lambda kwh: float(int(40 + _gained(kwh, slip))))
    assert moves == pytest.approx(40 + _gained(7.2 * 58 / 60, slip), abs=2.5)


def test_a_gauge_that_never_moves_leaves_what_a_person_stated() -> None:
    frozen = car()
    frozen.state(70.0, at(1), 0.0)
    believed = _charge(frozen, lambda kwh: 40.0)
    assert believed == pytest.approx(70 + _gained(7.2 * 58 / 60, frozen), abs=1)


def test_a_new_stay_believes_the_gauge_again() -> None:
    frozen = car()
    frozen.state(70.0, at(1), 0.0)
    frozen.begin_session()
    assert frozen.report(40.0, at(2), 0.0, 0.0, at(2))
    assert frozen.percent(0.0, 0.0) == 40


@pytest.mark.parametrize(("told", "is_one"), [(0.42, True), (0.0, False), (3.0, False)])
def test_a_share_of_one_is_noticed_when_energy_flows(told: float, is_one: bool) -> None:
    one = car(told)
    _charge(one, lambda kwh: told + 0.01 * _gained(kwh, one) * (told > 0), minutes=240)
    assert one.seems_a_share is is_one
    one.report(55.0, at(241), 21.6, 21.6, at(241))
    assert not one.seems_a_share
