"""A device that takes less than it is told, or nothing."""

from datetime import UTC, datetime, timedelta

from agent.home.model.following import Deviation, Following

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


def test_silence_is_no_sign_that_it_takes_what_it_is_told() -> None:
    car = Following(11_000.0, learns=True)
    watch(car, 0, 12, 0)
    watch(car, 13, 60, None)
    watch(car, 61, 120, None, asked_w=0)
    assert car.deviation is Deviation.TAKES_NOTHING
    assert car.not_following_since == at(0)


def test_one_that_says_it_once_is_believed_from_when_it_said_it() -> None:
    car = Following(11_000.0, learns=True)
    watch(car, 0, 0, 11_000)
    car.observe(11_000, 0.0, 50.0, at(5), told_at=at(1))
    car.observe(11_000, 0.0, 50.0, at(11), told_at=at(1))
    assert car.not_following_since == at(1)


def test_the_longer_it_takes_nothing_the_more_rarely_it_is_tried() -> None:
    car = Following(11_000.0, learns=True)
    tries = 0
    for minute in range(600):
        tries += not car.holds_still(at(minute))
        car.observe(11_000, 0.0, 50.0, at(minute))
    # The first ten minutes, and then after 30, 90, 210 and 450 more.
    assert tries - 11 <= 4


def test_one_that_runs_untold_is_named_and_its_plan_left_alone() -> None:
    car = Following(11_000.0, learns=True)
    watch(car, 0, 9, 7000, asked_w=0)
    assert car.deviation is None
    watch(car, 10, 11, 7000, asked_w=0)
    assert car.deviation is Deviation.TAKES_UNASKED
    assert car.holds_still(at(30))
    watch(car, 31, 31, 0, asked_w=0)
    assert car.deviation is None


def test_on_its_own_logic_a_device_owes_nobody_anything() -> None:
    pump = Following(2000.0, learns=False)
    for minute in range(60):
        pump.observe(None, 2000.0, None, at(minute))
    assert pump.deviation is None


def test_a_refusal_is_waited_out_whatever_it_takes() -> None:
    car = Following(11_000.0, learns=True)
    car.refuses(at(0))
    watch(car, 0, 5, 11_000)
    assert car.holds_still(at(29))
    car.refuses(at(31))
    assert car.holds_still(at(90))
    car.accepts()
    assert not car.holds_still(at(40))


def test_what_never_showed_any_effect_is_asked_again_now_and_then() -> None:
    car = Following(11_000.0, learns=True)
    again = []
    for minute in range(200):
        car.observe(0, 11_000, 50.0, at(minute))
        if car.asked_in_vain(at(minute)):
            again.append(minute)
    assert again == [1, 5, 15, 60, 120, 180]


def test_who_did_as_asked_and_then_something_else_has_heard() -> None:
    """Somebody switched it on by hand."""
    relay = Following(2000.0, learns=False)
    watch(relay, 0, 2, 0, asked_w=0)
    watch(relay, 3, 60, 2000, asked_w=0)
    assert relay.deviation is Deviation.TAKES_UNASKED
    assert not relay.asked_in_vain(at(60))


def test_who_forgets_is_told_again_but_not_against_somebody_who_insists() -> None:
    car = Following(11_000.0, learns=True)
    watch(car, 0, 42, 0, asked_w=0)
    assert car.forgets(at(42))
    # And again where that has not arrived either.
    again = []
    for minute in range(43, 80):
        car.observe(0, 11_000, 50.0, at(minute))
        if car.asked_in_vain(at(minute)):
            again.append(minute - 42)
    assert again == [1, 5, 15]
    assert [car.forgets(at(80 + minute)) for minute in range(4)] == [True, True, False, False]
    assert car.forgets(at(150))
