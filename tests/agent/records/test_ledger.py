"""What energy cost at the prices that held, beside what starting at once would have cost."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from agent.database.schema import MIGRATIONS
from agent.energy.rates import Direction
from agent.home.model.meter import MeteredInterval
from agent.home.planning_input import ActiveNeed
from agent.records.ledger import Figures
from agent.records.stored_ledger import read_days, read_sessions, stored_figures
from agent.records.sums import Sums
from agent.store import Store
from tests.fakes.prices import BERLIN, HOUR, Books, PriceTable

EVENING = datetime(2026, 1, 15, 17, tzinfo=UTC)
NIGHT = datetime(2026, 1, 16, 0, tzinfo=UTC)
MORNING = datetime(2026, 1, 16, 6, tzinfo=UTC)
FULL = Decimal(0)


def books(*devices: str, store: Store | None = None, prices: PriceTable | None = None) -> Books:
    if prices is None:
        prices = PriceTable()
        prices.hours(EVENING, *["0.40"] * 5, *["0.10"] * 8, *["0.30"] * 11)
    return Books(store or Store.in_memory(), prices, dict.fromkeys(devices or ("ev",)))


def need(kwh: str, deadline: datetime = MORNING, power_w: int = 10_000, **more: bool) -> ActiveNeed:
    return ActiveNeed("stay", Decimal(kwh), power_w, deadline, **more)


def money(sums: Sums) -> tuple[Decimal, Decimal, Decimal]:
    return sums.energy_kwh, sums.cost_money, sums.baseline_money


def ever(figures: Figures, device: str = "ev") -> tuple[Decimal, Decimal, Decimal]:
    return money(figures.devices[device].periods.ever)


# --- sessions and the frozen baseline -------------------------------------------------------------


def test_the_baseline_stands_for_the_same_energy_begun_at_once() -> None:
    book = books()
    book.keeper.open_demands("ev", [need("20")], EVENING)
    book.take("ev", NIGHT, NIGHT + HOUR, 10)
    account = book.ledger.of("ev")
    # Half of what was asked: half of the run at once, though that lies in the past.
    assert (account.cost, account.baseline_cost) == (Decimal(1), Decimal(4))
    session = book.keeper.figures(NIGHT).devices["ev"].session
    assert session is not None
    assert session.is_open
    assert session.planned == 20_000_000
    book.take("ev", NIGHT + HOUR, NIGHT + 3 * HOUR, 12)
    # The two that nobody asked for cost the same with and without a planner.
    assert account.baseline_cost == Decimal(8) + Decimal("0.2")


def test_what_is_asked_later_is_frozen_when_it_is_asked() -> None:
    book = books()
    book.keeper.open_demands("ev", [need("10")], EVENING)
    book.keeper.open_demands("ev", [need("10.2")], EVENING + HOUR)
    book.keeper.open_demands("ev", [need("30")], NIGHT)
    book.take("ev", NIGHT, NIGHT + 3 * HOUR, 30)
    assert book.ledger.of("ev").baseline_cost == Decimal(4) + Decimal(2)


async def test_a_wish_that_is_withdrawn_was_not_planned() -> None:
    book = books()

    def at(when: datetime, kwh: str, *, asked_anew: bool = False) -> None:
        needs = [need(kwh)]
        book.keeper.open_demands("ev", needs, when)
        book.keeper.settle("ev", needs, when, asked_anew=asked_anew)

    at(EVENING, "20")
    at(EVENING + HOUR, "1000", asked_anew=True)
    book.take("ev", NIGHT, NIGHT + HOUR, 10)
    at(NIGHT + HOUR, "990")
    at(NIGHT + HOUR, "10", asked_anew=True)
    session = book.keeper.figures(NIGHT).devices["ev"].session
    assert session is not None
    assert (session.planned, session.left()) == (20_000_000, 10_000_000)
    # Held against the run at once of the twenty, not of a thousand.
    assert book.ledger.of("ev").baseline_cost == Decimal(4)
    # What is only measured better was planned all the same.
    at(NIGHT + HOUR, "4")
    at(NIGHT + 2 * HOUR, "3.9", asked_anew=True)
    assert session.planned == 20_000_000
    # What is asked no more at all is over, and what was still to come of it was not planned.
    book.keeper.settle("ev", [], NIGHT + 2 * HOUR, asked_anew=True)
    await book.save(MORNING)
    (stored,) = read_sessions(book.store)
    assert (stored.is_open, stored.planned) == (False, 16_100_000)


def test_a_correction_takes_back_what_was_booked_for_the_demand() -> None:
    book = books()
    book.keeper.open_demands("ev", [need("10")], EVENING)
    book.take("ev", NIGHT, NIGHT + HOUR, 10)
    book.take("ev", NIGHT, NIGHT + HOUR, -4)
    assert ever(book.keeper.figures(NIGHT)) == (Decimal(6), Decimal("0.6"), Decimal("2.4"))
    book.take("ev", NIGHT + HOUR, NIGHT + 2 * HOUR, 4)
    assert ever(book.keeper.figures(NIGHT)) == (Decimal(10), Decimal(1), Decimal(4))


async def test_a_session_that_is_over_knows_what_was_planned_and_what_it_cost_too_much() -> None:
    book = books()
    book.keeper.open_demands("ev", [need("20")], EVENING)
    seconds = int(NIGHT.timestamp())
    slots = [(seconds, seconds + 9000, Decimal(10_000), Decimal("2.5"))]
    book.keeper.note_plan("ev", slots)
    # Two dear hours that no plan foresaw, then one cheap one.
    book.take("ev", EVENING + 4 * HOUR, EVENING + 5 * HOUR, 10)
    book.take("ev", NIGHT, NIGHT + HOUR, 10)
    book.keeper.settle("ev", [need("0")], NIGHT + HOUR)
    book.keeper.settle("ev", [], MORNING)
    await book.save(MORNING)
    (session,) = read_sessions(book.store)
    assert (session.is_open, session.met, session.planned) == (False, True, 20_000_000)
    assert session.planned_cost == 2_000_000
    assert money(session.sums) == (Decimal(20), Decimal(5), Decimal(8))
    assert session.best_cost == 2_000_000
    account = book.ledger.of("ev")
    assert (account.deadlines, account.deadlines_met, account.open_needs) == (1, 1, 0)


def test_a_run_that_cannot_be_cut_is_compared_with_its_own_course() -> None:
    prices = PriceTable()
    prices.hours(EVENING, "0.40", "0.10", "0.50", "0.20", "0.20", "0.50")
    book = books("dishwasher", prices=prices)
    end = EVENING + 6 * HOUR
    book.keeper.open_demands("dishwasher", [need("3", end, 2000, contiguous=True)], EVENING)
    book.take("dishwasher", EVENING, EVENING + HOUR, 2)
    book.take("dishwasher", EVENING + HOUR, EVENING + 2 * HOUR, 1)
    book.keeper.settle("dishwasher", [], end)
    session = book.keeper.figures(end).devices["dishwasher"].session
    # In pieces it could have cost 0.40; begun at the fourth hour it costs 0.60.
    assert session is not None
    assert (session.sums.cost, session.best_cost) == (900_000, 600_000)


async def test_a_deadline_that_passes_is_counted_once_and_the_stay_goes_on() -> None:
    book = books()
    book.keeper.open_demands("ev", [need("20")], EVENING)
    for hours in range(3):
        book.keeper.settle("ev", [need("9")], MORNING + hours * HOUR)
    account = book.ledger.of("ev")
    assert (account.deadlines, account.deadlines_met) == (1, 0)
    await book.save(MORNING)
    assert [session.is_open for session in read_sessions(book.store)] == [True]


# --- batteries and the roof -----------------------------------------------------------------------


def battery() -> Books:
    prices = PriceTable()
    prices.hours(NIGHT, *["0.10"] * 18, *["0.40"] * 6)
    return Books(Store.in_memory(), prices, {"battery": Decimal("0.8")})


# --- planned heat ---------------------------------------------------------------------------------


def held(*spans: tuple[datetime, float]) -> list[MeteredInterval]:
    """What a thermostat would have taken, an hour each."""
    return [MeteredInterval(start, start + HOUR, kwh) for start, kwh in spans]


def decimals(*texts: str) -> tuple[Decimal, ...]:
    return tuple(map(Decimal, texts))


async def test_planned_heat_is_compared_with_the_times_of_a_thermostat() -> None:
    store = Store.in_memory()
    book = books("pump", store=store)
    night, day = NIGHT, MORNING + HOUR
    book.take("pump", night, night + HOUR, 4)
    assert ever(book.keeper.figures(day), "pump") == decimals("4", "0.4", "0.4")
    book.keeper.book("pump", (), day + HOUR, held=held((night, 1), (day, 3)))
    assert ever(book.keeper.figures(day), "pump") == decimals("4", "0.4", "1")
    await book.save(day + HOUR)
    # The same after a restart, and when a price is corrected.
    again = books("pump", store=store, prices=book.prices)
    assert ever(again.keeper.figures(day), "pump") == decimals("4", "0.4", "1")
    again.prices.hours(day, "0.50")
    again.keeper.prices_changed(day)
    assert ever(again.keeper.figures(day), "pump") == decimals("4", "0.4", "1.6")


def test_heat_beyond_what_a_thermostat_would_have_taken_saves_nothing() -> None:
    book = books("pump")
    book.take("pump", NIGHT, NIGHT + HOUR, 4)
    book.keeper.book("pump", (), MORNING, held=held((NIGHT, 1), (MORNING + HOUR, 1)))
    # Half at the mean of both, half as it was.
    assert ever(book.keeper.figures(MORNING), "pump") == decimals("4", "0.4", "0.6")


def test_heat_on_the_roofs_surplus_is_compared_with_a_thermostat_on_it() -> None:
    book = books("pump")
    noon = MORNING + 4 * HOUR
    book.surplus = [(noon, noon + HOUR)]
    book.take("pump", noon, noon + HOUR, 2)
    book.keeper.book("pump", (), noon + HOUR, held=held((noon, 1), (noon + HOUR, 1)))
    # Nobody pays for export here: one of the two kWh would have come from the grid.
    assert ever(book.keeper.figures(noon), "pump") == decimals("2", "0", "0.3")


# --- batteries and roofs --------------------------------------------------------------------------


def test_a_battery_has_saved_nothing_until_it_gives() -> None:
    book, account = battery(), None
    book.take("battery", NIGHT, NIGHT + HOUR, 5.0)
    account = book.ledger.of("battery")
    assert (account.energy_kwh, account.cost, account.baseline_cost) == (
        Decimal(5),
        Decimal("0.5"),
        Decimal("0.5"),
    )
    book.take("battery", NIGHT + 18 * HOUR, NIGHT + 19 * HOUR, -2.0)
    assert (account.energy_kwh, account.cost) == (Decimal(5), Decimal("0.5"))
    # 2 kWh at 0.40, less the 2.5 kWh that went in for them at 0.10.
    assert account.baseline_cost - account.cost == Decimal("0.55")


def test_what_was_in_it_before_anybody_counted_is_no_gain() -> None:
    book = battery()
    book.take("battery", NIGHT + 18 * HOUR, NIGHT + 19 * HOUR, -2.0)
    account = book.ledger.of("battery")
    assert account.cost == account.energy_kwh == account.baseline_cost == 0


async def test_what_is_in_a_battery_is_known_on_the_next_day_and_after_a_restart() -> None:
    book = battery()
    book.prices.hours(NIGHT + 24 * HOUR, *["0.40"] * 24)
    book.take("battery", NIGHT, NIGHT + HOUR, 5.0)
    await book.save(NIGHT + HOUR)
    again = Books(book.store, book.prices, book.devices)
    again.take("battery", NIGHT + 30 * HOUR, NIGHT + 31 * HOUR, -2.0)
    account = again.ledger.of("battery")
    assert account.baseline_cost - account.cost == Decimal("0.55")
    # A price of the first day is corrected: the second knows it.
    again.prices.hours(NIGHT, "0.20")
    again.keeper.prices_changed(NIGHT)
    again.keeper.figures(NIGHT + 31 * HOUR)
    assert account.baseline_cost - account.cost == Decimal("0.30")


def test_surplus_costs_what_was_not_paid_for_it_and_nothing_where_nobody_pays() -> None:
    book = books(prices=PriceTable())
    noon = datetime(2026, 6, 15, 12, tzinfo=UTC)
    book.prices.hours(noon, "0.30", "0.30", "0.30")
    book.prices.hours(noon, "0.08", "0.08", direction=Direction.EXPORT)
    book.surplus = [
        (noon + HOUR / 2, noon + 1.5 * HOUR),
        (noon + 2 * HOUR, noon + 2.5 * HOUR),
    ]
    book.take("ev", noon, noon + 3 * HOUR, 3)
    # Three half hours bought, an hour at the price of export, a half for nothing.
    expected = Decimal("0.30") * Decimal("1.5") + Decimal("0.08")
    assert book.ledger.of("ev").cost == expected


# --- prices that come late ------------------------------------------------------------------------


async def test_energy_without_a_price_waits_and_is_corrected_over_days_and_a_restart() -> None:
    store = Store.in_memory()
    book = books(store=store, prices=PriceTable())
    book.keeper.open_demands("ev", [need("20")], EVENING)
    book.take("ev", EVENING, EVENING + HOUR, 10)
    book.take("ev", NIGHT, NIGHT + HOUR, 10)
    sums = book.keeper.figures(NIGHT).devices["ev"].periods.ever
    assert (sums.energy_kwh, sums.pending_kwh, sums.cost) == (Decimal(20), Decimal(20), 0)
    book.keeper.settle("ev", [], NIGHT + HOUR)
    await book.save(NIGHT + HOUR)
    later = NIGHT + timedelta(days=6)
    again = books(store=store, prices=book.prices)
    again.prices.hours(EVENING, *["0.40"] * 7, *["0.10"] * 2)
    again.keeper.prices_changed(EVENING)
    sums = again.keeper.figures(later).devices["ev"].periods.ever
    assert money(sums) == (Decimal(20), Decimal(5), Decimal(8))
    assert sums.pending == 0
    await again.save(later)
    (session,) = read_sessions(store)
    assert money(session.sums) == (Decimal(20), Decimal(5), Decimal(8))
    assert session.best_cost == 2 * 10**6 + 3 * 10**6
    assert sum(day.sums.cost for day in read_days(store)) == 5_000_000


async def test_an_estimate_counts_is_marked_and_corrected() -> None:
    book = books(prices=PriceTable())
    book.prices.hours(NIGHT, "0.20", confidence=0.5)
    book.take("ev", NIGHT, NIGHT + HOUR, 10)
    sums = book.keeper.figures(NIGHT).devices["ev"].periods.today
    assert (sums.cost_money, sums.estimated, sums.pending) == (Decimal(2), 10_000_000, 0)
    book.prices.hours(NIGHT, "0.25")
    book.keeper.prices_changed(NIGHT)
    sums = book.keeper.figures(NIGHT).devices["ev"].periods.today
    assert (sums.cost_money, sums.estimated) == (Decimal("2.5"), 0)


async def test_prices_that_a_new_contract_made_us_forget_stay_booked() -> None:
    book = books()
    book.take("ev", NIGHT, NIGHT + HOUR, 10)
    await book.save(NIGHT + HOUR)
    tomorrow = NIGHT + timedelta(days=1)
    again = books(store=book.store, prices=PriceTable())
    assert ever(again.keeper.figures(tomorrow)) == (Decimal(10), Decimal(1), Decimal(1))


# --- days, clock changes, currencies --------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "hours"), [((2026, 3, 29), 23), ((2026, 10, 25), 25), ((2026, 1, 16), 24)]
)
async def test_local_days_also_when_the_clock_changes(
    day: tuple[int, int, int], hours: int
) -> None:
    start = datetime(*day, tzinfo=BERLIN).astimezone(UTC)
    book = books(prices=PriceTable())
    book.prices.hours(start - 2 * HOUR, *["0.10"] * 30)
    book.take("ev", start - 2 * HOUR, start + 28 * HOUR, 30)
    await book.save(start + 28 * HOUR)
    found = [(record.day % 100, record.sums.energy) for record in read_days(book.store)]
    before, after = (
        (start - HOUR).astimezone(BERLIN).day,
        (start + 26 * HOUR).astimezone(BERLIN).day,
    )
    assert found == [
        (before, 2_000_000),
        (day[2], hours * 1_000_000),
        (after, (28 - hours) * 1_000_000),
    ]


def test_today_begins_anew_at_local_midnight_and_the_month_at_its_first() -> None:
    book = books(prices=PriceTable())
    start = datetime(2026, 1, 31, 22, tzinfo=UTC)
    book.prices.hours(start, "0.10", "0.20")
    book.take("ev", start, start + 2 * HOUR, 2)
    periods = book.keeper.figures(start + 1.5 * HOUR).devices["ev"].periods
    assert (periods.today.cost, periods.month.cost, periods.ever.cost) == (
        200_000,
        200_000,
        300_000,
    )
    periods = book.keeper.figures(start).devices["ev"].periods
    assert (periods.today.cost, periods.month.cost) == (100_000, 100_000)
    assert book.keeper.next_day(start) == start + HOUR


async def test_another_currency_begins_new_totals_and_the_old_stand() -> None:
    book = books()
    book.keeper.open_demands("ev", [need("20")], EVENING)
    book.take("ev", NIGHT, NIGHT + HOUR, 10)
    book.prices.speak("GBP")
    book.prices.known[Direction.IMPORT].clear()
    book.prices.hours(NIGHT, *["0.20"] * 4)
    book.keeper.prices_changed(NIGHT)
    book.keeper.open_demands("ev", [need("10")], NIGHT + HOUR)
    book.take("ev", NIGHT + HOUR, NIGHT + 2 * HOUR, 10)
    assert book.currencies == [("EUR", "GBP")]
    figures = book.keeper.figures(NIGHT + 2 * HOUR)
    assert figures.currency == "GBP"
    assert ever(figures) == (Decimal(10), Decimal(2), Decimal(2))
    await book.save(NIGHT + 2 * HOUR)
    found = {(day.currency, day.sums.cost) for day in read_days(book.store)}
    assert found == {("EUR", 1_000_000), ("GBP", 2_000_000)}
    again = books(store=book.store, prices=book.prices)
    assert again.keeper.figures(NIGHT + 2 * HOUR).total == figures.total


async def test_what_came_before_any_price_is_of_the_first_currency() -> None:
    book = books(prices=PriceTable(""))
    book.take("ev", EVENING, EVENING + HOUR, 1)
    await book.save(EVENING + HOUR)
    book.take("ev", NIGHT, NIGHT + HOUR, 10)
    await book.save(NIGHT + HOUR)
    again = books(store=book.store, prices=book.prices)
    again.prices.hours(EVENING, *["0.40"] * 5, *["0.10"] * 8)
    again.prices.speak("EUR")
    again.keeper.prices_changed(EVENING)
    assert ever(again.keeper.figures(NIGHT)) == (Decimal(11), Decimal("1.4"), Decimal("1.4"))
    await again.save(NIGHT + HOUR)
    assert {day.currency for day in read_days(book.store)} == {"EUR"}
    last = books(store=book.store, prices=again.prices)
    assert ever(last.keeper.figures(NIGHT)) == (Decimal(11), Decimal("1.4"), Decimal("1.4"))


# --- on the disk ----------------------------------------------------------------------------------


async def test_everything_is_the_same_after_a_restart() -> None:
    book = books("ev", "tank")
    book.keeper.open_demands("ev", [need("20")], EVENING)
    book.take("tank", EVENING, EVENING + HOUR, 1.23456789)
    book.take("ev", NIGHT, NIGHT + HOUR, 10)
    await book.save(NIGHT + HOUR)
    figures = book.keeper.figures(NIGHT + HOUR)
    again = books("ev", "tank", store=book.store, prices=book.prices)
    assert again.keeper.figures(NIGHT + HOUR) == figures
    assert stored_figures(book.store, "EUR", BERLIN, NIGHT + HOUR) == figures
    # The demand goes on where it was: nothing is frozen anew.
    again.keeper.open_demands("ev", [need("10")], NIGHT + HOUR)
    again.take("ev", NIGHT + HOUR, NIGHT + 2 * HOUR, 10)
    assert again.ledger.of("ev").baseline_cost == Decimal(8)


async def test_a_session_that_seemed_over_goes_on() -> None:
    book = books()
    book.keeper.open_demands("ev", [need("20")], EVENING)
    book.take("ev", NIGHT, NIGHT + HOUR, 10)
    book.keeper.settle("ev", [], NIGHT + HOUR)
    await book.save(NIGHT + HOUR)
    again = books(store=book.store, prices=book.prices)
    again.keeper.open_demands("ev", [need("10")], NIGHT + 2 * HOUR)
    again.take("ev", NIGHT + 2 * HOUR, NIGHT + 3 * HOUR, 10)
    await again.save(NIGHT + 3 * HOUR)
    (session,) = read_sessions(book.store)
    assert session.is_open
    assert money(session.sums) == (Decimal(20), Decimal(2), Decimal(8))


async def test_a_device_that_left_the_config_stays_in_the_sums_and_has_nothing_under_way() -> None:
    book = books("ev", "tank")
    book.keeper.open_demands("ev", [need("20")], EVENING)
    book.take("ev", NIGHT, NIGHT + HOUR, 10)
    await book.save(NIGHT + HOUR)
    again = books("tank", store=book.store, prices=book.prices)
    figures = again.keeper.figures(NIGHT + HOUR)
    assert ever(figures) == (Decimal(10), Decimal(1), Decimal(4))
    assert figures.total.ever == figures.devices["ev"].periods.ever
    session = figures.devices["ev"].session
    assert session is not None
    assert not session.is_open
    assert [one.is_open for one in read_sessions(book.store)] == [False]


async def test_a_day_is_small_once_nothing_can_change_it(tmp_path: Path) -> None:
    with closing(Store.open(tmp_path / "a.sqlite", EVENING)) as store:
        book = books(store=store)
        for day in range(60):
            start = NIGHT + timedelta(days=day)
            book.prices.hours(start, *["0.1234567"] * 24)
            book.keeper.prices_changed(start)
            for hour in range(24):
                book.take("ev", start + hour * HOUR, start + (hour + 1) * HOUR, 1.2345)
            await book.save(start + 23 * HOUR)
        sql = (
            "SELECT day, length(device) + length(currency) + 5 * 9"
            " + coalesce(length(detail), 0) FROM ledger_days ORDER BY day"
        )
        sizes = [size for _, size in store.connection.execute(sql)]
    assert len(sizes) == 61
    assert max(sizes[:-10]) < 200
    assert max(sizes) < 2000


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE ledger_days SET energy = 'x' WHERE day = 20260115",
        "UPDATE ledger_days SET cost = 1e300 WHERE day = 20260115",
        "UPDATE ledger_days SET day = 99999999 WHERE day = 20260115",
    ],
)
async def test_a_damaged_row_is_one_row_lost(sql: str) -> None:
    book = books()
    book.take("ev", EVENING, EVENING + HOUR, 1)
    book.take("ev", NIGHT, NIGHT + HOUR, 10)
    await book.save(NIGHT + HOUR)
    book.store.connection.execute(sql)
    again = books(store=book.store, prices=book.prices)
    assert ever(again.keeper.figures(NIGHT)) == (Decimal(10), Decimal(1), Decimal(1))
    assert again.store.unreadable_rows > 0


@pytest.mark.parametrize("detail", ["NULL", "'{'", "'[]'", "'{\"runs\": [[1]]}'", "x'ff'"])
async def test_a_day_without_its_detail_stands_and_takes_more(detail: str) -> None:
    book = books()
    book.take("ev", NIGHT, NIGHT + HOUR, 10)
    await book.save(NIGHT + HOUR)
    book.store.connection.execute(f"UPDATE ledger_days SET detail = {detail}")
    again = books(store=book.store, prices=book.prices)
    again.take("ev", NIGHT + HOUR, NIGHT + 2 * HOUR, 10)
    expected = (Decimal(20), Decimal(2), Decimal(2))
    assert ever(again.keeper.figures(NIGHT)) == expected
    await again.save(NIGHT + 2 * HOUR)
    last = books(store=book.store, prices=book.prices)
    assert ever(last.keeper.figures(NIGHT)) == expected


def test_an_older_database_gets_the_tables(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        for script in MIGRATIONS[:2]:
            old.executescript(script)
        old.execute("PRAGMA user_version = 2")
        old.execute("INSERT INTO facts VALUES ('revision', '7')")
    with closing(Store.open(path, EVENING)) as store:
        assert store.problem is None
        assert store.get_value("revision") == "7"

        async def go() -> None:
            book = books(store=store)
            book.take("ev", NIGHT, NIGHT + HOUR, 10)
            await book.save(NIGHT + HOUR)

        asyncio.run(go())
        assert [day.sums.cost for day in read_days(store)] == [1_000_000]
