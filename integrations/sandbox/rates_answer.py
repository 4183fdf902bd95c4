"""The answer to `GET /tariffs/rates/{id}`: window, publication, spelling of times. Pure.

Times are spelled with the offset of the window's end, also where the start has another one.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from integrations.sandbox.locations import Location, object_id
from integrations.sandbox.responses import BadRequestError
from integrations.sandbox.series import PriceSlot, Series

DAY = timedelta(days=1)
MAX_WINDOW = timedelta(days=90)
PREDICTED = 0.6
LATE_BY = timedelta(minutes=20)
SHORT_HORIZON = timedelta(hours=6)
FIVE_DECIMALS = Decimal("0.00001")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_FRACTION = re.compile(r"\.\d+")


@dataclass(frozen=True, slots=True)
class RatesRequest:
    """A request for rates, understood. `*_text` as sent, without fractions of a second."""

    start: datetime
    end: datetime
    start_text: str
    end_text: str
    direction: str
    tariff: bool
    carbon: bool

    @property
    def utc_offset(self) -> timezone | None:
        """The offset that every time in the answer has; None for `Z`."""
        if self.end_text.endswith("Z"):
            return None
        offset = datetime.fromisoformat(self.end_text).utcoffset()
        return timezone(offset or timedelta(0))


@dataclass(frozen=True, slots=True)
class ResponseOptions:
    """How the answers are given: when tomorrow is published, and what stands for it until then.

    `prices_late`: 20 minutes after the time, though `next_update` names the next publication at
    once. `withdrawn`: nothing after this local day; `short_horizon`: nothing after six hours.
    `updates`: the last and the next fetch of a tariff that comes from its provider.
    """

    publish_at: time = time(13)
    predictions: bool = False
    contract_ended: bool = False
    publication_fails: bool = False
    prices_late: bool = False
    withdrawn: bool = False
    short_horizon: bool = False
    updates: tuple[datetime, datetime] | None = None


def parse_request(query: Mapping[str, str], now: datetime, strict_offsets: bool) -> RatesRequest:
    """Raises BadRequestError. Strict: two offsets in one request are refused, the older rule."""
    start_text = query.get("start_time") or now.strftime("%Y-%m-%dT%H:%M:%SZ")
    end_text = query.get("end_time")
    if not end_text:
        raise BadRequestError("end_time_missing", "end_time is required")
    start, end = _instant("start_time", start_text), _instant("end_time", end_text)
    if strict_offsets and start.utcoffset() != end.utcoffset():
        raise BadRequestError("offsets_differ", "start_time and end_time have different offsets")
    if end <= start:
        raise BadRequestError("end_time_invalid", "end_time is not after start_time")
    if end - start > MAX_WINDOW:
        raise BadRequestError("window_too_long", "the window is longer than 90 days", 422)
    direction = query.get("direction", "IMPORT")
    if direction not in ("IMPORT", "EXPORT"):
        raise BadRequestError("tariff_direction_invalid", "direction is IMPORT or EXPORT")
    return RatesRequest(
        start.astimezone(UTC),
        end.astimezone(UTC),
        _FRACTION.sub("", start_text),
        _FRACTION.sub("", end_text),
        direction,
        _flag(query, "include_tariff", True),
        _flag(query, "include_carbon", False),
    )


def rates_answer(
    location: Location, request: RatesRequest, now: datetime, options: ResponseOptions, live: bool
) -> dict[str, Any]:
    """The answer as FlatPeak would give it. The place has a series for the asked direction."""
    series = location.series[request.direction]
    last, following = publications(now, location.zone, options.publish_at)
    if options.publication_fails and series.market:
        last, following = last - DAY, last
    if options.prices_late and series.market:
        last, _ = publications(now - LATE_BY, location.zone, options.publish_at)
    horizon = _midnight(last, location.zone, days=2)
    if options.updates is not None:
        last, following = options.updates
    utc_offset = request.utc_offset
    return {
        "id": object_id("rts", location.number),
        "object": "tariff_rate",
        "live_mode": live,
        "location_id": location.id,
        "location_timezone": location.timezone,
        "currency_code": location.currency,
        "direction": request.direction,
        "last_updated": format_time(last, utc_offset),
        "next_update": format_time(following, utc_offset),
        "request": {
            "include_tariff": request.tariff,
            "include_carbon": request.carbon,
            "direction": request.direction,
            "start_time": request.start_text,
            "end_time": request.end_text,
        },
        "data": [
            _slot(slot, request, location.zone)
            for slot in _slots(series, request, location.zone, horizon, now, options)
        ],
        "time_created": format_time(now, None),
        "account_id": object_id("acc", 1),
    }


def publications(now: datetime, zone: ZoneInfo, at: time) -> tuple[datetime, datetime]:
    """The last publication, at `now` or before, and the next one."""
    today = now.astimezone(zone).date()
    days = [today + timedelta(days=n) for n in (-1, 0, 1)]
    instants = [datetime.combine(day, at, tzinfo=zone).astimezone(UTC) for day in days]
    return (instants[1], instants[2]) if now >= instants[1] else (instants[0], instants[1])


def format_time(when: datetime, utc_offset: timezone | None) -> str:
    text = when.astimezone(utc_offset or UTC).isoformat(timespec="seconds")
    return text if utc_offset else text.replace("+00:00", "Z")


def _slots(
    series: Series,
    request: RatesRequest,
    zone: ZoneInfo,
    horizon: datetime,
    now: datetime,
    options: ResponseOptions,
) -> list[PriceSlot]:
    ends = [request.end]
    if options.withdrawn:
        ends.append(_midnight(now, zone, days=1))
    if options.short_horizon:
        ends.append(now.replace(minute=0, second=0, microsecond=0) + SHORT_HORIZON)
    request = replace(request, end=min(ends))
    if request.end <= request.start:
        return []
    if not series.market:
        slots = series.slots(request.start, request.end)
        return (
            [_with_decaying_confidence(slot, now) for slot in slots]
            if options.contract_ended
            else slots
        )
    known = (
        series.slots(request.start, min(request.end, horizon)) if request.start < horizon else []
    )
    if not options.predictions or request.end <= horizon:
        return known
    week = timedelta(days=7)
    began = max(request.start, horizon)
    guesses = series.slots(began - week, request.end - week)
    return known + [
        PriceSlot(slot.start + week, slot.end + week, slot.price, PREDICTED) for slot in guesses
    ]


def _with_decaying_confidence(slot: PriceSlot, ended: datetime) -> PriceSlot:
    """A known pattern after its contract: 0.8, less 0.2 every 90 days, never below 0.2."""
    if slot.end <= ended:
        return slot
    quarters = max(timedelta(0), slot.start - ended) // timedelta(days=90)
    return replace(slot, confidence=max(0.2, round(0.8 - 0.2 * quarters, 1)))


def _slot(slot: PriceSlot, request: RatesRequest, zone: ZoneInfo) -> dict[str, Any]:
    utc_offset = request.utc_offset
    out: dict[str, Any] = {
        "valid_from": format_time(slot.start, utc_offset),
        "valid_to": format_time(slot.end, utc_offset),
    }
    if request.tariff:
        # JSON numbers have the decimals of a float's shortest form: five stay five.
        rate = float(slot.price.quantize(FIVE_DECIMALS))
        out["tariff"] = {"rate": rate, "confidence": slot.confidence}
    if request.carbon:
        # Less carbon at midday, more in the evening: a shape to test with, not a measurement.
        dark = abs(slot.start.astimezone(zone).hour - 13) / 13
        out["carbon"] = {
            "intensity": round(180 + 220 * dark, 1),
            "relative": round(dark, 2),
            "confidence": 1,
        }
    return out


def _midnight(now: datetime, zone: ZoneInfo, days: int) -> datetime:
    """Where the local day begins that is `days` after the one of `now`."""
    day = now.astimezone(zone).date() + days * DAY
    return datetime.combine(day, time(0), tzinfo=zone).astimezone(UTC)


def _instant(name: str, text: str) -> datetime:
    if not _TIME.fullmatch(text):
        hint = "; write + as %2B" if " " in text else ""
        raise BadRequestError(f"{name}_invalid", f"{name} {text!r} is not RFC 3339{hint}")
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise BadRequestError(f"{name}_invalid", f"{name}: {error}") from error


def _flag(query: Mapping[str, str], name: str, default: bool) -> bool:
    value = query.get(name)
    if value is None:
        return default
    if value not in ("true", "false"):
        raise BadRequestError(f"{name}_invalid", f"{name} is true or false")
    return value == "true"
