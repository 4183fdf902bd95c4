"""FlatPeak's answers as text in, facts out. Pure.

Written for release Zero; the price keys of the other releases are understood too, because an
account's default release may differ from the one that was asked for. Nothing in an answer but its
frame is relied on: each slot stands for itself, and one that makes no sense is counted, not fatal.
Text is cleaned and instants are bounded here, where they enter.
"""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, DecimalException
from email.utils import parsedate_to_datetime
from typing import Any

from agent.energy.instants import bounded, parse_instant
from agent.energy.rates import Direction, Rate
from agent.energy.sentences import sentence
from agent.energy.text import clean_text
from agent.errors import Malformed
from agent.ports import FetchedRates, TariffEvent

# Object and key of the price, newest release last: Zero, an early Zero, Anode and Busbar.
PRICE_KEYS = (("tariff", "rate"), ("tariff", "cost"), ("price", "value"))
MAX_NAME = 64
# More than thirty days of five minutes, the longest span that is asked for: each is an object.
MOST_SLOTS = 10_000
# No market trades less than minutes; each change of the price is said to everybody.
SHORTEST = timedelta(minutes=1)
TEST_MODE = sentence(
    "the API key is a test key, its prices may be made up: use a live key (sk_live_…)"
)
CONNECTED = ("tariff_connected", sentence("a tariff was connected"))
# FlatPeak's event types that concern a home's contract; both spellings of the last are documented.
EVENTS = {
    "tariff.expiring": (
        "tariff_expiring",
        sentence("the tariff's contract ends soon: connect the next one at FlatPeak"),
    ),
    "tariff.expired": (
        "tariff_expired",
        sentence(
            "the tariff's contract is over, prices are only forecasts: connect the tariff again"
        ),
    ),
    "tariff.fetch.failed": (
        "tariff_fetch_failed",
        sentence(
            "FlatPeak cannot fetch the tariff's prices: if that lasts, connect the tariff again"
        ),
    ),
    "tariff.connection.upgrade": (
        "tariff_upgrade",
        sentence("FlatPeak can connect the tariff in a better way: connect it again to use that"),
    ),
    "connect_session.complete": CONNECTED,
    "connect.session.complete": CONNECTED,
}


def parse_rates(text: str, direction: Direction, location_id: str = "") -> FetchedRates:
    """The rates in an answer to `GET /tariffs/rates/{location_id}`.

    Prices are exactly the decimals in the text. A slot without a price or without sane times is
    left out and counted in `dropped`. Confidence 0 means "unknown" and is passed on as such.
    Currency and time zone are empty where the answer does not say them. What the owner should know
    of it stands in `warnings`.
    Raises Malformed where the frame is not understood or is about the other direction.
    """
    answer = parse_object(text)
    about = answer.get("direction") or answer.get("tariff_direction")
    if isinstance(about, str) and about.upper() != direction.name:
        raise Malformed(f"asked for {direction} rates, the answer is about", about)
    slots = answer.get("data")
    if slots is None:
        slots = []
    if not isinstance(slots, list):
        raise Malformed("the answer's data is not a list", text)
    if len(slots) > MOST_SLOTS:
        raise Malformed(f"the answer has {len(slots)} prices; at most {MOST_SLOTS} can be meant")
    rates = [rate for slot in slots if (rate := _rate(slot)) is not None]
    return FetchedRates(
        direction=direction,
        currency=parse_text(answer.get("currency_code"), MAX_NAME),
        timezone=parse_text(answer.get("location_timezone"), MAX_NAME),
        rates=rates,
        next_update=_instant(answer.get("next_update")),
        dropped=len(slots) - len(rates),
        warnings=_warnings(answer, location_id),
    )


def parse_events(text: str, location_id: str) -> list[TariffEvent]:
    """The contract's events in an answer to `GET /events`; unknown types are left out.

    Raises Malformed where it is no list of events.
    """
    items = parse_object(text).get("data")
    if not isinstance(items, list):
        raise Malformed("the answer has no list of events", text)
    return [event for item in items if (event := _event(item, location_id)) is not None]


