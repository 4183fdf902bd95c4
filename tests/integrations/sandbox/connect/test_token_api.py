"""A device's side of a Connect session, against the real sandbox."""

from datetime import UTC, datetime
from typing import Any

import pytest

from agent.clock import SteppedClock
from integrations.sandbox.locations import built_in
from tests.fakes.sandbox_caller import Caller, calling
from tests.fakes.virtual_loop import run_virtual

NOW = datetime(2026, 1, 16, 10, tzinfo=UTC)
TOKEN_PATH = "/connect/tariff/token"
BODY = {"callback_uri": "http://192.168.1.20:8080/tariff/back?from=connect"}
GERMANY = built_in()[0].id


async def begin(caller: Caller, **more: object) -> str:
    status, answer = await caller.post(TOKEN_PATH, {**BODY, **more})
    assert status == 200, answer
    assert answer["expires_in"] == 86400
    assert answer["live_mode"] is True
    return str(answer["connect_token"])


def test_a_new_home_gets_a_location_and_its_prices_after_a_while() -> None:
    async def story(clock: SteppedClock) -> None:
        async with calling(clock) as caller:
            address = {"city": "York", "country_code": "GB"}
            token = await begin(
                caller,
                location_reference_id="attic",
                customer_reference_id="me",
                postal_address=address,
            )
            assert (await caller.get(TOKEN_PATH, connect_token=token))[0] == 404
            caller.sandbox.sessions.complete(token)
            _, result = await caller.get(TOKEN_PATH, connect_token=token)
            assert result["id"] == token
            assert result["complete_action"] == "SAVE"
            assert result["is_tariff_processed"] is False
            place = result["location_id"]
            rates = f"/tariffs/rates/{place}"
            status, answer = await caller.get(rates, end_time="2026-01-16T12:00:00Z")
            assert (status, answer["code"]) == (422, "pending_connect")
            await clock.sleep(31)
            _, result = await caller.get(TOKEN_PATH, connect_token=token)
            assert result["is_tariff_processed"] is True
            assert result["location_id"] == place
            _, answer = await caller.get(rates, end_time="2026-01-16T12:00:00Z")
            assert answer["currency_code"] == "GBP"
            assert answer["data"][-1]["valid_to"] == "2026-01-16T12:00:00Z"
            _, found = await caller.get("/locations", reference_id="attic")
            assert [item["id"] for item in found["data"]] == [place]
            _, events = await caller.get("/events", object_id=place)
            kinds = [event["type"] for event in events["data"]]
            assert kinds == ["connect_session.complete", "location.update", "location.create"]

    run_virtual(story, NOW)


def test_a_known_location_is_disconnected_one_direction_at_a_time() -> None:
    async def story(clock: SteppedClock) -> None:
        async with calling(clock) as caller:
            token = await begin(caller, location_id=GERMANY, direction="EXPORT")
            status, answer = await caller.get(TOKEN_PATH, connect_token=token)
            assert (status, answer["object"]) == (422, "error")
            body = {"connect_token": token, "action": "DISCONNECT"}
            assert (await caller.post("/_sandbox/connect", body))[0] == 200
            _, result = await caller.get(TOKEN_PATH, connect_token=token)
            assert (result["location_id"], result["complete_action"]) == (GERMANY, "DISCONNECT")
            _, status_of = await caller.get(f"/locations/{GERMANY}/status")
            kinds = status_of["tariff_status"]
            assert kinds["commodity_export"] == {"status": "NOT_CONNECTED"}
            assert kinds["commodity_import"]["status"] == "CONNECTED"

    run_virtual(story, NOW)


