"""The house as a whole: status, health, prices, plan, ledger, tariff, events, its own wishes."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from agent import __version__
from agent.energy.rates import Direction, Rate
from agent.web.api.route import JsonText, Route
from agent.web.context import WebContext
from agent.web.visit import Visit
from agent.web.wishes import ask

AHEAD = timedelta(hours=48)
TARIFF = "tariff"
Body = dict[str, Any] | None


def status(context: WebContext) -> dict[str, object]:
    services = context.services
    health = context.document(context.topics.health) or {}
    return {
        "version": __version__,
        "site": context.config.site.id,
        "timezone": services.zone.key,
        "at": context.clock.now(),
        "clock_trusted": services.clock_trusted,
        "state": health.get("state", "ok"),
        "changes": context.changes.value,
        "problems": problems(services.site().problems),
    }


def problems(found: Mapping[str, Any]) -> dict[str, object]:
    return {
        name: {"text": item.text, "what_to_do": item.what_to_do} for name, item in found.items()
    }


def import_rates(context: WebContext, now: datetime) -> list[Rate]:
    """Known and estimated prices of the next two days; none while the clock is doubted."""
    services = context.services
    if not services.clock_trusted:
        return []
    rates = services.rates.planning_rates(Direction.IMPORT, now, now + AHEAD)
    return [rate for rate in rates if rate.confidence > 0]


def price_now(rates: list[Rate], now: datetime) -> Rate | None:
    return next((rate for rate in rates if rate.start <= now < rate.end), None)


def price_until(rates: list[Rate], now: datetime) -> datetime | None:
    """When another price begins; None where none is known to."""
    current = price_now(rates, now)
    if current is None:
        return None
    until = current.end
    for rate in rates:
        if rate.start < until:
            continue
        if rate.start > until or rate.price != current.price:
            return until
        until = rate.end
    return None


def next_cheaper(rates: list[Rate], now: datetime) -> Rate | None:
    current = price_now(rates, now)
    if current is None:
        return None
    later = (rate for rate in rates if rate.start >= current.end)
    return next((rate for rate in later if rate.price < current.price), None)


def tariff_status(context: WebContext) -> dict[str, object]:
    services = context.services
    known = services.rates.current.value
    imported = known.get(Direction.IMPORT) or next(iter(known.values()), None)
    condition = services.health.parts.get(TARIFF)
    return {
        "source": context.config.tariff.source,
        "state": None if condition is None else condition.state,
        "why": "" if condition is None else condition.why,
        "who_acts": "" if condition is None else condition.who_acts,
        "currency": None if imported is None else imported.currency,
        "timezone": services.zone.key,
        "directions": list(known),
        "fetched_at": None if imported is None else imported.fetched_at,
        "next_update": None if imported is None else imported.next_update,
        "known_until": None if imported is None else imported.horizon,
        "stale": imported is None or imported.stale,
    }


async def _status(visit: Visit, _body: Body) -> object:
    return status(visit.context)


async def _prices(visit: Visit, _body: Body) -> object:
    context, now = visit.context, visit.now
    topics = context.topics
    cheaper = next_cheaper(import_rates(context, now), now)
    return {
        "now": context.document(topics.tariff("now")),
        "cheaper": cheaper and {"start": cheaper.start, "end": cheaper.end, "price": cheaper.price},
        "import": context.document(topics.tariff("import")),
        "export": context.document(topics.tariff("export")),
    }


async def _tariff(visit: Visit, _body: Body) -> object:
    return tariff_status(visit.context)


def _published(topic: Callable[[WebContext], str]) -> Callable[[Visit, Body], Any]:
    """The document of a topic. 404 before there is one."""

    async def handle(visit: Visit, _body: Body) -> object:
        text = visit.context.published(topic(visit.context))
        if text is None:
            raise web.HTTPNotFound
        return JsonText(text)

    return handle


async def _events(visit: Visit, _body: Body) -> object:
    events = reversed(visit.context.services.events())
    return {
        "events": [
            {"at": item.at, "type": item.kind, "device": item.device, "text": item.text}
            for item in events
        ]
    }


async def _security_events(visit: Visit, _body: Body) -> object:
    events = visit.context.security_log.recent()
    return {
        "events": [
            {"at": item.at, "kind": item.kind, "text": item.text, "count": item.count}
            for item in events
        ]
    }


async def _request(visit: Visit, body: Body) -> object:
    return await ask(visit.context, None, body or {})


ROUTES = (
    Route("GET", "/status", "status", "Is all well, and has anything changed?", _status),
    Route(
        "GET",
        "/health",
        "health",
        "What works and what does not, part by part",
        _published(lambda context: context.topics.health),
    ),
    Route("GET", "/prices", "prices", "Prices of import and export", _prices),
    Route("GET", "/tariff", "tariff", "How the tariff is doing", _tariff),
    Route(
        "GET",
        "/plan",
        "plan",
        "The plan with its proof and reasons",
        _published(lambda context: context.topics.plan),
    ),
    Route(
        "GET",
        "/ledger",
        "ledger",
        "Energy, cost and savings",
        _published(lambda context: context.topics.ledger),
    ),
    Route("GET", "/events", "events", "What has happened", _events),
    Route("GET", "/security-events", "securityEvents", "Log-ins and changes", _security_events),
    Route(
        "POST",
        "/site/requests",
        "siteRequest",
        "A wish for the whole house",
        _request,
        has_body=True,
    ),
)
