"""A provider's side of a session, and what the poller makes of a consent."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import web

from agent.clock import SteppedClock
from integrations.sandbox.login import basic_header
from tests.fakes.energy_provider import EnergyProvider
from tests.fakes.sandbox_caller import Caller, calling
from tests.fakes.virtual_loop import run_virtual

NOW = datetime(2026, 1, 16, 10, tzinfo=UTC)
BODY = {
    "callback_uri": "http://gateway.local/back",
    "connect_web_uri": "http://connect.local/web",
    "postal_address": {"city": "York", "country_code": "GB"},
}
GOOD = basic_header("demo", "provider's password")


@dataclass
class Visit:
    """A customer's browser, sent to the provider."""

    caller: Caller
    provider: EnergyProvider
    token: str = ""

    async def begin(self) -> dict[str, Any]:
        _, answer = await self.caller.post("/connect/tariff/token", BODY)
        self.token = answer["connect_token"]
        await self.turn("session_restore")
        chosen = {"provider": {"id": self.provider.connected().name.id}}
        return await self.turn("provider_select", data=chosen)

    async def turn(self, route: str, **more: Any) -> dict[str, Any]:
        message = {"connect_token": self.token, "route": route, **more}
        status, page = await self.caller.post("/", message)
        assert status == 200, page
        return dict(page)

    async def call(
        self, method: str, path: str = "session", body: Any = None, authorization: str = GOOD
    ) -> tuple[int, Any]:
        url = f"{self.caller.url}/connect/{path}/{self.token}"
        async with self.caller.session.request(
            method, url, json=body, headers={"Authorization": authorization}
        ) as answer:
            return answer.status, await answer.json()

    async def consent(self, start: str = "2026-01-01T00:00:00Z") -> dict[str, Any]:
        """Submit, come back, save; the location's status. The contract runs from `start`."""
        term = {"start_date": start}
        body = {"data": {"auth_data": self.provider.auth_data(), "contract_term": term}}
        assert (await self.call("POST", body=body))[0] == 202
        page = await self.turn("session_restore")
        assert page["route"].startswith("summary_"), page
        await self.turn(page["route"], action="SAVE")
        return await self.status()

    async def result(self) -> dict[str, Any]:
        await self.caller.log_in()
        _, answer = await self.caller.get("/connect/tariff/token", connect_token=self.token)
        return dict(answer)

    async def status(self) -> dict[str, Any]:
        await self.caller.log_in()
        location_id = self.caller.sandbox.sessions.get(self.token).location_id
        _, answer = await self.caller.get(f"/locations/{location_id}/status")
        return dict(answer["tariff_status"]["commodity_import"])

    async def rates(self, start: datetime, length: timedelta) -> list[dict[str, Any]]:
        await self.caller.log_in()
        location_id = self.caller.sandbox.sessions.get(self.token).location_id
        answer = await self.caller.rates(
            location_id, start.isoformat().replace("+00:00", "Z"), _z(start + length)
        )
        return list(answer["data"])

    async def events(self) -> list[str]:
        await self.caller.log_in()
        _, answer = await self.caller.get("/events")
        return [event["type"] for event in answer["data"]]


def _z(when: datetime) -> str:
    return when.isoformat().replace("+00:00", "Z")


@asynccontextmanager
async def visiting(clock: SteppedClock) -> AsyncIterator[Visit]:
    async with (
        EnergyProvider(clock) as provider,
        calling(clock, processing_s=0, session_life_s=30 * 86400) as caller,
    ):
        caller.sandbox.integrate(provider.connected())
        yield Visit(caller, provider)


def test_the_context_in_both_generations() -> None:
    async def story(clock: SteppedClock) -> None:
        async with visiting(clock) as visit:
            page = await visit.begin()
            assert page["route"] == "session_redirect"
            target = page["data"]["redirect_url"]
            assert target == page["data"]["redirect_uri"]
            assert target.startswith(f"{visit.provider.url}/flatpeak?")
            brought = parse_qs(urlsplit(target).query)
            assert brought == {"connect_token": [visit.token], "fp_cot": [visit.token]}
            _, newer = await visit.call("GET")
            assert newer["connect_web_uri"] == BODY["connect_web_uri"]
            assert newer["redirect_uri"] == f"{visit.provider.url}/flatpeak"
            _, older = await visit.call("GET", "account-info")
            assert older["redirect_uri"] == BODY["connect_web_uri"]
            assert "connect_web_uri" not in older
            assert newer["account"] == older["account"]
            assert newer["account"]["display_name"]

    run_virtual(story, NOW)


