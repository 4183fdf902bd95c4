"""Customers, tariffs, contracts and prices from CSV files, all or nothing.

Which table a file is for, its header says. A row that is there already is written over, so a file
may be loaded again; a contract that changes its tariff has one row for each term.
"""

import csv
import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyotp
from sqlalchemy import Table, delete, insert, select, update
from sqlalchemy.engine import Connection

from agent.energy.instants import parse_instant
from agent.errors import ConfigError, Fault
from integrations.provider.customer_database import normal_login
from integrations.provider.customers import DIRECTIONS, DYNAMIC, STRUCTURES, TIERED
from integrations.provider.database import Database
from integrations.provider.schedules import (
    ALL,
    DAYS,
    MONTHS,
    WEEKDAY,
    WEEKEND,
    first_gap,
    local_midnight,
)
from integrations.provider.schema import CONTRACT, CUSTOMER, PRICE, TARIFF, TERM
from integrations.provider.secrets_kept import hash_password, is_password_hash

MOST_FAULTS = 50
ADDRESS = ("address_line1", "address_line2", "city", "state", "post_code", "country_code")
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ./_-]{0,63}")
SHORTEST_SEED = 16
Row = Mapping[str, str]


class _Wrong(ValueError):
    """`column` is named beside what was expected; the value may be secret and is not repeated."""

    def __init__(self, column: str, expected: str) -> None:
        self.column = column
        super().__init__(expected)


