"""Prices of dynamic tariffs as they get into the database: many, in pieces, in place of the old."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import Table, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from agent.energy.instants import format_instant, from_unix
from agent.energy.rates import PLAUSIBLE_PER_KWH
from agent.errors import Fault
from integrations.provider.csv_rows import MOST_PER_KWH, beyond_belief
from integrations.provider.customers import DYNAMIC
from integrations.provider.load_checks import PlacedRow, by_tariff
from integrations.provider.schema import PRICE, TARIFF

ROWS_AT_ONCE = 5000
# Exchanges let a price of scarcity rise to 5 EUR before taxes.
SCARCITY = 2


def put(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    keys: Sequence[str] = ("id",),
) -> None:
    """Write rows that have the same columns; where a row with these keys is, over it."""
    if not rows:
        return
    make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    fresh = make(table)
    others = {name: fresh.excluded[name] for name in rows[0] if name not in keys}
    statement = fresh.on_conflict_do_update(index_elements=list(keys), set_=others)
    connection.execute(statement, [dict(row) for row in rows])


def runs(rows: Sequence[PlacedRow]) -> Iterator[list[PlacedRow]]:
    """Prices of one tariff that follow each other without a gap."""
    for found in by_tariff(rows).values():
        run: list[PlacedRow] = []
        for item in found:
            if run and run[-1][1]["end_at"] != item[1]["start_at"]:
                yield run
                run = []
            run.append(item)
        yield run


def stored_price_faults(connection: Connection, rows: Sequence[PlacedRow]) -> Iterator[Fault]:
    """What the prices' tariffs say against them, and stored prices that hold longer than they do.

    A tariff of the same load has been written by now.
    """
    tariffs = {row.id: row for row in connection.execute(select(TARIFF))}
    for name, found in by_tariff(rows).items():
        if name not in tariffs:
            yield from (Fault(f"{where}, column tariff", "no such tariff") for where, _ in found)
            continue
        structure, currency = tariffs[name].structure, tariffs[name].currency
        if structure != DYNAMIC:
            said = f"is {structure}: only a {DYNAMIC} tariff has prices in such a file"
            yield Fault(f"{found[0][0]}, column tariff", said)
        most = SCARCITY * PLAUSIBLE_PER_KWH.get(currency, MOST_PER_KWH)
        beyond = ((where, Decimal(row["value"])) for where, row in found)
        for where, price in beyond:
            if abs(price) > most:
                yield Fault(f"{where}, column price", beyond_belief(price, currency))
                break
    for run in runs(rows):
        (where, first), (_, last) = run[0], run[-1]
        start, end, tariff = first["start_at"], last["end_at"], PRICE.c.tariff_id
        touched = (tariff == first["tariff_id"], PRICE.c.start_at < end, PRICE.c.end_at > start)
        longer = (PRICE.c.start_at < start) | (PRICE.c.end_at > end)
        query = select(PRICE.c.start_at, PRICE.c.end_at).where(*touched, longer).limit(1)
        if (stored := connection.execute(query).one_or_none()) is not None:
            span = " to ".join(format_instant(from_unix(at)) for at in stored)
            said = f"a price is stored from {span}: expected prices for all of that time"
            yield Fault(f"{where}, column start", said)


def price_pieces(rows: Sequence[PlacedRow]) -> Iterator[list[list[dict[str, Any]]]]:
    """Runs that are written in one transaction; a long one is cut."""
    piece: list[list[dict[str, Any]]] = []
    count = 0
    for run in runs(rows):
        for at in range(0, len(run), ROWS_AT_ONCE):
            piece.append([row for _, row in run[at : at + ROWS_AT_ONCE]])
            count += len(piece[-1])
            if count >= ROWS_AT_ONCE:
                yield piece
                piece, count = [], 0
    if piece:
        yield piece


def write_prices(connection: Connection, piece: Sequence[Sequence[Mapping[str, Any]]]) -> None:
    """Each run in place of what was stored for its time."""
    for run in piece:
        start, end = run[0]["start_at"], run[-1]["end_at"]
        connection.execute(
            delete(PRICE).where(
                PRICE.c.tariff_id == run[0]["tariff_id"],
                PRICE.c.start_at < end,
                PRICE.c.end_at > start,
            )
        )
    put(connection, PRICE, [row for run in piece for row in run], ("tariff_id", "start_at"))
