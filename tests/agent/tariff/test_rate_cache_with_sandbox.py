"""The rate cache with the real client against the sandbox: ordinary weeks, and every fault."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from zoneinfo import ZoneInfo

import pytest

from agent.clock import SteppedClock
from agent.energy.rates import Direction, Rate
from agent.health import State
from agent.tariff.normalise import gaps
from agent.tariff.rate_table import RateTable
from integrations.sandbox.faults import FAULTS
from tests.fakes.tariff_house import BOTH, GERMANY, SWEDEN, SYDNEY, TariffHouse
from tests.fakes.virtual_loop import run_virtual

MORNING = datetime(2026, 1, 16, 7, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTES = timedelta(minutes=1)
# Faults in which valid, but other prices are served.
OTHER_PRICES = {"negative", "six_decimals", "random_prices", "backfill", "currency_change"}
# Faults in which an answer takes back what an earlier one said.
WITHDRAWN = {"hole", "zero_unknown", "rates_withdrawn", "short_horizon"}


def test_a_first_day_is_three_calls_a_direction() -> None:
    """At once, a quarter of an hour later for the past month, at 13:00, and so on each day."""

    async def story(clock: SteppedClock) -> None:
        async with TariffHouse(clock) as house:
            await clock.sleep(24 * 3600)
            for direction in BOTH:
                first, history, noon = house.asked(direction)
                assert first == MORNING
                assert 15 * MINUTES <= history - first < 16 * MINUTES
                assert timedelta(0) < noon - datetime(2026, 1, 16, 12, tzinfo=UTC) < 5 * MINUTES
            queries = [call.query for call in house.sandbox.calls if "direction" in call.query]
            assert queries[0]["start_time"] == "2026-01-09T07:00:00Z"
            assert queries[0]["end_time"] == "2026-01-18T07:00:00Z"
            assert queries[2]["start_time"] == "2025-12-17T07:20:00Z"
            assert queries[2]["end_time"] == "2026-01-09T07:00:00Z"
            assert queries[4]["start_time"] == "2026-01-16T12:00:00Z"
            assert house.health.parts["tariff"].state is State.OK
            assert house.server_times[0] == MORNING
            rates = house.rate_cache.current.value[Direction.IMPORT]
            assert rates.horizon == datetime(2026, 1, 17, 23, tzinfo=UTC)
            assert (rates.currency, rates.timezone, rates.stale) == ("EUR", "Europe/Berlin", False)

    run_virtual(story, MORNING)


@pytest.mark.parametrize(
    ("location", "start"),
    [
        (GERMANY, datetime(2026, 3, 20, 9, tzinfo=UTC)),
        (SWEDEN, datetime(2026, 10, 16, 9, tzinfo=UTC)),
        (SYDNEY, datetime(2026, 3, 26, 9, tzinfo=UTC)),
        (SYDNEY, datetime(2026, 9, 25, 9, tzinfo=UTC)),
    ],
)
def test_two_weeks_through_a_clock_change(location: str, start: datetime) -> None:
    async def story(clock: SteppedClock) -> None:
        async with TariffHouse(clock, location) as house:
            for _ in range(14 * 24):
                await clock.sleep(3600)
                now = clock.now()
                for direction in BOTH:
                    rates = house.rate_cache.current.value[direction]
                    assert rates.at(now) is not None
                    plan = house.rate_cache.planning_rates(direction, now, now + 60 * HOUR)
                    assert gaps(plan, now, now + 60 * HOUR) == []
                    assert all(a.end <= b.start for a, b in pairwise(plan))
            assert house.health.parts["tariff"].state is State.OK
            for direction in BOTH:
                asked = house.asked(direction)
                # Once a day at the publication, once at the start, once for the past month.
                assert 14 <= len(asked) <= 17
                assert min(b - a for a, b in pairwise(asked)) >= 15 * MINUTES
            first = start + HOUR
            rate_table = RateTable(house.store).rates(Direction.IMPORT, first, clock.now())
            assert gaps(rate_table, first, clock.now()) == []

    run_virtual(story, start)


@pytest.mark.full
def test_a_year_is_one_call_a_day_and_little_disk() -> None:
    async def story(clock: SteppedClock) -> None:
        async with TariffHouse(clock) as house:
            first = clock.now()
            await clock.sleep(395 * 86400)
            assert house.health.parts["tariff"].state is State.OK
            for direction in BOTH:
                asked = house.asked(direction)
                assert 395 <= len(asked) <= 400
                assert min(b - a for a, b in pairwise(asked)) >= 15 * MINUTES
            kept = RateTable(house.store).rates(
                Direction.IMPORT, first - timedelta(days=40), clock.now()
            )
            assert gaps(kept, kept[0].start, clock.now()) == []
            assert clock.now() - kept[0].start < timedelta(days=368)
            assert house.store.connection.total_changes / 395 < 100

    run_virtual(story, MORNING)


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_no_fault_makes_it_crash_forget_or_spin(fault: str) -> None:
    """Two good hours, a day and a half of the fault, then a day and a quarter of peace."""

    async def story(clock: SteppedClock) -> None:
        async with TariffHouse(clock) as house:
            await clock.sleep(2 * 3600)
            known = {
                direction: house.rate_cache.current.value[direction].rates for direction in BOTH
            }
            house.sandbox.faults.on(fault)
            began = clock.now()
            for _ in range(36):
                await clock.sleep(3600)
                assert house.alive
                for direction in BOTH:
                    if fault != "currency_change":
                        check_nothing_lost(house, direction, known[direction], fault)
                    known[direction] = house.rate_cache.current.value[direction].rates
            for direction in BOTH:
                asked = [at for at in house.asked(direction) if at >= began]
                assert len(asked) <= 36 + 3
                assert all(b - a >= 15 * MINUTES for a, b in pairwise(asked))
            assert house.sandbox.count("/login", began) <= 4 * 36
            house.sandbox.faults.clear()
            await clock.sleep(30 * 3600)
            assert house.alive
            assert house.health.parts["tariff"].state is State.OK
            for direction in BOTH:
                rates = house.rate_cache.current.value[direction]
                assert not rates.stale
                assert rates.at(clock.now()) is not None
                assert (rates.currency, rates.timezone) == ("EUR", "Europe/Berlin")

    def check_nothing_lost(
        house: TariffHouse, direction: Direction, before: tuple[Rate, ...], name: str
    ) -> None:
        now = house.clock.now()
        after = house.rate_cache.current.value[direction].rates
        ahead = [rate for rate in before if rate.end > now and rate.confidence >= 1]
        for rate in ahead if name not in WITHDRAWN else []:
            start = max(rate.start, now)
            assert gaps(after, start, rate.end) == []
            if name not in OTHER_PRICES:
                assert {held.price for held in after if held.start < rate.end} >= {rate.price}
        plan = house.rate_cache.planning_rates(direction, now, now + 48 * HOUR)
        assert gaps(plan, now, now + 48 * HOUR) == []
        assert all(rate.confidence > 0 for rate in plan)

    run_virtual(story, MORNING)


@pytest.mark.parametrize("seed", range(4))
def test_faults_by_chance_for_a_week(seed: int) -> None:
    """Every hour other faults, up to three at a time; known prices stay, calls stay rare."""
    dice = Random(seed)
    # These change or take away what is known, rightly.
    chosen = sorted(set(FAULTS) - OTHER_PRICES - WITHDRAWN - {"zone_change", "slow"})

    async def story(clock: SteppedClock) -> None:
        async with TariffHouse(clock) as house:
            await clock.sleep(2 * 3600)
            for hour in range(7 * 24):
                house.sandbox.faults.clear()
                for name in dice.sample(chosen, dice.randint(0, 3)):
                    house.sandbox.faults.on(name, dice.choice([None, 1, 2]))
                if dice.random() < 0.1:
                    await house.rate_cache.refresh_now()
                if dice.random() < 0.1:
                    await house.stop_rate_cache()
                    house.start_rate_cache()
                before = house.rate_cache.current.value[Direction.IMPORT].rates
                await clock.sleep(3600)
                assert house.alive, hour
                now = clock.now()
                after = house.rate_cache.current.value[Direction.IMPORT].rates
                for rate in before:
                    if rate.end > now and rate.confidence >= 1:
                        assert gaps(after, max(rate.start, now), rate.end) == []
                plan = house.rate_cache.planning_rates(Direction.IMPORT, now, now)
                assert gaps(plan, now, now + 48 * HOUR) == []
            asked = house.asked()
            assert len(asked) < 7 * 24
            house.sandbox.faults.clear()
            await clock.sleep(30 * 3600)
            assert house.health.parts["tariff"].state is State.OK

    run_virtual(story, MORNING)


@pytest.mark.parametrize(
    ("fault", "state", "words", "who"),
    [
        ("login_refused", State.FAILED, "credentials", "the owner"),
        ("deleted", State.FAILED, "connect it again", "the owner"),
        ("account_disabled", State.FAILED, "account_disabled", "the owner"),
        ("no_export", State.DEGRADED, "export: HTTP 422, no_tariff_connected", "the owner"),
        ("pending_connect", State.DEGRADED, "import and export: pending_connect", ""),
        ("server_error", State.DEGRADED, "HTTP 500", ""),
        ("html", State.DEGRADED, "a web page came", "the owner"),
        ("redirect", State.DEGRADED, "HTTP 302: sent on to", "the owner"),
        ("empty_data", State.DEGRADED, "the tariff has no prices", "the owner"),
    ],
)
def test_a_first_connect_that_fails_says_who_acts(
    fault: str, state: State, words: str, who: str
) -> None:
    async def story(clock: SteppedClock) -> None:
        async with TariffHouse(clock) as house:
            house.sandbox.faults.on("token_lapses", 1)
            house.sandbox.faults.on(fault)
            await clock.sleep(600)
            condition = house.health.parts["tariff"]
            assert (condition.state, condition.who_acts) == (state, who)
            assert words in condition.why
            assert len(house.asked()) <= 5
            house.sandbox.faults.clear()
            if await house.rate_cache.refresh_now() is not None:
                await clock.sleep(15 * 60)
                assert await house.rate_cache.refresh_now() is None
            assert house.health.parts["tariff"].state is State.OK

    run_virtual(story, MORNING)


def test_a_warm_start_makes_no_call() -> None:
    async def story(clock: SteppedClock) -> None:
        async with TariffHouse(clock) as house:
            await clock.sleep(3600)
            await house.stop_rate_cache()
            before = len(house.sandbox.calls)
            for _ in range(20):
                house.start_rate_cache()
                assert house.rate_cache.current.value[Direction.IMPORT].at(clock.now()) is not None
                assert house.health.parts["tariff"].state is State.OK
                await clock.sleep(60)
                await house.stop_rate_cache()
            assert len(house.sandbox.calls) == before
            house.start_rate_cache()

    run_virtual(story, MORNING)


@pytest.mark.parametrize("fault", ["server_error", "login_refused", "slow"])
def test_restarts_in_a_row_do_not_ask_in_a_row(fault: str) -> None:
    async def story(clock: SteppedClock) -> None:
        async with TariffHouse(clock) as house:
            await clock.sleep(5 * 3600)
            house.sandbox.faults.on(fault)
            began = clock.now()
            for _ in range(360):
                await house.stop_rate_cache()
                house.start_rate_cache()
                await clock.sleep(10)
            assert len([at for at in house.asked() if at >= began]) <= 6
            assert house.sandbox.count("/login", began) <= 2 * 65

    run_virtual(story, MORNING)


def test_without_network_it_lives_on_what_is_on_disk_and_then_on_estimates() -> None:
    async def story(clock: SteppedClock) -> None:
        async with TariffHouse(clock) as house:
            await clock.sleep(12 * 3600)
            await house.stop_rate_cache()
            house.sandbox.faults.on("reset")
            await clock.sleep(12 * 3600)
            house.start_rate_cache()
            now = clock.now()
            assert house.rate_cache.current.value[Direction.IMPORT].at(now) is not None
            await clock.sleep(48 * 3600)
            rates = house.rate_cache.current.value[Direction.IMPORT]
            assert rates.stale
            assert rates.at(clock.now()) is None
            plan = house.rate_cache.planning_rates(Direction.IMPORT, clock.now(), clock.now())
            assert gaps(plan, clock.now(), clock.now() + 48 * HOUR) == []
            assert all(0 < rate.confidence < 1 for rate in plan)
            noon = datetime(2026, 1, 17, 12, tzinfo=UTC)
            assert timedelta(0) < house.health.parts["tariff"].since - noon < 5 * MINUTES

    run_virtual(story, MORNING)


@pytest.mark.parametrize("predictions", [False, True])
def test_late_prices_are_asked_for_three_times_then_at_23(predictions: bool) -> None:
    async def story(clock: SteppedClock) -> None:
        async with TariffHouse(
            clock, directions=(Direction.IMPORT,), predictions=predictions
        ) as house:
            await clock.sleep(3600)
            house.sandbox.faults.on("publication_fails")
            house.sandbox.faults.on("next_update_past")
            await clock.sleep_until(datetime(2026, 1, 16, 21, 59, tzinfo=UTC))
            local = [at.astimezone(ZoneInfo("Europe/Berlin")) for at in house.asked()[2:]]
            assert [f"{at:%H}" for at in local] == ["13", "13", "13", "14"]
            assert house.health.parts["tariff"].why == "import: the next prices are late"
            house.sandbox.faults.clear()
            await clock.sleep(10 * 60)
            assert len(house.asked()) == 7
            assert house.health.parts["tariff"].state is State.OK

    run_virtual(story, MORNING)


def test_history_is_fetched_once_from_the_contracts_start() -> None:
    start = datetime(2025, 8, 1, tzinfo=UTC)

    async def story(clock: SteppedClock) -> None:
        async with TariffHouse(
            clock, directions=(Direction.IMPORT,), contract_start=start
        ) as house:
            await clock.sleep(3 * 3600)
            windows = [
                (call.query["start_time"], call.query["end_time"])
                for call in house.sandbox.calls
                if "direction" in call.query
            ]
            assert len(windows) == 1 + 6
            assert windows[-1][0] == "2025-08-01T00:00:00Z"
            for began, ended in windows:
                span = datetime.fromisoformat(ended) - datetime.fromisoformat(began)
                assert span <= timedelta(days=30)
            rate_table = RateTable(house.store).rates(Direction.IMPORT, start, clock.now())
            assert gaps(rate_table, start, clock.now()) == []
            await house.stop_rate_cache()
            house.start_rate_cache()
            await clock.sleep(3600)
            assert len(house.asked()) == 7

    run_virtual(story, MORNING)


def test_an_owners_request_is_asked_at_once_but_not_twice_a_minute() -> None:
    async def story(clock: SteppedClock) -> None:
        async with TariffHouse(clock, directions=(Direction.IMPORT,)) as house:
            await clock.sleep(30)
            assert await house.rate_cache.refresh_now() == MORNING + MINUTES
            await clock.sleep(60)
            assert await house.rate_cache.refresh_now() is None
            assert len(house.asked()) == 2
            house.sandbox.faults.on("rate_limit_told")
            await clock.sleep(120)
            assert await house.rate_cache.refresh_now() is None
            told = clock.now() + 30 * MINUTES
            await clock.sleep(120)
            assert await house.rate_cache.refresh_now() == told

    run_virtual(story, MORNING)
