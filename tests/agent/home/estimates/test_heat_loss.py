"""What a house loses and stores, learned from readings as they are."""

import random
from itertools import pairwise

import pytest

from agent.home.estimates.heat_loss import LEAST, MOST, HeatLossEstimate, HeatStore

CONFIGURED = HeatStore(9.0, 300.0, 400.0)
STEP_H = 1 / 12


def lived(
    true: HeatStore,
    days: int,
    *,
    noise_c: float = 0.0,
    window_open: frozenset[int] = frozenset(),
    configured: HeatStore = CONFIGURED,
) -> HeatLossEstimate:
    """A house that is warmed to 22 and cools to 20, at a winter's outdoor temperatures."""
    draw = random.Random(3)
    estimate, temperature, told, heating = HeatLossEstimate(configured), 20.5, 20.5, False
    for step in range(int(days * 24 / STEP_H)):
        day, hour = divmod(step * STEP_H, 24)
        outdoor = draw.gauss(2.0, 0.3) + (4.0 if 10 < hour < 18 else 0.0)
        heating = temperature < (22.0 if heating else 20.0)
        heat_w = 9000.0 if heating else 0.0
        aired_w = 6000.0 if int(day) in window_open and 17 < hour < 20 else 0.0
        before, temperature = (
            told,
            true.after(temperature, outdoor, heat_w - aired_w, STEP_H),
        )
        told = temperature + draw.gauss(0.0, noise_c)
        estimate.observe(before, told, outdoor, heat_w * STEP_H / 1000, STEP_H)
    return estimate


@pytest.mark.parametrize("share", [0.6, 0.8, 1.0, 1.4, 1.9])
def test_what_is_believed_comes_to_what_is_true(share: float) -> None:
    true = HeatStore(9.0 / share, 300.0 * share, 400.0)
    estimate = lived(true, 60, noise_c=0.05)
    assert estimate.store.loss_w_per_c == pytest.approx(true.loss_w_per_c, rel=0.06)
    assert estimate.store.capacity_kwh_per_c == pytest.approx(true.capacity_kwh_per_c, rel=0.12)


def test_it_goes_there_slowly_and_never_beyond_its_bounds() -> None:
    steps = [lived(HeatStore(9.0, 1500.0, 400.0), days).loss_factor for days in range(1, 40, 3)]
    assert all(abs(b - a) < 0.6 for a, b in pairwise(steps))
    assert max(steps) <= MOST
    assert lived(HeatStore(9.0, 40.0, 400.0), 40).loss_factor >= LEAST
    assert lived(HeatStore(9.0, 600.0, 400.0), 2).loss_factor == 1.0


def test_windows_that_stand_open_now_and_then_are_outvoted() -> None:
    closed = lived(CONFIGURED, 40, noise_c=0.05)
    opened = lived(CONFIGURED, 40, noise_c=0.05, window_open=frozenset(range(5, 40, 4)))
    assert opened.loss_factor == pytest.approx(closed.loss_factor, abs=0.03)


def test_where_nothing_is_known_nothing_is_learned() -> None:
    estimate = HeatLossEstimate(CONFIGURED)
    for _ in range(1000):
        estimate.observe(21.0, 20.9, 5.0, 0.0, 5.0)
        estimate.restart()
    assert (estimate.loss_factor, estimate.capacity_factor) == (1.0, 1.0)
    # As warm outdoors as in: nothing tells what is lost.
    for _ in range(1000):
        estimate.observe(21.0, 21.0, 20.0, 0.0, 1.0)
    assert estimate.loss_factor == 1.0


def test_a_sensor_that_stands_still_or_jumps_moves_it_within_bounds_only() -> None:
    estimate = HeatLossEstimate(CONFIGURED)
    draw = random.Random(5)
    for _ in range(24 * 60):
        estimate.observe(draw.uniform(0, 40), draw.uniform(0, 40), 5.0, draw.uniform(0, 9), 1.0)
    assert LEAST <= estimate.loss_factor <= MOST
    assert LEAST <= estimate.capacity_factor <= MOST
