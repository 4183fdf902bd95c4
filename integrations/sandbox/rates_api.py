"""`GET /tariffs/rates/{id}`, and the later releases' `POST /prices/{id}` and `POST /prices`."""

import json
from dataclasses import dataclass
from datetime import time
from typing import Any

from aiohttp import web

from integrations.sandbox.fault_injection import inject_faults
from integrations.sandbox.locations import Location, object_id
from integrations.sandbox.login import Login
from integrations.sandbox.rates_answer import (
    RatesRequest,
    ResponseOptions,
    parse_request,
    rates_answer,
)
from integrations.sandbox.responses import BadRequestError, json_object, plain
from integrations.sandbox.series import Updated
from integrations.sandbox.state import SandboxState

CODES_422 = {
    "pending_connect": "The tariff is being processed",
    "no_tariff_connected": "No tariff is connected for this direction",
    "no_price_data": "There is no price data",
    "unknown_code": "Something else is wrong",
}
PRICE_FIELDS = ("location_id", "start_time", "end_time", "tariff_direction")


@dataclass(frozen=True, slots=True)
class Publication:
    """When a market's next day appears, local time; what stands for it until then."""

    at: time = time(13)
    predictions: bool = False
    strict_offsets: bool = False


class RatesApi:
    def __init__(self, state: SandboxState, login: Login, publication: Publication) -> None:
        self._state = state
        self._login = login
        self._publication = publication

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/tariffs/rates/{id}", self._rates),
            web.get("/tariffs/audit/{id}", self._audit),
            web.post("/prices/{id}", self._anode_prices),
            web.post("/prices", self._busbar_prices),
        ]

    async def _rates(self, request: web.Request) -> web.Response:
        location = requested_location(self._state, request.match_info["id"])
        asked = self._parse(dict(request.query))
        return self._answer(location, asked, self._login.is_live(request))

    async def _audit(self, request: web.Request) -> web.Response:
        location = requested_location(self._state, request.match_info["id"])
        window = ("start_time", "end_time", "direction")
        asked = self._parse({name: request.query[name] for name in window if name in request.query})
        refused = self._no_prices(location, asked.direction)
        if refused is not None:
            return refused
        rates = self._rates_of(location, asked, self._login.is_live(request))
        market = location.series[asked.direction].market
        answer = {
            **{name: value for name, value in rates.items() if name != "next_update"},
            "id": object_id("tra", location.number),
            "object": "tariff_rate_audit",
            "market_sources": [],
            "carbon_sources": [],
            "data": [_audited(slot, market) for slot in rates["data"]],
        }
        return web.json_response(answer)

    async def _anode_prices(self, request: web.Request) -> web.Response:
        body = json_object(await request.read())
        return self._prices(request, request.match_info["id"], body, busbar=False)

    async def _busbar_prices(self, request: web.Request) -> web.Response:
        body = json_object(await request.read())
        location_id = body.get("location_id")
        if not isinstance(location_id, str) or not location_id:
            raise BadRequestError("location_id_missing", "location_id is required")
        return self._prices(request, location_id, body, busbar=True)

    def _prices(
        self, request: web.Request, location_id: str, body: dict[str, Any], *, busbar: bool
    ) -> web.Response:
        for name in PRICE_FIELDS:
            if not isinstance(body.get(name, ""), str):
                raise BadRequestError(f"{name}_invalid", f"{name} is text")
        location = requested_location(self._state, location_id)
        query = {str(name): body[name] for name in ("start_time", "end_time") if name in body}
        query["direction"] = body.get("tariff_direction", "IMPORT")
        if query["direction"] == "LOCAL":
            code = "no_tariff_connected"
            return self._state.error(422, "api_error", code, CODES_422[code])
        asked = self._parse(query)
        extra = {"device_id": body["device_id"]} if busbar and "device_id" in body else {}
        return self._answer(
            location, asked, self._login.is_live(request), busbar=busbar, prices=True, **extra
        )

    def _parse(self, query: dict[str, str]) -> RatesRequest:
        return parse_request(query, self._state.clock.now(), self._publication.strict_offsets)

    def _answer(
        self,
        location: Location,
        asked: RatesRequest,
        live: bool,
        *,
        prices: bool = False,
        busbar: bool = False,
        **extra: Any,
    ) -> web.Response:
        refused = self._no_prices(location, asked.direction)
        if refused is not None:
            return refused
        faults, now = self._state.faults, self._state.clock.now()
        rates = self._rates_of(location, asked, live)
        answer = inject_faults(rates, asked, now, faults)
        if prices:
            answer = {**as_prices(answer, busbar=busbar), **extra}
        text = json.dumps(answer)
        if faults.consume("truncated"):
            text = text[: len(text) // 2]
        return web.Response(text=text, content_type="application/json")

    def _rates_of(self, location: Location, asked: RatesRequest, live: bool) -> dict[str, Any]:
        consume, now = self._state.faults.consume, self._state.clock.now()
        series = location.series[asked.direction]
        options = ResponseOptions(
            time(23) if consume("publication_late") else self._publication.at,
            self._publication.predictions or consume("predictions"),
            contract_ended=consume("contract_ended"),
            publication_fails=consume("publication_fails"),
            prices_late=consume("prices_late"),
            withdrawn=consume("rates_withdrawn"),
            short_horizon=consume("short_horizon"),
            updates=series.updates if isinstance(series, Updated) else None,
        )
        return rates_answer(location, asked, now, options, live)

    def _no_prices(self, location: Location, direction: str) -> web.Response | None:
        for code, message in CODES_422.items():
            if self._state.faults.consume(code):
                return self._state.error(422, "api_error", code, message)
        if self._state.faults.consume("plain_422"):
            return plain(422, "Unprocessable Entity")
        code = self._missing(location, direction)
        if direction == "EXPORT" and self._state.faults.consume("no_export"):
            code = "no_tariff_connected"
        return self._state.error(422, "api_error", code, CODES_422[code]) if code else None

    def _missing(self, location: Location, direction: str) -> str:
        tariff = location.tariffs.get(f"commodity_{direction.lower()}")
        if tariff is None:
            return "no_tariff_connected"
        if tariff.ready_at is not None and self._state.clock.now() < tariff.ready_at:
            return "pending_connect"
        if direction not in location.series:
            return "no_price_data" if tariff.status == "ERROR" else "pending_connect"
        return ""


def requested_location(state: SandboxState, location_id: str) -> Location:
    """Raises HTTPNotFound."""
    location = state.locations.get(location_id)
    if location is None or state.faults.consume("deleted"):
        raise web.HTTPNotFound
    return location


def as_prices(answer: dict[str, Any], *, busbar: bool) -> dict[str, Any]:
    """An answer of release Zero in the shape of Anode, or of Busbar: no `next_update` in either."""
    left_out = {"next_update", "direction"} | ({"request"} if busbar else set())
    out = {name: value for name, value in answer.items() if name not in left_out}
    out["id"] = out["id"].replace("rts_", "prs_")
    out["object"] = "price"
    out["tariff_direction"] = answer["direction"]
    if "request" in out:
        asked = out["request"]
        out["request"] = {
            "tariff_direction": asked["direction"],
            "start_time": asked["start_time"],
            "end_time": asked["end_time"],
        }
    if isinstance(out.get("data"), list):
        out["data"] = [_with_price(slot) for slot in out["data"]]
    return out


def _with_price(slot: dict[str, Any]) -> dict[str, Any]:
    out = {name: value for name, value in slot.items() if name not in ("tariff", "carbon")}
    if "tariff" in slot:
        tariff = slot["tariff"]
        out["price"] = {"value": tariff["rate"], "confidence": tariff["confidence"]}
    return out


def _audited(slot: dict[str, Any], market: bool) -> dict[str, Any]:
    tariff = slot["tariff"]
    rate = tariff["rate"]
    return {
        "valid_from": slot["valid_from"],
        "valid_to": slot["valid_to"],
        "tariff_rate": {
            "commodity": {
                "market": rate if market else None,
                "fixed": None if market else rate,
                "percentage": None,
                "tier": None,
                "aggregate": rate,
            },
            "non_commodity": {"fixed": None, "tier": None},
            "total": rate,
            "confidence": tariff["confidence"],
        },
    }
