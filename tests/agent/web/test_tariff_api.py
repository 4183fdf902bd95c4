"""The tariff is connected by a program: the API gives the link, a person does the rest."""

import asyncio
import logging
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.agent.web.program import Program, check
from tests.fakes.connect_home import ConnectHome, connect_home
from tests.fakes.connect_sandbox import PAIRING_CODE
from tests.fakes.web_home import PATIENCE_S, Visitor, visitor

ALL = "/tariff/connections"
ONE = f"{ALL}/import"
SESSION = f"{ONE}/session"


async def program(house: ConnectHome, owner: Visitor) -> Program:
    await owner.claim(house.code())
    found = Program(house, owner)
    await found.log_in()
    return found


async def test_the_whole_way_by_a_program(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        async with (
            connect_home(tmp_path) as house,
            house.agent(),
            visitor(house.url) as owner,
        ):
            ours = await program(house, owner)
            status, begun, _ = await ours.ask("POST", SESSION, {})
            assert status == 201
            check(begun, f"{ALL}/{{direction}}/session", "post", "201")
            token = parse_qs(urlsplit(begun["url"]).query)["fp_cot"][0]
            # The session that is open, until another one is asked for.
            _, again, _ = await ours.ask("POST", SESSION, {})
            assert again["url"] == begun["url"]
            _, anew, _ = await ours.ask("POST", SESSION, {"anew": True})
            assert anew["url"] != begun["url"]
            status, found, _ = await ours.ask("GET", ALL)
            check(found, ALL, "get", "200")
            assert found["connections"][0]["session"]["state"] == "open"
            assert token not in str(found)
            house.sandbox.finish(house.sandbox.last.token)
            await house.home.until("event", type="tariff_connected")
            _, found, _ = await ours.ask("GET", ALL)
            check(found, ALL, "get", "200")
            assert found["connections"][0]["connected"] is True
            # What the program does is what the page shows.
            assert "Connected" in (await owner.get("/tariff"))[1]
            status, ended, _ = await ours.ask("DELETE", ONE)
            assert (status, ended) == (200, {"note": ""})
            assert house.sandbox.connected == set()
            _, found, _ = await ours.ask("GET", ALL)
            assert found["connections"][0]["connected"] is False
            _, events, _ = await ours.ask("GET", "/security-events")
            told = [event["text"] for event in events["events"]]
            assert {"tariff: connect import", "tariff: import"} <= set(told)
            assert token not in str(events)
    assert token not in caplog.text


async def test_a_direction_that_is_disconnected_takes_its_prices_along(tmp_path: Path) -> None:
    async with connect_home(tmp_path) as house, house.agent(), visitor(house.url) as owner:
        ours = await program(house, owner)
        for direction in ("import", "export"):
            await ours.ask("POST", f"{ALL}/{direction}/session", {})
            house.sandbox.finish(house.sandbox.last.token)
            await house.home.until(f"tariff/{direction}", stale=False)
        _, found, _ = await ours.ask("GET", "/prices")
        assert found["import"]["rates"]
        await ours.ask("DELETE", ONE)
        async with asyncio.timeout(PATIENCE_S):
            while found["import"] is not None:
                await asyncio.sleep(0.05)
                _, found, _ = await ours.ask("GET", "/prices")
        assert found["export"]["rates"]
        check(found, "/prices", "get", "200")


async def test_a_link_is_given_up(tmp_path: Path) -> None:
    async with connect_home(tmp_path) as house, house.agent(), visitor(house.url) as owner:
        ours = await program(house, owner)
        await ours.ask("POST", SESSION, {})
        assert (await ours.ask("DELETE", SESSION))[0] == 204
        _, found, _ = await ours.ask("GET", ALL)
        assert found["connections"][0]["session"] is None


async def test_what_is_no_request_and_who_is_not_the_owner(tmp_path: Path) -> None:
    async with connect_home(tmp_path) as house, house.agent(), visitor(house.url) as owner:
        ours = await program(house, owner)
        for body in ({"anew": 1}, {"callback_url": "https://evil.example"}, b"[]", b"{"):
            assert (await ours.ask("POST", SESSION, body))[0] == 422
        assert (await ours.ask("POST", f"{ALL}/local/session", {}))[0] == 404
        assert (await ours.ask("DELETE", f"{ALL}/%00"))[0] == 404
        for body in ({}, {"code": 1}, {"code": ""}, {"code": "K7"}):
            assert (await ours.ask("POST", "/tariff/pairing", body))[0] == 422
        forged = {"X-CSRF-Token": "0" * 64}
        for method, path in (("POST", SESSION), ("DELETE", SESSION), ("DELETE", ONE)):
            sent: dict[str, bool] | None = {} if method == "POST" else None
            assert (await ours.ask(method, path, sent, headers=forged))[0] == 403
        assert house.sandbox.sessions.all() == []
        house.sandbox.down = True
        status, body, _ = await ours.ask("POST", SESSION, {})
        assert (status, "cannot be reached" in body["detail"]) == (503, True)


async def test_a_makers_backend_wants_its_code_first_from_a_program_too(tmp_path: Path) -> None:
    async with (
        connect_home(tmp_path, auth="bearer", pairing=True) as house,
        house.agent(),
        visitor(house.url) as owner,
    ):
        ours = await program(house, owner)
        _, found, _ = await ours.ask("GET", ALL)
        assert found["pairing_needed"] is True
        status, body, _ = await ours.ask("POST", SESSION, {})
        assert (status, "pairing code" in body["detail"]) == (422, True)
        status, body, _ = await ours.ask("POST", "/tariff/pairing", {"code": "wrong"})
        assert (status, "not right" in body["detail"]) == (422, True)
        assert (await ours.ask("POST", "/tariff/pairing", {"code": PAIRING_CODE}))[0] == 204
        assert (await ours.ask("POST", SESSION, {}))[0] == 201
