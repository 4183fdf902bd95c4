"""The rate cache with a source that says what the test wants: money, zone, disk, clock."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from agent.clock import MAX_SLEEP_S, Clock, SteppedClock
from agent.energy.rates import Direction, Rate
from agent.errors import Malformed, Refused, Unavailable
from agent.health import Health, State
from agent.ports import FetchedRates
from agent.store import Store
from agent.tariff.normalise import gaps
from agent.tariff.rate_cache import RateCache
from agent.tariff.rate_table import RateTable
from integrations.tariffs.fixed import FixedTariff, PriceRule
from tests.fakes.virtual_loop import run_virtual

START = datetime(2026, 1, 16, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
IMPORT = Direction.IMPORT


class ScriptedSource:
    """Hourly prices; each test changes what it needs."""

    def __init__(self, clock: Clock, directions: Sequence[Direction] = (IMPORT,)) -> None:
        self.identity = "scripted"
        self.directions = directions
        self.currency = "EUR"
        self.timezone = "Europe/Berlin"
        self.price = Decimal("0.3")
        self.confidence = 1.0
        self.horizon = DAY
        self.next_update = timedelta(hours=3)
        self.trouble: Callable[[], Exception] | None = None
        self.server_time: Callable[[], datetime | None] = lambda: None
        self.asked: list[tuple[datetime, datetime, datetime]] = []
        self._clock = clock

    async def fetch(self, direction: Direction, start: datetime, end: datetime) -> FetchedRates:
        now = self._clock.now()
        self.asked.append((now, start, end))
        await asyncio.sleep(0)
        if self.trouble is not None:
            raise self.trouble()
        rates = []
        at = start
        while at < min(end, now + self.horizon):
            price = self.price + Decimal(at.hour) / 100
            rates.append(Rate(at, at + HOUR, price, self.confidence))
            at += HOUR
        return FetchedRates(
            direction,
            self.currency,
            self.timezone,
            rates,
            now + self.next_update,
            self.server_time(),
        )

    async def close(self) -> None:
        """Nothing is open."""


class House:
    def __init__(self, clock: Clock, source: ScriptedSource | FixedTariff, store: Store) -> None:
        self.store = store
        self.health = Health(clock)
        self.heard: list[datetime] = []
        self.other_from: list[datetime] = []
        self.rate_cache = RateCache(
            source,
            store,
            clock,
            self.health,
            on_server_time=self.heard.append,
            on_prices=self.other_from.append,
            random=Random(1),
        )
        self._task = asyncio.create_task(self.rate_cache.run())

    async def stop(self) -> None:
        assert not self._task.done()
        self._task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await self._task

    @property
    def state(self) -> tuple[State, str, str]:
        condition = self.health.parts["tariff"]
        return condition.state, condition.why, condition.who_acts


class SetClock(SteppedClock):
    """A wall clock that can be set, as on a gateway without a battery."""

    def __init__(self, start: datetime) -> None:
        super().__init__(start)
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.ahead

    async def sleep_until(self, when: datetime) -> None:
        while (left := (when - self.now()).total_seconds()) > 0:
            await asyncio.sleep(max(1e-6, min(left, MAX_SLEEP_S)))


def test_a_confirmed_price_outlives_guesses_and_silence() -> None:
    async def story(clock: SteppedClock) -> None:
        source = ScriptedSource(clock)
        house = House(clock, source, Store.in_memory())
        await clock.sleep(60)
        before = house.rate_cache.current.value[IMPORT].rates
        source.confidence, source.price = 0.6, Decimal("9")
        await clock.sleep(4 * 3600)
        source.horizon = -HOUR
        await clock.sleep(4 * 3600)
        after = house.rate_cache.current.value[IMPORT].rates
        ahead = {(rate.end, rate.price) for rate in before if rate.end > clock.now()}
        assert ahead
        assert ahead <= {(rate.end, rate.price) for rate in after}
        await house.stop()

    run_virtual(story, START)


def test_it_tells_from_when_on_prices_are_others_also_in_the_past() -> None:
    async def story(clock: SteppedClock) -> None:
        source = ScriptedSource(clock)
        house = House(clock, source, Store.in_memory())
        await clock.sleep(3600)
        # A week back with the first answer, then what is older.
        assert house.other_from == [START - 7 * DAY, START - 30 * DAY]
        house.other_from.clear()
        await clock.sleep(4 * 3600)
        # Three hours more were published, and nothing else.
        assert min(house.other_from) >= START + DAY
        house.other_from.clear()
        source.price = Decimal("0.4")
        await clock.sleep(DAY.total_seconds())
        # The first answer of a day corrects the week before it.
        assert START - 7 * DAY < min(house.other_from) < START - 5 * DAY
        first = house.rate_cache.known_rates(IMPORT, START - 5 * DAY, START - 5 * DAY + HOUR)
        assert [(rate.start, rate.price) for rate in first] == [(START - 5 * DAY, Decimal("0.5"))]
        await house.stop()

    run_virtual(story, START)


def test_another_currency_is_a_slip_until_it_was_said_for_an_hour() -> None:
    async def story(clock: SteppedClock) -> None:
        source = ScriptedSource(clock)
        house = House(clock, source, Store.in_memory())
        await clock.sleep(3600)
        source.currency = "CHF"
        await clock.sleep(2.1 * 3600)
        state, why, _ = house.state
        assert (state, "prices came in CHF, not in EUR" in why) == (State.DEGRADED, True)
        rates = house.rate_cache.current.value[IMPORT]
        assert (rates.currency, rates.at(clock.now()) is not None) == ("EUR", True)
        await clock.sleep(2 * 3600)
        rates = house.rate_cache.current.value[IMPORT]
        assert (rates.currency, rates.at(clock.now()) is not None) == ("CHF", True)
        assert house.state[0] is State.OK
        assert rates.rates[0].start >= clock.now() - 8 * DAY
        await house.stop()

    run_virtual(story, START)


def test_a_doubted_clock_is_confirmed_by_one_call_however_fresh_the_cache_is() -> None:
    async def story(clock: SteppedClock) -> None:
        store = Store.in_memory()
        house = House(clock, ScriptedSource(clock), store)
        await clock.sleep(60)
        await house.stop()
        # A new life seconds later: nothing is due, and the owner could not ask yet.
        source = ScriptedSource(clock)
        house = House(clock, source, store)
        await clock.sleep(1)
        assert not source.asked
        await house.rate_cache.ask_the_time()
        assert len(source.asked) == 1
        # While the source has said to wait nobody asks.
        source.trouble = lambda: Unavailable("busy", clock.now() + timedelta(hours=1))
        await house.rate_cache.ask_the_time()
        await house.rate_cache.ask_the_time()
        assert len(source.asked) == 2
        await house.stop()

    run_virtual(story, START)


def test_another_time_zone_is_a_slip_until_it_was_said_for_an_hour_nonsense_is_never_taken() -> (
    None
):
    async def story(clock: SteppedClock) -> None:
        source = ScriptedSource(clock)
        house = House(clock, source, Store.in_memory())
        await clock.sleep(60)

        async def told(zone: str, minutes: int = 1) -> str:
            source.timezone = zone
            await clock.sleep(60 * minutes + 1)
            assert await house.rate_cache.refresh_now() is None
            return house.rate_cache.current.value[IMPORT].timezone

        assert await told("Europe/Lisbon") == "Europe/Berlin"
        assert "Europe/Lisbon came with the prices; Europe/Berlin is used" in house.state[1]
        # Right again: it was a slip, and begins anew.
        assert await told("Europe/Berlin") == "Europe/Berlin"
        assert house.state[:2] == (State.OK, "")
        assert await told("Europe/Lisbon", minutes=50) == "Europe/Berlin"
        assert await told("Europe/Lisbon", minutes=61) == "Europe/Lisbon"
        assert house.state[:2] == (State.OK, "")
        for nonsense in ("Mars/Olympus", "../../etc/passwd", "Europe", ""):
            assert await told(nonsense, minutes=90) == "Europe/Lisbon"
            assert house.state[0] is State.DEGRADED
            assert "Europe/Lisbon is used: set site.timezone" in house.state[1]
            assert house.state[2] == "the owner"
        await house.stop()

    run_virtual(story, START)


@pytest.mark.parametrize(
    ("trouble", "calls_in_a_day"),
    [
        (lambda: Unavailable("away"), 30),
        (lambda: Malformed("nonsense", "<html>"), 30),
        (lambda: Unavailable("busy", START + timedelta(days=4000)), 3),
        (lambda: Unavailable("busy", START - DAY), 30),
        (lambda: Refused("no", "forbidden"), 6),
        (lambda: Refused("no", "not_found"), 3),
        (lambda: Refused("no", "account_disabled"), 3),
        (lambda: Refused("no", "no_tariff_connected"), 25),
        (lambda: Refused("no", "something_new"), 25),
    ],
)
@pytest.mark.parametrize("warm", [True, False])
def test_trouble_is_answered_by_patience(
    trouble: Callable[[], Exception], calls_in_a_day: int, warm: bool
) -> None:
    async def story(clock: SteppedClock) -> None:
        source = ScriptedSource(clock)
        if not warm:
            source.trouble = trouble
        house = House(clock, source, Store.in_memory())
        await clock.sleep(3600)
        source.trouble = trouble
        began = len(source.asked)
        await clock.sleep(86400)
        # While nothing is known it may ask every quarter of an hour.
        limit = calls_in_a_day if warm or calls_in_a_day < 30 else 96
        assert len(source.asked) - began <= limit
        assert house.state[0] is not State.OK
        await house.stop()

    run_virtual(story, START)


def test_a_first_connect_tries_at_once_and_then_less_and_less_often() -> None:
    async def story(clock: SteppedClock) -> None:
        source = ScriptedSource(clock)
        source.trouble = lambda: Unavailable("away")
        house = House(clock, source, Store.in_memory())
        assert house.state == (State.DEGRADED, "import: no prices yet", "")
        await clock.sleep(3600)
        minutes = [round((now - START) / timedelta(minutes=1)) for now, _, _ in source.asked]
        assert minutes[0] == 0
        assert 6 <= len(minutes) <= 8
        assert minutes[1] == 1
        source.trouble = None
        await clock.sleep(17 * 60)
        assert house.state[0] is State.OK
        await house.stop()

    run_virtual(story, START)


def test_rates_of_another_contract_are_not_used() -> None:
    async def story(clock: SteppedClock) -> None:
        store = Store.in_memory()
        source = ScriptedSource(clock)
        house = House(clock, source, store)
        await clock.sleep(60)
        await house.stop()
        source = ScriptedSource(clock)
        source.identity = "another"
        source.trouble = lambda: Unavailable("away")
        house = House(clock, source, store)
        await clock.sleep(1)
        assert house.rate_cache.current.value[IMPORT].rates == ()
        assert house.rate_cache.planning_rates(IMPORT, clock.now(), clock.now() + DAY) == []
        assert len(source.asked) == 1
        await house.stop()

    run_virtual(story, START)


def test_another_contract_brings_its_own_money_and_zone_at_once() -> None:
    async def story(clock: SteppedClock) -> None:
        store = Store.in_memory()
        house = House(clock, ScriptedSource(clock), store)
        await clock.sleep(60)
        await house.stop()
        source = ScriptedSource(clock)
        source.identity, source.currency, source.timezone = "another", "GBP", "Europe/London"
        house = House(clock, source, store)
        await clock.sleep(60)
        rates = house.rate_cache.current.value[IMPORT]
        assert (rates.currency, rates.timezone) == ("GBP", "Europe/London")
        assert house.state[0] is State.OK
        await house.stop()

    run_virtual(story, START)


@pytest.mark.parametrize("next_update", [timedelta(minutes=10), 3 * HOUR, -HOUR])
def test_history_comes_however_often_prices_are_updated(next_update: timedelta) -> None:
    async def story(clock: SteppedClock) -> None:
        source = ScriptedSource(clock)
        source.next_update = next_update
        house = House(clock, source, Store.in_memory())
        await clock.sleep(2 * 3600)
        first = START - 29 * DAY
        kept = RateTable(house.store).rates(IMPORT, first, START)
        assert gaps(kept, first, START) == []
        times = [now for now, _, _ in source.asked]
        assert all(b - a >= timedelta(minutes=15) for a, b in pairwise(times))
        await house.stop()

    run_virtual(story, START)


def test_a_disk_that_refuses_does_not_stop_the_prices(tmp_path: Path) -> None:
    async def story(clock: SteppedClock) -> None:
        path = tmp_path / "state.sqlite"
        store = Store.open(path, clock.now())
        source = ScriptedSource(clock)
        house = House(clock, source, store)
        store.connection.execute(
            "CREATE TRIGGER refuses BEFORE INSERT ON rates BEGIN SELECT RAISE(FAIL, 'no'); END"
        )
        await clock.sleep(4 * 3600)
        assert house.rate_cache.current.value[IMPORT].at(clock.now()) is not None
        assert house.health.counts["failed_writes_of_rates"] > 0
        await house.stop()
        store.close()

    run_virtual(story, START)


def commits(store: Store) -> tuple[int, int]:
    """Another pair after each write, in the event loop or beside it."""
    (beside,) = store.connection.execute("PRAGMA data_version").fetchone()
    return store.connection.total_changes, beside


def test_little_is_written_and_nothing_while_it_waits(tmp_path: Path) -> None:
    async def story(clock: SteppedClock) -> None:
        store = Store.open(tmp_path / "state.sqlite", clock.now())
        house = House(clock, ScriptedSource(clock), store)
        await clock.sleep(2 * 3600)
        before = commits(store)
        await clock.sleep(1800)
        for _ in range(100):
            house.rate_cache.planning_rates(IMPORT, clock.now(), clock.now() + 2 * DAY)
        assert commits(store) == before
        # It would be seen.
        assert await store.write(("INSERT INTO facts VALUES ('a', 'b')", ()))
        assert commits(store) != before
        await house.stop()
        store.close()

    run_virtual(story, START)


@pytest.mark.parametrize("wrong_by", [timedelta(days=-2000), timedelta(days=3000), -DAY, 5 * HOUR])
def test_a_clock_that_is_set_right_later_costs_no_price_and_no_flood(wrong_by: timedelta) -> None:
    async def story(_clock: SteppedClock) -> None:
        store = Store.in_memory()
        clock = SetClock(START)
        source = ScriptedSource(clock)
        source.server_time = lambda: clock.now() - clock.ahead
        house = House(clock, source, store)
        await clock.sleep(3600)
        known = house.rate_cache.current.value[IMPORT].rates
        await house.stop()

        clock.ahead = wrong_by
        house = House(clock, source, store)
        await clock.sleep(600)
        clock.ahead = timedelta(0)
        began = len(source.asked)
        await clock.sleep(2 * 3600)
        assert len(source.asked) - began <= 8
        await clock.sleep(24 * 3600)
        assert house.rate_cache.current.value[IMPORT].at(clock.now()) is not None
        kept = RateTable(house.store).rates(IMPORT, known[0].start, known[-1].end)
        assert gaps(kept, known[0].start, known[-1].end) == []
        assert house.state[0] is State.OK
        assert all(abs(heard - START) < 2 * DAY for heard in house.heard)
        await house.stop()

    run_virtual(story, START)


def test_planning_reaches_as_far_as_it_is_asked_but_not_for_ever() -> None:
    async def story(clock: SteppedClock) -> None:
        house = House(clock, ScriptedSource(clock), Store.in_memory())
        await clock.sleep(60)
        now = clock.now()
        for until in (now, now + 5 * DAY, now + 4000 * DAY):
            plan = house.rate_cache.planning_rates(IMPORT, now, until)
            assert plan[0].start == now
            assert plan[-1].end == min(max(until, now + 2 * DAY), now + 31 * DAY)
            assert gaps(plan, now, plan[-1].end) == []
            known = [rate for rate in plan if rate.confidence >= 1]
            assert known[-1].end <= now + DAY + HOUR
        assert house.rate_cache.planning_rates(Direction.EXPORT, now, now) == []
        await house.stop()

    run_virtual(story, START)


def test_readers_are_woken_by_changes_only() -> None:
    async def story(clock: SteppedClock) -> None:
        source = ScriptedSource(clock)
        house = House(clock, source, Store.in_memory())
        await clock.sleep(2 * 3600)
        version = house.rate_cache.current.version
        await clock.sleep(1800)
        assert house.rate_cache.current.version == version
        source.horizon = timedelta(0)
        source.trouble = lambda: Unavailable("away")
        waiting = asyncio.create_task(house.rate_cache.current.newer_than(version))
        await clock.sleep(30 * 3600)
        assert (await waiting)[IMPORT].stale
        assert house.rate_cache.current.value[IMPORT].at(clock.now()) is None
        await house.stop()

    run_virtual(story, START)


def test_the_fixed_tariff_lives_in_the_rate_cache() -> None:
    async def story(clock: SteppedClock) -> None:
        source = FixedTariff("Europe/Berlin", "EUR", {IMPORT: [PriceRule(Decimal("0.32"))]})
        house = House(clock, source, Store.in_memory())
        for _ in range(10 * 24):
            await clock.sleep(3600)
            now = clock.now()
            plan = house.rate_cache.planning_rates(IMPORT, now, now)
            assert {rate.price for rate in plan} == {Decimal("0.32")}
            assert house.rate_cache.current.value[IMPORT].at(now) is not None
        assert house.state[0] is State.OK
        await house.stop()

    run_virtual(story, START)


def test_a_home_that_has_no_direction_waits_in_peace() -> None:
    async def story(clock: SteppedClock) -> None:
        house = House(clock, ScriptedSource(clock, directions=()), Store.in_memory())
        await clock.sleep(86400)
        assert house.rate_cache.current.value == {}
        assert await house.rate_cache.refresh_now() is None
        await house.stop()

    run_virtual(story, START)


def test_a_damaged_memory_of_the_last_run_is_a_cold_start() -> None:
    async def story(clock: SteppedClock) -> None:
        for kept in ("{", "[]", '{"due": 7, "retries": "x", "asked_day": "no", "outcome": null}'):
            store = Store.in_memory()
            store.set_value("tariff.import", kept)
            store.set_value("tariff.timezone", "Nowhere")
            house = House(clock, ScriptedSource(clock), store)
            await clock.sleep(60)
            assert house.state[0] is State.OK
            await house.stop()

    run_virtual(story, START)
