"""What rows of CSV files must be among each other: contracts, their terms, tariffs, prices. Pure.

Each check is given rows with where they stand, and gives a fault for every row that cannot be.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any

from agent.energy.instants import format_instant, from_unix
from agent.errors import Fault
from integrations.provider.customers import DYNAMIC, FIXED, TIERED
from integrations.provider.schedules import first_overlap, is_always

PlacedRow = tuple[str, dict[str, Any]]
TERM_KEYS = ("tariff_id", "start_at", "end_at")
COLUMNS = {
    "customer_id": "customer",
    "display_name": "name",
    "timezone": "timezone",
    "direction": "direction",
    "address": "address_line1",
}


def twice(rows: Sequence[PlacedRow], keys: Sequence[str], column: str) -> Iterator[Fault]:
    """Rows of which the later one would take the earlier one's place in silence."""
    first: dict[tuple[Any, ...], str] = {}
    for where, row in rows:
        before = first.setdefault(tuple(row[key] for key in keys), where)
        if before != where:
            yield Fault(f"{where}, column {column}", f"stands already in {before}")


def contract_faults(rows: Sequence[PlacedRow]) -> Iterator[Fault]:
    """A contract is one customer's, and one of its terms holds at a time."""
    first: dict[str, PlacedRow] = {}
    terms: dict[str, list[PlacedRow]] = {}
    for where, row in rows:
        there, known = first.setdefault(row["id"], (where, row))
        for key, column in COLUMNS.items():
            if known[key] != row[key]:
                said = f"contract {row['id']} has another one in {there}; a row for each term"
                yield Fault(f"{where}, column {column}", f"{said} repeats the contract's own cells")
        terms.setdefault(row["id"], []).append((where, row))
    for name, found in terms.items():
        found.sort(key=lambda item: item[1]["start_at"])
        for (there, before), (where, after) in pairwise(found):
            if before["end_at"] is None or before["end_at"] > after["start_at"]:
                said = f"contract {name}: the term in {there} has not ended by then"
                right = "its end should be the day before, at the latest"
                yield Fault(f"{where}, column start", f"{said}; {right}")


def price_faults(rows: Sequence[PlacedRow]) -> Iterator[Fault]:
    """A dynamic tariff has one price at a time."""
    for found in by_tariff(rows).values():
        for (there, before), (where, after) in pairwise(found):
            if before["end_at"] > after["start_at"]:
                until = format_instant(from_unix(before["end_at"]))
                said = f"the price in {there} holds until {until}: expected a start from then on"
                yield Fault(f"{where}, column start", said)


def by_tariff(rows: Sequence[PlacedRow]) -> dict[str, list[PlacedRow]]:
    """Price rows of each tariff in the order of their time."""
    out: dict[str, list[PlacedRow]] = {}
    for item in rows:
        out.setdefault(item[1]["tariff_id"], []).append(item)
    for found in out.values():
        found.sort(key=lambda item: item[1]["start_at"])
    return out


def tariff_faults(
    name: str, structure: str, parts: Mapping[Any, Sequence[PlacedRow]]
) -> Iterator[Fault]:
    """`parts`: the rows of each (months, days, span), as the tariff's prices stand in the file."""
    if structure == DYNAMIC:
        return
    for rows in parts.values():
        if structure == TIERED:
            yield from _tier_faults(name, rows)
            continue
        for where, _ in rows[1:]:
            said = f"tariff {name} has a price for these hours already in {rows[0][0]}"
            yield Fault(where, f"{said}; only a TIERED tariff has several")
    if structure == FIXED:
        for key, rows in parts.items():
            if not is_always(*key):
                said = f"tariff {name} is FIXED: expected one price, at all times"
                yield Fault(rows[0][0], f"{said}; TIME_OF_DAY has hours, days or months")
                return
    overlap = first_overlap(list(parts))
    if overlap is not None:
        before, after, when = overlap
        there, where = parts[before][0][0], parts[after][0][0]
        yield Fault(where, f"tariff {name} has a price on {when} already in {there}")


def _tier_faults(name: str, rows: Sequence[PlacedRow]) -> Iterator[Fault]:
    """Limits rise, and the last tier has none."""
    right = "expected limits in rising order and the last row of these hours without one"
    for (_, before), (where, after) in pairwise(rows):
        limits = before["rate"]["to_kwh"], after["rate"]["to_kwh"]
        if limits[0] is None or (limits[1] and Decimal(limits[1]) <= Decimal(limits[0])):
            yield Fault(f"{where}, column to_kwh", f"tariff {name}: {right}")
            return
    where, last = rows[-1]
    if last["rate"]["to_kwh"] is not None:
        yield Fault(f"{where}, column to_kwh", f"tariff {name}: {right}")