@pytest.mark.parametrize(
    ("action", "route"),
    [
        ("DISMISS_LOGIN", "tariff_structure_select"),
        ("DISMISS_CONSENT", "tariff_structure_select"),
        ("ERROR", "summary_tariff_failed"),
    ],
)
def test_refusals_lead_on(action: str, route: str) -> None:
    async def story(clock: SteppedClock) -> None:
        async with visiting(clock) as visit:
            await visit.begin()
            assert (await visit.turn("session_restore"))["route"] == "session_redirect"
            assert (await visit.call("POST", body={"action": action}))[0] == 202
            # The same again is harmless, another outcome is too late.
            assert (await visit.call("PUT", body={"action": action}))[0] == 202
            other = {"data": {"auth_data": visit.provider.auth_data()}}
            assert (await visit.call("PATCH", body=other))[0] == 409
            assert (await visit.turn("session_restore"))["route"] == route
            if route == "summary_tariff_failed":
                page = await visit.turn(route, action="RECONNECT")
                assert page["route"] == "provider_select"
            # That visit is over; the provider may not change it any more.
            assert (await visit.call("GET"))[0] == 404

    run_virtual(story, NOW)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ([], "data_json_invalid"),
        ({}, "data_json_invalid"),
        ({"action": "GIVE_UP"}, "action_invalid"),
        ({"data": {}}, "auth_data_missing"),
        ({"data": {"auth_data": {}}}, "auth_data_missing"),
        ({"data": {"auth_data": {"a": 1}, "contract_term": 5}}, "contract_term_invalid"),
        (
            {"data": {"auth_data": {"a": 1}, "contract_term": {"end_date": "soon"}}},
            "contract_term_invalid",
        ),
        (
            {"data": {"auth_data": {"a": 1}, "postal_address": {"country_code": "XYZ"}}},
            "country_code_invalid",
        ),
    ],
)
def test_what_is_submitted_has_to_make_sense(body: Any, code: str) -> None:
    async def story(clock: SteppedClock) -> None:
        async with visiting(clock) as visit:
            await visit.begin()
            status, answer = await visit.call("POST", body=body)
            assert (status, answer["code"]) == (422, code)
            assert visit.caller.sandbox.poller.grants == []

    run_virtual(story, NOW)


def test_foreign_passwords_sessions_and_expired_tokens() -> None:
    async def story(clock: SteppedClock) -> None:
        async with visiting(clock) as visit:
            await visit.begin()
            assert (await visit.call("GET", authorization=basic_header("demo", "x")))[0] == 403
            chosen = visit.token
            _, answer = await visit.caller.post("/connect/tariff/token", BODY)
            visit.token = answer["connect_token"]
            assert (await visit.call("GET"))[0] == 404
            visit.token = chosen
            visit.caller.sandbox.sessions.expire(chosen)
            status, answer = await visit.call("GET")
            assert (status, answer["code"]) == (422, "token_expired")

    run_virtual(story, NOW)


def test_two_weeks_of_polling_renew_tokens_and_keep_history() -> None:
    async def story(clock: SteppedClock) -> None:
        async with visiting(clock) as visit:
            await visit.begin()
            status = await visit.consent()
            assert status["status"] == "CONNECTED"
            assert status["connection_type"] == "DIRECT"
            assert status["provider"]["display_name"] == "Demo Energy"
            assert status["tariff"]["structure_type"] == "DYNAMIC"
            visit.provider.price = 0.3
            await clock.sleep(14 * 86400 + 60)
            provider = visit.provider
            assert len(provider.polls) == 15
            assert provider.renewals >= 4
            slots = await visit.rates(NOW, timedelta(days=14, hours=24))
            assert slots[0]["tariff"]["rate"] == 0.2
            assert slots[-1]["tariff"]["rate"] == 0.3
            assert all(a["valid_to"] == b["valid_from"] for a, b in pairwise(slots))

    run_virtual(story, NOW)