@dataclass(frozen=True, slots=True)
class _Kind:
    name: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    read: Callable[[Row], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Loaded:
    """How many rows of each kind were read."""

    counts: Mapping[str, int]


async def load_files(database: Database, files: Sequence[Path]) -> Loaded:
    """All of these files in one transaction. Raises ConfigError: nothing was written."""
    faults: list[Fault] = []
    rows: dict[str, list[tuple[str, dict[str, Any]]]] = {kind.name: [] for kind in KINDS}
    for path in files:
        kind, found = _read(path, faults)
        if kind is not None:
            rows[kind.name] += found
    schedules = _schedules(rows["tariffs"], faults)
    if faults:
        raise ConfigError(faults[:MOST_FAULTS])
    async with database.writing() as connection:
        await connection.run_sync(lambda sync: _write(sync, rows, schedules))
    return Loaded({name: len(found) for name, found in rows.items()})


def _read(path: Path, faults: list[Fault]) -> tuple[_Kind | None, list[tuple[str, dict[str, Any]]]]:
    """The file's kind and its rows, each with where it stands."""
    out: list[tuple[str, dict[str, Any]]] = []
    kind = None
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.DictReader(file, strict=True)
            header = lines.fieldnames or []
            kind = _kind_of(path, header, faults)
            if kind is None:
                return None, out
            for row in lines:
                where = f"{path}, line {lines.line_num}"
                if None in row or None in row.values():
                    faults.append(Fault(where, f"expected {len(header)} columns"))
                    continue
                try:
                    stripped = {key: value.strip() for key, value in row.items()}
                    known = dict.fromkeys(kind.optional, "") | stripped
                    out.append((where, kind.read(known)))
                except _Wrong as error:
                    faults.append(Fault(f"{where}, column {error.column}", str(error)))
    except OSError as error:
        faults.append(Fault(str(path), error.strerror or "cannot be read"))
    except UnicodeDecodeError:
        faults.append(Fault(str(path), "is no text in UTF-8"))
    except csv.Error as error:
        faults.append(Fault(f"{path}, line {len(out) + 2}", f"not valid CSV: {error}"))
    return kind, out


def _kind_of(path: Path, header: Sequence[str], faults: list[Fault]) -> _Kind | None:
    columns = set(header)
    for kind in KINDS:
        if columns and set(kind.required) <= columns:
            unknown = columns - set(kind.required) - set(kind.optional)
            if not unknown and len(columns) == len(header):
                return kind
            word = ", ".join(sorted(unknown)) or "a name twice"
            faults.append(Fault(f"{path}, line 1", f"unknown columns for {kind.name}: {word}"))
            return None
    known = "; ".join(f"{kind.name}: {','.join(kind.required)}" for kind in KINDS)
    faults.append(Fault(f"{path}, line 1", f"no known header. Expected at least {known}"))
    return None


def _text(row: Row, column: str, most: int = 200) -> str:
    value = row[column]
    if not value or len(value) > most or not value.isprintable():
        raise _Wrong(column, f"expected text of at most {most} characters")
    return value


def _id(row: Row, column: str) -> str:
    if not ID.fullmatch(row[column]):
        raise _Wrong(column, "expected at most 64 letters, digits and . / _ - or spaces")
    return row[column]


def _customer(row: Row) -> dict[str, Any]:
    password, seed = row["password"], row["totp_secret"].replace(" ", "")
    if not password:
        raise _Wrong("password", "expected a password, or one hashed as scrypt$…")
    if password.startswith("scrypt$") and not is_password_hash(password):
        raise _Wrong("password", "begins as a hash but is none: scrypt$n$r$p$salt$key")
    if seed:
        try:
            pyotp.TOTP(seed).at(0)
        except ValueError:
            raise _Wrong("totp_secret", "expected a base32 seed") from None
        if len(seed) < SHORTEST_SEED:
            raise _Wrong("totp_secret", f"expected at least {SHORTEST_SEED} characters of base32")
    return {
        "id": _id(row, "customer"),
        "login": normal_login(_text(row, "login", 254)),
        "password": password if is_password_hash(password) else hash_password(password),
        "totp_secret": seed or None,
        "display_name": _text(row, "name"),
    }


def _price(row: Row, column: str) -> str:
    try:
        value = Decimal(row[column])
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or abs(value) >= 1000:
        raise _Wrong(column, "expected a price in major units such as 0.2731, with a point")
    return str(value)


def _clock(row: Row, column: str) -> str:
    text = row[column] or "00:00"
    found = re.fullmatch(r"(\d\d):(\d\d)", text)
    if text == "24:00" and column == "to":
        return "00:00:00"
    if found is None or int(found[1]) > 23 or int(found[2]) not in (0, 15, 30, 45):
        raise _Wrong(column, "expected a quarter of an hour such as 07:00 or 22:30")
    return f"{text}:00"


def _months(row: Row) -> tuple[str, ...]:
    named = tuple(row["months"].split()) or (ALL,)
    if not set(named) <= {ALL, *MONTHS}:
        raise _Wrong("months", f"expected {ALL} or names such as Jan Feb")
    return named


def _days(row: Row) -> tuple[str, ...]:
    named = tuple(row["days"].split()) or (ALL,)
    if not set(named) <= {ALL, WEEKDAY, WEEKEND, *DAYS}:
        raise _Wrong("days", f"expected {ALL}, {WEEKDAY}, {WEEKEND} or names such as Mon Tue")
    return tuple(str(DAYS.index(name) + 1) if name in DAYS else name for name in named)


def _tariff(row: Row) -> dict[str, Any]:
    if row["structure"] not in STRUCTURES:
        raise _Wrong("structure", f"expected {', '.join(STRUCTURES)}")
    if not re.fullmatch(r"[A-Z]{3}", row["currency"]):
        raise _Wrong("currency", "expected a code such as EUR")
    is_dynamic = row["structure"] == DYNAMIC
    if is_dynamic and row["price"]:
        raise _Wrong("price", "a dynamic tariff has its prices in a file of their own")
    start, end = _clock(row, "from"), _clock(row, "to")
    if end != "00:00:00" and end <= start:
        raise _Wrong("to", "expected an end after the start; a night is two rows")
    to_kwh = _price_limit(row)
    if to_kwh is not None and row["structure"] != TIERED:
        raise _Wrong("to_kwh", "only a TIERED tariff has tiers")
    return {
        "id": _id(row, "tariff"),
        "display_name": _text(row, "name"),
        "structure": row["structure"],
        "currency": row["currency"],
        "months": _months(row),
        "days": _days(row),
        "span": (start, end),
        "rate": None if is_dynamic else {"value": _price(row, "price"), "to_kwh": to_kwh},
    }


def _price_limit(row: Row) -> str | None:
    if not row["to_kwh"]:
        return None
    try:
        value = Decimal(row["to_kwh"])
    except InvalidOperation:
        value = Decimal(0)
    if not value.is_finite() or value <= 0:
        raise _Wrong("to_kwh", "expected an amount above 0 such as 2500, or nothing for no limit")
    return str(value)


def _contract(row: Row) -> dict[str, Any]:
    zone = row["timezone"]
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise _Wrong("timezone", "expected a time zone such as Europe/Berlin") from None
    direction = row["direction"] or "IMPORT"
    if direction not in DIRECTIONS:
        raise _Wrong("direction", f"expected {' or '.join(DIRECTIONS)}")
    start, end = (_date(row, column) for column in ("start", "end"))
    if start is None:
        raise _Wrong("start", "expected a date such as 2026-04-01")
    if end is not None and end < start:
        raise _Wrong("end", "expected the last day of the term, not before its start")
    country = row["country_code"]
    if country and not re.fullmatch(r"[A-Z]{2}", country):
        raise _Wrong("country_code", "expected a code such as DE")
    last = None if end is None else (date.fromisoformat(end) + timedelta(days=1)).isoformat()
    return {
        "id": _id(row, "contract"),
        "customer_id": _id(row, "customer"),
        "display_name": _text(row, "name"),
        "timezone": zone,
        "direction": direction,
        "address": json.dumps({key: _text(row, key) for key in ADDRESS if row[key]}),
        "tariff_id": _id(row, "tariff"),
        "start_at": int(local_midnight(start, zone).timestamp()),
        "end_at": None if last is None else int(local_midnight(last, zone).timestamp()),
    }


def _date(row: Row, column: str) -> str | None:
    if not row[column]:
        return None
    try:
        return date.fromisoformat(row[column]).isoformat()
    except ValueError:
        raise _Wrong(column, "expected a date such as 2026-04-01") from None


def _price_row(row: Row) -> dict[str, Any]:
    edges = []
    for column in ("start", "end"):
        try:
            when = parse_instant(row[column])
        except ValueError:
            raise _Wrong(column, "expected an instant such as 2026-04-01T22:30:00Z") from None
        if when.timestamp() % 900:
            raise _Wrong(column, "expected a quarter of an hour")
        edges.append(int(when.timestamp()))
    if edges[1] <= edges[0]:
        raise _Wrong("end", "expected an end after the start")
    return {
        "tariff_id": _id(row, "tariff"),
        "start_at": edges[0],
        "end_at": edges[1],
        "value": _price(row, "price"),
    }


KINDS = (
    _Kind("customers", ("customer", "login", "password", "name"), ("totp_secret",), _customer),
    _Kind(
        "contracts",
        ("contract", "customer", "name", "timezone", "start", "tariff"),
        ("end", "direction", *ADDRESS),
        _contract,
    ),
    _Kind(
        "tariffs",
        ("tariff", "name", "structure", "currency", "price"),
        ("months", "days", "from", "to", "to_kwh"),
        _tariff,
    ),
    _Kind("prices", ("tariff", "start", "end", "price"), (), _price_row),
)


def _schedules(
    rows: Sequence[tuple[str, dict[str, Any]]], faults: list[Fault]
) -> dict[str, dict[str, Any]]:
    """Tariffs by id, the rows of each put together. A tier is a further row of the same hours."""
    out: dict[str, dict[str, Any]] = {}
    first_at: dict[str, str] = {}
    for where, row in rows:
        keys = ("id", "display_name", "structure", "currency")
        head = {key: row[key] for key in keys}
        tariff = out.setdefault(row["id"], {**head, "parts": {}})
        first_at.setdefault(row["id"], where)
        if any(tariff[key] != head[key] for key in keys):
            faults.append(Fault(where, f"tariff {row['id']}: differs from its first row"))
        if row["rate"] is not None:
            key = (row["months"], row["days"], row["span"])
            tariff["parts"].setdefault(key, []).append(row["rate"])
    for name, tariff in out.items():
        tariff["schedule"] = [
            {
                "months": list(months),
                "days_and_hours": [
                    {
                        "days": list(days),
                        "hours": [{"valid_from": span[0], "valid_to": span[1], "rate": rates}],
                    }
                ],
            }
            for (months, days, span), rates in tariff.pop("parts").items()
        ]
        if tariff["structure"] != DYNAMIC and (gap := first_gap(tariff["schedule"])):
            faults.append(Fault(first_at[name], f"tariff {name} has no price on {gap}"))
    return out


def _write(
    connection: Connection,
    rows: Mapping[str, Sequence[tuple[str, dict[str, Any]]]],
    schedules: Mapping[str, Mapping[str, Any]],
) -> None:
    faults: list[Fault] = []
    tariffs = [
        {**tariff, "schedule": json.dumps(tariff["schedule"])} for tariff in schedules.values()
    ]
    for tariff in tariffs:
        _put(connection, TARIFF, tariff)
    logins = {
        login: name for name, login in connection.execute(select(CUSTOMER.c.id, CUSTOMER.c.login))
    }
    faults += _twice(rows["customers"], ("id",), "customer")
    faults += _twice(rows["prices"], ("tariff_id", "start_at"), "start")
    for where, row in rows["customers"]:
        if logins.setdefault(row["login"], row["id"]) != row["id"]:
            faults.append(Fault(f"{where}, column login", "belongs to another customer already"))
        else:
            _put(connection, CUSTOMER, row)
    known = {
        table.name: set(connection.scalars(select(table.c.id))) for table in (CUSTOMER, TARIFF)
    }
    fresh: set[str] = set()
    term_keys = ("tariff_id", "start_at", "end_at")
    for where, row in rows["contracts"]:
        missing = [
            name
            for name, table in (("customer", CUSTOMER), ("tariff", TARIFF))
            if row[f"{name}_id"] not in known[table.name]
        ]
        faults += [Fault(f"{where}, column {name}", f"there is no such {name}") for name in missing]
        if missing:
            continue
        contract = {key: value for key, value in row.items() if key not in term_keys}
        _put(connection, CONTRACT, contract)
        if row["id"] not in fresh:
            fresh.add(row["id"])
            connection.execute(delete(TERM).where(TERM.c.contract_id == row["id"]))
        term = {key: row[key] for key in term_keys}
        _put(connection, TERM, {"contract_id": row["id"], **term}, ("contract_id", "start_at"))
    faults += _overlaps(connection, fresh)
    for where, row in rows["prices"]:
        if row["tariff_id"] not in known[TARIFF.name]:
            faults.append(Fault(f"{where}, column tariff", "there is no such tariff"))
        else:
            _put(connection, PRICE, row, ("tariff_id", "start_at"))
    if faults:
        # Raised within the transaction, which undoes it.
        raise ConfigError(faults[:MOST_FAULTS])


def _twice(
    rows: Sequence[tuple[str, dict[str, Any]]], keys: Sequence[str], column: str
) -> Iterator[Fault]:
    """Rows of which the later one would take the earlier one's place in silence."""
    first: dict[tuple[Any, ...], str] = {}
    for where, row in rows:
        before = first.setdefault(tuple(row[key] for key in keys), where)
        if before != where:
            yield Fault(f"{where}, column {column}", f"stands already in {before}")


def _put(
    connection: Connection, table: Table, row: Mapping[str, Any], keys: Sequence[str] = ("id",)
) -> None:
    same = [table.c[key] == row[key] for key in keys]
    if not connection.execute(update(table).where(*same).values(**row)).rowcount:
        connection.execute(insert(table).values(**row))


def _overlaps(connection: Connection, contracts: set[str]) -> Iterator[Fault]:
    for name in sorted(contracts):
        query = select(TERM).where(TERM.c.contract_id == name).order_by(TERM.c.start_at)
        terms = connection.execute(query).mappings().all()
        for before, after in itertools.pairwise(terms):
            if before["end_at"] is None or before["end_at"] > after["start_at"]:
                yield Fault(f"contract {name}", "a term ends after the next one has begun")
