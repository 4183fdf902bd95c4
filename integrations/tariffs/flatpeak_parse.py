"""FlatPeak's answers as text in, facts out. Pure.

Written for release Zero; the price keys of the other releases are understood too, because an
account's default release may differ from the one that was asked for. Nothing in an answer but its
frame is relied on: each slot stands for itself, and one that makes no sense is counted, not fatal.
"""

import json
from datetime import datetime
from decimal import Decimal, DecimalException
from typing import Any

from agent.energy.instants import parse_instant
from agent.energy.rates import Direction, Rate
from agent.errors import Malformed
from agent.ports import FetchedRates

# Object and key of the price, newest release last: Zero, an early Zero, Anode and Busbar.
PRICE_KEYS = (("tariff", "rate"), ("tariff", "cost"), ("price", "value"))


def parse_rates(text: str, direction: Direction) -> FetchedRates:
    """The rates in an answer to `GET /tariffs/rates/{location_id}`.

    Prices are exactly the decimals in the text. A slot without a price or without sane times is
    left out and counted in `dropped`. Confidence 0 means "unknown" and is passed on as such.
    Currency and time zone are empty where the answer does not say them.
    Raises Malformed where the frame is not understood or is about the other direction.
    """
    answer = parse_object(text)
    said = answer.get("direction") or answer.get("tariff_direction")
    if isinstance(said, str) and said.upper() != direction.name:
        raise Malformed(f"asked for {direction} rates, the answer is about", said)
    slots = answer.get("data")
    if slots is None:
        slots = []
    if not isinstance(slots, list):
        raise Malformed("the answer's data is not a list", text)
    rates = [rate for slot in slots if (rate := _rate(slot)) is not None]
    return FetchedRates(
        direction=direction,
        currency=_text(answer.get("currency_code")),
        timezone=_text(answer.get("location_timezone")),
        rates=rates,
        next_update=_instant(answer.get("next_update")),
        dropped=len(slots) - len(rates),
    )


def parse_object(text: str) -> dict[str, Any]:
    """A JSON object, numbers as Decimal. Raises Malformed for everything else."""
    try:
        # Whole numbers too: int() refuses or crawls through thousands of digits, Decimal does not.
        answer = json.loads(text, parse_float=_decimal, parse_int=_decimal, parse_constant=_nothing)
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
    return _text(answer.get("code")), _text(answer.get("message"))[:200]


def _rate(slot: object) -> Rate | None:
    if not isinstance(slot, dict):
        return None
    start, end = _instant(slot.get("valid_from")), _instant(slot.get("valid_to"))
    price, confidence = _price(slot)
    if start is None or end is None or price is None or confidence is None:
        return None
    return Rate(start, end, price, confidence, _carbon(slot.get("carbon")))


def _price(slot: dict[str, Any]) -> tuple[Decimal | None, float | None]:
    for holder_key, price_key in PRICE_KEYS:
        holder = slot.get(holder_key)
        if isinstance(holder, dict) and (price := _number(holder.get(price_key))) is not None:
            return price, _confidence(holder)
    return None, None


def _confidence(holder: dict[str, Any]) -> float | None:
    """0 .. 1. The oldest answers carry none, theirs were all confirmed."""
    said = holder.get("confidence")
    if said is None:
        return 1.0
    number = _number(said)
    return None if number is None else float(min(max(number, Decimal(0)), Decimal(1)))


def _carbon(holder: object) -> float | None:
    number = _number(holder.get("intensity")) if isinstance(holder, dict) else None
    return None if number is None else float(number)


def _number(value: object) -> Decimal | None:
    """A finite number of a size that a price or a share can have, also where it came as text."""
    if isinstance(value, str):
        value = _decimal(value)
    if not isinstance(value, Decimal) or not value.is_finite():
        return None
    # Beyond this, plain arithmetic with the number would need endless digits.
    return value if value == 0 or -30 < value.adjusted() < 12 else None


def _instant(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        return parse_instant(value)
    except (ValueError, OverflowError):
        return None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _decimal(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except DecimalException:
        return None


def _nothing(_constant: str) -> None:
    """NaN and Infinity are not JSON and not prices."""
