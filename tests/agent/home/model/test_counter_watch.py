"""Counters as they are: coarse, flickering, frozen, in another unit. On a number line."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from agent.home.model.commanded import CommandedSpan
from agent.home.model.meter import EnergyMeter

START = datetime(2026, 1, 16, 20, tzinfo=UTC)
FULL_W = 11000.0
EVERY = timedelta(seconds=30)


class Charger:
    """Told 11 kW from minute 60 to 120 of a session; it is asked for its counters all the time."""

    def __init__(self) -> None:
        self.meter = EnergyMeter(FULL_W)
        self.meter.begin_session(START, START)
        begin = START + timedelta(minutes=60)
        span = CommandedSpan(begin, begin + timedelta(hours=1), FULL_W)
        self.meter.command([span], START)
        self.taken_kwh = 0.0
        self.now = START
        self.whys: set[str] = set()

    def live(
        self,
        minutes: int,
        shown: Callable[[float], float],
        *,
        kind: str = "energy_kwh",
        power: bool = False,
        obeys: bool = True,
    ) -> None:
        end = self.now + timedelta(minutes=minutes)
        while self.now < end:
            taken_w = self.meter.drawn.commanded_w(self.now) if obeys else 0.0
            self.now += EVERY
            self.taken_kwh += taken_w * EVERY.total_seconds() / 3_600_000
            if power:
                self.meter.report_power(taken_w, self.now - EVERY, self.now)
            why = self.meter.report_counter(kind, shown(self.taken_kwh), self.now, self.now)
            if why is not None:
                self.whys.add(why)
        self.meter.integrate_to(self.now)


@pytest.mark.parametrize("step", [0.001, 0.1, 0.25, 0.5, 1.0])
@pytest.mark.parametrize("kind", ["energy_kwh", "energy_total_kwh"])
@pytest.mark.parametrize("power", [True, False])
def test_a_counter_may_count_in_any_step(step: float, kind: str, power: bool) -> None:
    charger = Charger()
    charger.live(180, lambda kwh: kwh // step * step, kind=kind, power=power)
    assert charger.meter.total_kwh == pytest.approx(11, abs=step + 0.01)
    assert not charger.whys


@pytest.mark.parametrize("size", [0.01, 0.02, 0.1])
@pytest.mark.parametrize("kind", ["energy_kwh", "energy_total_kwh"])
def test_a_flicker_is_no_energy(size: float, kind: str) -> None:
    rng = random.Random(3)
    charger = Charger()
    base = 0.0 if kind == "energy_kwh" else 512.0
    charger.live(900, lambda kwh: max(0.0, base + kwh + rng.choice((-size, 0.0, size))), kind=kind)
    assert charger.meter.total_kwh == pytest.approx(11, abs=0.3)


def test_a_counter_that_froze_gives_way_to_the_power() -> None:
    charger = Charger()
    charger.live(180, lambda kwh: 3.3, kind="energy_total_kwh", power=True)
    assert charger.meter.total_kwh == pytest.approx(11, rel=0.02)
    assert charger.whys == {
        "energy_total_kwh stands at 3.3 though power is taken: it does not count"
    }
    # It counts again as soon as it moves.
    charger.live(30, lambda kwh: 3.4, kind="energy_total_kwh", power=True)
    assert "energy_total_kwh" in charger.meter.counters


def test_a_meter_that_froze_gives_way_to_the_session() -> None:
    charger = Charger()

    def both(kwh: float) -> float:
        charger.meter.report_counter("energy_total_kwh", 777.7, charger.now, charger.now)
        return kwh

    charger.live(180, both)
    assert charger.meter.total_kwh == pytest.approx(11, rel=0.02)


def test_one_that_takes_nothing_stands_and_one_that_takes_moves() -> None:
    lazy = Charger()
    lazy.live(65, lambda kwh: 4.0, obeys=False)
    assert not lazy.meter.counter_stands(lazy.now)
    lazy.live(20, lambda kwh: 4.0, obeys=False)
    assert lazy.meter.counter_stands(lazy.now)
    busy = Charger()
    busy.live(85, lambda kwh: 4.0 + int(kwh))
    assert not busy.meter.counter_stands(busy.now)


def test_a_counter_in_watt_hours_is_asked_about_and_does_not_count() -> None:
    charger = Charger()
    charger.live(180, lambda kwh: round(1000 * kwh))
    assert charger.meter.total_kwh == pytest.approx(11, rel=0.02)
    assert any(why.endswith("is it in Wh?") for why in charger.whys)


def test_a_rise_that_no_power_brings_is_not_believed_however_often() -> None:
    charger = Charger()
    steps = iter(range(10_000))
    charger.live(55, lambda kwh: 0.19 * next(steps))
    # More than twice its full power, for 55 minutes.
    assert charger.meter.total_kwh < 11.5
    assert charger.whys


def test_a_slip_is_taken_back_when_the_counter_falls_to_where_it_stood() -> None:
    charger = Charger()
    charger.live(30, lambda kwh: 40.0, kind="energy_total_kwh")
    charger.live(1, lambda kwh: 40.4, kind="energy_total_kwh")
    charger.live(60, lambda kwh: 40.0, kind="energy_total_kwh", obeys=False)
    assert charger.meter.total_kwh == pytest.approx(0, abs=0.01)
