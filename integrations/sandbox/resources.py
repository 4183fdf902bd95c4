"""The objects around the rates: customers, locations, tariff elements, events, and paged lists."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from agent.energy.instants import format_instant
from integrations.sandbox.locations import PACKAGED_AT, Location, Tariff, object_id
from integrations.sandbox.responses import BadRequestError
from integrations.sandbox.state import ACCOUNT_ID, Customer, Event

CREATED_AT_TEXT = format_instant(PACKAGED_AT)
KINDS = (
    "commodity_import",
    "commodity_export",
    "non_commodity_import",
    "non_commodity_export",
    "local",
)
NOT_SUPPORTED = {"local"}
Object = dict[str, Any]


def customer_object(customer: Customer, locations: Sequence[Location], live: bool) -> Object:
    return {
        **_head(customer.id, "customer", live, customer.created_at),
        "reference_id": customer.reference_id,
        "locations": [place.id for place in locations if place.customer_id == customer.id],
    }


def location_object(location: Location, live: bool) -> Object:
    tariffs = location.tariffs
    address = location.postal_address or {
        "city": location.city,
        "country_code": location.country,
    }
    return {
        **_head(location.id, "location", live, location.created_at),
        "reference_id": location.reference_id or f"home-{location.number}",
        "customer_id": location.customer_id,
        "timezone": location.timezone,
        "currency_code": location.currency,
        "postal_address": dict(address),
        "tariff_status": {kind: _status(kind, tariffs) for kind in KINDS},
        "tariff_elements": [tariff.id for tariff in tariffs.values()],
    }


def location_status_object(location: Location, live: bool) -> Object:
    """Every kind under `tariff_status`, also those that are not connected."""
    tariffs = location.tariffs
    return {
        **_head(location.id, "location_status", live, location.created_at),
        "location_id": location.id,
        "tariff_status": {kind: _kind_status(kind, tariffs) for kind in KINDS},
    }


def elements(location: Location, live: bool) -> list[Object]:
    """The tariffs of one location, a kind each."""
    out = []
    for kind, tariff in location.tariffs.items():
        type_name, _, direction = kind.rpartition("_")
        market = tariff.structure_type == "MARKET"
        element = {
            **_head(tariff.id, "tariff", live, tariff.created_at),
            "location_id": location.id,
            "direction": direction.upper(),
            "type": type_name.upper(),
            "display_name": tariff.display_name,
            "provider_id": tariff.provider.id,
            "market_rates": market,
            "is_linked": tariff.connection_type in ("MARKET", "DIRECT", "LIBRARY"),
            "connection_type": tariff.connection_type,
            "status": tariff.status,
            "timezone": location.timezone,
            "contract_start_date": format_instant(tariff.contract_start),
            "contract_end_date": _instant(tariff.contract_end),
        }
        if market:
            element["market_rate_source_id"] = object_id("mrs", location.number)
        out.append(element)
    return out


def events(
    customers: Sequence[Customer],
    locations: Sequence[Location],
    happened: Sequence[Event],
    live: bool,
) -> list[Object]:
    """What happened so far: the customer and each packaged location were made, then the rest.

    An event keeps its id when more happen: packaged ones are numbered by what they are about.
    """
    made: list[tuple[str, str, dict[str, str], str]] = [
        (
            object_id("evt", 1),
            "customer.create",
            {"customer_id": customers[0].id},
            CREATED_AT_TEXT,
        )
    ]
    told = {event.location_id for event in happened if event.kind == "location.create"}
    made += [
        (
            object_id("evt", 1 + location.number),
            "location.create",
            {"location_id": location.id},
            CREATED_AT_TEXT,
        )
        for location in locations
        if location.id not in told
    ]
    owners = {location.id: location.customer_id for location in locations}
    for number, event in enumerate(happened, start=10_000):
        data = {"location_id": event.location_id}
        if event.tariff_id:
            data["tariff_id"] = event.tariff_id
        if event.location_id in owners:
            data["customer_id"] = owners[event.location_id]
        made.append((object_id("evt", number), event.kind, data, format_instant(event.at)))
    return [
        {
            **_head(identity, "event", live),
            "type": kind,
            "time_created": created,
            "data": {**data, "live_mode": live, "account_id": ACCOUNT_ID},
        }
        for identity, kind, data, created in made
    ]


def _status(kind: str, tariffs: Mapping[str, Tariff]) -> str:
    if kind in NOT_SUPPORTED:
        return "NOT_SUPPORTED"
    return tariffs[kind].status if kind in tariffs else "NOT_CONNECTED"


def _kind_status(kind: str, tariffs: Mapping[str, Tariff]) -> Object:
    tariff = tariffs.get(kind)
    status: Object = {"status": _status(kind, tariffs)}
    if tariff is None:
        return status
    return {
        **status,
        "connection_type": tariff.connection_type,
        "provider": {
            "id": tariff.provider.id,
            "display_name": tariff.provider.name,
            "logo_url": "",
        },
        "tariff": {
            "id": tariff.id,
            "display_name": tariff.display_name,
            "structure_type": tariff.structure_type,
            "contract_end_date": _instant(tariff.contract_end),
        },
    }


def page(items: Sequence[Object], query: Mapping[str, str], url: str, default: int) -> Object:
    """One page of a list, newest first. Raises BadRequestError."""
    try:
        limit = int(query.get("limit", default))
    except ValueError as error:
        raise BadRequestError("limit_invalid", "limit is a number") from error
    if not 1 <= limit <= 100:
        raise BadRequestError("limit_invalid", "limit is 1 to 100")
    after, before = query.get("starting_after"), query.get("ending_before")
    if after and before:
        raise BadRequestError(
            "cursor_invalid", "starting_after and ending_before exclude each other"
        )
    newest_first = list(reversed(items))
    ids = [item["id"] for item in newest_first]
    cursor = after or before
    if cursor and cursor not in ids:
        raise BadRequestError("cursor_invalid", f"there is no {cursor}")
    if before:
        rest = newest_first[: ids.index(before)]
        shown, more = rest[-limit:], len(rest) > limit
    else:
        rest = newest_first[ids.index(after) + 1 :] if after else newest_first
        shown, more = rest[:limit], len(rest) > limit
    return {"object": "list", "url": url, "has_more": more, "data": shown}


def _instant(when: datetime | None) -> str | None:
    return None if when is None else format_instant(when)


def _head(identity: str, kind: str, live: bool, created: datetime = PACKAGED_AT) -> Object:
    return {
        "id": identity,
        "object": kind,
        "live_mode": live,
        "time_created": format_instant(created),
        "account_id": ACCOUNT_ID,
    }
