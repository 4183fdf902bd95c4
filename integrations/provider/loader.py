"""Customers, tariffs, contracts and prices from CSV files, all or nothing.

Which table a file is for, its header says. A row that is there already is written over, so a file
may be loaded again; a contract that changes its tariff has one row for each term.
"""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import bindparam, delete, select
from sqlalchemy.engine import Connection

from agent.errors import ConfigError, Fault
from integrations.provider.csv_cells import WrongRow
from integrations.provider.csv_file import read_csv
from integrations.provider.csv_rows import KINDS, PRICES, doubts
from integrations.provider.customers import DYNAMIC
from integrations.provider.database import Database
from integrations.provider.load_checks import (
    TERM_KEYS,
    PlacedRow,
    contract_faults,
    price_faults,
    tariff_faults,
    twice,
)
from integrations.provider.load_prices import price_pieces, put, stored_price_faults, write_prices
from integrations.provider.schedules import first_gap
from integrations.provider.schema import CONTRACT, CUSTOMER, TARIFF, TERM

MOST_FAULTS = 50
PAUSE_S = 0.15
Rows = dict[str, list[PlacedRow]]


@dataclass(frozen=True, slots=True)
class Loaded:
    """How many there were of each kind, and what is taken but should be looked at."""

    counts: Mapping[str, int]
    notes: Sequence[Fault] = ()


async def load_files(database: Database, files: Sequence[Path]) -> Loaded:
    """All of these files. Raises ConfigError: nothing was written.

    Prices, which can be many, come after all else and in pieces, so that whoever signs in meanwhile
    waits for one piece at most. Where the power fails between two, loading again does the rest.
    """
    faults: list[Fault] = []
    notes: list[Fault] = []
    rows: Rows = {kind.name: [] for kind in KINDS}
    for path in files:
        kind, found = _read(path, faults, notes)
        if found:
            rows[kind] += found
    schedules = _schedules(rows["tariffs"], faults)
    faults += twice(rows["customers"], ("id",), "customer")
    faults += contract_faults(rows["contracts"])
    faults += price_faults(rows["prices"])
    if faults:
        raise ConfigError(faults[:MOST_FAULTS])
    async with database.writing() as connection:
        await connection.run_sync(lambda sync: _write(sync, rows, schedules))
    for piece in price_pieces(rows["prices"]):
        async with database.writing() as connection:
            await connection.run_sync(write_prices, piece)
        if database.is_sqlite:
            # Who waits for the file looks again every so often, and would find it taken each time.
            await asyncio.sleep(PAUSE_S)
    counts = {name: len({row["id"] for _, row in rows[name]}) for name in rows if name != PRICES}
    return Loaded(counts | {PRICES: len(rows[PRICES])}, notes)


def _read(path: Path, faults: list[Fault], notes: list[Fault]) -> tuple[str, list[PlacedRow]]:
    """The name of the file's table and its rows, each with where it stands."""
    out: list[PlacedRow] = []
    file = read_csv(path, faults)
    if file is None:
        return "", out
    for where, row in file.rows:
        known = {**dict.fromkeys(file.kind.optional, ""), **row}
        try:
            out.append((where, file.kind.read(known)))
        except WrongRow as error:
            faults += [Fault(f"{where}, column {cell.column}", str(cell)) for cell in error.cells]
        else:
            notes += [Fault(f"{where}, column {name}", said) for name, said in doubts(known)]
    return file.kind.name, out


def _schedules(rows: Sequence[PlacedRow], faults: list[Fault]) -> dict[str, dict[str, Any]]:
    """Tariffs by id, the rows of each put together. A tier is a further row of the same hours."""
    out: dict[str, dict[str, Any]] = {}
    parts: dict[str, dict[Any, list[PlacedRow]]] = {}
    first_at: dict[str, str] = {}
    for where, row in rows:
        keys = ("id", "display_name", "structure", "currency")
        head = {key: row[key] for key in keys}
        tariff = out.setdefault(row["id"], head)
        first_at.setdefault(row["id"], where)
        if tariff != head:
            faults.append(Fault(where, f"tariff {row['id']}: differs from its first row"))
        of_tariff = parts.setdefault(row["id"], {})
        if row["rate"] is not None:
            of_tariff.setdefault((row["months"], row["days"], row["span"]), []).append((where, row))
    for name, tariff in out.items():
        structure = tariff["structure"]
        found = list(tariff_faults(name, structure, parts[name]))
        tariff["schedule"] = [_season(key, lines) for key, lines in parts[name].items()]
        if structure != DYNAMIC and not found and (gap := first_gap(tariff["schedule"])):
            found.append(Fault(first_at[name], f"tariff {name} has no price on {gap}"))
        faults += found
    return out


def _season(key: tuple[Any, ...], lines: Sequence[PlacedRow]) -> dict[str, Any]:
    months, days, (start, end) = key
    hours = {"valid_from": start, "valid_to": end, "rate": [row["rate"] for _, row in lines]}
    return {
        "months": list(months),
        "days_and_hours": [{"days": list(days), "hours": [hours]}],
    }


def _write(connection: Connection, rows: Rows, schedules: Mapping[str, Mapping[str, Any]]) -> None:
    """All but prices, whose faults are found here nevertheless."""
    tariffs = [
        {**tariff, "schedule": json.dumps(tariff["schedule"])} for tariff in schedules.values()
    ]
    put(connection, TARIFF, tariffs)
    faults = list(_login_faults(connection, rows["customers"]))
    if not faults:
        put(connection, CUSTOMER, [row for _, row in rows["customers"]])
    customers = set(connection.scalars(select(CUSTOMER.c.id)))
    customers |= {row["id"] for _, row in rows["customers"]}
    known = set(connection.scalars(select(TARIFF.c.id)))
    owners = {row.id: row.customer_id for row in connection.execute(select(CONTRACT))}
    for where, row in rows["contracts"]:
        if row["customer_id"] not in customers:
            faults.append(Fault(f"{where}, column customer", "there is no such customer"))
        elif owners.get(row["id"], row["customer_id"]) != row["customer_id"]:
            said = f"contract {row['id']} is another customer's already"
            faults.append(Fault(f"{where}, column customer", said))
        if row["tariff_id"] not in known:
            faults.append(Fault(f"{where}, column tariff", "there is no such tariff"))
    faults += stored_price_faults(connection, rows["prices"])
    if faults:
        # Raised within the transaction, which undoes it.
        raise ConfigError(faults[:MOST_FAULTS])
    _write_contracts(connection, [row for _, row in rows["contracts"]])


def _login_faults(connection: Connection, rows: Sequence[PlacedRow]) -> Iterator[Fault]:
    logins = {
        login: name for name, login in connection.execute(select(CUSTOMER.c.id, CUSTOMER.c.login))
    }
    for where, row in rows:
        if logins.setdefault(row["login"], row["id"]) != row["id"]:
            yield Fault(f"{where}, column login", "belongs to another customer already")


def _write_contracts(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """With the terms that stand in these rows, and no others."""
    contracts = {
        row["id"]: {key: value for key, value in row.items() if key not in TERM_KEYS}
        for row in rows
    }
    put(connection, CONTRACT, list(contracts.values()))
    if rows:
        old = delete(TERM).where(TERM.c.contract_id == bindparam("contract"))
        connection.execute(old, [{"contract": name} for name in contracts])
    terms = [{"contract_id": row["id"], **{key: row[key] for key in TERM_KEYS}} for row in rows]
    put(connection, TERM, terms, ("contract_id", "start_at"))
