"""Phases of a charger that switches: by power, apart, and never in the way of a stricter limit."""

import random
from dataclasses import replace
from itertools import pairwise

import pytest
from pydantic import ValidationError

from agent.contracts.schedule import compact_document
from agent.dispatch.finish import finished
from agent.dispatch.phases import PhaseHistory, carried_on, with_phases
from agent.dispatch.schedules import setpoint_at
from agent.energy.phases import SWITCHED, Phases
from agent.energy.schedule import Schedule
from tests.agent.dispatch.test_limit import NOW, profile, schedule

SETTINGS = {"id": "ev", "max_power_w": 11_000, "battery_kwh": 60}
EV = profile("ev_charger", **SETTINGS, phases="switched", phase_switch_min_s=300)
# An 11 kW charger: 6 to 16 A on one phase and on three.
ONE_LEAST_W, ONE_MOST_W, THREE_LEAST_W = 1380, 3680, 4140


def phased(made: Schedule, history: PhaseHistory, now: int = NOW) -> Schedule:
    assert EV.phases is not None
    return with_phases(made, EV.phases, history, now)


def told(made: Schedule) -> list[tuple[int, int, int, int | None]]:
    return [(s.start - NOW, s.end - NOW, s.power_w, s.phases) for s in made.slots]


@pytest.mark.parametrize(
    ("planned_w", "power_w", "count", "current_a"),
    [
        (11_000, 11_000, 3, 16),
        (4140, 4140, 3, 6),
        (4139, ONE_MOST_W, 1, 16),
        (3700, ONE_MOST_W, 1, 16),
        (1400, 1400, 1, 6),
        (1380, 1380, 1, 6),
    ],
)
def test_low_powers_go_to_one_phase_and_what_lies_between_is_never_told(
    planned_w: int, power_w: int, count: int, current_a: int
) -> None:
    made = phased(schedule(EV, (0, 3600, planned_w)), PhaseHistory())
    assert told(made) == [(0, 3600, power_w, count)]
    setpoint = setpoint_at(made, EV, NOW)
    assert (setpoint.power_w, setpoint.phases, setpoint.current_a) == (power_w, count, current_a)
    assert made.slots[0].energy_kwh * 1000 <= power_w
    # The compact form says it by the power alone.
    assert compact_document(made)["p"] == [[300, power_w], [3900, 0]]


def test_below_six_amperes_it_is_off() -> None:
    assert told(phased(schedule(EV, (0, 3600, 1379)), PhaseHistory())) == []


def test_a_strong_charger_on_one_phase_stays_below_the_least_of_three() -> None:
    phases = Phases(SWITCHED, 230, 22_000, 300)
    assert phases.most_w(1) == 17 * 230 < phases.least_w(3) == THREE_LEAST_W


def test_a_raise_waits_on_the_old_phase_and_a_cut_is_obeyed_at_once() -> None:
    on_one = phased(schedule(EV, (0, 3600, 11_000)), PhaseHistory(1, NOW - 100))
    assert told(on_one) == [(0, 200, ONE_MOST_W, 1), (200, 3600, 11_000, 3)]
    # On three phases since 100 s: off until it may switch, for the limit does not wait.
    on_three = phased(schedule(EV, (-300, 3600, 3000)), PhaseHistory(3, NOW - 100))
    assert told(on_three) == [(200, 3600, 3000, 1)]
    assert setpoint_at(on_three, EV, NOW).power_w == 0
    # What three phases can give needs no switch.
    less = phased(schedule(EV, (0, 3600, 5000)), PhaseHistory(3, NOW - 100))
    assert told(less) == [(0, 3600, 5000, 3)]


def test_nothing_shorter_than_a_minute_comes_of_it() -> None:
    soon_free = phased(schedule(EV, (0, 3600, 11_000)), PhaseHistory(1, NOW - 290))
    assert told(soon_free) == [(0, 60, ONE_MOST_W, 1), (60, 3600, 11_000, 3)]
    short = phased(schedule(EV, (0, 220, 11_000)), PhaseHistory(1, NOW - 100))
    assert told(short) == [(0, 220, ONE_MOST_W, 1)]


def test_over_many_revisions_switches_keep_apart_and_no_power_is_above_the_plan() -> None:
    """Plans change every few seconds; what was really told second by second is looked at."""
    draw = random.Random(7)
    assert EV.phases is not None
    for _ in range(60):
        now, held, history, carried = NOW, None, PhaseHistory(), NOW
        course: list[tuple[int, int, int]] = []
        for _ in range(12):
            edge, spans = now - NOW, []
            for _ in range(draw.randint(1, 4)):
                length = draw.choice([60, 120, 240, 600, 1800])
                spans.append((edge, edge + length, draw.choice([1400, 3600, 3900, 4200, 11_000])))
                edge += length + draw.choice([0, 0, 120])
            if draw.random() < 0.2:
                # Another life knows only what its database says.
                history, carried = PhaseHistory(), held.issued_at if held else now
            history, carried = carried_on(history, held, carried, now), now
            wanted = finished(schedule(EV, *spans), now, never_more=True)
            held = replace(phased(wanted, history, now), issued_at=now)
            again = phased(held, history, now)
            assert again == held
            until = now + draw.randint(6, 900)
            for slot in held.slots:
                planned = wanted.slot_at(max(slot.start, now))
                assert planned is not None
                assert slot.power_w <= planned.power_w
                begin, end = max(slot.start, now), min(slot.end, until)
                if begin < end and slot.phases:
                    course.append((begin, end, slot.phases))
            now = until
        switches = [
            b[0] for a, b in pairwise([(NOW - 10_000, NOW, course[0][2]), *course]) if a[2] != b[2]
        ]
        assert all(later - earlier >= 300 for earlier, later in pairwise(switches)), switches


def test_without_the_agent_it_takes_what_one_phase_can() -> None:
    assert EV.offline.power_w == ONE_MOST_W
    assert EV.min_power_w == ONE_LEAST_W
    with pytest.raises(
        ValidationError, match="at most the 3680 W of one phase or at least the 4140"
    ):
        profile("ev_charger", **SETTINGS, phases="switched", offline_power_w=4000)
    with pytest.raises(ValidationError, match="6 A on 3 phase"):
        profile("ev_charger", id="ev", max_power_w=3700, energy_kwh=5, phases="switched")
