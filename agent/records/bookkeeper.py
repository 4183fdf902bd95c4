"""Books what devices took, prices it, opens and closes their sessions, says what is to be stored.

Energy is booked at once and priced by what is known; where a price comes late or is corrected, its
days are priced again. What is stored goes to the disk together with the meter's own position, so
that after a power cut neither is ahead of the other: nothing is booked twice, nothing is lost.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from agent.energy.instants import EARLIEST, from_unix, to_unix_floor
from agent.home.model.meter import MeteredInterval
from agent.home.planning_input import ActiveNeed
from agent.ports import RatesProvider
from agent.records.day_book import GIVEN, HELD, DayBook, Piece, cut
from agent.records.day_pricing import DayPricing
from agent.records.demand_session import (
    DemandSession,
    allocate,
    begins,
    first_plan_cost,
    key_of,
)
from agent.records.device_books import DeviceBooks
from agent.records.ledger import DeviceFigures, Figures, Ledger, last_session
from agent.records.ledger_rows import date_of, number_of, put_day, put_session
from agent.records.ledger_table import (
    LedgerTable,
    forget_old,
    forget_unnamed,
)
from agent.records.price_windows import DAY, PriceWindows
from agent.records.sums import MILLION, millionths
from agent.store import Statement

log = logging.getLogger(__name__)

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
    _devices: dict[str, DeviceBooks] = field(default_factory=dict, init=False)
    # The last sessions of those that have left the config.
    _departed: dict[str, DemandSession] = field(default_factory=dict, init=False)
    _changed_from: datetime | None = field(default=EARLIEST, init=False)
    _forgot_on: int = field(default=0, init=False)
    _windows: PriceWindows = field(init=False)
    _pricing: DayPricing = field(init=False)

    def __post_init__(self) -> None:
        self._windows = PriceWindows(self.rates, self.zone)
        self._pricing = DayPricing(self.ledger, self.table, self._windows)

    def register(self, device: str, round_trip: Decimal | None = None) -> None:
        """`round_trip`: the share that it gives back, where it is a battery."""
        self._devices[device] = DeviceBooks(device, round_trip)

    def restore(self) -> None:
        """Take up what earlier lives booked, of the devices that are registered and all others."""
        for device in self._devices:
            self.ledger.of(device)
        self._pricing.begin(self._windows.currency)
        currency = self._pricing.currency
        for session in self.table.last_sessions(currency):
            if session.device in self._devices:
                self._devices[session.device].last = session
            else:
                self._departed[session.device] = session
        for session in self.table.open_sessions(currency):
            if session.device in self._devices:
                self._devices[session.device].sessions[session.key] = session
            else:
                session.until = session.deadline
                self._departed[session.device] = session
                self.table.write(put_session(session))

    # --- what comes in --------------------------------------------------------------------------

    def prices_changed(self, since: datetime) -> None:
        """Some price from then on is another: what was booked there is priced again."""
        self._changed_from = min(self._changed_from or since, since)
        self._windows.clear()

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
                books.frozen.add(session.row)
                books.awaiting_plan.add(need.key)
                self.on_change()

    def _begin(self, device: str, need: ActiveNeed, now: datetime) -> DemandSession:
        books = self._devices[device]
        again = self._pricing.ended(books, need.key)
        if again is not None:
            # It was not over, after all.
            again.until = again.best_cost = None
            books.touch(again.row)
            return again
        begun, deadline = to_unix_floor(now), to_unix_floor(need.deadline)
        return DemandSession(
            device, need.key, begun, deadline, self._pricing.currency, contiguous=need.contiguous
        )

    def book(
        self,
        device: str,
        intervals: Iterable[MeteredInterval],
        now: datetime,
        held: Iterable[MeteredInterval] = (),
    ) -> None:
        """Energy that was metered: positive taken, negative given or a correction.

        `held`: of planned heat, what a thermostat would have taken meanwhile.
        """
        self._catch_up(now)
        books = self._devices[device]
        surplus = [(start.timestamp(), end.timestamp()) for start, end in self.surplus(now)]
        touched: dict[int, DayBook] = {}
        sessions = [] if books.round_trip is not None else list(books.sessions.values())
        for interval in intervals:
            start, end = interval.start.timestamp(), interval.end.timestamp()
            edges = self._windows.edges(start, end)
            for begin, until, flow, energy_kwh in cut(
                start, end, interval.energy_kwh, edges, surplus
            ):
                amount = books.rounded(energy_kwh)
                books.unsaved_energy += abs(amount)
                if books.round_trip is not None and amount < 0:
                    flow, amount = GIVEN, -amount
                book = self._pricing.book(books, self._windows.day_of(from_unix(begin)))
                touched[book.day] = book
                for session, part, share in allocate(sessions, amount):
                    asked = () if session is None else session.asked
                    book.add(Piece(begin, until, flow, key_of(session), part), share, asked)
        for interval in held:
            start, end = interval.start.timestamp(), interval.end.timestamp()
            edges = self._windows.edges(start, end)
            for begin, until, flow, energy_kwh in cut(
                start, end, interval.energy_kwh, edges, surplus
            ):
                book = self._pricing.book(books, self._windows.day_of(from_unix(begin)))
                touched[book.day] = book
                book.add(Piece(begin, until, HELD[flow]), round(energy_kwh * MILLION))
        for _, book in sorted(touched.items()):
            books.touch((book.day, book.currency))
            self._pricing.price(books, book)
        if touched:
            self._pricing.carry_stock(books, min(touched))
            self.on_change()

    def settle(
        self,
        device: str,
        needs: Sequence[ActiveNeed],
        now: datetime,
        *,
        asked_anew: bool = False,
    ) -> None:
        """Settle what is met or whose deadline has come; close what is asked no more.

        `asked_anew`: a person has asked for something else since the last time.
        """
        books, account = self._devices[device], self.ledger.of(device)
        asked = {need.key: need for need in needs}
        for key, session in list(books.sessions.items()):
            need = asked.get(key)
            missing = 0 if need is None else millionths(need.missing_kwh)
            if session.follow(missing, asked_anew=asked_anew):
                self._pricing.asked_less(books, session)
                self.on_change()
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
        self._pricing.look_back(books, session)
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
        today = self._windows.day_of(now)
        totals = self._pricing.totals
        totals.forget_before(number_of((now - SHOWN_DAYS).date()))
        devices = {}
        for device in sorted({*self._devices, *totals.ever}):
            books = self._devices.get(device)
            last = self._departed.get(device) if books is None else books.last
            sessions = [] if last is None else [last]
            if books is not None:
                sessions += books.sessions.values()
            periods = totals.periods(device, today)
            devices[device] = DeviceFigures(periods, last_session(sessions))
        return Figures(self._pricing.currency, self.zone().key, devices)

    def next_day(self, now: datetime) -> datetime:
        """When today's sums begin anew."""
        return self._windows.midnight(now.astimezone(self.zone()).date() + DAY)

    # --- what is stored -------------------------------------------------------------------------

    def worth_saving(self, device: str, now: datetime, *, everything: bool = False) -> bool:
        """Is there enough for a write? `everything`: is there anything?"""
        books = self._devices[device]
        return books.worth_saving(self._windows.day_of(now)) or (everything and bool(books.unsaved))

    def writes(
        self, device: str, now: datetime
    ) -> tuple[list[Statement], Callable[[asyncio.Future[bool]], None]]:
        """What is not on the disk yet, to be written with the meter's position in one
        transaction; and who is to be told whether it was."""
        books, today = self._devices[device], self._windows.day_of(now)
        statements = [put_day(book) for book in books.unsaved_books()]
        statements += [put_session(session) for session in books.unsaved_sessions()]
        if books.forget_unnamed:
            statements.append(forget_unnamed(device))
        if statements and self._forgot_on != today:
            self._forgot_on = today
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

    # --- other prices, another currency ---------------------------------------------------------

    def _catch_up(self, now: datetime) -> None:
        """Take in another currency and other prices."""
        currency = self._windows.currency
        if currency and currency != self._pricing.currency:
            self._change_currency(currency, now)
        if self._changed_from is not None:
            since, self._changed_from = self._changed_from, None
            changed = [
                self._pricing.price_again(books, since, now) for books in self._devices.values()
            ]
            if any(changed):
                self.on_change()

    def _change_currency(self, currency: str, now: datetime) -> None:
        """New totals begin; what was booked without a currency is of the first that comes."""
        old = self._pricing.currency
        self._windows.clear()
        if old:
            log.warning("the ledger goes on in %s; what was booked in %s stands", currency, old)
            for books in self._devices.values():
                for session in list(books.sessions.values()):
                    self._close(books, session, now)
                books.last = None
            self._departed.clear()
        self._pricing.begin(currency)
        if old:
            self.on_currency(old, currency)
        else:
            for books in self._devices.values():
                self._name(books, currency)
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
            target = self._pricing.book(books, day)
            target.base += book.base
            for piece, energy in book.pieces.items():
                target.add(piece, energy, book.asked.get(piece.session, ()))
            books.touch((day, currency))
            books.forget_unnamed = True
            self._pricing.price(books, target)
