"""Customers, tariffs, contracts and prices from CSV files, all or nothing.

Which table a file is for, its header says. A row that is there already is written over, so a file
may be loaded again; a contract that changes its tariff has one row for each term.
"""

import csv
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Table, delete, insert, select, update
from sqlalchemy.engine import Connection

from agent.errors import ConfigError, Fault
from integrations.provider.csv_rows import KINDS, FileKind, WrongCell
from integrations.provider.customers import DYNAMIC
from integrations.provider.database import Database
from integrations.provider.schedules import first_gap
from integrations.provider.schema import CONTRACT, CUSTOMER, PRICE, TARIFF, TERM

MOST_FAULTS = 50


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


def _read(
    path: Path, faults: list[Fault]
) -> tuple[FileKind | None, list[tuple[str, dict[str, Any]]]]:
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
                except WrongCell as error:
                    faults.append(Fault(f"{where}, column {error.column}", str(error)))
    except OSError as error:
        faults.append(Fault(str(path), error.strerror or "cannot be read"))
    except UnicodeDecodeError:
        faults.append(Fault(str(path), "is no text in UTF-8"))
    except csv.Error as error:
        faults.append(Fault(f"{path}, line {len(out) + 2}", f"not valid CSV: {error}"))
    return kind, out


def _kind_of(path: Path, header: Sequence[str], faults: list[Fault]) -> FileKind | None:
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
