"""The rates on disk, a year of them. Only what changed is written."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from agent.energy.instants import from_unix, to_unix_ceil, to_unix_floor
from agent.energy.rates import Direction, Rate
from agent.store import Store
from agent.tariff.normalise import overlay

Row = tuple[int, int, str, float, float | None]


class RateTable:
    """Reads and writes the table `rates`. Raises sqlite3.Error where the disk fails."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def rates(self, direction: Direction, start: datetime, end: datetime) -> list[Rate]:
        """Every rate that reaches into `[start, end)`, whole, in order."""
        found = self._store.connection.execute(
            "SELECT start, end, price, confidence, carbon FROM rates"
            " WHERE direction = ? AND start < ? AND end > ? ORDER BY start",
            (direction.value, to_unix_ceil(end), to_unix_floor(start)),
        )
        return [_rate(row) for row in found]

    def newest(self, direction: Direction, span: timedelta) -> list[Rate]:
        """The last `span` of what is kept, whatever the wall clock says."""
        (end,) = self._store.connection.execute(
            "SELECT max(end) FROM rates WHERE direction = ?", (direction.value,)
        ).fetchone()
        if end is None:
            return []
        last = from_unix(end)
        return self.rates(direction, last - span, last)

    def put(self, direction: Direction, fetched: Sequence[Rate]) -> bool:
        """Lay normalised rates over the stored ones; whether that changed anything."""
        if not fetched:
            return False
        # A second more on either side brings the neighbours that may be merged with.
        second = timedelta(seconds=1)
        stored = self.rates(direction, fetched[0].start - second, fetched[-1].end + second)
        before = {_row(rate) for rate in stored}
        after = {_row(rate) for rate in overlay(stored, fetched)}
        if before == after:
            return False
        with self._store.transaction() as connection:
            connection.executemany(
                "DELETE FROM rates WHERE direction = ? AND start = ?",
                [(direction.value, row[0]) for row in before - after],
            )
            connection.executemany(
                "INSERT INTO rates (direction, start, end, price, confidence, carbon)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                [(direction.value, *row) for row in sorted(after - before, key=lambda row: row[0])],
            )
        return True

    def forget_before(self, when: datetime) -> None:
        """Delete the rates that ended before `when`."""
        old = (to_unix_floor(when),)
        connection = self._store.connection
        if connection.execute("SELECT 1 FROM rates WHERE end < ? LIMIT 1", old).fetchone():
            connection.execute("DELETE FROM rates WHERE end < ?", old)

    def clear(self) -> None:
        """Delete all rates: they belong to another contract or currency."""
        self._store.connection.execute("DELETE FROM rates")


def _row(rate: Rate) -> Row:
    price = format(rate.price, "f")
    start, end = to_unix_floor(rate.start), to_unix_floor(rate.end)
    return start, end, price, rate.confidence, rate.carbon_g_per_kwh


def _rate(row: Iterable[object]) -> Rate:
    start, end, price, confidence, carbon = row
    assert isinstance(start, int)
    assert isinstance(end, int)
    assert isinstance(confidence, float)
    assert carbon is None or isinstance(carbon, float)
    return Rate(from_unix(start), from_unix(end), Decimal(str(price)), confidence, carbon)
