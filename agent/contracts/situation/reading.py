"""The Situation as a whole document: read or refused."""

import json
import math
import re
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

from agent.contracts.reader import Reader, Refusal, decoded_object
from agent.contracts.situation.checks import at_most, distinct, read_spans
from agent.contracts.situation.devices import read_device
from agent.contracts.situation.planner import read_planner
from agent.contracts.situation.site import read_site
from agent.contracts.situation.writing import SCHEMA
from agent.energy.instants import to_unix_ceil
from agent.energy.situation import ONE, Planner, RateSpan, Site, Situation
from agent.errors import Fault

# No home has more, as in `checks`.
MOST_RATES = 50_000
MOST_DEVICES = 64
# Longer whole numbers are read by their size alone.
MOST_DIGITS = 300
# In characters; longer numbers hardly come twice.
LONGEST_PRICE = 24


def parse_situation(text: str | bytes) -> Situation:
    """The Situation in a JSON text. Raises Refusal with all faults."""
    return _read(_decoded(text), ours=True)


def _decoded(text: str | bytes) -> object:
    try:
        document: object = json.loads(
            text,
            parse_float=_exact,
            parse_int=_whole,
            parse_constant=Decimal,
            object_pairs_hook=decoded_object,
        )
    except (ValueError, RecursionError) as error:
        raise Refusal([Fault("", f"is no JSON ({error}); expected one Situation")]) from error
    return document


def read_situation(document: object) -> Situation:
    """The Situation in a decoded document; floats in it count as their shortest decimal text."""
    return _read(document, ours=False)


def _read(document: object, *, ours: bool) -> Situation:
    """`ours`: nobody else holds the document, so what was read of it need not be kept."""
    faults: list[Fault] = []
    if not isinstance(document, dict):
        raise Refusal([Fault("", f"is {_kind(document)}; expected an object, schema {SCHEMA}")])
    situation = _situation(Reader(document, "", faults, consumes=ours))
    if faults or situation is None:
        raise Refusal(faults)
    return situation


def _exact(text: str) -> Decimal:
    """Prices come again and again: one number for each of them."""
    return _once(text) if len(text) <= LONGEST_PRICE else _decimal(text)


def _decimal(text: str) -> Decimal:
    # What no float can hold is an infinity, or 0, to every other reader of the document.
    as_float = float(text)
    return Decimal(text) if as_float and math.isfinite(as_float) else Decimal(as_float)


_once = lru_cache(maxsize=4096)(_decimal)


def _whole(text: str) -> int | Decimal:
    """Digits without end are no fault of the whole document: they are refused where they stand."""
    return int(text) if len(text) <= MOST_DIGITS else _exact(text)


def _kind(value: object) -> str:
    return "null" if value is None else f"a {type(value).__name__}"


def _situation(top: Reader) -> Situation | None:
    top.literal("schema", (SCHEMA,))
    now = top.instant("now", required=True)
    zone = top.text("timezone", required=True)
    if zone is not None and not _known_zone(zone):
        top.fault("timezone", f"is {zone!r}; expected a zone such as Europe/Berlin")
    currency = top.text("currency", required=True)
    if currency is not None and not re.fullmatch(r"[A-Z]{3}", currency):
        top.fault("currency", f"is {currency!r}; expected three letters such as EUR")
    for key, most in (("import_rates", MOST_RATES), ("export_rates", MOST_RATES)):
        at_most(top, key, most)
    at_most(top, "devices", MOST_DEVICES)
    rates = read_spans(top, "import_rates", _rate)
    exports = read_spans(top, "export_rates", _rate)
    site = top.child("site", read_site)
    planner = top.child("planner", read_planner)
    devices = [
        one for one in top.children("devices", lambda r: read_device(r, now)) if one is not None
    ]
    distinct(top, "devices")
    top.close()
    if now is None or zone is None or currency is None:
        return None
    return Situation(
        now=to_unix_ceil(now),
        timezone=zone,
        currency=currency,
        import_rates=tuple(rates),
        export_rates=tuple(exports),
        site=site or Site(),
        planner=planner or Planner(),
        devices=tuple(devices),
        now_fraction_us=-now.microsecond % 1_000_000,
    )


def _known_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _rate(reader: Reader, start: int, end: int) -> RateSpan:
    for key in ("start", "end"):
        when = reader.instant(key)
        if when is not None and when.microsecond:
            reader.fault(key, f"is {reader.raw(key)}; expected a whole second")
    return RateSpan(
        start,
        end,
        reader.number("price", required=True),
        reader.number("confidence", ONE, least=0, most=1),
        reader.optional_number("carbon_g_per_kwh"),
    )
