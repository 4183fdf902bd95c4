"""The Connect host as FlatPeak's own web client speaks to it, and the sandbox's own pages."""

import html
import json
import random
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from agent.clock import SteppedClock
from tests.fakes.sandbox_caller import Caller, calling
from tests.fakes.virtual_loop import run_virtual

NOW = datetime(2026, 1, 16, 10, tzinfo=UTC)
TOKEN_PATH = "/connect/tariff/token"
CALLBACK = "http://192.168.1.20:8080/back?from=connect"
ADDRESS = {
    "address_line1": "1 High Street",
    "city": "York",
    "post_code": "YO1 1AA",
    "country_code": "gb",
}


async def begin(caller: Caller, **more: object) -> str:
    _, answer = await caller.post(TOKEN_PATH, {"callback_uri": CALLBACK, **more})
    return str(answer["connect_token"])


async def say(caller: Caller, token: str, route: str, **more: Any) -> tuple[int, dict[str, Any]]:
    """As the client does: JSON without a content type of its own, from another origin."""
    text = json.dumps({"connect_token": token, "route": route, **more})
    headers = {"Content-Type": "text/plain;charset=UTF-8", "Origin": "https://connect.example"}
    async with caller.session.post(caller.url + "/", data=text, headers=headers) as response:
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        return response.status, await response.json()