def test_a_schedule_reaches_back_to_the_contracts_start_and_over_its_end() -> None:
    async def story(clock: SteppedClock) -> None:
        async with visiting(clock) as visit:
            visit.provider.structure = "FIXED"
            visit.provider.end = NOW + timedelta(days=10)
            await visit.begin()
            status = await visit.consent()
            assert status["tariff"]["contract_end_date"] == _z(visit.provider.end)
            back = await visit.rates(visit.provider.start - timedelta(days=1), timedelta(days=2))
            assert back[0]["valid_from"] == _z(visit.provider.start)
            assert back[0]["tariff"] == {"rate": 0.2, "confidence": 1.0}
            ahead = await visit.rates(NOW + timedelta(days=9), timedelta(days=2))
            assert [slot["tariff"]["confidence"] for slot in ahead][-1] == 0.8
            await clock.sleep(11 * 86400)
            happened = await visit.events()
            assert happened.count("tariff.expiring") == 1
            assert happened.count("tariff.expired") == 1

    run_virtual(story, NOW)


def test_a_contract_begun_long_ago_is_not_over_while_nobody_knows_its_end() -> None:
    async def story(clock: SteppedClock) -> None:
        async with visiting(clock) as visit:
            visit.caller.sandbox.faults.on("poll_fails")
            await visit.begin()
            status = await visit.consent("2021-06-01T00:00:00Z")
            assert status["tariff"]["contract_end_date"] > _z(NOW)

    run_virtual(story, NOW)


def test_a_withdrawn_consent_is_an_error_of_the_location() -> None:
    async def story(clock: SteppedClock) -> None:
        async with visiting(clock) as visit:
            await visit.begin()
            await visit.consent()
            visit.provider.revoked = True
            await clock.sleep(86400 + 60)
            assert (await visit.status())["status"] == "ERROR"
            assert "tariff.fetch.failed" in await visit.events()
            polls = len(visit.provider.polls)
            await clock.sleep(3 * 86400)
            assert len(visit.provider.polls) == polls

    run_virtual(story, NOW)


def test_a_tariff_that_was_disconnected_is_not_read_any_more() -> None:
    async def story(clock: SteppedClock) -> None:
        async with visiting(clock) as visit:
            await visit.begin()
            element = (await visit.consent())["tariff"]["id"]
            assert (await visit.caller.delete(f"/tariffs/elements/{element}"))[0] == 202
            await clock.sleep(3 * 86400)
            assert len(visit.provider.polls) == 1
            assert (await visit.status())["status"] == "NOT_CONNECTED"

    run_virtual(story, NOW)


def test_the_polling_limit_is_honoured() -> None:
    async def story(clock: SteppedClock) -> None:
        async with visiting(clock) as visit:
            await visit.begin()
            await visit.consent()
            visit.provider.answers = [
                web.Response(status=429, headers={"Retry-After": "7200"}),
                web.Response(status=500),
            ]
            await clock.sleep(2 * 86400 - 60)
            waits = [b - a for a, b in pairwise(visit.provider.polls)]
            assert [round(wait / timedelta(minutes=15)) for wait in waits] == [24 * 4, 2 * 4, 1]

    run_virtual(story, NOW)


def test_a_wait_that_is_told_begins_with_the_answer() -> None:
    async def story(clock: SteppedClock) -> None:
        async with visiting(clock) as visit:
            await visit.begin()
            await visit.consent()
            visit.provider.slow_s = 5
            visit.provider.answers = [web.Response(status=429, headers={"Retry-After": "7200"})]
            await clock.sleep(2 * 86400 - 60)
            waits = [b - a for a, b in pairwise(visit.provider.polls)]
            assert waits[1] >= timedelta(seconds=7205)

    run_virtual(story, NOW)


def test_a_provider_that_is_slow_to_answer_is_waited_for() -> None:
    async def story(clock: SteppedClock) -> None:
        async with visiting(clock) as visit:
            await visit.begin()
            visit.provider.answers = [web.Response(status=500), web.Response(status=500)]
            body = {"data": {"auth_data": visit.provider.auth_data()}}
            await visit.call("POST", body=body)
            page = await visit.turn("session_restore")
            assert page["route"] == "summary_tariff_inprogress"
            assert page["actions"] == ["SAVE", "DISCONNECT", "DISMISS_DIRECT"]
            await visit.turn(page["route"], action="SAVE")
            result = await visit.result()
            assert result["is_tariff_processed"] is False
            path = f"/tariffs/rates/{result['location_id']}"
            status, answer = await visit.caller.get(path, end_time="2026-01-17T00:00:00Z")
            assert (status, answer["code"]) == (422, "pending_connect")
            await clock.sleep(3600)
            assert (await visit.result())["is_tariff_processed"] is True

    run_virtual(story, NOW)