def parse_object(text: str) -> dict[str, Any]:
    """A JSON object, numbers as Decimal. Raises Malformed for everything else."""
    try:
        # Whole numbers too: int() refuses or crawls through thousands of digits, Decimal does not.
        answer = json.loads(
            text, parse_float=_decimal, parse_int=_decimal, parse_constant=_no_constant
        )
    except (ValueError, RecursionError) as error:
        raise Malformed("the answer is not JSON", text) from error
    if not isinstance(answer, dict):
        raise Malformed("the answer is not a JSON object", text)
    return answer


def parse_error(text: str) -> tuple[str, str]:
    """Code and message of an error answer, either shape; empty where it is neither."""
    try:
        answer = parse_object(text)
    except Malformed:
        return "", ""
    return parse_text(answer.get("code"), MAX_NAME), parse_text(answer.get("message"))


def parse_number(value: object) -> Decimal | None:
    """A finite number of a size that a price or a span can have, also where it came as text."""
    if isinstance(value, str):
        value = _decimal(value) if len(value) <= MAX_NAME else None
    if not isinstance(value, Decimal) or not value.is_finite():
        return None
    # Beyond this, plain arithmetic with the number would need endless digits.
    return value if value == 0 or -30 < value.adjusted() < 12 else None


def parse_text(value: object, max_length: int = 200) -> str:
    return clean_text(value, max_length) if isinstance(value, str) else ""


def parse_http_date(text: str) -> datetime | None:
    """The instant of a Date or Retry-After header; None where it is none."""
    try:
        # The standard library's parser trips in many ways over what is far from a date.
        if not re.fullmatch(r"[ -~]{10,60}", text):
            return None
        when = parsedate_to_datetime(text)
        return bounded(when if when.tzinfo else when.replace(tzinfo=UTC))
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def _warnings(answer: dict[str, Any], location_id: str) -> Sequence[str]:
    out = []
    if answer.get("live_mode") is False:
        out.append(TEST_MODE)
    stated = parse_text(answer.get("location_id"), MAX_NAME)
    if location_id and stated and stated != location_id:
        out.append(
            sentence(
                "the prices are those of location {stated}, not {wanted}: check location_id",
                stated=stated,
                wanted=location_id,
            )
        )
    return out


def _event(item: object, location_id: str) -> TariffEvent | None:
    if not isinstance(item, dict):
        return None
    kind = EVENTS.get(parse_text(item.get("type"), MAX_NAME))
    identity, at = parse_text(item.get("id"), MAX_NAME), _instant(item.get("time_created"))
    data = item.get("data")
    data = data if isinstance(data, dict) else {}
    about = data.get("location_id", location_id)
    if kind is None or not identity or at is None or about != location_id:
        return None
    return TariffEvent(identity, at, *kind, tariff_id=parse_text(data.get("tariff_id"), MAX_NAME))


def _rate(slot: object) -> Rate | None:
    if not isinstance(slot, dict):
        return None
    start, end = _instant(slot.get("valid_from")), _instant(slot.get("valid_to"))
    price, confidence = _price(slot)
    if start is None or end is None or price is None or confidence is None:
        return None
    if end - start < SHORTEST:
        return None
    return Rate(start, end, price, confidence, _carbon(slot.get("carbon")))


def _price(slot: dict[str, Any]) -> tuple[Decimal | None, float | None]:
    for holder_key, price_key in PRICE_KEYS:
        holder = slot.get(holder_key)
        if isinstance(holder, dict) and (price := parse_number(holder.get(price_key))) is not None:
            return price, _confidence(holder)
    return None, None


def _confidence(holder: dict[str, Any]) -> float | None:
    """0 .. 1. The oldest answers carry none, theirs were all confirmed."""
    stated = holder.get("confidence")
    if stated is None:
        return 1.0
    number = parse_number(stated)
    return None if number is None else float(min(max(number, Decimal(0)), Decimal(1)))


def _carbon(holder: object) -> float | None:
    number = parse_number(holder.get("intensity")) if isinstance(holder, dict) else None
    return None if number is None or abs(number) > 1_000_000 else float(number)


def _instant(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        return parse_instant(value)
    except (ValueError, OverflowError):
        return None


def _decimal(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except DecimalException:
        return None


def _no_constant(_name: str) -> None:
    """NaN and Infinity are not JSON and not prices."""
