"""Faults of the data and time groups: an answer in, a worse one out. Pure but for the counts."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from integrations.sandbox.faults import Faults
from integrations.sandbox.rates_answer import RatesRequest, format_time

Answer = dict[str, Any]
HALF_HOUR = timedelta(minutes=30)


def inject_faults(answer: Answer, request: RatesRequest, now: datetime, faults: Faults) -> Answer:
    """Let every fault that is on act on the answer, in the order of the tables below."""
    slots: list[Answer] = answer["data"]
    for name, change in SLOT_FAULTS.items():
        if request.tariff and faults.consume(name):
            slots = change(slots, now)
    answer["data"] = slots
    for name, replacement in DATA_FAULTS.items():
        if faults.consume(name):
            answer.update(replacement)
    if faults.consume("no_data"):
        del answer["data"]
    for name, ahead in NEXT_UPDATE_FAULTS.items():
        if faults.consume(name):
            answer["next_update"] = format_time(now + ahead, request.utc_offset)
    if faults.consume("next_update_missing"):
        del answer["next_update"]
    for name, rewrite in TIME_FAULTS.items():
        if faults.consume(name):
            _rewrite_times(answer, rewrite)
    return answer


def _with_rate(change: Callable[[Any, int], Any]) -> Callable[[list[Answer], datetime], Any]:
    def each(slots: list[Answer], _now: datetime) -> list[Answer]:
        for number, slot in enumerate(slots):
            slot["tariff"]["rate"] = change(slot["tariff"]["rate"], number)
        return slots

    return each


def _no_tariff(slots: list[Answer], _now: datetime) -> list[Answer]:
    for slot in slots[1::2]:
        del slot["tariff"]
    return slots


def _hole(slots: list[Answer], _now: datetime) -> list[Answer]:
    middle = len(slots) // 2
    return slots[:middle] + slots[middle + 1 :]


def _overlap(slots: list[Answer], _now: datetime) -> list[Answer]:
    for slot in slots[:-1:3]:
        slot["valid_to"] = _moved(slot["valid_to"], HALF_HOUR)
    return slots


def _reversed_slot(slots: list[Answer], _now: datetime) -> list[Answer]:
    for slot in slots[1:2]:
        slot["valid_from"], slot["valid_to"] = slot["valid_to"], slot["valid_from"]
    return slots


def _zero_length(slots: list[Answer], _now: datetime) -> list[Answer]:
    for slot in slots[1:2]:
        slot["valid_to"] = slot["valid_from"]
    return slots


def _long_slot(slots: list[Answer], _now: datetime) -> list[Answer]:
    for slot in slots[-1:]:
        slot["valid_to"] = _moved(slot["valid_from"], timedelta(days=365))
    return slots


def _unclipped(slots: list[Answer], _now: datetime) -> list[Answer]:
    if slots:
        slots[0]["valid_from"] = _moved(slots[0]["valid_from"], -HALF_HOUR)
        slots[-1]["valid_to"] = _moved(slots[-1]["valid_to"], HALF_HOUR)
    return slots


def _zero_unknown(slots: list[Answer], now: datetime) -> list[Answer]:
    for slot in slots:
        if datetime.fromisoformat(slot["valid_from"]) > now:
            slot["tariff"] = {"rate": 0, "confidence": 0}
    return slots


def _confident(slots: list[Answer], _now: datetime) -> list[Answer]:
    for slot in slots:
        slot["tariff"]["confidence"] = 1.5
    return slots


def _interpolated(slots: list[Answer], _now: datetime) -> list[Answer]:
    for before, slot, after in zip(slots[::3], slots[1::3], slots[2::3], strict=False):
        mean = (before["tariff"]["rate"] + after["tariff"]["rate"]) / 2
        slot["tariff"] = {"rate": round(mean, 5), "confidence": 0.5}
    return slots


def _backfill(slots: list[Answer], now: datetime) -> list[Answer]:
    for slot in slots:
        if datetime.fromisoformat(slot["valid_to"]) <= now:
            slot["tariff"]["rate"] = round(slot["tariff"]["rate"] + 0.01, 5)
    return slots


def _forecasts_only(slots: list[Answer], now: datetime) -> list[Answer]:
    for slot in slots:
        if datetime.fromisoformat(slot["valid_to"]) > now:
            slot["tariff"]["confidence"] = min(slot["tariff"]["confidence"], 0.6)
    return slots


def _random(slots: list[Answer], now: datetime) -> list[Answer]:
    dice = random.Random(now.timestamp())
    for slot in slots:
        slot["tariff"]["rate"] = round(dice.uniform(-0.05, 0.6), 5)
    return slots


def _other_release(slots: list[Answer], _now: datetime) -> list[Answer]:
    for slot in slots:
        if tariff := slot.pop("tariff", None):
            slot["price"] = {"value": tariff["rate"], "confidence": tariff["confidence"]}
    return slots


# Faults that need a whole tariff in every slot come first, those that take it away last.
SLOT_FAULTS: dict[str, Callable[[list[Answer], datetime], list[Answer]]] = {
    "backfill": _backfill,
    "interpolated": _interpolated,
    "random_prices": _random,
    "forecasts_only": _forecasts_only,
    "six_decimals": _with_rate(lambda rate, _: round(rate + 0.000001, 6)),
    "negative": _with_rate(lambda rate, _: -abs(rate) - 0.001),
    "zero_unknown": _zero_unknown,
    "confidence_above_1": _confident,
    "rate_text": _with_rate(lambda rate, _: str(rate)),
    "rate_null": _with_rate(lambda rate, number: rate if number % 2 else None),
    "rate_nonsense": _with_rate(
        lambda _, number: ["cheap", [1], {}, True, float("nan"), 1e300][number % 6]
    ),
    "overlap": _overlap,
    "reversed_slot": _reversed_slot,
    "zero_length": _zero_length,
    "long_slot": _long_slot,
    "unclipped": _unclipped,
    "hole": _hole,
    "duplicate": lambda slots, _: [slot for slot in slots for _ in range(2)],
    "unsorted": lambda slots, _: slots[::-1],
    "no_tariff": _no_tariff,
    "other_release": _other_release,
}

DATA_FAULTS: dict[str, Answer] = {
    "empty_data": {"data": []},
    "null_data": {"data": None},
    "currency_change": {"currency_code": "CHF"},
    "currency_nonsense": {"currency_code": "E\ud83d"},
    "zone_change": {"location_timezone": "Europe/Lisbon"},
    "zone_unknown": {"location_timezone": "Mars/Olympus\n\ud83d"},
    "zone_missing": {"location_timezone": None},
    "test_mode": {"live_mode": False},
    "other_location": {"location_id": "loc_000000000000000000000000"},
    "next_update_null": {"next_update": None},
}

NEXT_UPDATE_FAULTS = {
    "next_update_past": timedelta(days=-1),
    "next_update_now": timedelta(0),
    "next_update_far": timedelta(days=10),
}

TIME_FAULTS: dict[str, Callable[[str], str]] = {
    "plus_zero": lambda text: text.replace("Z", "+00:00"),
    "fractions": lambda text: f"{text[:19]}.000{text[19:]}",
    "naive_times": lambda text: text[:19],
}


def _rewrite_times(answer: Answer, rewrite: Callable[[str], str]) -> None:
    for name in ("last_updated", "next_update"):
        if isinstance(answer.get(name), str):
            answer[name] = rewrite(answer[name])
    # A slot that is there twice is one object: its times are rewritten once.
    for slot in {id(slot): slot for slot in answer.get("data") or ()}.values():
        slot["valid_from"] = rewrite(slot["valid_from"])
        slot["valid_to"] = rewrite(slot["valid_to"])


def _moved(text: str, by: timedelta) -> str:
    moved = (datetime.fromisoformat(text) + by).isoformat(timespec="seconds")
    return moved.replace("+00:00", "Z") if text.endswith("Z") else moved