def test_a_session_expires_by_time_and_by_hand() -> None:
    async def story(clock: SteppedClock) -> None:
        async with calling(clock) as caller:
            tokens = [await begin(caller) for _ in range(2)]
            assert tokens[0] != tokens[1]
            caller.sandbox.sessions.expire(tokens[0])
            status, answer = await caller.get(TOKEN_PATH, connect_token=tokens[0])
            assert (status, answer["code"]) == (422, "token_expired")
            assert answer["connect_token"] == tokens[0]
            await clock.sleep(86400)
            await caller.log_in()
            status, answer = await caller.get(TOKEN_PATH, connect_token=tokens[1])
            assert (status, answer["code"]) == (422, "token_expired")
            assert (await caller.get(TOKEN_PATH, connect_token="cot_foreign"))[0] == 404
            assert (await caller.get(TOKEN_PATH))[0] == 404

    run_virtual(story, NOW)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "callback_uri_missing"),
        ({"callback_uri": "javascript:alert(1)"}, "callback_uri_invalid"),
        ({"callback_uri": 5}, "callback_uri_invalid"),
        ({**BODY, "connect_web_uri": "http://u:p@x/"}, "connect_web_uri_invalid"),
        ({**BODY, "direction": "SIDEWAYS"}, "tariff_direction_invalid"),
        ({**BODY, "direction": "LOCAL"}, "tariff_direction_not_supported"),
        ({**BODY, "type": "FOOD"}, "tariff_type_invalid"),
        ({**BODY, "location_id": GERMANY, "location_reference_id": "x"}, "location_id_invalid"),
        ({**BODY, "postal_address": {"city": "X", "country_code": "?"}}, "country_code_invalid"),
        ({**BODY, "postal_address": []}, "data_json_invalid"),
        ([], "data_json_invalid"),
    ],
)
def test_sessions_that_make_no_sense_are_refused(body: Any, code: str) -> None:
    async def story(clock: SteppedClock) -> None:
        async with calling(clock) as caller:
            status, answer = await caller.post(TOKEN_PATH, body)
            assert (status, answer["code"]) == (422, code)

    run_virtual(story, NOW)


def test_the_later_releases_have_their_own_names() -> None:
    async def story(clock: SteppedClock) -> None:
        async with calling(clock) as caller:
            urls = {"connect_url": "http://localhost:1/c", "callback_url": "myapp://done"}
            _, anode = await caller.post("/connect/token", {**urls, "tariff_direction": "EXPORT"})
            caller.sandbox.sessions.complete(anode["connect_token"])
            for path in ("/connect/token", TOKEN_PATH):
                status, found = await caller.get(path, connect_token=anode["connect_token"])
                assert (status, found["complete_action"]) == (200, "SAVE")
            assert (await caller.post("/connect", urls))[1]["code"] == "location_id_missing"
            _, busbar = await caller.post("/connect", {**urls, "location_id": GERMANY})
            assert busbar["data_available"] is False
            caller.sandbox.sessions.complete(busbar["id"])
            await clock.sleep(31)
            _, found = await caller.get(f"/connect/{busbar['id']}")
            assert (found["data_available"], found["location_id"]) == (True, GERMANY)

    run_virtual(story, NOW)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("connect_expired", (422, "token_expired")),
        ("exchange_422", (422, "session_not_complete")),
        ("", (404, None)),
    ],
)
def test_faults_of_the_exchange(fault: str, expected: tuple[int, str | None]) -> None:
    async def story(clock: SteppedClock) -> None:
        async with calling(clock) as caller:
            token = await begin(caller)
            if fault:
                caller.sandbox.faults.on(fault)
            status, answer = await caller.get(TOKEN_PATH, connect_token=token)
            assert (status, answer.get("code")) == expected

    run_virtual(story, NOW)


def test_an_exchange_can_be_about_another_session_or_say_little() -> None:
    async def story(clock: SteppedClock) -> None:
        async with calling(clock) as caller:
            token = await begin(caller)
            caller.sandbox.sessions.complete(token)
            caller.sandbox.faults.on("exchange_foreign", 1)
            _, answer = await caller.get(TOKEN_PATH, connect_token=token)
            assert answer["id"] != token
            caller.sandbox.faults.on("exchange_old", 1)
            _, answer = await caller.get(TOKEN_PATH, connect_token=token)
            assert answer["location_id"]
            assert not {"complete_action", "is_tariff_processed"} & set(answer)

    run_virtual(story, NOW)
