"""Weeks in which something is wrong with the prices: hours without a known one, and calls, counted.

A day is asked for at the announced update and, where tomorrow is missing, at 23:00, each with at
most three retries; so eight calls a direction and day are the most there can be.
"""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest

from agent.clock import SteppedClock
from agent.energy.rates import Direction
from agent.health import State
from agent.tariff.normalise import gaps
from agent.tariff.rate_table import RateTable
from tests.fakes.tariff_house import GERMANY, TariffHouse
from tests.fakes.virtual_loop import run_virtual

MORNING = datetime(2026, 1, 16, 7, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTES = timedelta(minutes=1)
IMPORT = Direction.IMPORT
FLAT = "loc_659200800000000000000004"
MOST_CALLS_A_DAY = 8


def house_of(clock: SteppedClock, **options: object) -> TariffHouse:
    return TariffHouse(clock, directions=(IMPORT,), **options)  # type: ignore[arg-type] # passed on


async def hours_without(house: TariffHouse, hours: int) -> int:
    """Let time pass; the hours in which no price was known. There is always one to plan with."""
    missing = 0
    for _ in range(hours):
        await house.clock.sleep(3600)
        assert house.alive
        now = house.clock.now()
        rate = house.rate_cache.current.value[IMPORT].at(now)
        missing += rate is None or rate.confidence < 1
        plan = house.rate_cache.planning_rates(IMPORT, now, now + 48 * HOUR)
        assert gaps(plan, now, now + 48 * HOUR) == []
    return missing


def calls_by_day(house: TariffHouse, since: datetime) -> Counter[date]:
    asked = [at for at in house.asked() if at >= since]
    assert all(b - a >= 15 * MINUTES for a, b in pairwise(asked))
    return Counter(at.date() for at in asked)


def condition(house: TariffHouse) -> tuple[State, str, str]:
    found = house.health.parts["tariff"]
    return found.state, found.why, found.who_acts


@pytest.mark.parametrize(
    ("fault", "without", "calls_a_day"),
    [
        # Asked again after a quarter and three quarters of an hour.
        ("prices_late", 0, 3),
        ("publication_late", 0, 2),
        # Asked before each end of what is known; on the first day the retries are used up by the
        # prices that it takes back.
        ("short_horizon", 3, 5),
        # At 23:00 only: the announced time is never believed.
        ("next_update_past", 0, 2),
        ("next_update_now", 0, 2),
        ("next_update_null", 0, 2),
        ("next_update_missing", 0, 2),
        ("next_update_far", 0, 2),
        ("prices_late next_update_past", 0, 2),
    ],
)
def test_a_fortnight_without_an_hour_of_unknown_price(
    fault: str, without: int, calls_a_day: int
) -> None:
    async def story(clock: SteppedClock) -> None:
        async with house_of(clock) as house:
            await clock.sleep(2 * 3600)
            for name in fault.split():
                house.sandbox.faults.on(name)
            began = clock.now()
            assert await hours_without(house, 14 * 24) <= without
            counted = calls_by_day(house, began)
            assert max(counted.values()) <= MOST_CALLS_A_DAY
            # On the first day, or the first two, the change itself is a reason to ask again.
            assert sorted(counted.values())[-3] <= calls_a_day
            assert condition(house)[0] is State.OK

    run_virtual(story, MORNING)


@pytest.mark.parametrize("fault", ["publication_fails", "zero_unknown", "empty_data", "hole"])
def test_a_week_of_missing_prices_costs_no_more_calls_than_allowed(fault: str) -> None:
    async def story(clock: SteppedClock) -> None:
        async with house_of(clock) as house:
            await clock.sleep(2 * 3600)
            house.sandbox.faults.on(fault)
            began = clock.now()
            await hours_without(house, 7 * 24)
            assert max(calls_by_day(house, began).values()) <= MOST_CALLS_A_DAY
            house.sandbox.faults.clear()
            await hours_without(house, 24)
            assert await hours_without(house, 24) == 0
            assert condition(house)[0] is State.OK

    run_virtual(story, MORNING)


def test_history_comes_also_where_next_update_always_lies_in_the_past() -> None:
    async def story(clock: SteppedClock) -> None:
        async with house_of(clock) as house:
            house.sandbox.faults.on("next_update_past")
            await clock.sleep(24 * 3600)
            first = MORNING - timedelta(days=29)
            kept = RateTable(house.store).rates(IMPORT, first, MORNING)
            assert gaps(kept, first, MORNING) == []

    run_virtual(story, MORNING)


@pytest.mark.parametrize("fault", ["deleted", "account_disabled"])
def test_one_refusal_is_asked_again_before_it_is_believed(fault: str) -> None:
    async def story(clock: SteppedClock) -> None:
        async with house_of(clock) as house:
            await clock.sleep(4 * 3600)
            house.sandbox.faults.on(fault, 1)
            began = clock.now()
            assert await hours_without(house, 3 * 24) == 0
            assert max(calls_by_day(house, began).values()) <= 2
            # Twice in a row it is believed: a person must act, and is waited for patiently.
            house.sandbox.faults.on(fault)
            began = clock.now()
            await clock.sleep(36 * 3600)
            state, _, who = condition(house)
            assert (state, who) == (State.FAILED, "the owner")
            await house.stop_rate_cache()
            house.start_rate_cache()
            assert condition(house)[0] is State.FAILED
            assert len([at for at in house.asked() if at >= began]) <= 3

    run_virtual(story, MORNING)


@pytest.mark.parametrize("fault", ["request_timeout", "too_early", "half_emoji"])
def test_what_passes_by_itself_needs_nobody(fault: str) -> None:
    async def story(clock: SteppedClock) -> None:
        async with house_of(clock) as house:
            await clock.sleep(2 * 3600)
            house.sandbox.faults.on(fault)
            await clock.sleep(4 * 3600)
            state, why, who = condition(house)
            assert (state, who) == (State.DEGRADED, "")
            assert why.isprintable()
            why.encode()
            house.sandbox.faults.clear()
            assert await hours_without(house, 48) == 0

    run_virtual(story, MORNING)


def test_a_changed_tariff_is_not_planned_with_the_old_ones_prices() -> None:
    """Tomorrow's prices are known; then an answer has none of them, and the next neither."""

    async def story(clock: SteppedClock) -> None:
        async with house_of(clock) as house:
            await clock.sleep_until(datetime(2026, 1, 16, 14, tzinfo=UTC))
            tomorrow = datetime(2026, 1, 17, 3, tzinfo=UTC)
            before = house.rate_cache.current.value[IMPORT].at(tomorrow)
            assert before is not None
            assert before.confidence == 1
            house.sandbox.faults.on("rates_withdrawn")
            assert await house.rate_cache.refresh_now() is None
            rates = house.rate_cache.current.value[IMPORT]
            held = rates.at(tomorrow)
            assert held is not None
            assert (held.price, held.confidence < 0.5) == (before.price, True)
            tonight = rates.at(clock.now() + HOUR)
            assert tonight is not None
            assert tonight.confidence == 1
            await house.stop_rate_cache()
            house.start_rate_cache()
            await clock.sleep(20 * 60)
            assert house.rate_cache.current.value[IMPORT].at(tomorrow) is None
            plan = house.rate_cache.planning_rates(IMPORT, clock.now(), clock.now() + 24 * HOUR)
            assert gaps(plan, clock.now(), clock.now() + 24 * HOUR) == []
            house.sandbox.faults.clear()
            await clock.sleep(3600)
            assert house.rate_cache.current.value[IMPORT].at(tomorrow) == before

    run_virtual(story, MORNING)


def test_an_answer_without_any_price_makes_none_unknown() -> None:
    async def story(clock: SteppedClock) -> None:
        async with house_of(clock) as house:
            await clock.sleep_until(datetime(2026, 1, 16, 14, tzinfo=UTC))
            known = house.rate_cache.current.value[IMPORT].rates
            house.sandbox.faults.on("empty_data")
            for _ in range(3):
                assert await house.rate_cache.refresh_now() is None
                await clock.sleep(120)
            after = house.rate_cache.current.value[IMPORT].rates
            ahead = {(rate.end, rate.price) for rate in known if rate.end > clock.now()}
            assert ahead <= {(rate.end, rate.price) for rate in after}
            assert after[-1].confidence < 1

    run_virtual(story, MORNING)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("forecasts_only", "connect the tariff again"),
        ("contract_ended", "connect the tariff again"),
        ("test_mode", "use a live key"),
        ("other_location", "check location_id"),
        ("zone_unknown", "set site.timezone"),
        ("zone_missing", "set site.timezone"),
    ],
)
def test_health_says_what_the_owner_should_do_though_prices_came(fault: str, words: str) -> None:
    async def story(clock: SteppedClock) -> None:
        async with house_of(clock, location=FLAT) as house:
            house.sandbox.faults.on(fault)
            await clock.sleep(600)
            state, why, who = condition(house)
            assert (state, who) == (State.DEGRADED, "the owner")
            assert words in why
            assert house.rate_cache.current.value[IMPORT].at(clock.now()) is not None
            # Still said after a restart that makes no call, and no more once it is mended.
            await house.stop_rate_cache()
            house.start_rate_cache()
            await clock.sleep(60)
            assert condition(house)[1] == why
            house.sandbox.faults.clear()
            assert await house.rate_cache.refresh_now() is None
            assert condition(house)[0] is State.OK

    run_virtual(story, MORNING)


