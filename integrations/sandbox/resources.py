"""The objects around the rates: customers, locations, tariff elements, events, and paged lists."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agent.energy.instants import format_instant
from integrations.sandbox.locations import Location, object_id
from integrations.sandbox.rates_answer import BadRequestError

CREATED_AT_TEXT = "2024-01-01T00:00:00Z"
CUSTOMER = object_id("cus", 1)
Object = dict[str, Any]


def customers(locations: Sequence[Location], live: bool) -> list[Object]:
    return [
        {
            **_head(CUSTOMER, "customer", live),
            "reference_id": "household",
            "locations": [location.id for location in locations],
        }
    ]


def location_object(location: Location, live: bool) -> Object:
    return {
        **_head(location.id, "location", live),
        "reference_id": f"home-{location.number}",
        "customer_id": CUSTOMER,
        "timezone": location.timezone,
        "currency_code": location.currency,
        "postal_address": {"city": location.city, "country_code": location.country},
        "tariff_status": {
            f"{kind}_{direction}": "connected"
            if kind == "commodity" and direction.upper() in location.series
            else "not_connected"
            for kind in ("commodity", "non_commodity")
            for direction in ("import", "export")
        },
        "tariff_elements": [element["id"] for element in elements(location, live)],
    }


def location_status_object(location: Location, live: bool) -> Object:
    return {
        **_head(location.id, "location_status", live),
        **{
            f"commodity_{element['direction'].lower()}": {
                "status": element["status"],
                "connection_type": element["connection_type"],
                "tariff": {"id": element["id"], "display_name": element["display_name"]},
            }
            for element in elements(location, live)
        },
    }


def elements(location: Location, live: bool) -> list[Object]:
    """The tariffs of one location, a direction each."""
    return [
        {
            **_head(object_id("trf", 10 * location.number + number), "tariff", live),
            "location_id": location.id,
            "direction": direction,
            "type": "COMMODITY",
            "display_name": location.name,
            "is_linked": series.market,
            "connection_type": "MARKET" if series.market else "MANUAL",
            "status": "connected",
            "timezone": location.timezone,
            "contract_start_date": "2024-01-01",
            "contract_end_date": "2099-12-31",
        }
        for number, (direction, series) in enumerate(location.series.items(), start=1)
    ]


@dataclass(frozen=True, slots=True)
class Happened:
    """An event of a location, `kind` in FlatPeak's spelling such as `tariff.expiring`."""

    kind: str
    location_id: str
    at: datetime


def events(locations: Sequence[Location], happened: Sequence[Happened], live: bool) -> list[Object]:
    """What happened so far: the customer and each location were made, then the rest."""
    made = [("customer.create", {"customer_id": CUSTOMER}, CREATED_AT_TEXT)]
    made += [
        ("location.create", {"location_id": location.id}, CREATED_AT_TEXT) for location in locations
    ]
    made += [
        (event.kind, {"location_id": event.location_id}, format_instant(event.at))
        for event in happened
    ]
    return [
        {
            **_head(object_id("evt", number), "event", live),
            "type": kind,
            "time_created": created,
            "data": {**data, "live_mode": live},
        }
        for number, (kind, data, created) in enumerate(made, start=1)
    ]


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


def _head(identity: str, kind: str, live: bool) -> Object:
    return {
        "id": identity,
        "object": kind,
        "live_mode": live,
        "time_created": CREATED_AT_TEXT,
        "account_id": object_id("acc", 1),
    }
