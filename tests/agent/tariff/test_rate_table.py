"""The rates on disk: changes only, nothing lost, nothing written twice."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from agent.energy.rates import Direction, Rate
from agent.store import Store
from agent.tariff.rate_table import RateTable

START = datetime(2026, 1, 16, tzinfo=UTC)
HOUR = timedelta(hours=1)
IMPORT, EXPORT = Direction.IMPORT, Direction.EXPORT


def rate(hour: float, hours: float = 1, price: str = "0.1", confidence: float = 1.0) -> Rate:
    begins = START + hour * HOUR
    return Rate(begins, begins + hours * HOUR, Decimal(price), confidence)


def hours(*prices: str) -> list[Rate]:
    return [rate(number, price=price) for number, price in enumerate(prices)]


def everything(rate_table: RateTable, direction: Direction = IMPORT) -> list[Rate]:
    return rate_table.rates(direction, START - 99999 * HOUR, START + 99999 * HOUR)


def test_what_was_put_comes_back_exactly() -> None:
    rate_table = RateTable(Store.in_memory())
    rates = [
        rate(0, price="0.10050"),
        rate(1, price="-0.00001", confidence=0.6),
        Rate(START + 2 * HOUR, START + 3 * HOUR, Decimal("1E+1"), 1.0, 212.5),
    ]
    assert rate_table.put(IMPORT, rates)
    assert everything(rate_table) == rates
    assert str(everything(rate_table)[0].price) == "0.10050"
    assert everything(rate_table, EXPORT) == []


def test_nothing_is_written_where_nothing_changed() -> None:
    store = Store.in_memory()
    rate_table = RateTable(store)
    rate_table.put(IMPORT, hours("0.1", "0.2", "0.3"))
    before = store.connection.total_changes
    assert not rate_table.put(IMPORT, hours("0.1", "0.2", "0.3"))
    assert not rate_table.put(IMPORT, [rate(1, price="0.2")])
    assert not rate_table.put(IMPORT, [rate(1, price="0.5", confidence=0.6)])
    assert not rate_table.put(IMPORT, [])
    rate_table.forget_before(START)
    assert store.connection.total_changes == before
    assert rate_table.put(IMPORT, hours("0.1", "0.2", "0.4"))
    assert store.connection.total_changes == before + 2


def test_a_part_of_a_rate_can_change_also_in_the_past() -> None:
    rate_table = RateTable(Store.in_memory())
    rate_table.put(IMPORT, [rate(0, 24, "0.3")])
    rate_table.put(IMPORT, [rate(6, 2, "0.2")])
    assert everything(rate_table) == [rate(0, 6, "0.3"), rate(6, 2, "0.2"), rate(8, 16, "0.3")]
    rate_table.put(IMPORT, [rate(6, 2, "0.3")])
    assert everything(rate_table) == [rate(0, 24, "0.3")]


def test_neighbours_of_equal_price_are_one_row() -> None:
    rate_table = RateTable(Store.in_memory())
    rate_table.put(IMPORT, [rate(0, 24, "0.3")])
    rate_table.put(IMPORT, [rate(24, 24, "0.3")])
    assert everything(rate_table) == [rate(0, 48, "0.3")]


def test_holes_leave_what_is_known() -> None:
    rate_table = RateTable(Store.in_memory())
    rate_table.put(IMPORT, hours("0.1", "0.2", "0.3"))
    rate_table.put(IMPORT, [rate(0, price="0.5"), rate(2, price="0.6")])
    assert [held.price for held in everything(rate_table)] == [
        Decimal("0.5"),
        Decimal("0.2"),
        Decimal("0.6"),
    ]


def test_old_rates_go_and_the_newest_are_found_whatever_the_clock_says() -> None:
    rate_table = RateTable(Store.in_memory())
    rate_table.put(IMPORT, [rate(day * 24, 24, str(day)) for day in range(40)])
    rate_table.forget_before(START + timedelta(days=10))
    assert everything(rate_table)[0].price == Decimal(9)
    newest = rate_table.newest(IMPORT, timedelta(days=2))
    assert [held.price for held in newest] == [Decimal(38), Decimal(39)]
    assert rate_table.newest(EXPORT, timedelta(days=2)) == []
    rate_table.clear()
    assert everything(rate_table) == []