async def walk(caller: Caller, token: str, *steps: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    _, page = await say(caller, token, "session_restore")
    for route, message in steps:
        assert page["route"] == route
        status, page = await say(caller, token, route, type="submit", **message)
        assert status == 200, page
    return page


def data(**fields: Any) -> dict[str, Any]:
    return {"data": fields}


async def provider_id(caller: Caller, token: str, name: str) -> str:
    _, page = await say(caller, token, "session_restore")
    found = [it["id"] for it in page["data"]["providers"] if it["display_name"] == name]
    return str(found[0])


MANUAL = "Northern Grid & Light"
NAMED = (
    ("tariff_name_capture", data(tariff={"name": "Mine"})),
    ("contract_term_capture", data(contract_end_date="2026-12-01T00:00:00Z")),
)
HOURS = [
    {"valid_from": "00:00:00", "valid_to": "07:00:00", "cost": 0.1},
    {"valid_from": "07:00:00", "valid_to": "00:00:00", "cost": 0.3},
]


@pytest.mark.parametrize(
    ("structure", "capture", "entry", "summary", "first_price"),
    [
        ("FIXED", "rate_fixed_capture", {"cost": 0.31}, "summary_fixed_confirm", 0.31),
        ("TIME_OF_DAY", "rate_tod_capture", {"hours": HOURS}, "summary_tou_confirm", 0.3),
        (
            "MARKET",
            "market_surcharge_capture",
            {"surcharge": {"fixed": 0.02, "percentage": 5}},
            "summary_tou_confirm",
            None,
        ),
    ],
)
def test_paths_of_tariffs_that_are_entered(
    structure: str, capture: str, entry: dict[str, Any], summary: str, first_price: float | None
) -> None:
    async def story(clock: SteppedClock) -> None:
        async with calling(clock, processing_s=0) as caller:
            token = await begin(caller)
            page = await walk(
                caller, token, ("postal_address_capture", data(postal_address=ADDRESS))
            )
            assert page["type"] == "render"
            assert page["actions"] == ["PROVIDER_MISSING", "ADDRESS_CHANGE"]
            chosen = await provider_id(caller, token, MANUAL)
            page = await walk(
                caller,
                token,
                ("provider_select", data(provider={"id": chosen})),
                ("tariff_structure_select", data(options=[structure])),
                (capture, {"data": entry}),
                *NAMED,
            )
            assert page["route"] == summary
            assert page["data"]["tariff"]["contract_end_date"] == "2026-12-01T00:00:00Z"
            page = await walk(caller, token, (summary, {"action": "SAVE"}))
            assert page["route"] == "session_complete"
            assert page["data"]["callback_uri"] == f"{CALLBACK}&fp_cot={token}"
            _, result = await caller.get(TOKEN_PATH, connect_token=token)
            rates = await caller.rates(
                result["location_id"], "2026-01-16T10:00:00Z", "2026-01-16T11:00:00Z"
            )
            assert rates["currency_code"] == "GBP"
            if first_price is not None:
                assert rates["data"][0]["tariff"]["rate"] == first_price
            # The callback twice, the page reloaded: the same again.
            assert await walk(caller, token, ("session_complete", data())) == page

    run_virtual(story, NOW)


def test_the_library_and_a_provider_nobody_knows() -> None:
    async def story(clock: SteppedClock) -> None:
        async with calling(clock) as caller:
            token = await begin(caller, postal_address={"city": "Köln", "country_code": "DE"})
            page = await walk(caller, token, ("provider_select", {"action": "PROVIDER_MISSING"}))
            assert page["route"] == "provider_name_capture"
            page = await walk(
                caller,
                token,
                ("provider_name_capture", {"action": "ADDRESS_CHANGE"}),
                ("postal_address_capture", data(postal_address={**ADDRESS, "country_code": "DE"})),
            )
            chosen = await provider_id(caller, token, "Library Power")
            page = await walk(caller, token, ("provider_select", data(provider={"id": chosen})))
            night = page["data"]["tariffs"][1]["id"]
            for wrong, code in (
                ({}, "tariff_id_missing"),
                ({"id": "x"}, "tariff_id_invalid"),
                ({"id": "trt_0"}, "tariff_not_found"),
            ):
                status, answer = await say(caller, token, "tariff_select", data={"tariff": wrong})
                assert (status, answer["code"]) == (422, code)
            page = await walk(
                caller,
                token,
                ("tariff_select", data(tariff={"id": night})),
                ("contract_term_capture", {}),
                ("summary_tou_confirm", {"action": "EDIT"}),
            )
            assert page["route"] == "provider_select"

    run_virtual(story, NOW)


def test_a_connected_location_shows_its_summary_and_can_be_disconnected() -> None:
    async def story(clock: SteppedClock) -> None:
        async with calling(clock) as caller:
            place = next(iter(caller.sandbox.locations))
            kept = await begin(caller, location_id=place, direction="EXPORT")
            page = await walk(caller, kept, ("summary_fixed_confirm", {"action": "SAVE"}))
            assert page["route"] == "session_complete"
            assert "EXPORT" in caller.sandbox.locations[place].series
            token = await begin(caller, location_id=place, direction="EXPORT")
            await walk(caller, token, ("summary_fixed_confirm", {"action": "DISCONNECT"}))
            assert "EXPORT" not in caller.sandbox.locations[place].series
            _, result = await caller.get(TOKEN_PATH, connect_token=token)
            assert result["complete_action"] == "DISCONNECT"

    run_virtual(story, NOW)


def hours(*rows: tuple[str, str, float]) -> dict[str, Any]:
    return {"hours": [{"valid_from": a, "valid_to": b, "cost": cost} for a, b, cost in rows]}


@pytest.mark.parametrize(
    ("route", "entry", "code"),
    [
        ("postal_address_capture", {"postal_address": {}}, "address_line1_missing"),
        ("postal_address_capture", {"postal_address": {**ADDRESS, "city": " "}}, "city_missing"),
        (
            "postal_address_capture",
            {"postal_address": {**ADDRESS, "post_code": ""}},
            "post_code_missing",
        ),
        (
            "postal_address_capture",
            {"postal_address": {**ADDRESS, "country_code": None}},
            "country_code_missing",
        ),
        (
            "postal_address_capture",
            {"postal_address": {**ADDRESS, "country_code": "GBR"}},
            "country_code_invalid",
        ),
        (
            "postal_address_capture",
            {"postal_address": {**ADDRESS, "country_code": "AQ"}},
            "timezone_not_found",
        ),
        ("postal_address_capture", {"postal_address": "York"}, "data_json_invalid"),
        ("rate_fixed_capture", {"cost": 0}, "cost_value_zero"),
        ("rate_fixed_capture", {"cost": -0.1}, "cost_value_negative"),
        ("rate_fixed_capture", {"cost": "cheap"}, "data_json_invalid"),
        ("rate_tod_capture", hours(("00:00:00", "00:00:00", 0)), "cost_value_zero"),
        ("rate_tod_capture", hours(("25:00:00", "00:00:00", 1)), "valid_from_invalid"),
        ("rate_tod_capture", hours(("10:00+01", "00:00:00", 1)), "valid_from_invalid"),
        ("rate_tod_capture", hours(("00:00:00", "x", 1)), "valid_to_invalid"),
        (
            "rate_tod_capture",
            hours(("00:00:00", "06:00:00", 1), ("07:00:00", "00:00:00", 1)),
            "gap_in_time_period",
        ),
        ("rate_tod_capture", hours(("00:00:00", "06:00:00", 1)), "incomplete_time_period"),
        ("tariff_name_capture", {"tariff": {}}, "tariff_name_missing"),
        ("tariff_name_capture", {"tariff": []}, "data_json_invalid"),
        ("tariff_structure_select", {"options": ["FREE"]}, "data_json_invalid"),
    ],
)
def test_entries_are_refused_with_the_documented_code(
    route: str, entry: dict[str, Any], code: str
) -> None:
    async def story(clock: SteppedClock) -> None:
        async with calling(clock) as caller:
            token = await begin(caller)
            (session,) = caller.sandbox.sessions.all()
            session.visited.add(route)
            if route != "postal_address_capture":
                await walk(caller, token, ("postal_address_capture", data(postal_address=ADDRESS)))
            status, answer = await say(caller, token, route, data=entry)
            assert (status, answer["code"]) == (422, code)
            assert answer["connect_token"] == token
            assert answer["context"] == f"connect.{route}"

    run_virtual(story, NOW)


def test_messages_that_have_no_place_in_the_session() -> None:
    async def story(clock: SteppedClock) -> None:
        async with calling(clock) as caller:
            place = next(iter(caller.sandbox.locations))
            token = await begin(caller, location_id=place, direction="EXPORT")
            await walk(caller, token)
            summary = "summary_fixed_confirm"
            for route, message, expected in (
                ("dance", {}, "route_invalid"),
                ("tariff_select", data(tariff={"id": "trt_1"}), "route_invalid"),
                (summary, {}, "action_missing"),
                (summary, {"action": "RECONNECT"}, "action_invalid"),
                (summary, {"action": ["SAVE"]}, "action_invalid"),
            ):
                status, answer = await say(caller, token, route, **message)
                assert (status, answer["code"]) == (422, expected)
            status, answer = await say(caller, "cot_0", "session_restore")
            assert (status, answer["code"]) == (404, "token_invalid")
            caller.sandbox.sessions.expire(token)
            status, answer = await say(caller, token, "session_restore")
            assert (status, answer["code"]) == (422, "token_expired")
            async with caller.session.options(caller.url + "/") as response:
                assert response.status == 204
                assert "POST" in response.headers["Access-Control-Allow-Methods"]
            for text in (b"", b"[]", b"\xff", b"{" * 100_000):
                async with caller.session.post(caller.url + "/", data=text) as response:
                    assert (response.status, (await response.json())["code"]) == (
                        422,
                        "data_json_invalid",
                    )

    run_virtual(story, NOW)


def test_a_person_clicks_through_the_own_pages() -> None:
    async def story(clock: SteppedClock) -> None:
        async with calling(clock) as caller:
            token = await begin(caller)
            url = caller.sandbox.connect_web_url

            async def submit(route: str, **form: str) -> tuple[int, str]:
                fields = {"connect_token": token, "route": route, **form}
                async with caller.session.post(url, data=fields, allow_redirects=False) as answer:
                    return answer.status, answer.headers.get("Location") or await answer.text()

            async with caller.session.get(url, params={"fp_cot": token}) as response:
                assert "Where is the home?" in await response.text()
                assert "default-src 'none'" in response.headers["Content-Security-Policy"]
            status, text = await submit("postal_address_capture", city="York")
            assert status == 422
            assert "address_line1_missing" in text
            await submit("postal_address_capture", **ADDRESS)
            evil = "<script>alert(1)</script>"
            await submit("provider_select", action="PROVIDER_MISSING")
            _, text = await submit("provider_name_capture", value=evil)
            assert evil not in text
            assert "&lt;script&gt;" in text
            _, text = await submit("tariff_structure_select", value="TIME_OF_DAY")
            await submit(
                "rate_tod_capture",
                from0="00:00",
                to0="07:00",
                cost0="0.1",
                from1="07:00",
                to1="00:00",
                cost1="0.3",
            )
            await submit("tariff_name_capture", value=evil)
            _, text = await submit("contract_term_capture", value="2026-12-31")
            assert evil not in text
            assert "until 2026-12-31" in text
            # Where the browser goes is the session's matter, whatever a form says.
            assert await submit(
                "summary_tou_confirm", action="SAVE", callback_uri="https://evil.example/"
            ) == (303, f"{CALLBACK}&fp_cot={token}")
            async with caller.session.get(url, params={"fp_cot": evil}) as response:
                assert response.status == 404
                assert evil not in await response.text()

    run_virtual(story, NOW)


# What somebody types into the pages' fields, right and wrong.
TYPED = {
    "country_code": ("gb", "de", "xx", ""),
    "post_code": ("YO1 1AA", ""),
    "value": ("0.31", "My own", "2027-01-31", "<b>", ""),
    "cost0": ("0.2", "-", ""),
    "from0": ("00:00", "25:00"),
    "to0": ("00:00", "07:00"),
}


@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_pressed_on_the_pages_they_go_on(seed: int) -> None:
    """Each page of the walk is one that a person can use; what was typed wrong stands there."""
    choose = random.Random(seed)

    async def story(clock: SteppedClock) -> None:
        async with calling(clock, processing_s=0) as caller:
            place = next(iter(caller.sandbox.locations))
            seen = set()
            for number in range(12):
                direction = ("IMPORT", "EXPORT")[number % 2]
                of = {"location_id": place} if number % 3 else {}
                token = await begin(caller, direction=direction, **of)
                pages = f"{caller.url}/connect-web/"
                form: dict[str, str] | None = None
                for _ in range(25):
                    if form is None:
                        asked = caller.session.get(
                            pages, params={"fp_cot": token}, allow_redirects=False
                        )
                    else:
                        asked = caller.session.post(pages, data=form, allow_redirects=False)
                    async with asked as response:
                        text = await response.text()
                        assert response.status in (200, 303, 422), text
                        if response.status == 303:
                            break
                    fields = re.findall(r'<input name="(\w+)" type="(\w+)" value="([^"]*)"', text)
                    values = {name: html.unescape(value) for name, kind, value in fields}
                    if form is not None and response.status == 422 and "action" not in form:
                        assert {name: form.get(name, "") for name in values} == values
                    for name, kind, _ in fields:
                        if kind != "hidden":
                            values[name] = choose.choice(TYPED.get(name, ("1 High Street", "x")))
                    buttons = re.findall(r'<button(?: name="(\w+)" value="([^"]*)")?>', text)
                    name, value = choose.choice(buttons)
                    form = {**values, **({name: value} if name else {})}
                    hidden = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', text)
                    form |= dict(hidden)
                    seen.add(form["route"])
            assert {"postal_address_capture", "provider_select", "provider_name_capture"} <= seen

    run_virtual(story, NOW)
