"""The rates on disk, a year of them. Only what changed is written.

Rows are read through one door: what is no price, or lies where no price can, is left out and
counted once, whatever the disk made of it.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation

from agent.energy.instants import EARLIEST, LATEST, from_unix, to_unix_ceil, to_unix_floor
from agent.energy.rates import Direction, Rate
from agent.store import Store
from agent.tariff.normalise import Withdrawal, is_price, overlay, withdraw

Row = tuple[int, int, str, float, float | None]
FIRST_S, LAST_S = to_unix_floor(EARLIEST), to_unix_floor(LATEST)
SECOND = timedelta(seconds=1)
# A flat price grows into one row over the years; a longer span is a damaged one.
MAX_SPAN_S = 20 * 366 * 86400
NOTHING_WITHDRAWN = Withdrawal()
# Casts settle the types whatever a row holds, and no text that is no UTF-8 is ever decoded.
SELECT = (
    "SELECT CAST(start AS INTEGER), CAST(end AS INTEGER), CAST(price AS BLOB),"
    " CAST(confidence AS REAL), CAST(carbon AS REAL) FROM rates"
    " WHERE direction = ? AND CAST(start AS INTEGER) < ? AND CAST(end AS INTEGER) > ?"
    " ORDER BY CAST(start AS INTEGER)"
)
DELETE = "DELETE FROM rates WHERE direction = ? AND start = ?"
# A row that cannot be read may hold the place.
INSERT = (
    "INSERT OR REPLACE INTO rates (direction, start, end, price, confidence, carbon)"
    " VALUES (?, ?, ?, ?, ?, ?)"
)


class RateTable:
    """Reads and writes the table `rates`. Raises sqlite3.Error where the disk fails.

    `on_unreadable` is called once for each row that cannot be used, `on_unwritten` for each write
    beside the event loop that failed.
    """

    def __init__(
        self,
        store: Store,
        on_unreadable: Callable[[], object] = lambda: None,
        on_unwritten: Callable[[], object] = lambda: None,
    ) -> None:
        self._store = store
        self._on_unwritten = on_unwritten
        self._on_unreadable = on_unreadable
        self._unreadable: set[tuple[str, object]] = set()

    def rates(self, direction: Direction, start: datetime, end: datetime) -> list[Rate]:
        """Every rate that reaches into `[start, end)`, whole, in order, none overlapping."""
        found = self._store.connection.execute(
            SELECT, (direction.value, to_unix_ceil(end), to_unix_floor(start))
        )
        out: list[Rate] = []
        for row in found:
            rate = _rate(row)
            if rate is not None and not (out and rate.start < out[-1].end):
                out.append(rate)
            elif (direction.value, row[0]) not in self._unreadable:
                self._unreadable.add((direction.value, row[0]))
                self._on_unreadable()
        return out

    def newest(self, direction: Direction, span: timedelta) -> list[Rate]:
        """The last `span` of what is kept, whatever the wall clock says."""
        (end,) = self._store.connection.execute(
            "SELECT max(end) FROM rates WHERE direction = ? AND typeof(end) = 'integer'"
            " AND typeof(start) = 'integer' AND start >= ? AND end BETWEEN start AND ?",
            (direction.value, FIRST_S, LAST_S),
        ).fetchone()
        if end is None:
            return []
        last = from_unix(end)
        return self.rates(direction, last - span, last)

    def put(
        self,
        direction: Direction,
        fetched: Sequence[Rate],
        withdrawal: Withdrawal = NOTHING_WITHDRAWN,
    ) -> bool:
        """Lay normalised rates over what is left of the stored ones; whether anything changed."""
        spans = [*((rate.start, rate.end) for rate in fetched), *withdrawal.spans]
        if not spans:
            return False
        # A second more on either side brings the neighbours that may be merged with.
        start, end = min(span[0] for span in spans), max(span[1] for span in spans)
        stored = self.rates(direction, start - SECOND, end + SECOND)
        before = {_row(rate) for rate in stored}
        after = {_row(rate) for rate in overlay(withdraw(stored, withdrawal), fetched)}
        if before == after:
            return False
        gone, new = before - after, sorted(after - before, key=lambda row: row[0])
        answer = self._store.apply(
            *((DELETE, (direction.value, row[0])) for row in gone),
            *((INSERT, (direction.value, *row)) for row in new),
        )
        if answer is not None:
            answer.add_done_callback(lambda done: done.result() or self._on_unwritten())
        return True

    def change_currency(self, old: str, new: str) -> None:
        """Set the rates in the old currency aside, take up what was once set aside in the new."""
        with self._store.transaction() as connection:
            for direction in Direction:
                for source, target in (
                    (direction.value, f"{direction.value}@{old}"),
                    (f"{direction.value}@{new}", direction.value),
                ):
                    connection.execute(
                        "UPDATE OR REPLACE rates SET direction = ? WHERE direction = ?",
                        (target, source),
                    )

    def forget_before(self, when: datetime) -> None:
        """Delete the rates that ended before `when`."""
        old = (to_unix_floor(when),)
        connection = self._store.connection
        if connection.execute("SELECT 1 FROM rates WHERE end < ? LIMIT 1", old).fetchone():
            self._store.apply(("DELETE FROM rates WHERE end < ?", old))

    def clear(self) -> None:
        """Delete all rates: they belong to another contract."""
        self._store.connection.execute("DELETE FROM rates")

    def forget(self, direction: Direction) -> None:
        """Delete this direction's rates, whatever their currency."""
        sql = "DELETE FROM rates WHERE direction = ? OR direction LIKE ?"
        self._store.connection.execute(sql, (direction.value, f"{direction.value}@%"))


def _row(rate: Rate) -> Row:
    price = format(rate.price, "f")
    start, end = to_unix_floor(rate.start), to_unix_floor(rate.end)
    return start, end, price, rate.confidence, rate.carbon_g_per_kwh


def _rate(row: Iterable[object]) -> Rate | None:
    """The door: None for a row that is no rate."""
    start, end, price, confidence, carbon = row
    if not (isinstance(start, int) and isinstance(end, int) and FIRST_S <= start < end <= LAST_S):
        return None
    if end - start > MAX_SPAN_S:
        return None
    if not (isinstance(confidence, float) and 0 < confidence <= 1 and isinstance(price, bytes)):
        return None
    try:
        value = Decimal(price.decode())
    except (UnicodeDecodeError, InvalidOperation):
        return None
    if not is_price(value):
        return None
    grams = carbon if isinstance(carbon, float) and abs(carbon) < 1e9 else None
    return Rate(from_unix(start), from_unix(end), value, confidence, grams)
