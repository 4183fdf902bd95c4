"""The summary of a tariff as Connect's summary pages show it. Pure.

Prices stand under `tariff.cost` here, under `tariff.rate` in the rates endpoint.
"""

from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from agent.energy.instants import format_instant
from integrations.sandbox.connect.sessions import Choice
from integrations.sandbox.regions import Region


def summary_data(choice: Choice, region: Region, now: datetime) -> dict[str, Any]:
    tariff: dict[str, Any] = {
        "name": choice.display_name,
        "structure_type": choice.structure_type,
        "tiered": choice.tiered,
    }
    if choice.contract_end is not None:
        tariff["contract_end_date"] = format_instant(choice.contract_end)
    data: dict[str, Any] = {"currency_code": region.currency, "tariff": tariff}
    zone = ZoneInfo(region.timezone)
    if choice.structure_type == "FIXED":
        slots = choice.series.slots(now, now + timedelta(hours=1)) if choice.series else []
        return {**data, "cost": float(slots[0].price) if slots else None}
    return {
        **data,
        "market_rates_source": choice.structure_type == "MARKET",
        "rates": {
            name: _day(choice, now, zone, days)
            for name, days in (("yesterday", -1), ("today", 0), ("tomorrow", 1))
        },
    }


def _day(choice: Choice, now: datetime, zone: ZoneInfo, days: int) -> list[dict[str, Any]]:
    if choice.series is None:
        return []
    day = now.astimezone(zone).date() + timedelta(days=days)
    start, end = (
        datetime.combine(at, time(0), tzinfo=zone) for at in (day, day + timedelta(days=1))
    )
    utc = now.tzinfo
    return [
        {
            "valid_from": format_instant(slot.start),
            "valid_to": format_instant(slot.end),
            "tariff": {"cost": round(float(slot.price), 5), "confidence": slot.confidence},
        }
        for slot in choice.series.slots(start.astimezone(utc), end.astimezone(utc))
    ]
