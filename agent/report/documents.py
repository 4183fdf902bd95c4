"""Documents for people and scripts: tariff, health, wishes, events. Pure."""

from collections.abc import Sequence
from datetime import datetime

from agent.contracts.text import wire_json
from agent.energy.rates import Rate, Rates
from agent.energy.text import clean_text
from agent.health import Health, State
from agent.home.wishes import VALUE_KEYS, Wish

MAX_REASON = 300


def tariff_document(rates: Rates, shown: Sequence[Rate]) -> str:
    """The body of `tariff/import` or `tariff/export`: what is known, then estimates."""
    return wire_json(
        {
            "schema": "tariff/1",
            "currency": rates.currency,
            "timezone": rates.timezone,
            "fetched_at": rates.fetched_at,
            "next_update": rates.next_update,
            "stale": rates.stale,
            "rates": [
                {
                    "start": rate.start,
                    "end": rate.end,
                    "price": rate.price,
                    "confidence": rate.confidence,
                    "carbon_g_per_kwh": rate.carbon_g_per_kwh,
                }
                for rate in shown
            ],
        }
    )


def tariff_list(shown: Sequence[Rate]) -> str:
    """The bare array that evcc reads; unknown time is left out, for it would look free."""
    return wire_json(
        [
            {"start": rate.start, "end": rate.end, "value": rate.price}
            for rate in shown
            if rate.confidence > 0
        ]
    )


def tariff_now(
    currency: str, imported: Sequence[Rate], exported: Sequence[Rate], now: datetime
) -> tuple[str, datetime] | None:
    """The body of `tariff/now` and until when it holds; None without a price for now."""
    current = _at(imported, now)
    if current is None:
        return None
    export = _at(exported, now)
    until = min(current.end, export.end) if export else current.end
    following = _at(imported, current.end)
    document = {
        "import": current.price,
        "export": export.price if export else None,
        "currency": currency,
        "until": until,
        "next": following.price if following else None,
        "estimated": current.confidence < 1,
    }
    return wire_json(document), until


def _at(rates: Sequence[Rate], when: datetime) -> Rate | None:
    return next(
        (rate for rate in rates if rate.start <= when < rate.end and rate.confidence > 0), None
    )


def health_document(health: Health) -> str:
    states = {condition.state for condition in health.parts.values()}
    worst = next((state for state in (State.FAILED, State.DEGRADED) if state in states), State.OK)
    return wire_json(
        {
            "state": worst,
            "parts": {
                name: {
                    "state": condition.state,
                    "since": condition.since,
                    "why": condition.why,
                    "who_acts": condition.who_acts,
                }
                for name, condition in sorted(health.parts.items())
            },
            "counts": dict(sorted(health.counts.items())),
        }
    )


def wish_document(
    wish: Wish, at: datetime, request_id: str | None, *, accepted: bool, reason: str
) -> str:
    """What holds now and since when it is said; why the last request was refused."""
    values, mode = wish.values, wish.mode
    ready_by: datetime | str | None = values.ready_by
    if ready_by is None and values.ready_by_clock is not None:
        ready_by = f"{values.ready_by_clock:%H:%M}"
    return wire_json(
        {
            "id": request_id,
            "at": at,
            "accepted": accepted,
            "reason": clean_text(reason, MAX_REASON),
            "mode": mode.name,
            "until": mode.until,
            "energy_kwh": values.energy_kwh,
            "hours": values.hours,
            "target_soc_percent": values.target_soc_percent,
            "floor_soc_percent": values.floor_soc_percent,
            "ready_by": ready_by,
            "price_cap": values.price_cap,
            "comfort_min_c": values.comfort_min_c,
            "comfort_max_c": values.comfort_max_c,
            "comfort_until": values.comfort_until,
            "kept": [key for key in VALUE_KEYS if _is_kept(wish, key)],
            "loaded": wish.loaded_at is not None,
            "pending": wish.pending,
        }
    )


def _is_kept(wish: Wish, key: str) -> bool:
    kept = getattr(wish.kept, key) is not None
    if key == "ready_by":
        kept = kept or wish.kept.ready_by_clock is not None
    return kept


def site_wish_document(
    away_until: datetime | None,
    at: datetime,
    request_id: str | None,
    *,
    accepted: bool,
    reason: str,
) -> str:
    """The answer to `site/request`, and what holds."""
    return wire_json(
        {
            "id": request_id,
            "at": at,
            "accepted": accepted,
            "reason": clean_text(reason, MAX_REASON),
            "away_until": away_until,
        }
    )


def event_document(at: datetime, kind: str, device: str | None, text: str) -> str:
    return wire_json({"at": at, "type": kind, "device": device, "text": text})
