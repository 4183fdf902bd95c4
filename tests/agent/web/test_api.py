"""The JSON API as a program finds it: what it answers is what its OpenAPI document says."""

import json
from pathlib import Path

import pytest

from agent.cli import main
from agent.web.api import ROUTES
from agent.web.api.models import ANSWERS, BODIES
from agent.web.api.openapi import openapi
from tests.agent.web.program import Program, check
from tests.fakes.web_home import PASSWORD, running, visitor

GETS = [route for route in ROUTES if route.method == "GET"]
NO_SUCH = "/devices/nobody"


async def test_every_answer_is_as_the_document_says(tmp_path: Path) -> None:
    async with running(tmp_path) as house, visitor(house.url) as owner:
        program = Program(house, owner)
        for route in ROUTES:
            if route.is_open:
                continue
            status, body, answer = await program.ask(
                route.method,
                route.path.format(device="ev", direction="import"),
                {} if route.has_body else None,
            )
            assert (status, answer.content_type) == (401, "application/problem+json"), route.path
            check(body, route.path, route.method.lower(), "default")
        await owner.claim(house.code())
        await program.log_in()
        await house.home.say("device/ev/state", {"plugged": True, "soc_percent": 40}, retain=True)
        await house.home.until("device/boiler/schedule", status="optimal")
        for topic in ("plan", "ledger", "tariff/now"):
            await house.home.until(topic)
        for route in GETS:
            status, body, answer = await program.ask(
                "GET", route.path.format(device="ev", direction="import")
            )
            assert status == 200, (route.path, body)
            check(body, route.path, "get", "200")
            assert answer.headers["Cache-Control"] == "no-store"
        _, body, _ = await program.ask("GET", "/devices/boiler")
        assert body["schedule"]["slots"]
        _, body, _ = await program.ask("GET", "/devices/ev")
        assert body["settings"]["target_soc_percent"]["most"] == 100
        _, body, _ = await program.ask("GET", "/prices")
        assert body["cheaper"]["price"] < body["now"]["import"]


async def test_a_wish_goes_the_way_of_mqtt_and_is_answered(tmp_path: Path) -> None:
    async with running(tmp_path) as house, visitor(house.url) as owner:
        await owner.claim(house.code())
        program = Program(house, owner)
        await program.log_in()
        path = "/devices/boiler/requests"
        status, body, _ = await program.ask("POST", path, {"mode": "boost", "for_s": 3600})
        assert (status, body["mode"]) == (200, "boost")
        check(body, "/devices/{device}/requests", "post", "200")
        await house.home.until("device/boiler/wish", mode="boost")
        status, body, _ = await program.ask("POST", path, {"mode": "sprint"})
        assert status == 422
        assert "mode" in body["detail"]
        assert (await program.ask("POST", NO_SUCH + "/requests", {"mode": "auto"}))[0] == 404
        status, body, _ = await program.ask("POST", "/site/requests", {"refresh": True})
        assert (status, body["accepted"]) == (200, True)
        status, body, _ = await program.ask("POST", "/site/requests", {"away_until": "soon"})
        assert status == 422


NO_WISHES: tuple[tuple[bytes, str, int], ...] = (
    (b"{", "application/json", 422),
    (b"[]", "application/json", 422),
    (b"[" * 4000, "application/json", 422),
    (b'{"mode":"\xff"}', "application/json", 422),
    (b'{"energy_kwh":NaN}', "application/json", 422),
    (b'{"energy_kwh":-Infinity}', "application/json", 422),
    (b'{"energy_kwh":1e999}', "application/json", 422),
    (b'{"id":"' + b"x" * 5000 + b'"}', "application/json", 413),
    (b"x" * 100_000, "application/json", 413),
    (b"mode=boost", "application/x-www-form-urlencoded", 415),
    (b'{"mode":"boost"}', "text/plain", 415),
)


async def test_a_body_that_is_no_wish_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path) as house, visitor(house.url) as owner:
        await owner.claim(house.code())
        program = Program(house, owner)
        await program.log_in()
        for body, kind, wanted in NO_WISHES:
            headers = {"Content-Type": kind}
            path = "/devices/ev/requests"
            status, answer, _ = await program.ask("POST", path, body, headers=headers)
            assert status == wanted, (body[:20], answer)
            check(answer, "/devices/{device}/requests", "post", "default")


async def test_errors_are_problem_documents_in_the_language_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.web.context.PAUSE_OF_ONE_S", 600.0)
    async with running(tmp_path) as house, visitor(house.url) as owner:
        await owner.claim(house.code())
        program = Program(house, owner)
        await program.log_in()
        german = {"Accept-Language": "de-AT, en;q=0.5"}
        status, body, _ = await program.ask("GET", NO_SUCH, headers=german)
        assert (status, body["detail"]) == (404, "Diese Seite gibt es nicht.")
        status, body, answer = await program.ask("PUT", "/devices")
        assert (status, answer.headers["Allow"]) == (405, "GET")
        for _ in range(5):
            status, _, _ = await program.ask("POST", "/sessions", {"password": "wrong"})
            assert status == 403
        status, _, answer = await program.ask("POST", "/sessions", {"password": PASSWORD})
        assert status == 429
        assert 0 < int(answer.headers["Retry-After"]) <= 600
        status, _, _ = await program.ask("POST", "/sessions", {"pass": 1})
        assert status == 422
        assert (await program.ask("DELETE", "/sessions/current"))[0] == 204
        assert (await program.ask("GET", "/status"))[0] == 401


def test_every_route_is_described() -> None:
    assert {route.name for route in ROUTES if route.status != 204} == set(ANSWERS)
    assert {route.name for route in ROUTES if route.has_body} == set(BODIES)


def test_schema_writes_the_document(tmp_path: Path) -> None:
    assert main(["schema", str(tmp_path)]) == 0
    document = json.loads((tmp_path / "openapi.json").read_text())
    assert document == openapi()
    assert document["openapi"] == "3.1.0"
    names = [entry["operationId"] for path in document["paths"].values() for entry in path.values()]
    assert len(set(names)) == len(names)
    references = set(json.dumps(document).split('"#/components/schemas/')[1:])
    assert {text.split('"')[0] for text in references} <= set(document["components"]["schemas"])
