"""What the database holds of the ledger: days for years, sessions for 400 days.

Days keep their detail for as long as prices may still change them. Rows that cannot be read are
left out, counted and named by the store.
"""

from collections.abc import Iterable
from datetime import date, timedelta

from agent.records.day_book import DayBook
from agent.records.demand_session import DemandSession
from agent.records.ledger_rows import (
    DAY_COLUMNS,
    MOST,
    SESSION_COLUMNS,
    number_of,
    read_book,
    read_session,
    read_sums,
)
from agent.records.sums import NOTHING, Sums
from agent.store import Statement, Store

# A tariff source corrects the last week; back-fill reaches back a month,
# and the rate cache holds five weeks.
DETAIL_KEPT = timedelta(days=8)
UNSETTLED_DETAIL_KEPT = timedelta(days=30)
SESSIONS_KEPT = timedelta(days=400)
# Of every device the newest days, enough for this month and the last.
RECENT_ROWS = 1000
AMOUNTS = ("energy", "cost", "baseline", "pending", "estimated")
GOOD = " AND ".join(
    [
        "typeof(day) = 'integer'",
        "day BETWEEN 19700101 AND 21991231",
        "day / 100 % 100 BETWEEN 1 AND 12",
        "day % 100 BETWEEN 1 AND 31",
        *(f"typeof({name}) = 'integer' AND abs({name}) <= {MOST}" for name in AMOUNTS),
    ]
)
SUMS = ", ".join(f"sum({name})" for name in AMOUNTS)


class LedgerTable:
    """Reads. What goes with a meter's position is written by whoever writes that."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def write(self, statement: Statement) -> None:
        """What goes with nothing else."""
        self._store.submit(statement)

    def ever(self, currency: str) -> dict[str, Sums]:
        """All that was booked in that currency, by device."""
        self._store.rows(f"SELECT {DAY_COLUMNS} FROM ledger_days WHERE NOT ({GOOD})", (), read_sums)
        sql = f"SELECT device, {SUMS} FROM ledger_days WHERE currency = ? AND {GOOD} GROUP BY 1"
        return dict(self._store.rows(sql, (currency,), lambda row: (str(row[0]), Sums(*row[1:]))))

    def recent(self, currency: str) -> dict[tuple[str, int], Sums]:
        """By device and day, the newest."""
        sql = (
            f"SELECT {DAY_COLUMNS} FROM ledger_days WHERE currency = ? AND {GOOD}"
            f" ORDER BY day DESC LIMIT {RECENT_ROWS}"
        )
        rows = self._store.rows(sql, (currency,), read_sums)
        return {(device, day): sums for day, device, _, sums in rows}

    def days(self) -> list[tuple[int, str, str, Sums]]:
        """Every day, device and currency, in order."""
        sql = f"SELECT {DAY_COLUMNS} FROM ledger_days ORDER BY day, device, currency"
        return self._store.rows(sql, (), read_sums)

    def book(self, device: str, day: int, currency: str) -> DayBook | None:
        sql = f"SELECT {DAY_COLUMNS} FROM ledger_days WHERE day = ? AND device = ? AND currency = ?"
        found = self._store.rows(sql, (day, device, currency), read_book)
        return found[0] if found else None

    def detailed(self, currency: str, since: int, device: str | None = None) -> list[DayBook]:
        """The days from `since` on that can be priced again, in order."""
        sql = (
            f"SELECT {DAY_COLUMNS} FROM ledger_days WHERE currency = ? AND day >= ?"
            " AND detail IS NOT NULL AND (? IS NULL OR device = ?) ORDER BY day"
        )
        return self._store.rows(sql, (currency, since, device, device), read_book)

    def newest_before(self, device: str, day: int, currency: str) -> DayBook | None:
        sql = (
            f"SELECT {DAY_COLUMNS} FROM ledger_days WHERE device = ? AND currency = ? AND day < ?"
            " ORDER BY day DESC LIMIT 1"
        )
        found = self._store.rows(sql, (device, currency, day), read_book)
        return found[0] if found else None

    # --- sessions -------------------------------------------------------------------------------

    def sessions(self) -> list[DemandSession]:
        """Every session in order; of open ones what was stored of their days."""
        sql = f"SELECT {SESSION_COLUMNS} FROM ledger_sessions ORDER BY since, device, name"
        return [self._up_to_date(found) for found in self._store.rows(sql, (), read_session)]

    def open_sessions(self, currency: str) -> list[DemandSession]:
        sql = (
            f"SELECT {SESSION_COLUMNS} FROM ledger_sessions"
            " WHERE until IS NULL AND currency = ? ORDER BY since"
        )
        found = self._store.rows(sql, (currency,), read_session)
        return [self._up_to_date(session) for session in found]

    def last_sessions(self, currency: str) -> list[DemandSession]:
        """Of each device the one that ended last."""
        sql = (
            f"SELECT {SESSION_COLUMNS}, max(until) FROM ledger_sessions"
            " WHERE until IS NOT NULL AND currency = ? GROUP BY device"
        )
        return self._store.rows(sql, (currency,), lambda row: read_session(row[:-1]))

    def session(self, device: str, key: str, currency: str) -> DemandSession | None:
        """The last of that name."""
        sql = (
            f"SELECT {SESSION_COLUMNS} FROM ledger_sessions"
            " WHERE device = ? AND name = ? AND currency = ? ORDER BY since DESC LIMIT 1"
        )
        found = self._store.rows(sql, (device, key, currency), read_session)
        return self._up_to_date(found[0]) if found else None

    def _up_to_date(self, session: DemandSession) -> DemandSession:
        """The days are written more often than an open session's own row."""
        first = number_of(_date_before(session.since))
        books = self.detailed(session.currency, first, session.device)
        taking = [book for book in books if session.key in book.sessions]
        for book in taking:
            for part, energy in book.taken(session.key).items():
                session.taken[part] = session.taken.get(part, 0) + energy
        if session.is_open:
            session.sums = sum((book.sessions[session.key] for book in taking), NOTHING)
        return session


def forget_old(today: date, open_since: Iterable[date]) -> list[Statement]:
    """The detail of days that nothing can change any more, and sessions of long ago.

    The newest day of a device keeps its detail: it knows what is in a battery.
    """
    settled = min([today - DETAIL_KEPT, *open_since])
    last = today - UNSETTLED_DETAIL_KEPT
    newest = "(SELECT max(day) FROM ledger_days d WHERE d.device = ledger_days.device)"
    oldest = int((today - SESSIONS_KEPT - date(1970, 1, 1)).total_seconds())
    return [
        (
            "UPDATE ledger_days SET detail = NULL WHERE detail IS NOT NULL AND day < ?"
            f" AND (day < ? OR pending = 0 AND estimated = 0) AND day < {newest}",
            (number_of(settled), number_of(last)),
        ),
        ("DELETE FROM ledger_sessions WHERE until < ?", (oldest,)),
    ]


def forget_unnamed(device: str) -> Statement:
    """What was booked before any currency was known has been booked in one."""
    return "DELETE FROM ledger_days WHERE currency = '' AND device = ?", (device,)


def _date_before(second: int) -> date:
    """No time zone is further away."""
    return date(1970, 1, 1) + timedelta(days=second // 86_400 - 1)
