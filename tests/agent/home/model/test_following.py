"""A device that takes less than it is told, or nothing."""

from datetime import UTC, datetime, timedelta

from agent.home.model.following import Following

START = datetime(2026, 1, 16, 20, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def watch(
    following: Following, start: int, end: int, taken_w: float | None, asked_w: float = 11_000
) -> None:
    for minute in range(start, end + 1):
        following.observe(asked_w, taken_w, 50.0, at(minute))


def test_what_a_car_takes_for_ten_minutes_is_learned() -> None:
    car = Following(11_000.0, learns=True)
    watch(car, 0, 9, 7200)
    assert car.learned_power_w is None
    watch(car, 10, 10, 7200)
    assert car.learned_power_w == 7200
    car.begin_session(probe=False)
    assert car.learned_power_w == 7200
    watch(car, 20, 21, 11_000)
    assert car.learned_power_w is None


def test_near_full_a_car_takes_less_and_nothing_is_learned_of_it() -> None:
    car = Following(11_000.0, learns=True)
    for minute in range(30):
        car.observe(11_000, 4000, 92.0, at(minute))
    assert car.learned_power_w is None


def test_one_that_takes_nothing_holds_still_for_half_an_hour_and_is_tried_again() -> None:
    car = Following(11_000.0, learns=True)
    watch(car, 0, 9, 0)
    assert car.not_following_since is None
    watch(car, 10, 12, 0)
    assert car.not_following_since == at(0)
    assert car.holds_still(at(39))
    assert not car.holds_still(at(40))
    watch(car, 41, 42, 0)
    # still nothing: one and the same fault, tried again half an hour later
    assert car.not_following_since == at(0)
    assert car.holds_still(at(70))
    watch(car, 60, 60, 11_000)
    assert car.not_following_since is None
    assert not car.holds_still(at(60))


def test_the_next_slot_is_tried_whatever_happened_before() -> None:
    car = Following(11_000.0, learns=True)
    watch(car, 0, 12, 0)
    car.try_again(at(20))
    assert not car.holds_still(at(20))


def test_of_one_that_tells_no_power_nothing_is_said() -> None:
    relay = Following(2000.0, learns=False)
    watch(relay, 0, 60, None, asked_w=2000)
    assert relay.not_following_since is None
