"""Documents for people and scripts: tariff, health, wishes, events. Pure."""

from collections.abc import Sequence
from datetime import datetime

from agent.contracts.text import wire_json
from agent.energy.rates import Rate, Rates
from agent.health import Health, State
from agent.home.wishes import Wish


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


def wish_document(wish: Wish, request_id: str | None, refusal: str | None = None) -> str:
    """What holds now, or why the last request was refused."""
    return wire_json(
        {
            "id": request_id,
            "accepted": refusal is None,
            "reason": refusal or "",
            "mode": wish.mode,
            "until": wish.until,
            "energy_kwh": wish.energy_kwh,
            "target_soc_percent": wish.target_soc_percent,
            "ready_by": wish.ready_by,
            "price_cap": wish.price_cap,
            "loaded": wish.loaded_at is not None,
        }
    )


def event_document(at: datetime, kind: str, device: str | None, text: str) -> str:
    return wire_json({"at": at, "type": kind, "device": device, "text": text})
