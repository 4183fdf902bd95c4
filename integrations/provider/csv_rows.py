"""The CSV files of customers, contracts, tariffs and prices: their columns, and a row of each."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

import pyotp

from agent.energy.instants import parse_instant
from agent.energy.rates import PLAUSIBLE_PER_KWH
from integrations.provider.csv_cells import Cells, WrongCell
from integrations.provider.customer_database import normal_login
from integrations.provider.customers import DIRECTIONS, DYNAMIC, STRUCTURES, TIERED
from integrations.provider.schedules import ALL, DAYS, MONTHS, WEEKDAY, WEEKEND, local_midnight
from integrations.provider.secrets_kept import hash_password, is_password_hash

PRICES = "prices"
ADDRESS = ("address_line1", "address_line2", "city", "state", "post_code", "country_code")
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ./_-]{0,63}")
SHORTEST_SEED = 16
# As instants are bounded, with a day for every zone.
FIRST_DAY, LAST_DAY = date(1970, 1, 2), date(2199, 12, 30)
# Of currencies whose size nobody here knows, and of any exchange's price.
MOST_PER_KWH = Decimal(1000)
# As spreadsheets of many countries write 2500.
THOUSANDS = re.compile(r"[0-9]{1,3}([.,'\u2019\s][0-9]{3})+")
SHORTEST_PASSWORD = 8
# Countries whose post codes begin with 0 here and there, and how many digits all of them have.
POST_CODE_DIGITS = {
    **dict.fromkeys(("DE", "ES", "FI", "FR", "HR", "IT", "LT", "EE", "US"), 5),
    **dict.fromkeys(("AU", "BG", "DK", "LV", "NO"), 4),
}
# What customer systems write where a contract has no end.
OPEN_END = "9999-12-31"
Row = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class FileKind:
    """A table in a CSV file: its columns and how a row of it is read. `read` raises WrongRow."""

    name: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    read: Callable[[Row], dict[str, Any]]


def _text(row: Row, column: str, most: int = 200) -> str:
    value = row[column]
    if not value or len(value) > most or not value.isprintable():
        raise _wrong(row, column, f"expected text of at most {most} characters")
    return value


def _id(row: Row, column: str) -> str:
    if not ID.fullmatch(row[column]):
        expected = "expected at most 64 letters, digits and . / _ - or spaces"
        raise _wrong(row, column, expected)
    return row[column]


def _wrong(row: Row, column: str, expected: str) -> WrongCell:
    return WrongCell(column, expected if row[column] else f"is empty; {expected}")


def _customer(row: Row) -> dict[str, Any]:
    cells = Cells()
    password, seed = cells.read(_password, row), cells.read(_seed, row)
    customer, login = cells.read(_id, row, "customer"), cells.read(_text, row, "login", 254)
    name = cells.read(_text, row, "name")
    cells.finish()
    return {
        "id": customer,
        "login": normal_login(login),
        "password": password if is_password_hash(password) else hash_password(password),
        "totp_secret": seed or None,
        "display_name": name,
    }


def _password(row: Row) -> str:
    password = row["password"]
    if not password:
        raise WrongCell("password", "expected a password, or one hashed as scrypt$…")
    if password.startswith("scrypt$") and not is_password_hash(password):
        raise WrongCell("password", "begins as a hash but is none: scrypt$n$r$p$salt$key")
    return password


def _seed(row: Row) -> str:
    seed = row["totp_secret"].replace(" ", "")
    if not seed:
        return ""
    try:
        pyotp.TOTP(seed).at(0)
    except ValueError:
        raise WrongCell("totp_secret", "expected a base32 seed") from None
    if len(seed) < SHORTEST_SEED:
        raise WrongCell("totp_secret", f"expected at least {SHORTEST_SEED} characters of base32")
    return seed


def _price(row: Row, most: Decimal) -> str:
    """`most` in major units per kWh."""
    expected = "expected a price in major units such as 0.2731, with a point"
    try:
        value = Decimal(row["price"])
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise WrongCell("price", expected)
    if abs(value) > most:
        raise WrongCell("price", beyond_belief(value, row.get("currency", "")))
    return str(value)


def beyond_belief(price: Decimal, currency: str) -> str:
    amount = f"{price:f} {currency}".strip()
    return f"{amount} per kWh is beyond belief: prices are in major units, 27.31 cents are 0.2731"


def _clock(row: Row, column: str) -> str:
    text = row[column] or "00:00"
    found = re.fullmatch(r"(\d\d):(\d\d)", text)
    if text == "24:00" and column == "to":
        return "00:00:00"
    if found is None or int(found[1]) > 23 or int(found[2]) not in (0, 15, 30, 45):
        raise WrongCell(column, "expected a quarter of an hour such as 07:00 or 22:30")
    return f"{text}:00"


def _months(row: Row) -> tuple[str, ...]:
    named = tuple(row["months"].split()) or (ALL,)
    if not set(named) <= {ALL, *MONTHS}:
        raise WrongCell("months", f"expected {ALL} or names such as Jan Feb")
    return named


def _days(row: Row) -> tuple[str, ...]:
    named = tuple(row["days"].split()) or (ALL,)
    if not set(named) <= {ALL, WEEKDAY, WEEKEND, *DAYS}:
        raise WrongCell("days", f"expected {ALL}, {WEEKDAY}, {WEEKEND} or names such as Mon Tue")
    return tuple(str(DAYS.index(name) + 1) if name in DAYS else name for name in named)


def _tariff(row: Row) -> dict[str, Any]:
    cells = Cells()
    is_known = row["structure"] in STRUCTURES
    if not is_known:
        cells.refuse("structure", f"expected {', '.join(STRUCTURES)}")
    if not re.fullmatch(r"[A-Z]{3}", row["currency"]):
        cells.refuse("currency", "expected a code such as EUR")
    is_dynamic = row["structure"] == DYNAMIC
    if is_dynamic and row["price"]:
        cells.refuse("price", "a dynamic tariff has its prices in a file of their own")
    start, end = cells.read(_clock, row, "from"), cells.read(_clock, row, "to")
    if start and end and end != "00:00:00" and end <= start:
        cells.refuse("to", "expected an end after the start; a night is two rows")
    to_kwh = cells.read(_price_limit, row)
    if to_kwh is not None and is_known and row["structure"] != TIERED:
        cells.refuse("to_kwh", "only a TIERED tariff has tiers")
    most = PLAUSIBLE_PER_KWH.get(row["currency"], MOST_PER_KWH)
    price = None if is_dynamic else cells.read(_price, row, most)
    found = {
        "id": cells.read(_id, row, "tariff"),
        "display_name": cells.read(_text, row, "name"),
        "structure": row["structure"],
        "currency": row["currency"],
        "months": cells.read(_months, row),
        "days": cells.read(_days, row),
        "span": (start, end),
        "rate": None if is_dynamic else {"value": price, "to_kwh": to_kwh},
    }
    cells.finish()
    return found


def _price_limit(row: Row) -> str | None:
    if not row["to_kwh"]:
        return None
    if THOUSANDS.fullmatch(row["to_kwh"]):
        raise WrongCell("to_kwh", "is it thousands? expected an amount such as 2500 or 2500.5")
    try:
        value = Decimal(row["to_kwh"])
    except InvalidOperation:
        value = Decimal(0)
    if not value.is_finite() or value <= 0:
        raise WrongCell(
            "to_kwh", "expected an amount above 0 such as 2500, or nothing for no limit"
        )
    return str(value)


def _contract(row: Row) -> dict[str, Any]:
    cells = Cells()
    zone = cells.read(_zone, row)
    direction = row["direction"] or "IMPORT"
    if direction not in DIRECTIONS:
        cells.refuse("direction", f"expected {' or '.join(DIRECTIONS)}")
    start, end = cells.read(_first_day, row), cells.read(_date, row, "end")
    if start and end and end < start:
        cells.refuse("end", "expected the last day of the term, not before its start")
    country = row["country_code"]
    if country and not re.fullmatch(r"[A-Z]{2}", country):
        cells.refuse("country_code", "expected a code such as DE")
    found = {
        "id": cells.read(_id, row, "contract"),
        "customer_id": cells.read(_id, row, "customer"),
        "display_name": cells.read(_text, row, "name"),
        "tariff_id": cells.read(_id, row, "tariff"),
    }
    address = {key: cells.read(_text, row, key) for key in ADDRESS if row[key]}
    cells.finish()
    last = None if end is None else (date.fromisoformat(end) + timedelta(days=1)).isoformat()
    return found | {
        "timezone": zone,
        "direction": direction,
        "address": json.dumps(address),
        "start_at": int(local_midnight(start, zone).timestamp()),
        "end_at": None if last is None else int(local_midnight(last, zone).timestamp()),
    }


def _zone(row: Row) -> str:
    try:
        ZoneInfo(row["timezone"])
    except (KeyError, ValueError, OSError):
        raise WrongCell("timezone", "expected a time zone such as Europe/Berlin") from None
    return row["timezone"]


def _first_day(row: Row) -> str:
    if (found := _date(row, "start")) is None:
        raise WrongCell("start", "expected a date such as 2026-04-01")
    return found


def _date(row: Row, column: str) -> str | None:
    if not row[column] or (column == "end" and row[column] == OPEN_END):
        return None
    try:
        found = date.fromisoformat(row[column])
    except ValueError:
        raise WrongCell(column, "expected a date such as 2026-04-01") from None
    if not FIRST_DAY <= found < LAST_DAY:
        open_end = ", or nothing where it has no end" if column == "end" else ""
        raise WrongCell(column, f"expected a date from {FIRST_DAY} to {LAST_DAY}{open_end}")
    return found.isoformat()


def _price_row(row: Row) -> dict[str, Any]:
    cells = Cells()
    start, end = (cells.read(_instant, row, column) for column in ("start", "end"))
    if start is not None and end is not None and end <= start:
        cells.refuse("end", "expected an end after the start")
    found = {
        "tariff_id": cells.read(_id, row, "tariff"),
        "start_at": start,
        "end_at": end,
        "value": cells.read(_price, row, MOST_PER_KWH),
    }
    cells.finish()
    return found


def _instant(row: Row, column: str) -> int:
    try:
        when = parse_instant(row[column])
    except ValueError:
        raise WrongCell(column, "expected an instant such as 2026-04-01T22:30:00Z") from None
    if when.timestamp() % 900:
        raise WrongCell(column, "expected a quarter of an hour")
    return int(when.timestamp())


def doubts(row: Row) -> Iterator[tuple[str, str]]:
    """The columns of a row that is taken, and what may not be meant so. No value is repeated."""
    password = row.get("password")
    if password and not is_password_hash(password) and len(password) < SHORTEST_PASSWORD:
        yield "password", f"has fewer than {SHORTEST_PASSWORD} characters and can be guessed"
    digits = POST_CODE_DIGITS.get(row.get("country_code", ""))
    code = row.get("post_code", "")
    if digits and code.isdecimal() and len(code) < digits:
        yield (
            "post_code",
            f"has {len(code)} digits, not {digits}; a spreadsheet takes a 0 in front away",
        )


KINDS = (
    FileKind("customers", ("customer", "login", "password", "name"), ("totp_secret",), _customer),
    FileKind(
        "contracts",
        ("contract", "customer", "name", "timezone", "start", "tariff"),
        ("end", "direction", *ADDRESS),
        _contract,
    ),
    FileKind(
        "tariffs",
        ("tariff", "name", "structure", "currency", "price"),
        ("months", "days", "from", "to", "to_kwh"),
        _tariff,
    ),
    FileKind(PRICES, ("tariff", "start", "end", "price"), (), _price_row),
)