@pytest.mark.parametrize("minutes", [20, 45])
def test_a_slip_of_the_currency_destroys_nothing(minutes: int) -> None:
    async def story(clock: SteppedClock) -> None:
        async with house_of(clock) as house:
            await clock.sleep_until(datetime(2026, 1, 18, 11, 50, tzinfo=UTC))
            first = MORNING - timedelta(days=29)
            before = RateTable(house.store).rates(IMPORT, first, clock.now())
            house.sandbox.faults.on("currency_change")
            await clock.sleep(minutes * 60)
            assert "prices came in CHF, not in EUR" in condition(house)[1]
            house.sandbox.faults.clear()
            assert await hours_without(house, 24) == 0
            after = RateTable(house.store).rates(IMPORT, first, before[-1].end)
            assert after[: len(before) - 1] == before[:-1]
            assert house.rate_cache.current.value[IMPORT].currency == "EUR"

    run_virtual(story, MORNING)


def test_prices_in_the_old_currency_come_back_with_it() -> None:
    async def story(clock: SteppedClock) -> None:
        async with house_of(clock) as house:
            await clock.sleep_until(datetime(2026, 1, 18, 11, 50, tzinfo=UTC))
            first = MORNING - timedelta(days=29)
            before = RateTable(house.store).rates(IMPORT, first, MORNING)
            house.sandbox.faults.on("currency_change")
            await clock.sleep(4 * 3600)
            rates = house.rate_cache.current.value[IMPORT]
            assert (rates.currency, rates.at(clock.now()) is not None) == ("CHF", True)
            house.sandbox.faults.clear()
            await clock.sleep(30 * 3600)
            assert house.rate_cache.current.value[IMPORT].currency == "EUR"
            assert RateTable(house.store).rates(IMPORT, first, MORNING) == before

    run_virtual(story, MORNING)