def test_tokens_are_shown_to_the_providers_own_host_only() -> None:
    async def story(clock: SteppedClock) -> None:
        async with visiting(clock) as visit, EnergyProvider(clock) as foreign:
            await visit.begin()
            auth_data = {**visit.provider.auth_data(), "tariff_url": f"{foreign.url}/api/tariff"}
            await visit.call("POST", body={"data": {"auth_data": auth_data}})
            page = await visit.turn("session_restore")
            assert page["route"] == "summary_tariff_inprogress"
            assert foreign.polls == []

    run_virtual(story, NOW)


@pytest.mark.parametrize(
    ("fault", "status"), [("context_refused", 403), ("submit_fails", 500), ("provider_error", 202)]
)
def test_faults_of_the_providers_side(fault: str, status: int) -> None:
    async def story(clock: SteppedClock) -> None:
        async with visiting(clock) as visit:
            await visit.begin()
            visit.caller.sandbox.faults.on(fault, 1)
            body = {"data": {"auth_data": visit.provider.auth_data()}}
            assert (await visit.call("POST", body=body))[0] == status
            if fault == "provider_error":
                assert (await visit.turn("session_restore"))["route"] == "summary_tariff_failed"

    run_virtual(story, NOW)


@pytest.mark.parametrize(
    ("fault", "keys"),
    [
        ("redirect_url_only", {"redirect_url"}),
        ("redirect_uri_only", {"redirect_uri"}),
        ("redirect_without_token", {"redirect_url", "redirect_uri"}),
    ],
)
def test_the_redirect_in_each_documented_form(fault: str, keys: set[str]) -> None:
    async def story(clock: SteppedClock) -> None:
        async with visiting(clock) as visit:
            visit.caller.sandbox.faults.on(fault)
            page = await visit.begin()
            assert set(page["data"]) == keys
            bare = fault == "redirect_without_token"
            assert all((visit.token in url) is not bare for url in page["data"].values())

    run_virtual(story, NOW)


def test_a_provider_that_cannot_be_read_for_two_days_is_an_event() -> None:
    async def story(clock: SteppedClock) -> None:
        async with visiting(clock) as visit:
            await visit.begin()
            await visit.consent()
            visit.caller.sandbox.faults.on("poll_fails")
            await clock.sleep(3 * 86400)
            assert (await visit.events()).count("tariff.fetch.failed") == 1
            visit.caller.sandbox.faults.clear()
            await clock.sleep(3600)
            assert (await visit.status())["status"] == "CONNECTED"

    run_virtual(story, NOW)


def test_the_older_context_can_come_by_the_newer_path() -> None:
    async def story(clock: SteppedClock) -> None:
        async with visiting(clock) as visit:
            await visit.begin()
            visit.caller.sandbox.faults.on("context_older")
            _, context = await visit.call("GET")
            assert context["redirect_uri"] == BODY["connect_web_uri"]
            assert "connect_web_uri" not in context

    run_virtual(story, NOW)


def test_a_tariff_that_was_left_as_it_was_is_read_on() -> None:
    """Summary, edit, the browser's back, save: the consent of before goes on."""

    async def story(clock: SteppedClock) -> None:
        async with visiting(clock) as visit:
            await visit.begin()
            before = await visit.consent()
            location_id = visit.caller.sandbox.sessions.get(visit.token).location_id
            body = {"callback_uri": "http://x/", "location_id": location_id}
            await visit.caller.log_in()
            _, again = await visit.caller.post("/connect/tariff/token", body)
            visit.token = again["connect_token"]
            page = await visit.turn("session_restore")
            summary = page["route"]
            page = await visit.turn(summary, action="EDIT")
            assert page["route"] == "provider_select"
            await visit.turn(summary, action="SAVE")
            assert (await visit.status())["tariff"]["id"] == before["tariff"]["id"]
            polls = len(visit.provider.polls)
            await clock.sleep(2 * 86400)
            assert len(visit.provider.polls) > polls

    run_virtual(story, NOW)
