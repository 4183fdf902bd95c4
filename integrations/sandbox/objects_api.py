"""Customers, locations, tariff elements and events, lists and single objects."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from aiohttp import web

from integrations.sandbox import resources
from integrations.sandbox.locations import Location
from integrations.sandbox.login import Login
from integrations.sandbox.rates_api import requested_location
from integrations.sandbox.regions import region_of
from integrations.sandbox.resources import Object
from integrations.sandbox.responses import BadRequestError, json_object
from integrations.sandbox.state import SandboxState


class ObjectsApi:
    def __init__(self, state: SandboxState, login: Login) -> None:
        self._state = state
        self._login = login

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/customers", self._customers),
            web.get("/customers/{id}", self._customer),
            web.get("/locations", self._locations),
            web.post("/locations", self._create_location),
            web.get("/locations/{id}", self._location),
            web.delete("/locations/{id}", self._delete_location),
            web.get("/locations/{id}/status", self._location_status),
            web.get("/tariffs/elements", self._elements),
            web.get("/tariffs/elements/{id}", self._element),
            web.delete("/tariffs/elements/{id}", self._delete_element),
            web.get("/events", self._events),
            web.get("/events/{id}", self._event),
        ]

    async def _customers(self, request: web.Request) -> web.Response:
        items = _matching(
            self._all_customers(self._login.is_live(request)), request, "reference_id"
        )
        return _page(items, request, "/customers")

    async def _customer(self, request: web.Request) -> web.Response:
        return _one(self._all_customers(self._login.is_live(request)), request)

    def _all_customers(self, live: bool) -> list[Object]:
        places = list(self._state.locations.values())
        return [
            resources.customer_object(customer, places, live)
            for customer in self._state.customers.values()
        ]

    async def _locations(self, request: web.Request) -> web.Response:
        items = [
            resources.location_object(location, self._login.is_live(request))
            for location in self._state.locations.values()
        ]
        return _page(
            _matching(items, request, "reference_id", "customer_id"), request, "/locations"
        )

    async def _create_location(self, request: web.Request) -> web.Response:
        """At least `city` and `country_code` are needed, as the import guide has it."""
        body = json_object(await request.read())
        region = region_of(body.get("postal_address"), "api.location_create")
        reference = body.get("reference_id", "")
        if not isinstance(reference, str):
            raise BadRequestError("reference_id_invalid", "reference_id is text", 422)
        if reference and any(
            place.reference_id == reference for place in self._state.locations.values()
        ):
            raise web.HTTPConflict
        customer_id = body.get("customer_id")
        if customer_id in (None, ""):
            customer_id = self._state.customer_of("").id
        if not isinstance(customer_id, str):
            raise BadRequestError("customer_id_invalid", "customer_id is text", 422)
        if customer_id not in self._state.customers:
            raise web.HTTPNotFound
        made = self._state.add_location(region, reference, customer_id)
        return web.json_response(
            resources.location_object(made, self._login.is_live(request)), status=201
        )

    async def _location(self, request: web.Request) -> web.Response:
        location = requested_location(self._state, request.match_info["id"])
        return web.json_response(resources.location_object(location, self._login.is_live(request)))

    async def _delete_location(self, request: web.Request) -> web.Response:
        location = requested_location(self._state, request.match_info["id"])
        del self._state.locations[location.id]
        self._state.raise_event("location.delete", location.id)
        return _accepted()

    async def _location_status(self, request: web.Request) -> web.Response:
        location = requested_location(self._state, request.match_info["id"])
        if self._state.faults.consume("status_error"):
            kept = {kind: replace(it, status="ERROR") for kind, it in location.tariffs.items()}
            location = replace(location, connected=kept)
        status = resources.location_status_object(location, self._login.is_live(request))
        if self._state.faults.consume("status_flat"):
            status |= status.pop("tariff_status")
        return web.json_response(status)

    async def _elements(self, request: web.Request) -> web.Response:
        location_id = request.query.get("location_id")
        if not location_id:
            raise BadRequestError("location_id_missing", "location_id is required")
        location = self._state.locations.get(location_id)
        if location is None:
            raise web.HTTPNotFound
        items = resources.elements(location, self._login.is_live(request))
        return _page(_matching(items, request, "direction", "type"), request, "/tariffs/elements")

    async def _element(self, request: web.Request) -> web.Response:
        return _one(
            self._every(lambda place: resources.elements(place, self._login.is_live(request))),
            request,
        )

    async def _delete_element(self, request: web.Request) -> web.Response:
        for location in self._state.locations.values():
            for kind, tariff in location.tariffs.items():
                if tariff.id == request.match_info["id"]:
                    self._state.disconnect(location.id, kind)
                    self._state.raise_event("location.update", location.id, tariff.id)
                    return _accepted()
        raise web.HTTPNotFound

    async def _events(self, request: web.Request) -> web.Response:
        if self._state.faults.consume("no_events"):
            raise web.HTTPNotFound
        query = request.query
        items = [
            event
            for event in self._all_events(self._login.is_live(request))
            if query.get("event_type", event["type"]) == event["type"]
            and ("object_id" not in query or query["object_id"] in event["data"].values())
        ]
        return _page(items, request, "/events", 100)

    async def _event(self, request: web.Request) -> web.Response:
        return _one(self._all_events(self._login.is_live(request)), request)

    def _all_events(self, live: bool) -> list[Object]:
        state = self._state
        state.raise_due_reminders()
        customers, places = list(state.customers.values()), list(state.locations.values())
        return resources.events(customers, places, state.events, live)

    def _every(self, objects_of: Callable[[Location], list[Object]]) -> list[Object]:
        return [item for place in self._state.locations.values() for item in objects_of(place)]


def _matching(items: Sequence[Object], request: web.Request, *names: str) -> list[Object]:
    """Those that have what the query asks for under `names`."""
    asked = {name: request.query[name] for name in names if name in request.query}
    return [item for item in items if all(item[name] == asked[name] for name in asked)]


def _page(
    items: Sequence[Object], request: web.Request, url: str, default: int = 30
) -> web.Response:
    return web.json_response(resources.page(items, request.query, url, default))


def _one(items: Sequence[Object], request: web.Request) -> web.Response:
    found = next((item for item in items if item["id"] == request.match_info["id"]), None)
    if found is None:
        raise web.HTTPNotFound
    return web.json_response(found)


def _accepted() -> web.Response:
    return web.json_response({"message": "Accepted"}, status=202)
