"""What customers enter on Connect's pages: submitted data in, a tariff's prices out. Pure.

Error codes as documented for each page; raises BadRequestError.
"""

import re
from collections.abc import Sequence
from datetime import datetime, time
from decimal import Decimal, DecimalException
from typing import Any
from zoneinfo import ZoneInfo

from agent.energy.instants import parse_instant
from integrations.sandbox.responses import BadRequestError
from integrations.sandbox.series import Flat, Scaled, Series, TimeOfDay

STRUCTURES = ("FIXED", "TIME_OF_DAY", "MARKET")
MAX_NAME = 120
MAX_HOURS = 96
# Above this a price per kWh, or a surcharge, is a slip of the pen.
MOST_PRICE = Decimal(1000)
MIDNIGHT = time(0)
CLOCK_TIME = re.compile(r"\d\d:\d\d(:\d\d)?", re.ASCII)


def refused(route: str, code: str, message: str) -> BadRequestError:
    return BadRequestError(code, message, 422, f"connect.{route}")


def text_of(route: str, data: Any, holder: str, key: str, missing: str) -> str:
    """`data[holder][key]`, cleaned of surrounding blanks; not empty, not too long."""
    inner = data.get(holder)
    if inner is not None and not isinstance(inner, dict):
        raise refused(route, "data_json_invalid", f"{holder} is an object")
    value = (inner or {}).get(key)
    if value is not None and not isinstance(value, str):
        raise refused(route, "data_json_invalid", f"{holder}.{key} is text")
    if not value or not value.strip():
        raise refused(route, missing, f"{holder}.{key} is missing")
    if len(value) > MAX_NAME:
        raise refused(route, "data_json_invalid", f"{holder}.{key} is too long")
    return value.strip()


def number_of(route: str, value: object, name: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise refused(route, "data_json_invalid", f"{name} is a number")
    try:
        number = Decimal(str(value))
    except DecimalException as error:
        raise refused(route, "data_json_invalid", f"{name} is a number") from error
    if not number.is_finite() or abs(number) > MOST_PRICE:
        raise refused(route, "data_json_invalid", f"{name} is out of range")
    return number


def price_of(route: str, value: object) -> Decimal:
    cost = number_of(route, value, "cost")
    if cost == 0:
        raise refused(route, "cost_value_zero", "cost is zero")
    if cost < 0:
        raise refused(route, "cost_value_negative", "cost is negative")
    return cost


def fixed(data: dict[str, Any]) -> Series:
    return Flat(price_of("rate_fixed_capture", data.get("cost")))


def time_of_day(data: dict[str, Any], zone: ZoneInfo) -> Series:
    """Hours that make a whole day without gap or overlap; one span may lead over midnight, as a
    night's does.
    """
    route = "rate_tod_capture"
    hours = data.get("hours")
    if not isinstance(hours, list) or not 0 < len(hours) <= MAX_HOURS:
        raise refused(route, "data_json_invalid", "hours is a list")
    rows: list[tuple[time, time, Decimal]] = []
    for row in hours:
        if not isinstance(row, dict):
            raise refused(route, "data_json_invalid", "hours are objects")
        start, end = (_clock(route, row, name) for name in ("valid_from", "valid_to"))
        price = price_of(route, row.get("cost"))
        if end <= start and end != MIDNIGHT:
            rows.append((MIDNIGHT, end, price))
            end = MIDNIGHT
        rows.append((start, end, price))
    rows.sort(key=lambda row: row[0])
    _check_whole_day(route, rows)
    changes = tuple((start, price) for start, _, price in rows)
    return TimeOfDay(zone, changes, changes)


def with_surcharge(data: dict[str, Any], market: Series) -> Series:
    """The fixed part is added before the percentage; 5 and 0.05 both mean five per cent."""
    route = "market_surcharge_capture"
    surcharge = data.get("surcharge") or {}
    if not isinstance(surcharge, dict):
        raise refused(route, "data_json_invalid", "surcharge is an object")
    amount, percentage = (
        number_of(route, surcharge.get(name) or 0, name) for name in ("fixed", "percentage")
    )
    share = percentage if abs(percentage) < 1 else percentage / 100
    return Scaled(market, 1 + share, amount) if amount or share else market


def structure(data: dict[str, Any]) -> str:
    route = "tariff_structure_select"
    options = data.get("options")
    if not isinstance(options, list) or len(options) != 1 or options[0] not in STRUCTURES:
        raise refused(route, "data_json_invalid", f"options has one of {', '.join(STRUCTURES)}")
    return str(options[0])


def contract_end(data: dict[str, Any], now: datetime) -> datetime | None:
    route = "contract_term_capture"
    value = data.get("contract_end_date")
    if value in (None, ""):
        return None
    try:
        end = parse_instant(value if len(str(value)) > 10 else f"{value}T00:00:00Z")
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise refused(route, "data_json_invalid", "contract_end_date is RFC 3339") from error
    if end <= now:
        raise refused(route, "data_json_invalid", "contract_end_date is past")
    return end


def _clock(route: str, row: dict[str, Any], name: str) -> time:
    value = row.get(name)
    try:
        if not isinstance(value, str) or not CLOCK_TIME.fullmatch(value):
            raise ValueError
        return time.fromisoformat(value)
    except ValueError as error:
        raise refused(route, f"{name}_invalid", f"{name} is HH:MM:SS") from error


def _check_whole_day(route: str, rows: Sequence[tuple[time, time, Decimal]]) -> None:
    at = MIDNIGHT
    for number, (start, end, _) in enumerate(rows):
        last = number == len(rows) - 1
        if start > at:
            code = "gap_in_time_period" if number else "incomplete_time_period"
            raise refused(route, code, f"no price from {at} to {start}")
        if start < at:
            raise refused(route, "valid_from_invalid", f"two prices at {start}")
        if end == MIDNIGHT and not last:
            raise refused(route, "valid_to_invalid", f"two prices after {start}")
        at = end
    if at != MIDNIGHT:
        raise refused(route, "incomplete_time_period", f"no price from {at} to midnight")
