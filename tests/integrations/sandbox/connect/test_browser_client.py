"""A web client of another origin in a real Chromium, as FlatPeak's own speaks to the Connect host:

JSON without a content type of its own, whatever the status the body is read, day before night, what
is skipped left out.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Page

from agent.clock import SystemClock
from integrations.sandbox import FlatPeakSandbox
from tests.fakes.browser import chromium, chromium_context
from tests.fakes.sandbox_caller import Caller

CALLBACK = "http://gateway.local/back"
SEND = """([host, message, headers]) =>
    fetch(host, {method: "POST", body: JSON.stringify(message), headers})
        .then(answer => answer.json())"""
AS_JSON = {"Content-Type": "application/json", "X-Request-Id": "1"}


class Client:
    """Keeps what page it is on, and answers that."""

    def __init__(self, page: Page, sandbox: FlatPeakSandbox, token: str) -> None:
        self._page, self._host, self._token = page, sandbox.url, token
        self.at: dict[str, Any] = {}

    async def send(
        self, route: str, headers: dict[str, str] | None = None, **more: object
    ) -> dict[str, Any]:
        message = {"route": route, "type": "submit", "connect_token": self._token, **more}
        answer = await self._page.evaluate(SEND, [self._host, message, headers or {}])
        if answer.get("object") != "error":
            self.at = answer
        return dict(answer)

    async def answer(self, **data: object) -> str:
        """The route that comes next."""
        answer = await self.send(self.at["route"], data=data)
        assert answer.get("object") != "error", answer
        assert (answer["type"], answer["connect_token"]) == ("render", self._token)
        return str(answer["route"])

    async def act(self, action: str) -> str:
        assert action in self.at["actions"]
        return str((await self.send(self.at["route"], action=action))["route"])


@asynccontextmanager
async def client() -> AsyncIterator[tuple[Client, Caller]]:
    async def page_of_another_origin(_request: web.Request) -> web.Response:
        text = "<!doctype html><html lang=en><link rel=icon href=data:,><title>Client</title>"
        return web.Response(text=text, content_type="text/html")

    app = web.Application()
    app.router.add_get("/", page_of_another_origin)
    async with (
        FlatPeakSandbox(SystemClock(), processing_s=0) as sandbox,
        TestServer(app, host="127.0.0.1") as server,
        aiohttp.ClientSession() as http,
        chromium() as browser,
    ):
        caller = Caller(http, sandbox)
        await caller.log_in()
        _, started = await caller.post("/connect/tariff/token", {"callback_uri": CALLBACK})
        origin = str(server.make_url("")).rstrip("/")
        async with chromium_context(browser, {origin, sandbox.url}) as context:
            page = await context.new_page()
            await page.goto(origin)
            yield Client(page, sandbox, started["connect_token"]), caller


async def test_a_day_and_night_tariff_from_another_origin() -> None:
    async with client() as (ours, caller):
        assert (await ours.send("session_restore"))["route"] == "postal_address_capture"
        wrong = await ours.send("postal_address_capture", data={"postal_address": {}})
        assert (wrong["object"], wrong["code"]) == ("error", "address_line1_missing")
        address = {"address_line1": "1 High Street", "address_line2": "", "city": "York"}
        address |= {"country_code": "GB", "post_code": "YO1 1AA", "state": ""}
        # With headers of its own the browser asks first.
        wrong = await ours.send("postal_address_capture", AS_JSON, data={"postal_address": ""})
        assert wrong["code"] == "data_json_invalid"
        assert await ours.answer(postal_address=address) == "provider_select"
        assert all(
            {"id", "display_name", "logo_url"} <= set(it) for it in ours.at["data"]["providers"]
        )
        assert await ours.act("PROVIDER_MISSING") == "provider_name_capture"
        assert await ours.answer(provider={"name": "Mine"}) == "tariff_structure_select"
        assert await ours.answer(options=["TIME_OF_DAY"]) == "rate_tod_capture"
        untouched = {"valid_from": "00:00:00", "valid_to": "00:00:00"}
        wrong = await ours.send(
            "rate_tod_capture",
            data={"hours": [{**untouched, "cost": 0.3}, {**untouched, "cost": 0.1}]},
        )
        assert wrong["code"] == "valid_to_invalid"
        day = {"valid_from": "07:00:00", "valid_to": "23:30:00", "cost": 0.3}
        night = {"valid_from": "23:30:00", "valid_to": "07:00:00", "cost": 0.1}
        assert await ours.answer(hours=[day, night]) == "tariff_name_capture"
        assert await ours.answer(tariff={"name": "Day & night"}) == "contract_term_capture"
        # Skipped: no data at all.
        summary = await ours.send("contract_term_capture")
        assert summary["route"] == "summary_tou_confirm"
        assert summary["data"]["market_rates_source"] is False
        prices = {slot["tariff"]["cost"] for slot in summary["data"]["rates"]["today"]}
        assert prices == {0.1, 0.3}
        assert await ours.act("SAVE") == "session_complete"
        token = ours.at["connect_token"]
        assert ours.at["data"]["callback_uri"] == f"{CALLBACK}?fp_cot={token}"
        # The page is loaded anew at the end: the same place again.
        assert (await ours.send("session_restore"))["route"] == "session_complete"
        _, result = await caller.get("/connect/tariff/token", connect_token=token)
        assert (result["complete_action"], result["is_tariff_processed"]) == ("SAVE", True)


async def test_a_market_tariff_is_shown_as_one_and_a_date_comes_from_a_calendar() -> None:
    async with client() as (ours, caller):
        caller.sandbox.sessions.get((await ours.send("session_restore"))["connect_token"])
        address = {"address_line1": "1", "city": "Köln", "country_code": "DE", "post_code": "1"}
        await ours.answer(postal_address=address)
        await ours.act("PROVIDER_MISSING")
        await ours.answer(provider={"name": "Mine"})
        await ours.answer(options=["MARKET"])
        # As JSON has what JavaScript leaves undefined, and no number.
        wrong = await ours.send("market_surcharge_capture", data={"surcharge": {"fixed": "x"}})
        assert wrong["code"] == "data_json_invalid"
        await ours.answer(surcharge={"fixed": 0.02, "percentage": 0})
        await ours.answer(tariff={"name": "Market"})
        route = await ours.answer(contract_end_date="2099-12-01T00:00:00.000Z")
        assert route == "summary_tou_confirm"
        assert ours.at["data"]["market_rates_source"] is True
        assert ours.at["data"]["tariff"]["contract_end_date"] == "2099-12-01T00:00:00Z"
        assert await ours.act("EDIT") == "provider_select"
        caller.sandbox.sessions.expire(ours.at["connect_token"])
        gone = await ours.send("session_restore")
        assert (gone["object"], gone["code"]) == ("error", "token_expired")
