"""What is wrong with a reading is said until a good one comes; what comes and goes stands."""

from datetime import UTC, datetime, timedelta

from agent.home.model.doubts import Doubts

START = datetime(2026, 1, 15, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def test_one_bad_value_is_over_with_the_next_good_one() -> None:
    doubts = Doubts()
    doubts.note("power_w", "too much", at(0))
    assert doubts.texts() == ["too much"]
    doubts.note("power_w", None, at(20))
    assert doubts.texts() == []


def test_what_comes_and_goes_is_one_fault() -> None:
    doubts = Doubts()
    for second in range(0, 1200, 40):
        doubts.note("power_w", "too much", at(second))
        assert doubts.texts() == ["too much"]
        doubts.note("power_w", None, at(second + 20))
        assert doubts.texts() == ([] if second == 0 else ["too much"])
    doubts.note("power_w", None, at(1160 + 599))
    assert doubts.texts() == ["too much"]
    doubts.note("power_w", None, at(1160 + 601))
    assert doubts.texts() == []
