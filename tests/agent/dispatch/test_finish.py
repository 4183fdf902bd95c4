"""The last touches: nothing shorter than a minute, what holds now has begun."""

import random
from dataclasses import replace
from decimal import Decimal

import pytest

from agent.dispatch.finish import finished, without_restart
from agent.energy.schedule import Schedule
from tests.agent.dispatch.test_limit import EV, NOW, schedule, shown


def test_what_is_under_way_began_five_minutes_ago() -> None:
    made = finished(schedule(EV, (-10, 600, 5000)), NOW, never_more=False)
    assert shown(made) == [(-300, 600, 5000)]


def test_a_gap_of_seconds_is_closed_and_a_slot_of_seconds_goes_to_its_neighbour() -> None:
    made = finished(
        schedule(EV, (600, 1200, 5000), (1230, 1800, 5000), (1800, 1820, 7000)),
        NOW,
        never_more=False,
    )
    assert shown(made) == [(600, 1230, 5000), (1230, 1820, 5000)]


def test_a_device_that_has_been_off_begins_when_the_plan_says() -> None:
    soon = schedule(EV, (30, 1800, 5000))
    for held in (None, schedule(EV, (-7200, -3600, 5000), (30, 1800, 5000))):
        assert shown(finished(soon, NOW, never_more=False, held=held)) == [(30, 1800, 5000)]


@pytest.mark.parametrize("ends", [0, 600])
def test_a_device_that_runs_is_not_off_for_seconds(ends: int) -> None:
    soon, held = schedule(EV, (30, 1800, 5000)), schedule(EV, (-7200, ends, 5000))
    assert shown(finished(soon, NOW, never_more=False, held=held)) == [(-300, 1800, 5000)]
    assert shown(finished(soon, NOW, never_more=True, held=held)) == [(60, 1800, 5000)]


@pytest.mark.parametrize("never_more", [False, True])
@pytest.mark.parametrize("begins", [-300, 0, 10])
def test_a_device_that_stopped_a_moment_ago_is_off_for_a_minute(
    begins: int, *, never_more: bool
) -> None:
    held = schedule(EV, (-7200, -20, 5000))
    made = finished(priced((begins, 1800, 5000)), NOW, never_more=never_more, held=held)
    assert shown(made) == [(40, 1800, 5000)]
    # What a person asks for goes at once.
    asked = finished(schedule(EV, (begins, 1800, 5000)), NOW, never_more=never_more, held=held)
    assert shown(asked)[0][0] == (begins if begins > 0 else -300)


def test_a_lonely_slot_of_seconds_lasts_a_minute() -> None:
    made = finished(schedule(EV, (600, 610, 5000)), NOW, never_more=False)
    assert shown(made) == [(600, 660, 5000)]


def test_under_a_limit_nothing_takes_more_than_it_did() -> None:
    rng = random.Random(4)
    for _ in range(300):
        edges = sorted(rng.sample(range(0, 1200, 7), 8))
        spans = [(a, b, rng.choice([4200, 7000, 11_000])) for a, b in zip(edges, edges[1:])]  # noqa: B905, RUF007  # pairs
        spans = [span for span in spans if rng.random() < 0.7]
        made = finished(schedule(EV, *spans), NOW, never_more=True)
        for second in range(0, 1300, 3):
            slot = made.slot_at(NOW + second)
            was = max((w for a, b, w in spans if a <= second < b), default=0)
            assert (slot.power_w if slot else 0) <= was


@pytest.mark.parametrize("never_more", [False, True])
def test_no_slot_and_no_gap_is_shorter_than_a_minute(never_more: bool) -> None:
    rng = random.Random(5)
    for _ in range(300):
        edges = sorted(rng.sample(range(0, 3000, 7), 10))
        pairs = zip(edges, edges[1:], rng.choices([0, 4200, 5000, 7000], k=9), strict=False)
        spans = [pair for pair in pairs if pair[2]]
        made = finished(schedule(EV, *spans), NOW, never_more=never_more)
        at = None
        for start, end, _ in shown(made):
            assert end - max(start, 0) >= 60 or start < 0
            assert at is None or start == at or start - at >= 60
            at = end


def priced(*spans: tuple[int, int, int]) -> Schedule:
    made = schedule(EV, *spans)
    return replace(made, slots=tuple(replace(slot, price=Decimal("0.2")) for slot in made.slots))


def test_a_run_that_has_just_ended_is_not_begun_anew_for_a_minute() -> None:
    held = priced((-3600, 0, 5000))
    later = (3600, 7200, 5000)
    assert shown(without_restart(priced((0, 70, 5000), later), held, NOW)) == [later]
    # Long enough, long ago, not planned but asked for, or going on: it stays.
    for wanted, before in (
        (priced((0, 600, 5000), later), held),
        (priced((0, 70, 5000), later), priced((-3600, -600, 5000))),
        (schedule(EV, (0, 70, 5000), later), held),
        (priced((0, 70, 5000), (70, 7200, 3000)), held),
    ):
        assert without_restart(wanted, before, NOW) == wanted