@pytest.mark.parametrize("fault", ["no_tariff_connected", "pending_connect", "no_price_data"])
@pytest.mark.parametrize("warm", [True, False])
def test_restarts_after_a_422_do_not_ask_each_time(fault: str, warm: bool) -> None:
    async def story(clock: SteppedClock) -> None:
        async with house_of(clock) as house:
            if warm:
                await clock.sleep(4 * 3600)
            else:
                await house.stop_rate_cache()
                house.sandbox.faults.on(fault)
                house.start_rate_cache()
            house.sandbox.faults.on(fault)
            began = clock.now()
            for _ in range(3 * 30):
                await clock.sleep(120)
                await house.stop_rate_cache()
                house.start_rate_cache()
            assert len([at for at in house.asked() if at >= began]) <= 12
            assert house.sandbox.count("/login", began) <= 2 + 3 * 60 // 50

    run_virtual(story, MORNING)


def test_a_told_date_does_not_bring_every_home_in_one_second() -> None:
    async def story(clock: SteppedClock) -> None:
        houses = [house_of(clock) for _ in range(20)]
        came = set()
        for number, house in enumerate(houses):
            house.seed = number
            async with house:
                house.sandbox.faults.on("rate_limit_date", 1)
                await clock.sleep_until(clock.now() + 10 * MINUTES)
                came.add((house.rate_cache.next_call - house.asked()[0]).total_seconds())
        assert all(1800 <= wait <= 1800 + 200 for wait in came)
        assert max(came) - min(came) > 60
        assert len(came) == len(houses)

    run_virtual(story, MORNING)


def test_events_of_the_contract_are_told_once_and_stay_in_health() -> None:
    async def story(clock: SteppedClock) -> None:
        async with house_of(clock) as house:
            await clock.sleep(3600)
            assert house.events == []
            house.sandbox.raise_event("tariff.expiring", GERMANY)
            house.sandbox.raise_event("tariff.expiring", FLAT)
            house.sandbox.raise_event("something.new", GERMANY)
            await clock.sleep(36 * 3600)
            assert [kind for kind, _ in house.events] == ["tariff_expiring"]
            assert condition(house)[0] is State.DEGRADED
            assert "contract ends soon" in condition(house)[1]
            assert condition(house)[2] == "the owner"
            await house.stop_rate_cache()
            house.start_rate_cache()
            await clock.sleep(48 * 3600)
            assert len(house.events) == 1
            assert "contract ends soon" in condition(house)[1]
            house.sandbox.raise_event("tariff.expired", GERMANY)
            house.sandbox.raise_event("tariff.connection.upgrade", GERMANY)
            await clock.sleep(36 * 3600)
            assert [kind for kind, _ in house.events[1:]] == ["tariff_expired", "tariff_upgrade"]
            assert "contract is over" in condition(house)[1]
            assert "ends soon" not in condition(house)[1]
            house.sandbox.raise_event("connect_session.complete", GERMANY)
            await clock.sleep(36 * 3600)
            assert condition(house)[0] is State.OK
            polls = house.sandbox.count("/events")
            assert 6 <= polls <= 8

    run_virtual(story, MORNING)


def test_a_source_without_events_costs_nothing_but_the_question() -> None:
    async def story(clock: SteppedClock) -> None:
        async with house_of(clock) as house:
            house.sandbox.faults.on("no_events")
            assert await hours_without(house, 48) == 0
            assert condition(house)[0] is State.OK
            assert house.sandbox.count("/events") <= 3

    run_virtual(story, MORNING)
