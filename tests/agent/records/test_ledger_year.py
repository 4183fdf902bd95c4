"""A year of readings: the ledger's sums are those that anybody works out anew from them."""

import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from agent.home.planning_input import ActiveNeed
from agent.records.stored_ledger import read_days, read_sessions, stored_figures
from agent.records.sums import total
from agent.store import Store
from tests.fakes.prices import BERLIN, HOUR, Books, PriceTable

START = datetime(2025, 12, 31, 23, tzinfo=UTC)
HOURS = 365 * 24
CENT = Decimal("0.01")
POWER_W = 10_000
# Each evening the car comes with so much to be charged; it begins at once or at two.
COMES, BEGINS, ASKS_KWH = 17, 1, Decimal(25)
TELLS_EVERY = timedelta(minutes=20)


def price_of(hour: int) -> Decimal:
    """Of the hour with that number, from real life's range: some are negative."""
    chance = random.Random(hour)
    return Decimal(chance.randrange(-5000, 40_000)).scaleb(-5)


def readings(start: datetime) -> list[tuple[datetime, datetime, float]]:
    """What the car took that night, as its charger tells it: in spans that fit no hour."""
    chance = random.Random(start.isoformat())
    out, at, left = [], start + timedelta(seconds=chance.randrange(3600)), float(ASKS_KWH)
    while left > 0.001:
        end = at + TELLS_EVERY
        kwh = min(left, POWER_W * TELLS_EVERY.total_seconds() / 3_600_000)
        out.append((at, end, kwh))
        at, left = end, left - kwh
    return out


def worth(start: datetime, end: datetime, kwh: Decimal) -> dict[int, Decimal]:
    """What it cost, by hour: second for second, with the price of each hour."""
    out: dict[int, Decimal] = {}
    seconds = Decimal(repr((end - start).total_seconds()))
    at = start
    while at < end:
        number = int((at - START) / HOUR)
        until = min(end, START + (number + 1) * HOUR)
        share = kwh * Decimal(repr((until - at).total_seconds())) / seconds
        out[number] = share * price_of(number)
        at = until
    return out


async def test_a_year_is_to_the_cent_what_its_readings_come_to() -> None:
    prices = PriceTable()
    prices.hours(START, *[str(price_of(hour)) for hour in range(HOURS + 48)])
    store = Store.in_memory()
    books = Books(store, prices, {"ev": None})
    costs: dict[str, Decimal] = defaultdict(Decimal)
    baseline = energy = Decimal(0)
    for night in range(364):
        comes = START + timedelta(days=night, hours=COMES)
        deadline = comes + 14 * HOUR
        need = ActiveNeed(f"night {night}", ASKS_KWH, POWER_W, deadline)
        books.keeper.open_demands("ev", [need], comes)
        for start, end, kwh in readings(comes + timedelta(hours=7 + BEGINS)):
            books.take("ev", start, end, kwh)
            exact = Decimal(repr(kwh))
            energy += exact
            for number, cost in worth(start, end, exact).items():
                month = (START + number * HOUR).astimezone(BERLIN).strftime("%Y-%m")
                costs[month] += cost
        at_once = worth(comes, comes + timedelta(hours=2.5), ASKS_KWH)
        baseline += sum(at_once.values())
        books.keeper.settle("ev", [], deadline)
        await books.save(deadline)
        if night % 50 == 0:
            books = Books(store, prices, {"ev": None})
    days = read_days(store)
    by_month: dict[str, Decimal] = defaultdict(Decimal)
    for day in days:
        by_month[f"{day.day // 10_000}-{day.day // 100 % 100:02}"] += day.sums.cost_money
    assert by_month.keys() == costs.keys()
    for month, cost in costs.items():
        assert abs(by_month[month] - cost) < CENT / 2, month
    ever = total(day.sums for day in days)
    assert abs(ever.cost_money - sum(costs.values())) < CENT / 2
    assert abs(ever.baseline_money - baseline) < CENT / 2
    assert abs(ever.energy_kwh - energy) < Decimal("0.001")
    assert ever.pending == ever.estimated == 0
    sessions = read_sessions(store)
    assert len(sessions) == 364
    assert abs(total(one.sums for one in sessions).cost - ever.cost) <= 364 * 2
    assert all(one.best_cost is not None and one.best_cost <= one.sums.cost for one in sessions)
    end = START + timedelta(days=364)
    figures = stored_figures(store, "EUR", BERLIN, end)
    assert figures.total.ever == ever
    assert books.keeper.figures(end).total == figures.total
