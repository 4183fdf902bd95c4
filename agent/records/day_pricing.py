"""Prices the days of every device, again where a price comes late; looks back on sessions."""

from dataclasses import dataclass, field
from datetime import datetime

from agent.energy.instants import EARLIEST, from_unix
from agent.records.day_book import QUARTER_S, DayBook
from agent.records.demand_session import DemandSession
from agent.records.device_books import DeviceBooks
from agent.records.hindsight import best_cost
from agent.records.ledger import Ledger, Totals
from agent.records.ledger_rows import number_of
from agent.records.ledger_table import UNSETTLED_DETAIL_KEPT, LedgerTable
from agent.records.price_windows import DAY, PriceWindows
from agent.records.sums import NOTHING


@dataclass(slots=True)
class DayPricing:
    """`totals` are those of `currency`; the ledger shows them."""

    ledger: Ledger
    table: LedgerTable
    windows: PriceWindows
    currency: str = ""
    totals: Totals = field(default_factory=Totals)

    def begin(self, currency: str) -> None:
        """Go on in that currency: what was booked in it, ever."""
        self.currency = currency
        self.totals = Totals(self.table.ever(currency), self.table.recent(currency))
        for device in {*self.ledger.accounts, *self.totals.ever}:
            self.ledger.of(device).show(self.totals.ever.get(device, NOTHING))

    def book(self, books: DeviceBooks, day: int) -> DayBook:
        """That day's, from memory, from the disk or new."""
        key = day, self.currency
        if key not in books.books:
            book = self.table.book(books.device, *key)
            if book is None:
                book = DayBook(books.device, *key)
                before = self._book_before(books, day)
                if before is not None and books.round_trip is not None:
                    book.stock = before.stock_after
            book.round_trip = books.round_trip
            books.books[key] = book
        return books.books[key]

    def _book_before(self, books: DeviceBooks, day: int) -> DayBook | None:
        held = [key for key in books.books if key[1] == self.currency and key[0] < day]
        stored = self.table.newest_before(books.device, day, self.currency)
        if held and (stored is None or max(held)[0] >= stored.day):
            return books.books[max(held)]
        return stored

    def price(self, books: DeviceBooks, book: DayBook) -> None:
        """What the day cost goes into its totals and sessions."""
        before, parts = book.sums, dict(book.sessions)
        book.price(self.windows.of_book(book))
        for key in {*parts, *book.sessions}:
            change = book.sessions.get(key, NOTHING) - parts.get(key, NOTHING)
            if change == NOTHING:
                continue
            session = books.sessions.get(key) or self.ended(books, key)
            if session is None:
                continue
            session.sums += change
            if not session.is_open:
                self.look_back(books, session)
                books.touch(session.row)
        if book.currency == self.currency:
            self.totals.add(book.device, book.day, book.sums - before)
            self.ledger.of(book.device).show(self.totals.ever[book.device])

    def price_again(self, books: DeviceBooks, since: datetime, now: datetime) -> bool:
        """Some price from `since` on is another; whether that changed a day."""
        if since > now + DAY:
            return False
        oldest = self.windows.day_of(now - UNSETTLED_DETAIL_KEPT)
        first = max(oldest, number_of(max(since, EARLIEST + DAY).date() - DAY))
        changed = [book for book in self._days(books, first) if self._is_outdated(book)]
        for book in changed:
            self._take(books, book)
        if changed:
            self.carry_stock(books, changed[0].day)
        return bool(changed)

    def _days(self, books: DeviceBooks, first: int) -> list[DayBook]:
        """From that day on what can be priced again, in order; what is in memory is newer."""
        stored = self.table.detailed(self.currency, first, books.device)
        days = {book.day: book for book in stored}
        held = books.books.values()
        days |= {b.day: b for b in held if b.currency == self.currency and b.day >= first}
        return [book for _, book in sorted(days.items())]

    def _take(self, books: DeviceBooks, book: DayBook) -> None:
        books.books[book.day, book.currency] = book
        books.touch((book.day, book.currency))
        self.price(books, book)

    def _is_outdated(self, book: DayBook) -> bool:
        """Are its prices others? Those of a contract that has ended and was forgotten stand."""
        prices = self.windows.of_book(book)
        return book.fingerprint != prices.fingerprint and book.pending_at(prices) <= (
            book.sums.pending
        )

    def asked_less(self, books: DeviceBooks, session: DemandSession) -> None:
        """What was booked is held against a shorter run; a first plan of the rest is awaited."""
        first = number_of(from_unix(session.since).date() - DAY)
        for book in self._days(books, first):
            if session.key in book.asked:
                book.asked[session.key] = list(session.asked)
                self._take(books, book)
        session.planned_cost = None
        if session.left() > 0:
            books.awaiting_plan.add(session.key)
        books.touch(session.row)
        books.frozen.add(session.row)

    def carry_stock(self, books: DeviceBooks, since: int) -> None:
        """What is left in a battery at the end of one day is in it as the next begins."""
        if books.round_trip is None:
            return
        last: DayBook | None = None
        for book in self._days(books, since):
            if last is not None and book.stock != last.stock_after:
                book.stock = last.stock_after
                self._take(books, book)
            last = book

    def ended(self, books: DeviceBooks, key: str) -> DemandSession | None:
        """The session of that key, which is over, to be changed."""
        found = books.ended_as(key, self.currency)
        last = books.last
        if found is None and last is not None and last.key == key:
            found = last if last.currency == self.currency else None
        found = found or self.table.session(books.device, key, self.currency)
        if found is not None:
            books.ended[found.row] = found
        return found

    def look_back(self, books: DeviceBooks, session: DemandSession) -> None:
        """What its energy would have cost at best in its time."""
        first = number_of(from_unix(session.since).date() - DAY)
        mine = [book for book in self._days(books, first) if session.key in book.asked]
        until = max(session.deadline, session.until or 0) + QUARTER_S
        prices = self.windows.around(session.since, until)
        session.best_cost = best_cost(session, mine, prices)
