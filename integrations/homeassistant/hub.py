"""The hub: prices, what the agent itself needs of people, what the whole house saved. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from agent import __version__
from agent.energy.instants import format_instant, parse_instant
from agent.energy.localtime import local_instant
from agent.energy.rates import Rate
from agent.energy.readings import DeviceInfo
from agent.energy.text import clean_text
from agent.energy.view import SiteView
from agent.ports import OutgoingMessage
from integrations.homeassistant.appliance import answer, document
from integrations.homeassistant.entities import (
    CONFIG,
    DIAGNOSTIC,
    Entity,
    button,
    choice,
    energy,
    event,
    money,
    picture,
    price,
    problem,
    sensor,
    text,
    timestamp,
)
from integrations.homeassistant.message import Announcement
from integrations.homeassistant.names import HUB, Names

PROBLEMS = {"prices_stale": "Prices stale", "limit_in_force": "Limit in force"}
EVENTS = (
    "tariff_stale",
    "tariff_expiring",
    "tariff_expired",
    "tariff_fetch_failed",
    "tariff_upgrade",
    "tariff_connected",
    "tariff_disconnected",
    "limit_changed",
    "request_refused",
)
# Entities on topics of their own: key and platform.
LATER = {"away_until_time": "datetime"}
LOCAL = r"\d\d\d\d-\d\d-\d\d \d\d:\d\d"
EXPORT, CARBON = "export", "carbon"
MOST_WHY = 200
PRICE_KEYS = ("price", "next_change", "next_price", "cheaper_from", "confidence", "carbon")


@dataclass(frozen=True, slots=True)
class Prices:
    """What is known and estimated from now on, and when it was asked for and will be next."""

    imported: Sequence[Rate]
    exported: Sequence[Rate]
    fetched_at: datetime | None = None
    next_update: datetime | None = None

    def at(self, when: datetime, exported: bool = False) -> Rate | None:
        rates = self.exported if exported else self.imported
        return next((r for r in rates if r.start <= when < r.end and r.confidence > 0), None)


def announcement(names: Names, currency: str, extras: set[str]) -> Announcement:
    """Without a currency there are no prices yet. `extras` are what not every tariff has."""
    entities = [
        *(_prices(names, currency, extras) if currency else ()),
        *_house(names, currency),
        *_controls(names),
        *(problem(key, name, names.state(HUB)) for key, name in PROBLEMS.items()),
        event(names.topics.event, EVENTS, None),
    ]
    site = f" {names.told_apart}" if names.told_apart else ""
    info = DeviceInfo(maker="FlatPeak", firmware=__version__)
    return Announcement(HUB, f"FlatPeak{site}", "Edge agent", info, entities)


def _prices(names: Names, currency: str, extras: set[str]) -> Iterator[Entity]:
    per_kwh = {"unit_of_measurement": f"{currency}/kWh", "suggested_display_precision": 4}
    yield price("price", "Import price", "price", currency)
    yield timestamp("next_change", "Next price change", "next_change")
    yield sensor("next_price", "Next price", "next_price", **per_kwh)
    yield timestamp(
        "cheaper_from",
        "Next cheaper price",
        "cheaper_from",
        json_attributes_topic=names.state(HUB),
        json_attributes_template="{{ value_json.cheaper | tojson }}",
    )
    yield sensor(
        "forecast",
        "Price forecast",
        "price",
        json_attributes_topic=names.attributes(HUB, "prices"),
        **per_kwh,
    )
    yield sensor(
        "confidence",
        "Price confidence",
        "confidence",
        unit_of_measurement="%",
        entity_category=DIAGNOSTIC,
        json_attributes_topic=names.attributes(HUB, "outlook"),
    )
    yield picture("chart", "Prices and plan", names.attributes(HUB, "chart"))
    if EXPORT in extras:
        yield price("export_price", "Export price", "export", currency)
        yield sensor(
            "export_forecast",
            "Export price forecast",
            "export",
            json_attributes_topic=names.attributes(HUB, "export"),
            **per_kwh,
        )
    if CARBON in extras:
        yield sensor(
            "carbon",
            "Carbon intensity",
            "carbon",
            unit_of_measurement="gCO2eq/kWh",
            state_class="measurement",
        )


def _house(names: Names, currency: str) -> Iterator[Entity]:
    yield timestamp("fetched_at", "Prices fetched", "fetched_at", entity_category=DIAGNOSTIC)
    yield timestamp("next_refresh", "Next refresh", "next_update", entity_category=DIAGNOSTIC)
    yield choice(
        "health",
        "Health",
        "health",
        ("ok", "degraded", "failed"),
        entity_category=DIAGNOSTIC,
        json_attributes_topic=names.attributes(HUB, "parts"),
    )
    yield sensor("request", "Last request", "request", entity_category=DIAGNOSTIC)
    yield energy("energy", "Energy of all appliances", "energy_kwh")
    if currency:
        # The sum of all time: what the Energy dashboard and long-term statistics take.
        yield money("saved", "Saved", "saved", currency, state_class="total")
        yield money("cost", "Cost", "cost", currency, state_class="total")
        yield money("month_saved", "Saved this month", "month_saved", currency)
        yield money("month_cost", "Cost this month", "month_cost", currency)


def _controls(names: Names) -> Iterator[Entity]:
    yield button("refresh", "Refresh prices", '{"refresh":true}')
    yield button(
        "announce",
        "Bring back deleted devices",
        "PRESS",
        command_topic=names.command(HUB, "announce"),
        entity_category=CONFIG,
    )
    away = names.command(HUB, "away")
    yield text("away_until", "Away until", "away_text", LOCAL, command_topic=away)
    yield Entity(
        "datetime",
        "away_until_time",
        "Away until (date and time)",
        {
            "value_template": "{{ value_json.away_until }}",
            "command_topic": away,
            "entity_category": CONFIG,
        },
    )


def state(
    site: SiteView,
    prices: Prices,
    names: Names,
    said: Mapping[str, OutgoingMessage],
    ledger: Mapping[str, Any],
    zone: ZoneInfo,
    now: datetime,
) -> dict[str, object]:
    """What the entities show. `said` is everything that is true on retained topics."""
    wish = document(said, names.topics.site_wish)
    health = document(said, names.topics.health)
    away = wish.get("away_until")
    total = ledger.get("total", {})
    problems: dict[str, object] = {}
    for key in PROBLEMS:
        found = site.problems.get(key)
        problems[key] = found and {"text": found.text, "what_to_do": found.what_to_do}
    return {
        "at": now,
        **_price_values(prices, now),
        "fetched_at": prices.fetched_at,
        "next_update": prices.next_update,
        "health": health.get("state"),
        "away_until": away,
        "away_text": f"{parse_instant(away).astimezone(zone):%Y-%m-%d %H:%M}" if away else "",
        "energy_kwh": _of(total, "ever", "energy_kwh"),
        "saved": _of(total, "ever", "saved"),
        "cost": _of(total, "ever", "cost"),
        "month_saved": _of(total, "month", "saved"),
        "month_cost": _of(total, "month", "cost"),
        "request": answer(wish),
        "problems": problems,
    }


def _price_values(prices: Prices, now: datetime) -> dict[str, object]:
    current = prices.at(now)
    export = prices.at(now, exported=True)
    out: dict[str, object] = dict.fromkeys(PRICE_KEYS)
    out |= {"cheaper": {}, "export": None if export is None else export.price}
    if current is None:
        return out
    following = prices.at(current.end)
    cheaper = next(
        (
            rate
            for rate in prices.imported
            if rate.start >= current.end and rate.confidence > 0 and rate.price < current.price
        ),
        None,
    )
    carbon = current.carbon_g_per_kwh
    if cheaper is not None:
        out["cheaper_from"] = cheaper.start
        out["cheaper"] = {"start": cheaper.start, "end": cheaper.end, "price": cheaper.price}
    return out | {
        "price": current.price,
        "next_change": current.end,
        "next_price": None if following is None else following.price,
        "confidence": round(100 * current.confidence),
        "carbon": None if carbon is None else round(carbon),
    }


def health_attributes(said: Mapping[str, OutgoingMessage], names: Names) -> dict[str, object]:
    """What is not as it should be, part by part, and who acts."""
    parts: Mapping[str, Mapping[str, str]] = document(said, names.topics.health).get("parts", {})
    return {
        name: clean_text(" - ".join(filter(None, (part["why"], part["who_acts"]))), MOST_WHY)
        for name, part in parts.items()
        if part["state"] != "ok"
    }


def away_request(text_: str, zone: ZoneInfo) -> dict[str, object]:
    """The request behind the two `away until` entities: local time, an instant, or nothing.

    What is no time is handed on as it is, so that the answer names it.
    """
    if not text_:
        return {"away_until": None}
    try:
        when = datetime.fromisoformat(text_)
        if when.tzinfo is None:
            when = local_instant(when.date(), when.time(), zone)
        instant = format_instant(when)
    except (ValueError, OverflowError):
        return {"away_until": text_}
    return {"away_until": instant}


def _of(account: Mapping[str, Any], span: str, key: str) -> object:
    value = (account.get(span) or {}).get(key)
    return None if value is None else round(Decimal(repr(value)), 4)
