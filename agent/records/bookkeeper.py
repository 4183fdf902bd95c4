"""Books what devices took, prices it, opens and closes their sessions, says what is to be stored.

Energy is booked at once and priced by what is known; where a price comes late or is corrected, its
days are priced again. What is stored goes to the disk together with the meter's own position, so
that after a power cut neither is ahead of the other: nothing is booked twice, nothing is lost.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from agent.energy.instants import EARLIEST, from_unix, to_unix_floor
from agent.energy.localtime import MIDNIGHT, local_instant
from agent.energy.rates import Direction
from agent.home.model.meter import MeteredInterval
from agent.home.planning_input import ActiveNeed
from agent.ports import RatesProvider
from agent.records.day_book import GIVEN, QUARTER_S, DayBook, Piece, cut
from agent.records.demand_session import (
    DemandSession,
    allocate,
    begins,
    first_plan_cost,
    key_of,
)
from agent.records.device_books import DeviceBooks
from agent.records.hindsight import best_cost
from agent.records.known_prices import KnownPrices
from agent.records.ledger import DeviceFigures, Figures, Ledger, Totals, last_session
from agent.records.ledger_rows import date_of, number_of, put_day, put_session
from agent.records.ledger_table import (
    UNSETTLED_DETAIL_KEPT,
    LedgerTable,
    forget_old,
    forget_unnamed,
)
from agent.records.sums import NOTHING
from agent.store import Statement

log = logging.getLogger(__name__)

DAY = timedelta(days=1)
# A run of prices is asked for again and again while a day is booked.
MOST_PRICES_HELD = 32
# This month and some more.
SHOWN_DAYS = timedelta(days=40)

Spans = Sequence[tuple[datetime, datetime]]
Slots = Iterable[tuple[int, int, Decimal, Decimal]]


@dataclass(slots=True)
class Bookkeeper:
    """`surplus(now)`: when in the last hour the roof gave more than the house took.

    `on_change()` hears that a figure may have changed, `on_currency(old, new)` that new totals have
    begun.
    """

    ledger: Ledger
    table: LedgerTable
    rates: RatesProvider
    zone: Callable[[], ZoneInfo]
    surplus: Callable[[datetime], Spans] = lambda now: ()
    on_change: Callable[[], None] = lambda: None
    on_currency: Callable[[str, str], None] = lambda old, new: None
    _currency: str = field(default="", init=False)
    _devices: dict[str, DeviceBooks] = field(default_factory=dict, init=False)
    _totals: Totals = field(default_factory=Totals, init=False)
    _changed_from: datetime | None = field(default=EARLIEST, init=False)
    _prices: dict[tuple[int, int], KnownPrices] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._currency = self._known_currency()

    def register(self, device: str, round_trip: Decimal | None = None) -> None:
        """`round_trip`: the share that it gives back, where it is a battery."""
        self._devices[device] = DeviceBooks(device, round_trip)

    def restore(self) -> None:
        """Take up what earlier lives booked, of the devices that are registered and all others."""
        self._totals = Totals(self.table.ever(self._currency), self.table.recent(self._currency))
        for device in {*self._totals.ever, *self._devices}:
            self.ledger.of(device).show(self._totals.ever.get(device, NOTHING))
        for session in self.table.last_sessions(self._currency):
            if session.device in self._devices:
                self._devices[session.device].last = session
        for session in self.table.open_sessions(self._currency):
            if session.device in self._devices:
                self._devices[session.device].sessions[session.key] = session

    # --- what comes in --------------------------------------------------------------------------

    def prices_changed(self, since: datetime) -> None:
        """Some price from then on is another: what was booked there is priced again."""
        self._changed_from = min(self._changed_from or since, since)
        self._prices.clear()

    def open_demands(self, device: str, needs: Sequence[ActiveNeed], now: datetime) -> None:
        """Freeze what new needs ask."""
        self._catch_up(now)
        books = self._devices[device]
        for need in needs:
            session = books.sessions.get(need.key)
            if session is None:
                if not begins(need, now):
                    continue
                session = books.sessions[need.key] = self._begin(device, need, now)
                books.ended.pop(session.row, None)
            if session.look(need, now):
                books.touch(session.row)
                books.awaiting_plan.add(need.key)
                self.on_change()

    def _begin(self, device: str, need: ActiveNeed, now: datetime) -> DemandSession:
        books = self._devices[device]
        again = self._ended(books, need.key)
        if again is not None:
            # It was not over, after all.
            again.until = again.best_cost = None
            books.touch(again.row)
            return again
        begun, deadline = to_unix_floor(now), to_unix_floor(need.deadline)
        return DemandSession(
            device, need.key, begun, deadline, self._currency, contiguous=need.contiguous
        )

    def book(self, device: str, intervals: Iterable[MeteredInterval], now: datetime) -> None:
        """Energy that was metered: positive taken, negative given or a correction."""
        self._catch_up(now)
        books, zone = self._devices[device], self.zone()
        surplus = [(start.timestamp(), end.timestamp()) for start, end in self.surplus(now)]
        touched: dict[tuple[int, str], DayBook] = {}
        sessions = [] if books.round_trip is not None else list(books.sessions.values())
        for interval in intervals:
            start, end = interval.start.timestamp(), interval.end.timestamp()
            edges = self._days_of(start, end).edges(*_quarters(start, end))
            for begin, until, flow, energy_kwh in cut(
                start, end, interval.energy_kwh, edges, surplus
            ):
                amount = books.rounded(energy_kwh)
                books.unsaved_energy += abs(amount)
                if books.round_trip is not None and amount < 0:
                    flow, amount = GIVEN, -amount
                day = number_of(from_unix(begin).astimezone(zone).date())
                book = touched[day, self._currency] = self._book(device, day)
                for session, part, share in allocate(sessions, amount):
                    asked = () if session is None else session.asked
                    book.add(Piece(begin, until, flow, key_of(session), part), share, asked)
        for key in sorted(touched):
            books.touch(key)
            self._price(touched[key])
        if touched:
            self._carry_stock(device, min(touched)[0])
            self.on_change()

    def settle(self, device: str, needs: Sequence[ActiveNeed], now: datetime) -> None:
        """Settle what is met or whose deadline has come; close what is asked no more."""
        books, account = self._devices[device], self.ledger.of(device)
        asked = {need.key: need for need in needs}
        for key, session in list(books.sessions.items()):
            need = asked.get(key)
            due = need is None and not session.settled and now.timestamp() >= session.deadline
            if due:
                session.settled, session.met = True, False
            if due or (need is not None and session.settle(need, now)):
                account.deadlines += 1
                account.deadlines_met += session.met
                books.touch(session.row)
            if need is None:
                self._close(books, session, now)
        account.open_needs = sum(not session.settled for session in books.sessions.values())

    def _close(self, books: DeviceBooks, session: DemandSession, now: datetime) -> None:
        del books.sessions[session.key]
        session.until = max(session.since, to_unix_floor(now))
        books.ended[session.row] = books.last = session
        books.awaiting_plan.discard(session.key)
        self._look_back(session)
        books.touch(session.row)
        self.on_change()

    def note_plan(self, device: str, slots: Slots) -> None:
        """The first plan of a new demand: start, end, W and cost of its slots, in order."""
        books = self._devices[device]
        if not books.awaiting_plan:
            return
        known = list(slots)
        for key in books.awaiting_plan & books.sessions.keys():
            session = books.sessions[key]
            session.planned_cost = first_plan_cost(session, known)
            books.touch(session.row)
        books.awaiting_plan.clear()
        self.on_change()

    # --- what it comes to -----------------------------------------------------------------------

    def figures(self, now: datetime) -> Figures:
        """Of every device of which anything was booked, and of those of the config."""
        self._catch_up(now)
        today = self._today(now)
        self._totals.forget_before(number_of((now - SHOWN_DAYS).date()))
        devices = {}
        for device in sorted({*self._devices, *self._totals.ever}):
            books = self._devices.get(device)
            sessions = [] if books is None else [*books.sessions.values()]
            if books is not None and books.last is not None:
                sessions.append(books.last)
            periods = self._totals.periods(device, today)
            devices[device] = DeviceFigures(periods, last_session(sessions))
        return Figures(self._currency, self.zone().key, devices)

    def next_day(self, now: datetime) -> datetime:
        """When today's sums begin anew."""
        zone = self.zone()
        return local_instant(now.astimezone(zone).date() + DAY, MIDNIGHT, zone)

    # --- what is stored -------------------------------------------------------------------------

    def worth_saving(self, device: str, now: datetime) -> bool:
        return self._devices[device].worth_saving(self._today(now))

    def writes(
        self, device: str, now: datetime
    ) -> tuple[list[Statement], Callable[[asyncio.Future[bool]], None]]:
        """What is not on the disk yet, to be written with the meter's position in one
        transaction; and who is to be told whether it was."""
        books, today = self._devices[device], self._today(now)
        statements = [put_day(book) for book in books.unsaved_books()]
        statements += [put_session(session) for session in books.unsaved_sessions()]
        if books.forget_unnamed:
            statements.append(forget_unnamed(device))
        if statements and books.forgot_on != today:
            books.forgot_on = today
            opened = (
                from_unix(session.since).date() - DAY
                for one in self._devices.values()
                for session in one.sessions.values()
            )
            statements += forget_old(date_of(today), opened)
        written, energy, unnamed = dict(books.unsaved), books.unsaved_energy, books.forget_unnamed

        def stored(answer: asyncio.Future[bool]) -> None:
            if answer.cancelled() or not answer.result():
                return
            books.saved(written, energy)
            if unnamed:
                books.forget_unnamed = False
            books.let_go(number_of(date_of(today) - DAY))

        return statements, stored

    # --- prices and days ------------------------------------------------------------------------

    def _today(self, now: datetime) -> int:
        return number_of(now.astimezone(self.zone()).date())

    def _known_currency(self) -> str:
        imported = self.rates.current.value.get(Direction.IMPORT)
        return "" if imported is None else imported.currency

    def _catch_up(self, now: datetime) -> None:
        """Take in another currency and other prices."""
        currency = self._known_currency()
        if currency and currency != self._currency:
            self._change_currency(currency, now)
        if self._changed_from is not None:
            since, self._changed_from = self._changed_from, None
            self._price_again(since, now)

    def _price_again(self, since: datetime, now: datetime) -> None:
        if since > now + DAY:
            return
        oldest = (now - UNSETTLED_DETAIL_KEPT).astimezone(self.zone()).date()
        first = max(number_of(oldest), number_of(max(since, EARLIEST + DAY).date() - DAY))
        for device, books in self._devices.items():
            days = {book.day: book for book in self.table.detailed(self._currency, first, device)}
            days |= {
                day: book
                for (day, currency), book in books.books.items()
                if currency == self._currency and day >= first
            }
            changed = [book for _, book in sorted(days.items()) if self._is_outdated(book)]
            for book in changed:
                books.books[book.day, book.currency] = book
                books.touch((book.day, book.currency))
                self._price(book)
            if changed:
                self._carry_stock(device, changed[0].day)
                self.on_change()

    def _is_outdated(self, book: DayBook) -> bool:
        """Are its prices others? Those of a contract that has ended and was forgotten stand."""
        prices = self._prices_of(book)
        return book.fingerprint != prices.fingerprint and book.pending_at(prices) <= (
            book.sums.pending
        )

    def _carry_stock(self, device: str, since: int) -> None:
        """What is left in a battery at the end of one day is in it as the next begins."""
        books = self._devices[device]
        if books.round_trip is None:
            return
        days = {book.day: book for book in self.table.detailed(self._currency, since, device)}
        days |= {key[0]: b for key, b in books.books.items() if key[1] == self._currency}
        last: DayBook | None = None
        for day in sorted(day for day in days if day >= since):
            book = days[day]
            if last is not None and book.stock != last.stock_after:
                book.stock = last.stock_after
                books.books[day, self._currency] = book
                books.touch((day, self._currency))
                self._price(book)
            last = book

    def _book(self, device: str, day: int) -> DayBook:
        books, key = self._devices[device], (day, self._currency)
        if key not in books.books:
            book = self.table.book(device, *key)
            if book is None:
                book = DayBook(device, *key, round_trip=books.round_trip)
                before = self._book_before(books, day)
                if before is not None and books.round_trip is not None:
                    book.stock = before.stock_after
            book.round_trip = books.round_trip
            books.books[key] = book
        return books.books[key]

    def _book_before(self, books: DeviceBooks, day: int) -> DayBook | None:
        held = [key for key in books.books if key[1] == self._currency and key[0] < day]
        stored = self.table.newest_before(books.device, day, self._currency)
        if held and (stored is None or max(held)[0] >= stored.day):
            return books.books[max(held)]
        return stored

    def _price(self, book: DayBook) -> None:
        books, before, parts = self._devices[book.device], book.sums, dict(book.sessions)
        book.price(self._prices_of(book))
        for key in {*parts, *book.sessions}:
            change = book.sessions.get(key, NOTHING) - parts.get(key, NOTHING)
            if change == NOTHING:
                continue
            session = books.sessions.get(key) or self._ended(books, key)
            if session is None:
                continue
            session.sums += change
            if not session.is_open:
                self._look_back(session)
                books.touch(session.row)
        if book.currency == self._currency:
            self._totals.add(book.device, book.day, book.sums - before)
            self.ledger.of(book.device).show(self._totals.ever[book.device])

    def _ended(self, books: DeviceBooks, key: str) -> DemandSession | None:
        """The session of that key, which is over, to be changed."""
        found = books.ended_as(key, self._currency)
        last = books.last
        if found is None and last is not None and last.key == key:
            found = last if last.currency == self._currency else None
        found = found or self.table.session(books.device, key, self._currency)
        if found is not None:
            books.ended[found.row] = found
        return found

    def _look_back(self, session: DemandSession) -> None:
        """What its energy would have cost at best in its time."""
        books = self._devices[session.device]
        first = number_of(from_unix(session.since).date() - DAY)
        days = {b.day: b for b in self.table.detailed(session.currency, first, session.device)}
        days |= {key[0]: b for key, b in books.books.items() if key[1] == session.currency}
        mine = [book for _, book in sorted(days.items()) if session.key in book.asked]
        until = max(session.deadline, session.until or 0) + QUARTER_S
        prices = self._prices_in(*_quarters(session.since, until))
        session.best_cost = best_cost(session, mine, prices)

    def _prices_of(self, book: DayBook) -> KnownPrices:
        day = date_of(book.day)
        return self._prices_in(*book.window(self._midnight(day), self._midnight(day + DAY)))

    def _days_of(self, start: float, end: float) -> KnownPrices:
        """The prices of the whole local days around a span."""
        zone = self.zone()
        first, last = (from_unix(int(at)).astimezone(zone).date() for at in (start, end))
        return self._prices_in(self._midnight(first), self._midnight(last + DAY))

    def _midnight(self, day: date) -> int:
        return to_unix_floor(local_instant(day, MIDNIGHT, self.zone()))

    def _prices_in(self, start: int, end: int) -> KnownPrices:
        if (start, end) not in self._prices:
            if len(self._prices) >= MOST_PRICES_HELD:
                self._prices.clear()
            span = from_unix(start), from_unix(end)
            self._prices[start, end] = KnownPrices(
                self.rates.known_rates(Direction.IMPORT, *span),
                self.rates.known_rates(Direction.EXPORT, *span),
            )
        return self._prices[start, end]

    # --- another currency -----------------------------------------------------------------------

    def _change_currency(self, currency: str, now: datetime) -> None:
        """New totals begin; what was booked without a currency is of the first that comes."""
        old, self._currency = self._currency, currency
        self._prices.clear()
        self._totals = Totals(self.table.ever(currency), self.table.recent(currency))
        if old:
            log.warning("the ledger goes on in %s; what was booked in %s stands", currency, old)
            for books in self._devices.values():
                for session in list(books.sessions.values()):
                    self._close(books, session, now)
                books.last = None
            self.on_currency(old, currency)
        else:
            for books in self._devices.values():
                self._name(books, currency)
        for device in {*self._devices, *self._totals.ever}:
            self.ledger.of(device).show(self._totals.ever.get(device, NOTHING))
        self.on_change()

    def _name(self, books: DeviceBooks, currency: str) -> None:
        for session in books.sessions.values():
            session.currency = currency
            books.touch(session.row)
        nameless = {book.day: book for book in self.table.detailed("", 0, books.device)}
        nameless |= {day: book for (day, old), book in books.books.items() if not old}
        for day, book in sorted(nameless.items()):
            books.books.pop((day, ""), None)
            books.unsaved.pop((day, ""), None)
            target = self._book(books.device, day)
            target.base += book.base
            for piece, energy in book.pieces.items():
                target.add(piece, energy, book.asked.get(piece.session, ()))
            books.touch((day, currency))
            books.forget_unnamed = True
            self._price(target)


def _quarters(start: float, end: float) -> tuple[int, int]:
    """Whole quarters around a span."""
    first = int(start // QUARTER_S) * QUARTER_S
    return first, max(first + QUARTER_S, -int(-end // QUARTER_S) * QUARTER_S)
