"""The ledger's rows: days and sessions as the database holds them, and back. Pure.

A day is one row, under 200 bytes once its detail (the quarters of an hour that it can be priced
again from) is let go. `read_…` raise ValueError, TypeError, LookupError or ArithmeticError for what
cannot be believed.
"""

import json
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from agent.energy.instants import from_unix
from agent.records.day_book import (
    GIVEN,
    GRID,
    HELD_FLOWS,
    QUARTER_S,
    SURPLUS,
    Asked,
    DayBook,
    Piece,
    Stock,
)
from agent.records.demand_session import DemandSession
from agent.records.sums import Sums
from agent.store import Statement

DAY_COLUMNS = "day, device, currency, energy, cost, baseline, pending, estimated, detail"
SESSION_COLUMNS = (
    "since, device, name, until, deadline, currency, energy, cost, baseline, pending, estimated,"
    " planned_cost, best_cost, met, asked"
)
# More than any house and any currency comes to in a day.
MOST = 10**15
FLOWS = (GRID, SURPLUS, GIVEN, *HELD_FLOWS)


# --- days -----------------------------------------------------------------------------------------


def put_day(book: DayBook) -> Statement:
    row = (book.day, book.device, book.currency, *book.sums.values, _detail(book))
    return f"INSERT OR REPLACE INTO ledger_days VALUES ({_places(row)})", row


def read_sums(row: tuple[Any, ...]) -> tuple[int, str, str, Sums]:
    """Day, device, currency and what was booked, from a row without its detail."""
    day, device, currency, *values = row[:8]
    date_of(day)
    if not (isinstance(device, str) and isinstance(currency, str)):
        raise TypeError(f"{device!r} {currency!r}")
    return day, device, currency, _sums(values)


def read_book(row: tuple[Any, ...]) -> DayBook:
    """The whole row. Where its detail cannot be read what was booked stands."""
    day, device, currency, sums = read_sums(row)
    book = DayBook(device, day, currency, base=sums, sums=sums)
    if row[8] is None:
        return book
    try:
        raw = json.loads(row[8])
        book.base = _sums(raw["base"]) if "base" in raw else Sums()
        book.asked = {str(key): _asked(parts) for key, parts in raw["asked"].items()}
        book.pieces = _pieces(raw)
        book.sessions = {str(key): _sums(found) for key, found in raw["sums"].items()}
        if "storage" in raw:
            round_trip, before, after = raw["storage"]
            book.round_trip, book.stock = Decimal(round_trip), _stock(before)
            book.stock_after = _stock(after)
        book.fingerprint = int(raw["prices"])
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError):
        return DayBook(device, day, currency, base=sums, sums=sums)
    return book


def _detail(book: DayBook) -> str:
    raw: dict[str, Any] = {
        "prices": book.fingerprint or 0,
        "asked": {key: [list(part) for part in parts] for key, parts in book.asked.items()},
        "sums": {key: found.values for key, found in book.sessions.items()},
        "runs": _runs(book),
    }
    if book.base != Sums():
        raw["base"] = book.base.values
    if book.round_trip is not None:
        stocks = ([str(s.energy_kwh), str(s.cost)] for s in (book.stock, book.stock_after))
        raw["storage"] = [str(book.round_trip), *stocks]
    return json.dumps(raw, separators=(",", ":"))


def _runs(book: DayBook) -> list[list[Any]]:
    """Pieces of one kind in a row as one: flow, session, part, start, length, energies."""
    out: list[list[Any]] = []
    for piece in sorted(book.pieces, key=lambda p: (p.flow, p.session, p.part, p.start)):
        length = piece.end - piece.start
        head = [piece.flow, piece.session, piece.part]
        last = out[-1] if out else None
        if last and last[:3] == head and last[4] == length == QUARTER_S:
            begins_at = last[3] + QUARTER_S * len(last[5])
            if piece.start == begins_at:
                last[5].append(book.pieces[piece])
                continue
        out.append([*head, piece.start, length, [book.pieces[piece]]])
    return out


def _pieces(raw: Mapping[str, Any]) -> dict[Piece, int]:
    out = {}
    for flow, session, part, start, length, energies in raw["runs"]:
        if flow not in FLOWS or not 0 < _whole(length) <= QUARTER_S:
            raise ValueError(f"{flow} {length}")
        for number, energy in enumerate(energies):
            begin = _instant(start) + number * length
            out[Piece(begin, begin + length, flow, str(session), _whole(part))] = _whole(energy)
    return out


# --- sessions -------------------------------------------------------------------------------------


def put_session(session: DemandSession) -> Statement:
    row = (
        session.since,
        session.device,
        session.key,
        session.until,
        session.deadline,
        session.currency,
        *session.sums.values,
        session.planned_cost,
        session.best_cost,
        int(session.met) if session.settled else None,
        json.dumps(
            [session.contiguous, *(list(part) for part in session.asked)], separators=(",", ":")
        ),
    )
    return f"INSERT OR REPLACE INTO ledger_sessions VALUES ({_places(row)})", row


def read_session(row: tuple[Any, ...]) -> DemandSession:
    """A session with its sums as they stood when it was stored."""
    since, device, key, until, deadline, currency, *rest = row
    planned, best, met, asked = rest[5:]
    if not all(isinstance(text, str) for text in (device, key, currency)):
        raise TypeError(f"{device!r} {key!r}")
    contiguous, *parts = json.loads(asked)
    for number in (planned, best):
        if number is not None:
            _whole(number)
    return DemandSession(
        device,
        key,
        _instant(since),
        _instant(deadline),
        currency,
        contiguous=bool(contiguous),
        asked=_asked(parts),
        sums=_sums(rest[:5]),
        until=None if until is None else _instant(until),
        planned_cost=planned,
        best_cost=best,
        settled=met is not None,
        met=bool(met),
    )


# --- parts ----------------------------------------------------------------------------------------


def date_of(day: int) -> date:
    """Of 20260116. Raises ValueError, TypeError."""
    if not isinstance(day, int) or not 1970_00_00 < day < 2200_00_00:
        raise ValueError(f"a day {day!r}")
    return date(day // 10_000, day // 100 % 100, day % 100)


def number_of(day: date) -> int:
    return day.year * 10_000 + day.month * 100 + day.day


def _places(row: tuple[object, ...]) -> str:
    return ", ".join("?" * len(row))


def _sums(values: list[Any]) -> Sums:
    energy, cost, baseline, pending, estimated = (_whole(value) for value in values)
    return Sums(energy, cost, baseline, pending, estimated)


def _asked(parts: list[Any]) -> list[Asked]:
    out = [Asked(_instant(start), _whole(power), _whole(energy)) for start, power, energy in parts]
    if not all(part.power_w > 0 and part.energy >= 0 for part in out):
        raise ValueError(f"asked {parts}")
    return out


def _stock(raw: list[str]) -> Stock:
    energy, cost = (Decimal(text) for text in raw)
    if not (energy.is_finite() and cost.is_finite() and 0 <= energy < MOST and abs(cost) < MOST):
        raise ValueError(f"a stock of {raw}")
    return Stock(energy, cost)


def _whole(value: object) -> int:
    if type(value) is not int or abs(value) > MOST:
        raise ValueError(f"{value!r} is no amount")
    return value


def _instant(value: object) -> int:
    from_unix(number := _whole(value))
    return number
