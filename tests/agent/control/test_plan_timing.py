"""When the next plan is due, whoever causes it however often."""

from datetime import UTC, datetime, timedelta

from agent.control.plan_timing import CYCLE_PERIOD, PLAN_EVERY, PlanTiming

NOW = datetime(2026, 1, 16, 20, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_one_device_causes_a_plan_at_once_and_the_next_five_seconds_later() -> None:
    timing = PlanTiming()
    assert timing.due_after("ev", NOW) == NOW
    for _ in range(3):
        assert timing.due_after("ev", NOW + SECOND) == NOW + PLAN_EVERY
    assert timing.due_after("hp", NOW + SECOND) == NOW + SECOND
    later = NOW + 2 * PLAN_EVERY
    assert timing.due_after("ev", later) == later


def test_a_clock_that_is_set_back_makes_nobody_wait() -> None:
    timing = PlanTiming()
    timing.due_after("ev", NOW)
    before = NOW - timedelta(hours=1)
    assert timing.due_after("ev", before) == before


def test_it_is_due_with_the_first_of_what_lies_ahead_and_at_the_latest_after_a_while() -> None:
    timing = PlanTiming()
    assert timing.is_due(NOW)
    timing.begin(NOW, [NOW - SECOND, NOW + 60 * SECOND, NOW + timedelta(hours=1)])
    assert timing.next_at == NOW + 60 * SECOND
    timing.begin(NOW, [])
    assert timing.next_at == NOW + CYCLE_PERIOD
    timing.bring_forward(NOW + timedelta(hours=1))
    assert not timing.is_due(NOW + SECOND)
    timing.bring_forward(NOW + SECOND)
    assert timing.is_due(NOW + SECOND)
